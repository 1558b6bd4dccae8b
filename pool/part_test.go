package pool_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
)

var (
	bare   = pool.Asked{Version: "v1beta"}
	search = pool.Asked{Version: "v1beta", Tools: []string{"google_search"}}
	maps   = pool.Asked{Version: "v1beta", Tools: []string{"google_maps"}}
	both   = pool.Asked{Version: "v1beta", Tools: []string{"google_maps", "google_search"}}
	first  = pool.Asked{Version: "v1"}
)

func TestACooldownOfAPartLeavesTheOthersAlone(t *testing.T) {
	quota := func(tools ...string) pool.Outcome {
		return pool.Outcome{Class: pool.ClassDayQuota, Evidence: pool.Evidence{Scope: pool.ScopeTool, Tools: tools}}
	}
	for _, tt := range []struct {
		name  string
		asked pool.Asked
		pool.Outcome
		rests, goesOn []pool.Asked
	}{
		{"a tool's quota", search, quota("google_search"), []pool.Asked{search, both}, []pool.Asked{bare, maps, first}},
		{"that of two together", both, quota("google_maps", "google_search"), []pool.Asked{both}, []pool.Asked{bare, maps, search, first}},
		{"one of two", both, quota("google_maps"), []pool.Asked{both, maps}, []pool.Asked{bare, search, first}},
		{"that of no tool", search, quota(), []pool.Asked{search, both, maps, bare, first}, nil},
		{"a version", first, pool.Outcome{Class: pool.ClassModelMissing}, []pool.Asked{first}, []pool.Asked{bare, search, maps, both}},
		{"no version", pool.Asked{}, pool.Outcome{Class: pool.ClassModelMissing}, []pool.Asked{bare, first, both}, nil},
	} {
		for _, back := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			t.Run(fmt.Sprint(back, " ", tt.name), func(t *testing.T) {
				inBubble(t, team(back, 2, false), func(t *testing.T, b *bed) {
					c := b.candidate(flash, "p0/global/on_demand")
					b.leaseFor(b.start, c, small.For(tt.asked)).Settle(b.start, tt.Outcome)
					for _, asked := range tt.rests {
						if l, ok := c.Lease(b.start, small.For(asked)); ok {
							l.Release(b.start)
							t.Errorf("calls for %+v are sent", asked)
						}
						if got := c.Rests(b.start, asked).Class; got != tt.Class {
							t.Errorf("for %+v it rests for %q", asked, got)
						}
					}
					for _, asked := range tt.goesOn {
						b.leaseFor(b.start, c, small.For(asked)).Settle(b.start, good)
					}
					for _, asked := range tt.rests { // what others were answered says nothing of it
						if l, ok := c.Lease(b.start, small.For(asked)); ok {
							l.Release(b.start)
							t.Errorf("after others' success calls for %+v are sent", asked)
						}
						r := &pool.Request{Model: flash, Asked: asked}
						l, err := b.pool.Acquire(t.Context(), r)
						if err != nil || l.Endpoint().Project != "p1" {
							t.Fatalf("a call for %+v is not taken elsewhere: %v", asked, err)
						}
						l.Settle(b.start, good)
					}
				})
			})
		}
	}
}

// A call of a version that nobody has is told at once, while others go on.
func TestACallForAPartThatRestsEverywhereDoesNotWait(t *testing.T) {
	inBubble(t, team(pool.BackendGemini, 2, false), func(t *testing.T, b *bed) {
		for _, c := range b.members(flash, 2) {
			b.leaseFor(b.start, c, small.For(first)).Settle(b.start, pool.Outcome{
				Class: pool.ClassModelMissing, Answer: &pool.Answer{Status: 404, Body: []byte("not in v1")},
			})
		}
		for range 3 {
			_, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, Asked: first, MaxWait: minute})
			exhausted, ok := errors.AsType[*pool.ExhaustedError](err)
			if !ok || exhausted.Answer == nil || string(exhausted.Answer.Body) != "not in v1" || time.Since(b.start) > 0 {
				t.Fatalf("after %v: %v", time.Since(b.start), err)
			}
			for _, asked := range []pool.Asked{bare, search, {}} {
				l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, Asked: asked})
				if err != nil {
					t.Fatalf("a call for %+v: %v", asked, err)
				}
				l.Settle(b.start, good)
			}
		}
	})
}

