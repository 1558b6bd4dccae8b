package pool_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// sharing are calls of two kinds at one pool: those that keep to a share, and those that do not.
type sharing struct {
	t    *testing.T
	pool *pool.Pool

	mu    sync.Mutex
	spent [2][]spent
	lost  [2]int
}

// spent is what one call used, and where.
type spent struct {
	at      time.Time
	tokens  int64
	traffic pool.Traffic
}

// offer makes calls at a rate; share is 0 for the interactive ones.
func (s *sharing) offer(wg *sync.WaitGroup, share, perSecond float64, length time.Duration, usage quota.Usage) {
	kind := 0
	if share > 0 {
		kind = 1
	}
	rng := rand.New(rand.NewPCG(uint64(kind), 7))
	wg.Go(func() {
		for end := time.Now().Add(length); time.Now().Before(end); {
			time.Sleep(time.Duration(rng.ExpFloat64() / perSecond * float64(time.Second)))
			wg.Go(func() {
				l, err := s.pool.Acquire(s.t.Context(), &pool.Request{
					Model: flash, Batch: share > 0, Asked: pool.Asked{Share: share}, MaxWait: 10 * time.Second,
					Estimate: pool.Estimate{Input: usage.Input, Output: usage.Output},
				})
				s.mu.Lock()
				if err != nil {
					s.lost[kind]++
				} else {
					s.spent[kind] = append(s.spent[kind], spent{time.Now(), usage.Input + usage.Output, l.Endpoint().Traffic})
				}
				s.mu.Unlock()
				if err == nil {
					time.Sleep(time.Second)
					l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: usage})
				}
			})
		}
	})
}

// most returns the most calls and tokens of a kind in any minute, of one sort of traffic.
func (s *sharing) most(kind int, traffic pool.Traffic) (calls int, tokens int64) {
	all := s.spent[kind]
	for i, first := range all {
		n, sum := 0, int64(0)
		for _, c := range all[i:] {
			if c.at.Sub(first.at) < time.Minute && c.traffic == traffic {
				n, sum = n+1, sum+c.tokens
			}
		}
		calls, tokens = max(calls, n), max(tokens, sum)
	}
	return calls, tokens
}

// Calls with a share never use more of a limit than that, however many there are, and the others get
// all of the rest.
func TestCallsWithAShareKeepToItOfEachLimit(t *testing.T) {
	for name, limit := range map[string]pool.Limit{
		"requests": {RPM: 100}, "tokens": {TPM: 100_000}, "both": {RPM: 100, TPM: 90_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, err := pool.New(known(1, limit), nil)
				if err != nil {
					t.Fatal(err)
				}
				s, wg := sharing{t: t, pool: p}, sync.WaitGroup{}
				s.offer(&wg, 0.3, 5, 5*time.Minute, quota.Usage{Input: 1_000})
				s.offer(&wg, 0, 1, 5*time.Minute, quota.Usage{Input: 1_000})
				wg.Wait()
				calls, tokens := s.most(1, pool.TrafficOnDemand)
				if limit.RPM > 0 && calls > 30 || limit.TPM > 0 && float64(tokens) > 0.3*float64(limit.TPM) {
					t.Errorf("%d calls and %d tokens of the share in a minute, the limit is %+v", calls, tokens, limit)
				}
				if n := len(s.spent[1]); n < 5*25 {
					t.Errorf("%d calls of the share were served in five minutes", n)
				}
				if n := s.lost[0]; n > len(s.spent[0])/50 {
					t.Errorf("%d of %d other calls were refused", n, n+len(s.spent[0]))
				}
			})
		})
	}
}

func TestCallsWithAShareKeepToItOfAnOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := keyless("v", "global")
		v.Provisioned = []pool.Order{{
			Model: flash, Location: "global", TokensPerSecond: 1_000, Window: 10 * time.Second,
			Burndown: &quota.Burndown{Input: 1, Output: 1},
		}}
		p, err := pool.New(pool.Config{Projects: []pool.Project{v}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, wg := sharing{t: t, pool: p}, sync.WaitGroup{}
		s.offer(&wg, 0.3, 5, 5*time.Minute, quota.Usage{Input: 400, Output: 100})
		s.offer(&wg, 0, 0.7, 5*time.Minute, quota.Usage{Input: 400, Output: 100})
		wg.Wait()
		_, tokens := s.most(1, pool.TrafficProvisioned)
		if most := int64(0.3*60_000) + 500; tokens > most || tokens < most*9/10 {
			t.Errorf("%d tokens of the share in a minute, want nearly %d", tokens, most)
		}
		var spilled int
		for _, c := range s.spent[0] {
			if c.traffic != pool.TrafficProvisioned {
				spilled++
			}
		}
		if spilled > len(s.spent[0])/50 {
			t.Errorf("%d of %d other calls did not get the order", spilled, len(s.spent[0]))
		}
	})
}

