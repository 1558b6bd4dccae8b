package pool_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/pool"
)

var broken = pool.Outcome{Class: pool.ClassServerFault}

// page is an answer that is not Google's.
var page = pool.Outcome{Class: pool.ClassTransport, Message: "Sorry...", Evidence: pool.Evidence{Foreign: true}}

// team is n projects p0, p1, ... of a back end, in one location, in the order of the file or the
// other way round.
func team(b pool.Backend, n int, reversed bool) pool.Config {
	var cfg pool.Config
	for i := range n {
		if reversed {
			i = n - 1 - i
		}
		p := keyless(fmt.Sprintf("p%d", i), "global")
		if b == pool.BackendGemini {
			p = geminiProject(p.Name, "key-"+p.Name)
		}
		cfg.Projects = append(cfg.Projects, p)
	}
	return cfg
}

// members returns the endpoints of a team for a model, p0 first.
func (b *bed) members(model string, n int) []*pool.Candidate {
	b.t.Helper()
	var all []*pool.Candidate
	for i := range n {
		all = append(all, b.candidate(model, fmt.Sprintf("p%d/global/on_demand", i)))
	}
	return all
}

// TestBrokenEndpointsAreLeftAlone calls a team whose first endpoints always fail, 20 times a second,
// with a retry elsewhere as callers do it.
func TestBrokenEndpointsAreLeftAlone(t *testing.T) {
	type size struct{ n, broken int }
	sizes := []size{{3, 2}, {5, 4}, {10, 5}}
	for n := 2; n <= 10; n++ {
		sizes = append(sizes, size{n, 1})
	}
	for _, backend := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
		for _, reversed := range []bool{false, true} {
			for _, s := range sizes {
				t.Run(fmt.Sprintf("%s, reversed: %v, %d of %d", backend, reversed, s.broken, s.n), func(t *testing.T) {
					inBubble(t, team(backend, s.n, reversed), func(t *testing.T, b *bed) {
						bad := make(map[string]bool)
						for i := range s.broken {
							bad[fmt.Sprintf("p%d", i)] = true
						}
						b.playBroken(bad)
					})
				})
			}
		}
	}
}

func (b *bed) playBroken(bad map[string]bool) {
	b.t.Helper()
	var mu sync.Mutex
	attempts, wrong, failed, late := 0, 0, 0, 0
	call := func() {
		r := &pool.Request{Model: flash}
		for range 4 {
			l, err := b.pool.Acquire(b.t.Context(), r)
			if err != nil {
				break
			}
			isBad := bad[l.Endpoint().Project]
			mu.Lock()
			if time.Since(b.start) > 10*second {
				attempts++
				if isBad {
					wrong++
				}
			}
			mu.Unlock()
			if !isBad {
				time.Sleep(200 * time.Millisecond)
				l.Settle(time.Now(), good)
				return
			}
			time.Sleep(50 * time.Millisecond)
			l.Settle(time.Now(), broken)
			r.Failed(l, true, time.Now().Add(second))
		}
		mu.Lock()
		defer mu.Unlock()
		failed++
		if time.Since(b.start) > 10*second {
			late++
		}
	}
	for range 20 * 60 {
		go call()
		time.Sleep(50 * time.Millisecond)
	}
	synctest.Wait()
	time.Sleep(minute)
	if attempts < 20*50 || wrong*20 > attempts || late > 0 || failed > 40 {
		b.t.Errorf("after 10 s %d of %d attempts went to what is broken, and %d calls failed, %d in all", wrong, attempts, late, failed)
	}
}