// TestARefusedCallGoesEverywhereOnceAndIsThenDone walks calls over endpoints that refuse them.
func TestARefusedCallGoesEverywhereOnceAndIsThenDone(t *testing.T) {
	for _, tt := range []struct {
		name string
		pool.Outcome
		want int // attempts, of two projects with two keys each
	}{
		{"a suspicion", pool.Outcome{Class: pool.ClassModelForbidden, Evidence: pool.Evidence{Suspected: true}}, 2},
		{"the call alone", pool.Outcome{Class: pool.ClassModelForbidden, Evidence: pool.Evidence{Scope: pool.ScopeCall}}, 2},
		{"a forbidden model", pool.Outcome{Class: pool.ClassModelForbidden}, 2},
		{"a project without money", pool.Outcome{Class: pool.ClassBilling}, 2},
		{"dead keys", pool.Outcome{Class: pool.ClassKeyDead}, 4},
		{"the day's quota", pool.Outcome{Class: pool.ClassDayQuota}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := pool.Config{Projects: []pool.Project{geminiProject("a", "a-one", "a-two"), geminiProject("b", "b-one", "b-two")}}
			inBubble(t, cfg, func(t *testing.T, b *bed) {
				r := &pool.Request{Model: flash, Asked: beta, MaxWait: 10 * second}
				n := 0
				for ; n < 10; n++ {
					l, err := b.pool.Acquire(t.Context(), r)
					if err != nil {
						break
					}
					l.Settle(time.Now(), tt.Outcome)
					if r.Refused(l, tt.Class) {
						t.Error("the same endpoint and key again")
					}
				}
				if n != tt.want || time.Since(b.start) > 0 {
					t.Errorf("after %d attempts and %v there is nowhere left, want %d at once", n, time.Since(b.start), tt.want)
				}
				if tt.Suspected || tt.Scope == pool.ScopeCall {
					l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, Asked: beta})
					if err != nil {
						t.Fatalf("another call cannot go anywhere: %v", err)
					}
					l.Settle(time.Now(), good)
				}
			})
		})
	}
}

// What is on cooldown for a moment is waited for.
func TestACallComesBackToWhatRestedForAMoment(t *testing.T) {
	inBubble(t, team(pool.BackendGemini, 1, false), func(t *testing.T, b *bed) {
		r := &pool.Request{Model: flash, MaxWait: 10 * second}
		for i := range 3 {
			l, err := b.pool.Acquire(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			l.Settle(time.Now(), pool.Outcome{Class: pool.ClassQuotaUnknown})
			if again := r.Refused(l, pool.ClassQuotaUnknown); again != (i > 0) {
				t.Errorf("attempt %d: refused before: %v", i, again)
			}
		}
	})
}

// An endpoint that is paced refuses a call now and then. That is no cooldown, and no end of the
// call: it goes elsewhere first, then there again.
func TestACallThatAPaceRefusedGoesElsewhereFirst(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			inBubble(t, team(pool.BackendVertex, n, false), func(t *testing.T, b *bed) {
				for _, c := range b.members(flash, n) {
					b.pace(c)
				}
				time.Sleep(5 * second)
				r := &pool.Request{Model: flash, MaxWait: 10 * second}
				asked := make(map[string]int)
				for range 2 {
					l, err := b.pool.Acquire(t.Context(), r)
					if err != nil {
						t.Fatal(err)
					}
					asked[l.Endpoint().Project]++
					time.Sleep(500 * time.Millisecond)
					l.Settle(time.Now(), pool.Outcome{Class: pool.ClassContention})
					r.Refused(l, pool.ClassContention)
				}
				if len(asked) != n {
					t.Errorf("two attempts went to %v", asked)
				}
			})
		})
	}
}

// pace makes an endpoint be paced at some tens of calls a second.
func (b *bed) pace(c *pool.Candidate) {
	b.t.Helper()
	for i := range 400 {
		l, ok := c.Lease(time.Now(), small)
		if ok && i%4 == 0 {
			l.Settle(time.Now(), pool.Outcome{Class: pool.ClassContention})
		} else if ok {
			l.Settle(time.Now(), good)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, e := range b.pool.Stat(time.Now()).Endpoints {
		if e.Endpoint == c.String() && e.Pacing != nil && e.Pacing.Limited {
			return
		}
	}
	b.t.Fatal("it is not paced: the test tests nothing")
}

// A call that was refused by an endpoint does not stand in the way of others that want it.
func TestACallThatMayNotGoToAnEndpointLetsOthersHaveIt(t *testing.T) {
	cfg := team(pool.BackendGemini, 2, false)
	for i := range cfg.Projects {
		cfg.Projects[i].Limits = []pool.Limit{{Concurrency: 1}}
	}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		all := b.members(flash, 2)
		r := &pool.Request{Model: flash, MaxWait: minute}
		busy := b.lease(b.start, all[1])
		l, err := b.pool.Acquire(t.Context(), r)
		if err != nil || l.Endpoint().Project != "p0" {
			t.Fatal(l, err)
		}
		l.Settle(b.start, pool.Outcome{Class: pool.ClassModelForbidden, Evidence: pool.Evidence{Suspected: true}})
		r.Refused(l, pool.ClassModelForbidden)
		held := b.lease(b.start, all[0])
		done := make(map[string]time.Duration)
		for name, r := range map[string]*pool.Request{"refused": r, "other": {Model: flash, MaxWait: minute}} {
			go func() {
				if name == "other" {
					time.Sleep(second) // it comes later
				}
				l, err := b.pool.Acquire(t.Context(), r)
				if err != nil {
					t.Error(name, err)
					return
				}
				done[name] = time.Since(b.start)
				l.Settle(time.Now(), good)
			}()
			synctest.Wait()
		}
		time.Sleep(3 * second)
		held.Settle(time.Now(), good)
		time.Sleep(3 * second)
		busy.Settle(time.Now(), good)
		synctest.Wait()
		if done["other"] != 3*second || done["refused"] != 6*second {
			t.Errorf("they were served after %v, want the other after 3s and the refused one after 6s", done)
		}
	})
}

