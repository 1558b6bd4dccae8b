package redis_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/rueidis"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
)

// Of the same asks at the same time a server grants what a store.Memory does.
func TestGrantsAreThoseOfMemory(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	admin := server.admin()
	redis.ClockByList(t, "clock")
	begin := time.Now().Add(time.Hour).Truncate(time.Hour) // no key expires in the test
	for seed := range amount(4, 20) {
		for i, step := range remember(t, seed, begin) {
			setClock(t, admin, step.now)
			got, _, err := s.Take(t.Context(), step.member, []store.Ask{step.ask})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.grant, got[0], cmpopts.IgnoreFields(store.Grant{}, "Epoch"),
				cmpopts.EquateApproxTime(0), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d, ask %d, %+v: (-Memory +Redis)\n%s", seed, i, step.ask, diff)
			}
		}
	}
}

// setClock sets the time that scripts read from the list "clock".
func setClock(t *testing.T, admin rueidis.Client, now time.Time) {
	t.Helper()
	do(t, admin, "del", "clock")
	do(t, admin, "rpush", "clock", strconv.FormatInt(now.Unix(), 10), strconv.Itoa(now.Nanosecond()/1000))
}

// step is what a Memory granted.
type step struct {
	now    time.Time
	member string
	ask    store.Ask
	grant  store.Grant
}

// remember asks a Memory at random. In a bubble its clock says exactly what the test sets.
func remember(t *testing.T, seed uint64, begin time.Time) []step {
	t.Helper()
	var steps []step
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, seed))
		memory, asker := store.NewMemory(0), newAsker(r, fmt.Sprint("window ", seed), begin)
		var used store.Used
		for clock := begin; len(steps) < 150; {
			by := jump(r)
			// A Memory forgets days that ended, and the latest time of a window that is empty. What
			// happens when the clock goes back behind these is left open.
			if empty := used == (store.Used{}); empty || clock.Add(by).Before(asker.dayBegins) {
				by = by.Abs()
			}
			clock = clock.Add(by)
			memory.SetClock(time.Until(clock))
			who, ask := asker.ask(clock)
			grants, now, err := memory.Take(t.Context(), who, []store.Ask{ask})
			if err != nil {
				t.Fatal(err)
			}
			steps = append(steps, step{now, who, ask, grants[0]})
			used = store.Used{Requests: grants[0].Used.Requests, Tokens: grants[0].Used.Tokens}
		}
	})
	return steps
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

	key       store.Key
	limits    store.Limits
	numbers   map[string]int64
	dayBegins time.Time

	last     time.Time
	numbered map[string]time.Time // when each member used one, since the last long jump
}

func newAsker(r *rand.Rand, name string, begin time.Time) *asker {
	limit := func(most int64) int64 { return max(r.Int64N(most)-most/4, 0) }
	return &asker{
		Rand: r, dayBegins: begin, key: store.Key{Kind: store.KindWindow, Name: name}, numbers: map[string]int64{},
		limits: store.Limits{RPM: limit(60), TPM: limit(6000), RPD: limit(300), Concurrency: limit(20)},
	}
}

// dayLength is short, so that days end in the test.
const dayLength = 5 * time.Minute

func (a *asker) ask(now time.Time) (string, store.Ask) {
	for !now.Before(a.dayBegins.Add(dayLength)) {
		a.dayBegins = a.dayBegins.Add(dayLength)
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
		next := a.dayBegins.Add(dayLength)
		ask.Days = [3]time.Time{a.dayBegins, next, next.Add(dayLength)}
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