func TestCallsWithAShareKeepToItOfALimitedPace(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{keyless("v", "global")}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		for range 20 { // two accepted and one refused, for two seconds
			b.answer(time.Now(), c, pool.Outcome{Class: pool.ClassOK})
			b.answer(time.Now(), c, pool.Outcome{Class: pool.ClassOK})
			if l, ok := c.Lease(time.Now(), small); ok {
				l.Settle(time.Now(), pool.Outcome{Class: pool.ClassContention})
			}
			time.Sleep(time.Second)
			if b.endpoint(time.Now(), c, flash).Pacing.Rate > 0 {
				break
			}
		}
		rate := b.endpoint(time.Now(), c, flash).Pacing.Rate
		if rate == 0 {
			t.Fatal("the pace is not limited")
		}
		s := sharing{t: t, pool: b.pool}
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, Asked: pool.Asked{Share: 0.1}}); err == nil {
				s.spent[1] = append(s.spent[1], spent{at: time.Now(), traffic: pool.TrafficOnDemand})
				l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
			}
			rate = max(rate, b.endpoint(time.Now(), c, flash).Pacing.Rate)
			if !b.endpoint(time.Now(), c, flash).Pacing.Limited {
				break
			}
		}
		if n := len(s.spent[1]); n == 0 || float64(n) > 0.1*rate*60+1 {
			t.Errorf("%d calls of a tenth in a minute, the rate was %v a second at most", n, rate)
		}
	})
}

// What a call did not use goes back, and what it used beyond its estimate counts.
func TestAShareIsCorrectedToWhatCallsUse(t *testing.T) {
	inBubble(t, known(1, pool.Limit{TPM: 10_000}), func(t *testing.T, b *bed) {
		request := func() *pool.Request {
			return &pool.Request{Model: flash, Asked: pool.Asked{Share: 0.5}, Estimate: pool.Estimate{Input: 3_000}}
		}
		b.acquire(request()).Release(time.Now())
		b.acquire(request()).Settle(time.Now(), pool.Outcome{Class: pool.ClassMinuteQuota, Evidence: pool.Evidence{Scope: pool.ScopeCall}})
		b.acquire(request()).Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 2_000}})
		b.acquire(request()).Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 4_000}})
		_, err := b.pool.Acquire(t.Context(), request())
		e, _ := errors.AsType[*pool.ExhaustedError](err)
		if e == nil || len(e.Reasons) != 1 || e.Reasons[0].Cause != "share_used" || e.RetryAt.IsZero() {
			t.Fatalf("6,000 of 5,000 tokens are used: %v", err)
		}
		b.acquire(&pool.Request{Model: flash, Estimate: pool.Estimate{Input: 3_000}}).Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
		time.Sleep(61 * time.Second)
		b.acquire(request()).Release(time.Now())
	})
}

// A call that waits for its share keeps nobody waiting behind it.
func TestACallWithoutAShareIsNotBehindOneThatWaitsForIts(t *testing.T) {
	t.Run("interactive", func(t *testing.T) { behindAShare(t, false) })
	t.Run("batch", func(t *testing.T) { behindAShare(t, true) })
}

func behindAShare(t *testing.T, waiterIsBatch bool) {
	t.Helper()
	inBubble(t, known(1, pool.Limit{RPM: 10}), func(t *testing.T, b *bed) {
		b.acquire(&pool.Request{Model: flash, Asked: pool.Asked{Share: 0.1}}).Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
		waits := make(chan error, 1)
		go func() {
			l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, Asked: pool.Asked{Share: 0.1}, Batch: waiterIsBatch, MaxWait: 2 * time.Minute})
			l.Release(time.Now())
			waits <- err
		}()
		synctest.Wait()
		for _, batch := range []bool{false, true} {
			if l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, Batch: batch}); err != nil {
				t.Errorf("batch %v: %v", batch, err)
			} else {
				l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
			}
		}
		began := time.Now()
		if err := <-waits; err != nil || time.Since(began) > 62*time.Second {
			t.Errorf("it was served after %v: %v", time.Since(began), err)
		}
	})
}

