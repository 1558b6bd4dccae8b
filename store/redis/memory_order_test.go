package redis_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
)

// Of the same order at the same time a server says what a store.Memory does.
func TestOrdersAreThoseOfMemory(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	admin := server.admin()
	redis.ClockByList(t, "clock")
	begin := time.Now().Add(time.Hour).Truncate(time.Hour) // no key expires in the test
	for seed := range uint64(10) {
		tell := newOrderTeller(seed)
		for i, step := range rememberOrder(t, seed, begin) {
			setClock(t, admin, step.now)
			got := tell.next(t, s, step.now)
			if diff := gocmp.Diff(step.answer, got, cmpopts.EquateApproxTime(0), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d, step %d: (-Memory +Redis)\n%s", seed, i, diff)
			}
		}
	}
}

// orderStep is what a Memory said.
type orderStep struct {
	now    time.Time
	answer any
}

// rememberOrder uses an order of a Memory at random.
func rememberOrder(t *testing.T, seed uint64, begin time.Time) []orderStep {
	t.Helper()
	var steps []orderStep
	synctest.Test(t, func(t *testing.T) {
		memory, tell := store.NewMemory(0), newOrderTeller(seed)
		for clock := begin; len(steps) < 400; {
			clock = clock.Add(tell.jump()).Truncate(time.Microsecond)
			memory.SetClock(time.Until(clock))
			steps = append(steps, orderStep{clock, tell.next(t, memory, clock)})
		}
	})
	return steps
}

// orderTeller uses one order at random, the same way each time of the same seed, if it hears the
// same.
type orderTeller struct {
	r      *rand.Rand
	jumps  *rand.Rand
	key    store.OrderKey
	heard  map[string]store.OrderNews // by member
	number int64
	lesson int64
	epochs map[string]int // in the order in which they were heard of
}

func newOrderTeller(seed uint64) *orderTeller {
	r := rand.New(rand.NewPCG(seed, 1))
	return &orderTeller{
		r: r, jumps: rand.New(rand.NewPCG(seed, 2)), heard: map[string]store.OrderNews{}, epochs: map[string]int{"": 0},
		key: store.OrderKey{
			Name: fmt.Sprint("order ", seed), Bucket: 333*time.Microsecond + time.Duration(r.IntN(60_000))*time.Microsecond,
			Buckets: 2 + r.Int64N(2400),
		},
	}
}

func (o *orderTeller) jump() time.Duration {
	whole := int64(o.key.Bucket) * o.key.Buckets
	switch o.jumps.IntN(40) {
	case 0:
		return -time.Duration(o.jumps.Int64N(whole / 4))
	case 1:
		return -time.Duration(o.jumps.Int64N(2 * whole))
	case 2, 3:
		return time.Duration(o.jumps.Int64N(2 * whole))
	}
	return time.Duration(o.jumps.Int64N(whole/50 + int64(o.key.Bucket)))
}

// next does something, and returns the answer.
func (o *orderTeller) next(t *testing.T, s store.Orders, now time.Time) any {
	t.Helper()
	var answer any
	var err error
	switch o.r.IntN(5) {
	case 0, 1:
		answer, err = s.ReserveOrder(context.Background(), o.key, o.ask())
	case 2, 3:
		answer, err = s.SettleOrder(context.Background(), o.key, o.change(now))
	default:
		answer, err = o.pull(s, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (o *orderTeller) charge(most int64) store.Charge {
	part := func() int64 { return o.r.Int64N(most) - most/4 }
	return store.Charge{Known: part(), Open: [store.Estimates]int64{part(), part(), part()}}
}

func (o *orderTeller) ask() store.OrderAsk {
	window := func() store.OrderWindow {
		return store.OrderWindow{
			Buckets: o.r.Int64N(o.key.Buckets + 2), Capacity: 40_000 * o.r.Float64(), Margin: 0.1 * o.r.Float64(),
		}
	}
	a := store.OrderAsk{Charge: o.charge(4000), By: o.r.IntN(store.Estimates), Guess: 3 * o.r.Float64(), Window: window()}
	if o.r.IntN(2) == 0 {
		a.Longer, a.Every = window(), 1+o.r.Int64N(8)
		a.Longer.Capacity *= 4
	}
	return a
}

func (o *orderTeller) change(now time.Time) store.OrderChange {
	return store.OrderChange{
		Bucket: now.UnixNano()/int64(o.key.Bucket) + 5 - o.r.Int64N(o.key.Buckets+10),
		Charge: o.charge(2000), Refused: o.r.IntN(3) == 0, Lesson: max(o.lesson+o.r.Int64N(4)-2, -1),
	}
}

// pull returns the news in a form that can be compared.
func (o *orderTeller) pull(s store.Orders, now time.Time) (store.OrderNews, error) {
	member := fmt.Sprintf("%016x", o.r.IntN(3))
	heard := o.heard[member]
	if o.r.IntN(10) == 0 {
		heard = store.OrderNews{}
	}
	p := store.OrderPull{Member: member, Epoch: heard.Epoch, Version: heard.Version, Count: heard.Count, Lesson: o.lesson}
	if o.r.IntN(4) > 0 {
		o.number++
		p.Number = o.number
	}
	for range o.r.IntN(4) * o.r.IntN(40) {
		p.Changes = append(p.Changes, o.change(now))
	}
	for range o.r.IntN(4) {
		shift := store.Shift{Keep: o.r.Float64()}
		for range o.r.IntN(4) {
			shift.Add = append(shift.Add, o.r.NormFloat64())
		}
		p.Evidence = append(p.Evidence, shift)
	}
	n, err := s.PullOrder(context.Background(), o.key, p)
	if o.r.IntN(3) > 0 {
		o.heard[member] = n
	}
	o.lesson = n.Lesson
	if _, known := o.epochs[n.Epoch]; !known {
		o.epochs[n.Epoch] = len(o.epochs)
	}
	n.Epoch = strconv.Itoa(o.epochs[n.Epoch])
	slices.SortFunc(n.Buckets, func(a, b store.OrderBucket) int { return cmp.Compare(a.Bucket, b.Bucket) })
	return n, err
}