// Nobody waits for an endpoint that has refused the call for good, and everybody for one that is
// asked past its breaker in time.
func TestACallWaitsOnlyForWhatCanOpen(t *testing.T) {
	for _, tt := range []struct {
		name string
		play func(b *bed, r *pool.Request, all []*pool.Candidate)
		want time.Duration // until it has p1; less than zero: it fails at once
	}{
		{"one refused it, the other opens in 3 s", func(b *bed, r *pool.Request, all []*pool.Candidate) {
			b.refused(r, all[0])
			b.answer(b.start, all[1], pool.Outcome{Class: pool.ClassQuotaUnknown, Hint: 3 * second})
		}, 3 * second},
		{"one refused it, the other opens in a minute", func(b *bed, r *pool.Request, all []*pool.Candidate) {
			b.refused(r, all[0])
			b.answer(b.start, all[1], pool.Outcome{Class: pool.ClassQuotaUnknown, Hint: minute})
		}, -1},
		{"both refused it", func(b *bed, r *pool.Request, all []*pool.Candidate) {
			b.refused(r, all[0])
			b.refused(r, all[1])
		}, -1},
		{"one refused it, the other failed it and may be asked after 2 s", func(b *bed, r *pool.Request, all []*pool.Candidate) {
			b.refused(r, all[0])
			l := b.lease(b.start, all[1])
			l.Settle(b.start, broken)
			r.Failed(l, true, b.start.Add(2*second))
		}, 2 * second},
		{"one refused it, the other has a quota for 2 s and a breaker for longer", func(b *bed, r *pool.Request, all []*pool.Candidate) {
			b.refused(r, all[0])
			for range 4 {
				l, _ := all[1].Force(b.start, small)
				l.Settle(b.start, broken)
				for range 8 {
					l, _ := all[1].Force(b.start, small)
					l.Settle(b.start, broken)
				}
			}
			l, _ := all[1].Force(b.start, small)
			l.Settle(b.start, pool.Outcome{Class: pool.ClassQuotaUnknown, Hint: 2 * second})
		}, 2 * second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := team(pool.BackendGemini, 2, false)
			cfg.Breaker.Open = 30 * second
			inBubble(t, cfg, func(t *testing.T, b *bed) {
				r := &pool.Request{Model: flash, MaxWait: 10 * second}
				tt.play(b, r, b.members(flash, 2))
				l, err := b.pool.Acquire(t.Context(), r)
				after := time.Since(b.start)
				switch {
				case tt.want < 0 && (err == nil || after > 0):
					t.Errorf("after %v: %v; want a failure at once", after, err)
				case tt.want >= 0 && err != nil:
					t.Errorf("after %v: %v", after, err)
				case tt.want >= 0 && (l.Endpoint().Project != "p1" || after < tt.want || after > tt.want*12/10):
					t.Errorf("it is at %s after %v, want p1 after %v", l.Endpoint().Name, after, tt.want)
				}
				l.Settle(time.Now(), good)
			})
		})
	}
}

// refused makes an endpoint refuse a request for good.
func (b *bed) refused(r *pool.Request, c *pool.Candidate) {
	b.t.Helper()
	only := *r
	only.Home = c.Home()
	l, err := b.pool.Acquire(b.t.Context(), &only)
	if err != nil {
		b.t.Fatal(err)
	}
	l.Settle(time.Now(), pool.Outcome{Class: pool.ClassModelForbidden, Evidence: pool.Evidence{Suspected: true}})
	r.Refused(l, pool.ClassModelForbidden)
}
