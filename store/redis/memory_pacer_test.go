package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
)

// Of the same paces at the same time a server says what a store.Memory does, but for the last
// digits.
func TestPacesAreThoseOfMemory(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	admin := server.admin()
	redis.ClockByList(t, "clock")
	begin := time.Now().Add(time.Hour).Truncate(time.Hour) // no key expires in the test
	for seed := range amount(4, 20) {
		teller := newPaceTeller(seed)
		for i, step := range rememberPaces(t, seed, begin) {
			setClock(t, admin, step.now)
			got := teller.next(t, s)
			if diff := cmp.Diff(step.answer, got, cmpopts.EquateApproxTime(0), cmpopts.EquateApprox(1e-9, 0),
				cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < time.Microsecond })); diff != "" {
				t.Fatalf("seed %d, step %d: (-Memory +Redis)\n%s", seed, i, diff)
			}
		}
	}
}

// paceStep is what a Memory said.
type paceStep struct {
	now    time.Time
	answer any
}

// rememberPaces uses the paces of a Memory at random.
func rememberPaces(t *testing.T, seed uint64, begin time.Time) []paceStep {
	t.Helper()
	var steps []paceStep
	synctest.Test(t, func(t *testing.T) {
		memory, teller := store.NewMemory(0), newPaceTeller(seed)
		for clock := begin; len(steps) < 600; {
			clock = clock.Add(teller.jump())
			memory.SetClock(time.Until(clock))
			steps = append(steps, paceStep{clock, teller.next(t, memory)})
		}
	})
	return steps
}

// paceTeller uses the paces of one key at random, the same way each time of the same seed.
type paceTeller struct {
	r, jumps *rand.Rand
	key      store.Key
	pacing   store.Pacing
	often    int // one of so many requests meets contention
}

func newPaceTeller(seed uint64) *paceTeller {
	r := rand.New(rand.NewPCG(seed, 1))
	return &paceTeller{
		r: r, jumps: rand.New(rand.NewPCG(seed, 2)),
		key: store.Key{Kind: store.KindPacer, Name: fmt.Sprint("key ", seed)},
		pacing: store.Pacing{
			Gain: 1 + r.Float64()/4, Tolerance: r.Float64() / 4, Growth: r.Float64() / 4, Floor: 2 * r.Float64(),
			Burst: time.Duration(r.IntN(1000)) * time.Millisecond,
		},
		often: 2 + r.IntN(10),
	}
}

func (p *paceTeller) jump() time.Duration {
	switch p.jumps.IntN(40) {
	case 0:
		return -time.Duration(p.jumps.IntN(400_000)) * time.Microsecond
	case 1:
		return time.Duration(p.jumps.IntN(15_000_000)) * time.Microsecond
	}
	return time.Duration(p.jumps.IntN(120_000)) * time.Microsecond
}

// next does something, and returns the answer.
func (p *paceTeller) next(t *testing.T, s store.Pacers) any {
	t.Helper()
	location := func() store.PaceLocation {
		l := store.PaceLocation{Name: []string{"near", "far", "farther"}[p.r.IntN(3)], Comes: p.r.IntN(4) == 0}
		if p.r.IntN(4) > 0 {
			l.Seed = 20 * p.r.Float64()
		}
		return l
	}
	var answer any
	var err error
	switch p.r.IntN(p.often) {
	case 0:
		after := time.Duration(p.r.IntN(3_000_000)-1000) * time.Microsecond / time.Duration(1+p.r.IntN(20))
		answer, err = s.RejectPaced(context.Background(), p.key, store.PaceRejection{
			Pacing: p.pacing, Location: location(), After: after,
		})
	case 1:
		if p.r.IntN(3) == 0 {
			err = s.ReturnPaced(context.Background(), p.key, location().Name)
			break
		}
		fallthrough
	default:
		ask := store.PaceAsk{Pacing: p.pacing, Locations: []store.PaceLocation{location()}}
		if second := location(); second.Name != ask.Locations[0].Name {
			ask.Locations = append(ask.Locations, second)
		}
		answer, err = s.AllowPaced(context.Background(), p.key, ask)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Replicas of a former version kept twelve numbers of a pace. The others are of no period then.
func TestAPaceOfAFormerVersionGoesOn(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	admin, teller := server.admin(), newPaceTeller(1)
	ask := store.PaceAsk{Pacing: teller.pacing, Locations: []store.PaceLocation{{Name: "near", Seed: 7}}}
	if _, err := s.AllowPaced(t.Context(), teller.key, ask); err != nil {
		t.Fatal(err)
	}
	keys, err := admin.Do(t.Context(), admin.B().Keys().Pattern("*:pacer").Build()).AsStrSlice()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%q, %v", keys, err)
	}
	stored, err := admin.Do(t.Context(), admin.B().Hget().Key(keys[0]).Field("near").Build()).ToString()
	if err != nil || len(stored) <= 12*8 {
		t.Fatalf("%d bytes, %v", len(stored), err)
	}
	do(t, admin, "hset", keys[0], "near", stored[:12*8])
	ask.Locations[0].Seed = 3
	if g, err := s.AllowPaced(t.Context(), teller.key, ask); err != nil || g.Rates[0] != 7 {
		t.Errorf("%+v, %v, want the rate of 7 a second that was stored", g, err)
	}
}