func TestServersAreOutOnlyWhenMostEndpointsFail(t *testing.T) {
	for _, tt := range []struct {
		name    string
		n       int
		answers string // endpoints by digit; upper case letters A.. answered well
		gap     time.Duration
		want    bool
	}{
		{"one endpoint alone", 1, "000000", second, false},
		{"both of two", 2, "010101", second, true},
		{"both, in four answers", 2, "0101", second, false},
		{"both, but over more than 10 s", 2, "010101", 3 * second, false},
		{"one of two", 2, "0B0B0B0B", second, false},
		{"two of three", 3, "0C1C0C1C0C1", 300 * time.Millisecond, true},
		{"two of four", 4, "0C1D0C1D0C1D", 300 * time.Millisecond, false},
		{"two of four, of which the others answered before", 4, "CD01010101", 300 * time.Millisecond, false},
		{"two of four, of which one other answered before", 4, "C01010101", 300 * time.Millisecond, true},
		{"two of four, of which the others answered too long ago", 4, "CD0101010101010101", 900 * time.Millisecond, true},
		{"one that fails and answers", 2, "0A010A010A01", 300 * time.Millisecond, false},
	} {
		for _, backend := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			t.Run(fmt.Sprint(backend, " ", tt.name), func(t *testing.T) {
				cfg := team(backend, tt.n, false)
				cfg.Breaker = breaker.Config{Failures: 1000, MinCalls: 1000} // of endpoints
				inBubble(t, cfg, func(t *testing.T, b *bed) {
					all, now := b.members(flash, tt.n), b.start.Add(minute)
					for _, c := range tt.answers {
						o, i := broken, int(c-'0')
						if c >= 'A' {
							o, i = good, int(c-'A')
						}
						l, ok := all[i].Lease(now, small)
						if !ok {
							if l, ok = all[i].Force(now, small); !ok {
								t.Fatal("an endpoint cannot be had")
							}
						}
						l.Settle(now, o)
						now = now.Add(tt.gap)
					}
					if got := all[0].ServersOpen(); got != tt.want {
						t.Errorf("the servers are out: %v, want %v", got, tt.want)
					}
				})
			})
		}
	}
}

// outOf puts the servers of three endpoints out by the first two, while the third answers well.
func (b *bed) outOf(all []*pool.Candidate) (now time.Time) {
	b.t.Helper()
	now = b.start.Add(minute)
	for i := range 12 {
		if l, ok := all[i%2].Lease(now, small); ok {
			l.Settle(now, broken)
		}
		b.answer(now, all[2], good)
		now = now.Add(100 * time.Millisecond)
	}
	if !all[0].ServersOpen() {
		b.t.Fatal("the servers are not out")
	}
	return now
}

func TestAnOutageSparesAnEndpointThatAnswersWell(t *testing.T) {
	inBubble(t, team(pool.BackendVertex, 4, false), func(t *testing.T, b *bed) {
		all := b.members(flash, 4)
		now := b.outOf(all)
		for _, later := range []time.Duration{0, 9 * second, 11 * second, 30 * second} { // also if nobody called it meanwhile
			then := now.Add(later)
			if until, open := all[2].Open(then); open || !all[2].Ready(then) {
				t.Errorf("after %v the endpoint that answers is closed until %v", later, until)
			}
		}
		b.refuses(now, all[3], "of which nothing is known during an outage")
		b.answer(now, b.candidate(pro, "p3/global/on_demand"), good) // another model is well
		for range 5 {
			b.answer(now, all[2], broken)
		}
		b.refuses(now, all[2], "that fails now, too")
	})
}

// wait sleeps until a moment has come: breakers look at the clock, too.
func wait(until time.Time) time.Time {
	time.Sleep(time.Until(until) + time.Millisecond)
	return time.Now()
}

func TestAProbeThatIsAnsweredWellEndsAnOutage(t *testing.T) {
	inBubble(t, team(pool.BackendVertex, 4, false), func(t *testing.T, b *bed) {
		all := b.members(flash, 4)
		now := b.outOf(all)
		until, open := all[3].Open(now)
		if !open {
			t.Fatal("not open")
		}
		now = wait(until)
		probe := b.lease(now, all[3])
		b.refuses(now, all[3], "while a probe is out")
		probe.Accept(now)
		if all[0].ServersOpen() {
			t.Error("the servers are out after a probe that was answered well")
		}
		probe.Settle(now, good)
		b.answer(now, all[3], good)
	})
}