func TestLabelsHaveProjectsOfTheirOwn(t *testing.T) {
	open, own, both := keyless("open"), keyless("own"), keyless("both")
	own.Labels, both.Labels = []string{"migration-*"}, []string{"migration-b", "nightly"}
	inBubble(t, pool.Config{Projects: []pool.Project{open, own, both}}, func(t *testing.T, b *bed) {
		for label, want := range map[string]string{
			"": "open", "team-a": "open", "migration-a": "own", "nightly": "both", "migration-b": "own both",
		} {
			seen := map[string]bool{}
			for range 40 {
				l := b.acquire(&pool.Request{Model: flash, Asked: pool.Asked{Label: label}})
				seen[l.Endpoint().Project] = true
				l.Release(time.Now())
			}
			for name := range seen {
				if !strings.Contains(want, name) {
					t.Errorf("label %q went to %s, want %s", label, name, want)
				}
			}
			if len(seen) != len(strings.Fields(want)) {
				t.Errorf("label %q went to %v, want %s", label, seen, want)
			}
		}
		b.answer(time.Now(), b.candidate(flash, "own/global/on_demand"), pool.Outcome{Class: pool.ClassBilling})
		_, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, Asked: pool.Asked{Label: "migration-a"}})
		if e, _ := errors.AsType[*pool.ExhaustedError](err); e == nil || e.RetryAt.IsZero() {
			t.Errorf("its project is out, and others are not for it: %v", err)
		}
	})
}

// A share that is far too small for any call keeps that call waiting, not the others: it neither
// overflows to all of an order, nor takes the time of calls with a greater share.
func TestATinyShareIsNeitherAllNorInTheWayOfOthers(t *testing.T) {
	p := keyless("v", "eu")
	p.Provisioned = []pool.Order{{Model: flash, Location: "eu", TokensPerSecond: 1000}}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		request := func(share float64) *pool.Request {
			return &pool.Request{Model: flash, Traffic: pool.TrafficProvisioned, Asked: pool.Asked{Share: share}, Estimate: pool.Estimate{Input: 100}}
		}
		for _, tiny := range []float64{1e-6, 1e-12, 5e-324} {
			l := b.acquire(request(tiny))
			if _, err := b.pool.Acquire(t.Context(), request(tiny)); err == nil {
				t.Errorf("a share of %v has two calls at once", tiny)
			}
			time.Sleep(10 * time.Second)
			if second, err := b.pool.Acquire(t.Context(), request(0.5)); err != nil {
				t.Errorf("a share of %v keeps a half waiting: %v", tiny, err)
			} else {
				second.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 100}})
			}
			l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 100}})
			time.Sleep(25 * time.Hour)
		}
	})
}

// A share of a limit may be less than one call a minute: calls come less often then.
func TestAShareOfLessThanACallAMinuteIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		limit     pool.Limit
		share     float64
		tokens    []int64 // of the calls, in turn
		mostCalls int     // in an hour
		most      int64   // tokens, too
	}{
		"few requests":        {pool.Limit{RPM: 5}, 0.1, []int64{1}, 31, 1 << 40},
		"a third of two":      {pool.Limit{RPM: 2}, 1. / 3, []int64{1}, 41, 1 << 40},
		"large calls":         {pool.Limit{TPM: 10_000}, 0.1, []int64{4_000}, 16, 64_000},
		"large and small":     {pool.Limit{TPM: 10_000}, 0.1, []int64{4_000, 100, 100}, 40, 65_000},
		"larger than all":     {pool.Limit{TPM: 10_000}, 0.5, []int64{30_000}, 11, 330_000},
		"both, requests less": {pool.Limit{RPM: 1, TPM: 10_000}, 0.2, []int64{1_000}, 13, 1 << 40},
		"both, tokens less":   {pool.Limit{RPM: 10, TPM: 1_000}, 0.2, []int64{1_000}, 13, 1 << 40},
		"a share that fits":   {pool.Limit{RPM: 10, TPM: 10_000}, 0.2, []int64{1_000}, 122, 122_000},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, known(1, tt.limit), func(t *testing.T, b *bed) {
				calls, sum := 0, int64(0)
				for end := time.Now().Add(time.Hour); ; {
					n := tt.tokens[calls%len(tt.tokens)]
					l, err := b.pool.Acquire(t.Context(), &pool.Request{
						Model: flash, Batch: true, Asked: pool.Asked{Share: tt.share}, Estimate: pool.Estimate{Input: n}, MaxWait: time.Hour,
					})
					if err != nil || !time.Now().Before(end) {
						l.Release(time.Now())
						break
					}
					calls, sum = calls+1, sum+n
					time.Sleep(time.Second)
					l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: n}})
				}
				if calls > tt.mostCalls || sum > tt.most || calls < tt.mostCalls*8/10 && sum < tt.most*8/10 {
					t.Errorf("%d calls and %d tokens in an hour, want nearly %d and no more than %d tokens", calls, sum, tt.mostCalls, tt.most)
				}
			})
		})
	}
}
