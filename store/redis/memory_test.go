package redis_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
)

// Of the same asks at the same time a server grants what a store.Memory does.
func TestGrantsAreThoseOfMemory(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	admin := server.admin()
	redis.TakeByList(t, "clock")
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, seed))
		memory := store.NewMemory(0)
		clock := time.Hour // ahead of the server's, so that no key expires
		script := newAsker(r, fmt.Sprint("window ", seed))
		for i := range 150 {
			clock = max(clock+jump(r), time.Hour)
			memory.SetClock(clock)
			who, a := script.ask(time.Now().Add(clock))
			want, now, err := memory.Take(t.Context(), who, []store.Ask{a})
			if err != nil {
				t.Fatal(err)
			}
			do(t, admin, "del", "clock")
			do(t, admin, "rpush", "clock", strconv.FormatInt(now.Unix(), 10), strconv.Itoa(now.Nanosecond()/1000))
			got, _, err := s.Take(t.Context(), who, []store.Ask{a})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[0], got[0], cmpopts.IgnoreFields(store.Grant{}, "Epoch"),
				cmpopts.EquateApproxTime(time.Microsecond), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d, ask %d, %+v: (-Memory +Redis)\n%s", seed, i, a, diff)
			}
		}
	}
}

// jump is how far a clock goes on, or back.
func jump(r *rand.Rand) time.Duration {
	switch r.IntN(20) {
	case 0:
		return -time.Duration(r.IntN(3000)) * time.Millisecond
	case 1:
		return -time.Duration(r.IntN(120)) * time.Second
	case 2, 3, 4:
		return time.Duration(r.IntN(90)) * time.Second
	}
	return time.Duration(r.IntN(2000)) * time.Millisecond
}

// asker asks for one window at random.
type asker struct {
	*rand.Rand

	key     store.Key
	limits  store.Limits
	numbers map[string]int64
	day     time.Time

	last     time.Time
	numbered map[string]time.Time // when each member used one, since the last long jump
}

func newAsker(r *rand.Rand, name string) *asker {
	limit := func(most int64) int64 { return max(r.Int64N(most)-most/4, 0) }
	return &asker{
		Rand: r, key: store.Key{Kind: store.KindWindow, Name: name}, numbers: map[string]int64{},
		limits: store.Limits{RPM: limit(60), TPM: limit(6000), RPD: limit(300), Concurrency: limit(20)},
	}
}

func (a *asker) ask(now time.Time) (string, store.Ask) {
	if a.day.IsZero() {
		a.day = now.Add(time.Duration(a.IntN(300)) * time.Second)
	}
	if now.Before(a.last) || now.Sub(a.last) > store.Keep/4 {
		a.numbered = map[string]time.Time{}
	}
	a.last = now
	who := fmt.Sprintf("%016x", a.IntN(4))
	ask := store.Ask{
		Key: a.key, Limits: a.limits, Profile: a.IntN(4) == 0,
		Requests: a.Int64N(10), Tokens: a.Int64N(2000), Least: a.Int64N(300),
		Slots: a.Int64N(8), UnderWay: a.Int64N(4),
	}
	if a.IntN(10) > 0 {
		const length = 5 * time.Minute
		next := a.day.Add(now.Sub(a.day).Truncate(length))
		if !next.After(now) {
			next = next.Add(length)
		}
		ask.Days = [3]time.Time{next.Add(-length), next, next.Add(length)}
	}
	if a.IntN(2) == 0 {
		// A number is not repeated late: a window that is empty may forget it.
		if a.IntN(5) > 0 || now.Sub(a.numbered[who]) > store.Keep/2 {
			a.numbers[who]++
		}
		a.numbered[who] = now
		ask.Number = a.numbers[who]
	}
	for ask.Number > 0 && a.IntN(3) > 0 {
		ask.Changes = append(ask.Changes, store.Change{
			At:       now.Add(time.Second - time.Duration(a.IntN(90_000))*time.Millisecond),
			Requests: a.Int64N(10) - 6, Tokens: a.Int64N(1000) - 600,
		})
	}
	return who, ask
}