func TestAProbeOfAnOutageIsGivenBack(t *testing.T) {
	for name, end := range map[string]func(pool.Lease, time.Time){
		"released":     func(l pool.Lease, now time.Time) { l.Release(now) },
		"cancelled":    func(l pool.Lease, now time.Time) { l.Settle(now, cancelled) },
		"wrong":        func(l pool.Lease, now time.Time) { l.Settle(now, pool.Outcome{Class: pool.ClassCallerFault}) },
		"out of quota": func(l pool.Lease, now time.Time) { l.Settle(now, pool.Outcome{Class: pool.ClassBilling}) },
		"gave up": func(l pool.Lease, now time.Time) {
			l.Settle(now, pool.Outcome{Class: pool.ClassServerFault, Evidence: pool.Evidence{Scope: pool.ScopeCall}})
		},
		"unsent": func(l pool.Lease, now time.Time) {
			l.Settle(now, pool.Outcome{Class: pool.ClassTransport, Evidence: pool.Evidence{Unsent: true}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, team(pool.BackendVertex, 5, false), func(t *testing.T, b *bed) {
				all := b.members(flash, 5)
				until, _ := all[3].Open(b.outOf(all))
				now := wait(until)
				end(b.lease(now, all[3]), now)
				b.lease(now, all[4]).Release(now) // another call may be the probe
			})
		})
	}
}

// Calls that were under way before there was a breaker tell of that time, like any other's.
func TestCallsThatFailTogetherDoNotProlongTheOpenPeriod(t *testing.T) {
	inBubble(t, team(pool.BackendGemini, 1, false), func(t *testing.T, b *bed) {
		c, now := b.members(flash, 1)[0], b.start
		var flight []pool.Lease
		for range 30 {
			flight = append(flight, b.lease(now, c))
		}
		for _, l := range flight[:5] {
			l.Settle(now, broken)
		}
		until, open := c.Open(now)
		if !open {
			t.Fatal("five failures open no breaker")
		}
		for _, l := range flight[5:29] {
			now = now.Add(100 * time.Millisecond)
			l.Settle(now, broken)
		}
		if got, _ := c.Open(now); got.Sub(until).Abs() > time.Millisecond {
			t.Errorf("calls from before it opened move its end from %v to %v", until, got)
		}
		flight[29].Settle(now, good)
		if got, open := c.Open(now); !open || got.Sub(until).Abs() > time.Millisecond {
			t.Errorf("a good answer to a call from before it opened: open %v until %v", open, got)
		}
	})
}

func TestOfEquallyBadEndpointsNoneIsFirst(t *testing.T) {
	const n, rounds = 4, 400
	for _, policy := range []pool.Policy{pool.PolicyLeastLoaded, pool.PolicyRoundRobin, pool.PolicyRandom} {
		asked := make(map[string]int)
		for range rounds {
			inBubble(t, team(pool.BackendVertex, n, false), func(t *testing.T, b *bed) {
				all := b.members(flash, n)
				for range 5 {
					for _, c := range all {
						l, _ := c.Force(time.Now(), small)
						l.Settle(time.Now(), broken)
					}
				}
				l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, Policy: policy})
				if err != nil {
					t.Fatal(err)
				}
				asked[l.Endpoint().Project]++
				l.Settle(time.Now(), broken)
			})
		}
		for p, count := range asked {
			if len(asked) != n || count < rounds/n/2 || count > rounds/n*2 {
				t.Errorf("%s: of %d equal endpoints %s was asked %d times of %d", policy, n, p, count, rounds)
			}
		}
	}
}

// at gives a project an address of its own.
func at(p pool.Project, address string) pool.Project {
	p.BaseURL = address
	return p
}

// hosts is three projects at one host and one at another.
func hosts() pool.Config {
	var cfg pool.Config
	for _, name := range []string{"p0", "p1", "p2"} {
		cfg.Projects = append(cfg.Projects, at(keyless(name, "global"), "https://here.example"))
	}
	cfg.Projects = append(cfg.Projects, at(keyless("p3", "global"), "https://there.example"))
	return cfg
}

