package router_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
	"github.com/spillway-go/spillway/store"
)

// fleet is routers that share a store, over one emulator whose quotas the pools know.
type fleet struct {
	google  *geminitest.Emulator
	store   *store.Memory
	routers []*router.Router

	mu     sync.Mutex
	served []time.Time
	failed int
}

const fleetRPM = 60

func newFleet(t *testing.T, replicas int, projects ...string) *fleet {
	t.Helper()
	f := &fleet{store: store.NewMemory(time.Millisecond)}
	var all []project
	for _, name := range projects {
		p := keyed(name, "key-"+name)
		p.google.Limits = []geminitest.Limit{{RPM: fleetRPM}}
		p.pool.Limits = []pool.Limit{{RPM: fleetRPM}}
		all = append(all, p)
	}
	f.google = googleOf(geminitest.Config{}, all...)
	for range replicas {
		f.routers = append(f.routers, newRouter(t, poolOf(all...), router.Config{MaxWait: 5 * time.Second},
			router.WithTransport(f.google), router.WithStore(f.store)))
	}
	time.Sleep(3 * time.Second) // until the store knows what all have used
	return f
}

// offer makes calls at a rate for a while, at one router after the other, and waits for them.
func (f *fleet) offer(t *testing.T, perSecond int, length time.Duration) {
	t.Helper()
	var calls sync.WaitGroup
	for i := range int(length.Seconds()) * perSecond {
		r := f.routers[i%len(f.routers)]
		calls.Go(func() {
			resp, err := r.RoundTrip(gen(t.Context(), genPath, fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":"call %d"}]}]}`, i)))
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			f.mu.Lock()
			defer f.mu.Unlock()
			if resp.StatusCode == http.StatusOK {
				f.served = append(f.served, time.Now())
			} else {
				f.failed++
			}
		})
		time.Sleep(time.Second / time.Duration(perSecond))
	}
	calls.Wait()
}

// most returns how many calls were served in any minute at most.
func (f *fleet) most() (most int) {
	slices.SortFunc(f.served, time.Time.Compare)
	from := 0
	for i, at := range f.served {
		for !f.served[from].After(at.Add(-time.Minute)) {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestFleetKeepsToTheLimitsTogether(t *testing.T) {
	for _, replicas := range []int{2, 5} {
		t.Run(fmt.Sprintf("%d routers", replicas), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, replicas, "a", "b")
				f.offer(t, 3, 3*time.Minute) // half as much again as the projects have
				if n := f.google.CountStatus(geminitest.Match{}, http.StatusTooManyRequests); n > 0 {
					t.Errorf("Google refused %d calls", n)
				}
				if most, limit := f.most(), 2*fleetRPM; most > limit || len(f.served) < 3*limit*99/100 {
					t.Errorf("%d calls were served in three minutes, %d in one; the limit is %d a minute", len(f.served), most, limit)
				}
			})
		})
	}
}

// Every call is served while the store is away: there is room for them in the part of each router.
func TestFleetWithoutItsStoreFailsNoCall(t *testing.T) {
	for name, fault := range map[string]store.Fault{
		"gone": {Err: errors.New("the store is gone")}, "hanging": {Hangs: true}, "read-only": {WriteErr: errors.New("READONLY")},
		"losing replies": {LosesReplies: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 2, "a", "b")
				f.offer(t, 1, time.Minute)
				f.store.SetFault(fault)
				f.offer(t, 1, 2*time.Minute)
				for i, r := range f.routers {
					if s := r.Stat().Store; s == nil || s.In {
						t.Errorf("router %d does not know of it: %+v", i, s)
					}
				}
				f.store.SetFault(store.Fault{})
				f.offer(t, 1, time.Minute)
				if s := f.routers[0].Stat().Store; !s.In || s.Members != 2 {
					t.Errorf("after it a router knows %+v", s)
				}
				if refused := f.google.CountStatus(geminitest.Match{}, http.StatusTooManyRequests); f.failed+refused > 0 || len(f.served) != 240 {
					t.Errorf("of 240 calls %d were served, %d failed, and %d were refused by Google", len(f.served), f.failed, refused)
				}
			})
		})
	}
}

func TestFleetGoesOnAtItsLimitWithoutItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, "a")
		f.offer(t, 2, time.Minute)
		f.store.SetFault(store.Fault{Err: errors.New("the store is gone")})
		before := len(f.served)
		f.offer(t, 2, 2*time.Minute)
		if gone := len(f.served) - before; gone < 2*fleetRPM*85/100 {
			t.Errorf("%d calls were served in two minutes without the store, want nearly %d", gone, 2*fleetRPM)
		}
		if most := f.most(); most > fleetRPM*105/100 {
			t.Errorf("%d calls were served in one minute, the limit is %d", most, fleetRPM)
		}
	})
}
