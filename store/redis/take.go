package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/spillway-go/spillway/store"
)

// largest is the largest number that a script is told: those of Lua are exact up to there.
const largest = 1<<53 - 1

// Take implements [store.Store]. All asks leave together. If one fails, so does Take, but others
// may have been granted.
func (s *Store) Take(
	ctx context.Context, member string, asks []store.Ask,
) ([]store.Grant, time.Time, error) {
	if len(asks) == 0 {
		now, err := s.Publish(ctx, nil)
		return nil, now, err
	}
	calls := make([]call, len(asks))
	for i, ask := range asks {
		calls[i] = call{takeScript, s.windowKeys(ask.Key), takeArgs(member, ask)}
	}
	answers, err := s.run(ctx, s.timeout, calls...)
	if err != nil {
		return nil, time.Time{}, err
	}
	grants := make([]store.Grant, len(asks))
	var now time.Time
	for i, answer := range answers {
		if grants[i], now, err = readGrant(answer, asks[i]); err != nil {
			return nil, time.Time{}, err
		}
	}
	return grants, now, nil
}

// takeArgs returns the arguments of take.lua.
func takeArgs(member string, a store.Ask) []string {
	args := make([]string, 0, 16+3*len(a.Changes))
	args = append(args, member, randomName())
	for _, n := range []int64{
		a.Limits.RPM, a.Limits.TPM, a.Limits.RPD, a.Limits.Concurrency,
		a.Requests, a.Tokens, a.Least, a.Slots, a.UnderWay,
		micros(a.Days[0]), micros(a.Days[1]), micros(a.Days[2]),
	} {
		args = append(args, decimal(max(n, 0)))
	}
	args = append(args, decimal(a.Number), flag(a.Profile))
	for _, c := range a.Changes {
		args = append(args, decimal(micros(c.At)), decimal(c.Requests), decimal(c.Tokens))
	}
	return args
}

// readGrant reads the answer of take.lua, and the store's time.
func readGrant(answer rueidis.RedisMessage, a store.Ask) (store.Grant, time.Time, error) {
	r := read(answer)
	g := store.Grant{Epoch: r.text()}
	now := r.time()
	g.At, g.Requests, g.Tokens, g.Slots = r.time(), r.number(), r.number(), r.number()
	g.Used.Requests, g.Used.Tokens, g.Used.Day = r.number(), r.number(), r.number()
	if day := r.number(); day > 0 && day <= int64(len(a.Days)) {
		g.Used.DayEnds = a.Days[day-1]
	}
	g.Used.Slots, g.Next = r.number(), r.time()
	for r.more() {
		g.Profile = append(g.Profile, store.Change{
			At: r.time(), Requests: r.number(), Tokens: r.number(),
		})
	}
	return g, now, r.failure()
}

// micros returns microseconds since 1970, and zero before.
func micros(t time.Time) int64 { return max(t.UnixMicro(), 0) }

// decimal writes a number that a script computes with.
func decimal(n int64) string {
	return strconv.FormatInt(max(min(n, largest), -largest), 10)
}