func TestPagesOfMostEndpointsOfAHostCloseTheHost(t *testing.T) {
	inBubble(t, hosts(), func(t *testing.T, b *bed) {
		all, now := b.members(flash, 4), b.start.Add(minute)
		for i := range 5 {
			if got := all[0].Resting(now).Class; got != "" {
				t.Fatalf("after %d pages it rests for %s", i, got)
			}
			b.answer(now, all[i%2], page)
			now = now.Add(second)
		}
		for _, model := range []string{flash, pro} {
			for i, c := range b.members(model, 4) {
				if got := c.Resting(now).Class; i < 3 && got != pool.ClassEgressBlocked || i == 3 && got != "" {
					t.Errorf("%s %s rests for %q", model, c, got)
				}
			}
		}
		if all[0].ServersOpen() {
			t.Error("pages put the servers out")
		}
		b.answer(now, all[3], good)

		// It is probed after a minute, then at doubling gaps, whoever gets a page then.
		for _, gap := range []time.Duration{minute, 2 * minute, 4 * minute} {
			probeAt := all[2].Resting(now).Probe
			if d := probeAt.Sub(now); d < gap-6*second || d > gap+second {
				t.Fatalf("it is probed after %v, want %v", d, gap)
			}
			now = probeAt.Add(time.Millisecond)
			b.answer(now, all[2], page)
			b.refuses(now.Add(5*second), all[1], "after a probe that got a page again")
		}
		now = all[2].Resting(now).Probe.Add(time.Millisecond)
		b.answer(now, all[2], good)
		for _, c := range all {
			if got := c.Resting(now).Class; got != "" {
				t.Errorf("after a probe that was answered well %s rests for %s", c, got)
			}
		}
	})
}

func TestPagesOfOneEndpointAreItsOwnTrouble(t *testing.T) {
	for name, play := range map[string]func(b *bed, all, other []*pool.Candidate, now time.Time){
		"two models of one endpoint": func(b *bed, all, other []*pool.Candidate, now time.Time) {
			for range 4 {
				b.answer(now, all[0], page)
				b.answer(now, other[0], page)
			}
		},
		"one of three": func(b *bed, all, _ []*pool.Candidate, now time.Time) {
			b.answer(now, all[1], good)
			b.answer(now, all[2], good)
			for range 4 {
				b.answer(now, all[0], page)
			}
			b.answer(now, all[1], page)
			b.answer(now, all[2], page)
		},
		"two that answer others' models": func(b *bed, all, other []*pool.Candidate, now time.Time) {
			b.answer(now, all[0], page)
			for range 4 {
				b.answer(now, other[0], good)
				b.answer(now, other[1], good)
				b.answer(now, all[1], page)
			}
		},
		"other failures": func(b *bed, all, _ []*pool.Candidate, now time.Time) {
			for range 4 {
				b.answer(now, all[2], good) // so that the servers are not out
				b.answer(now, all[0], pool.Outcome{Class: pool.ClassTransport})
				b.answer(now, all[0], good)
				b.answer(now, all[1], pool.Outcome{Class: pool.ClassTransport})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := hosts()
			cfg.Breaker = breaker.Config{Failures: 100}
			inBubble(t, cfg, func(t *testing.T, b *bed) {
				now := b.start.Add(minute)
				play(b, b.members(flash, 3), b.members(pro, 3), now)
				for s, c := range b.pool.Cooldowns(now) {
					t.Errorf("%s rests for %s", s, c.Class)
				}
			})
		})
	}
}

func TestBreakersFollowAReload(t *testing.T) {
	cfg := team(pool.BackendVertex, 3, false)
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		all := b.members(flash, 3)
		now := b.outOf(all).Add(20 * second) // what failed before counts no more
		flight := b.lease(now, all[2])
		cfg.Breaker = breaker.Config{Failures: 2}
		if err := b.pool.Reload(now, cfg); err != nil {
			t.Fatal(err)
		}
		all = b.members(flash, 3)
		flight.Settle(now, broken) // it belongs to the breaker that is gone
		for _, c := range all {
			b.answer(now, c, broken)
			if !c.Ready(now) {
				t.Errorf("%s is closed after one failure since the reload", c)
			}
		}
		b.answer(now, all[0], broken)
		b.refuses(now, all[0], "after two failures in a row, as is set now")
	})
}

func TestABreakerThatIsMadeWhileAReloadGoesOnHasTheNewSettings(t *testing.T) {
	for i := range amount(30, 500) {
		cfg := team(pool.BackendGemini, 1, false)
		b := newBed(t, cfg)
		c, now := b.members(flash, 1)[0], b.start
		l := b.lease(now, c)
		cfg.Breaker = breaker.Config{Failures: 1}
		var all sync.WaitGroup
		all.Go(func() { l.Settle(now, good) })
		all.Go(func() {
			if err := b.pool.Reload(now, cfg); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		c = b.members(flash, 1)[0]
		if b.answer(now, c, broken); c.Ready(now) {
			t.Fatalf("round %d: one failure opens nothing", i)
		}
	}
}
