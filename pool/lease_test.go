package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

const studio = "studio/global/on_demand"

// limited returns a pool of one project that keeps to a limit.
func limited(l pool.Limit) pool.Config {
	p := geminiProject("studio", "k")
	p.Limits = []pool.Limit{l}
	return pool.Config{Projects: []pool.Project{p}}
}

var (
	good      = pool.Outcome{Class: pool.ClassOK}
	cancelled = pool.Outcome{Class: pool.ClassCancelled}
)

func TestALeaseEndsOnce(t *testing.T) {
	settle := func(l pool.Lease, now time.Time) { l.Settle(now, good) }
	release := func(l pool.Lease, now time.Time) { l.Release(now) }
	fail := func(l pool.Lease, now time.Time) { l.Settle(now, pool.Outcome{Class: pool.ClassQuotaUnknown}) }
	for _, tt := range []struct {
		name   string
		ends   []func(pool.Lease, time.Time)
		counts int64 // requests of the day that remain counted, of two
	}{
		{"settle twice", []func(pool.Lease, time.Time){settle, settle}, 2},
		{"release after settle", []func(pool.Lease, time.Time){settle, release}, 2},
		{"settle after release", []func(pool.Lease, time.Time){release, settle}, 1},
		{"release twice", []func(pool.Lease, time.Time){release, release}, 1},
		{"a refusal after a success rests nothing", []func(pool.Lease, time.Time){settle, fail, fail}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, limited(pool.Limit{RPD: 9, Concurrency: 9}), func(t *testing.T, b *bed) {
				c := b.candidate(flash, studio)
				b.lease(b.start, c) // so that an end too many would take this one's place
				l := b.lease(b.start, c)
				for _, end := range tt.ends {
					end(l, b.start) // l is a copy each time
				}
				e := b.endpoint(b.start, c, flash)
				if e.Calls != 1 || e.Tokens != 200 || e.Quota.Concurrency.Used != 1 || e.Quota.Day.Used != tt.counts {
					t.Errorf("in flight %d calls, %d tokens; quota %+v, want 1, 200 and %d today", e.Calls, e.Tokens, *e.Quota, tt.counts)
				}
				if !c.Ready(b.start) {
					t.Errorf("it rests: %v", c.Resting(b.start))
				}
			})
		})
	}
}

func TestAHandleIsVoidOnceItsRecordIsUsedAgain(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		c := b.candidate(flash, studio)
		old := b.lease(b.start, c)
		old.Release(b.start)
		b.lease(b.start, c)
		old.Release(b.start)
		old.Accept(b.start)
		old.Settle(b.start, pool.Outcome{Class: pool.ClassBilling})
		now := b.start.Add(time.Second)
		b.leaseFor(now, c, pool.Need{Unmetered: true}).Settle(now, good)
		if e := b.endpoint(b.start, c, flash); e.Calls != 1 || e.Quota.Concurrency.Used != 1 || e.Cooldown.Class != "" {
			t.Errorf("the old handle ended the new lease: %+v", e)
		}
	})
}

func TestTheZeroLeaseIsEnded(t *testing.T) {
	var l pool.Lease
	l.Accept(time.Now())
	l.Settle(time.Now(), good)
	l.Release(time.Now())
	if l.Endpoint() != nil {
		t.Error("the zero Lease is of something")
	}
	if err := l.Authorize(t.Context(), http.Header{}, ""); err == nil {
		t.Error("the zero Lease has a credential")
	}
}

func TestAnAcceptedCallCountsItsSuccessOnceAndMayStillFail(t *testing.T) {
	for _, tt := range []struct {
		end             pool.Class
		calls, failures int
		day             int64
	}{
		{pool.ClassOK, 1, 0, 1},
		{pool.ClassCancelled, 1, 0, 1},
		{pool.ClassCallerFault, 1, 0, 1},
		{pool.ClassTransport, 2, 1, 1},
		{pool.ClassOverloaded, 2, 1, 1},
		{pool.ClassMinuteQuota, 1, 0, 1}, // it had begun to be served: it counts
	} {
		t.Run(string(tt.end), func(t *testing.T) {
			p := keyless("prod")
			p.Limits = []pool.Limit{{RPD: 9}}
			inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
				c := b.candidate(flash, "prod/global/on_demand")
				l := b.lease(b.start, c)
				l.Accept(b.start)
				l.Accept(b.start)
				if e := b.endpoint(b.start, c, flash); e.Calls != 1 || e.Breaker.Calls != 1 || e.Quota.Day.Used != 1 || e.Pacing.AcceptedCount != 1 {
					t.Errorf("after Accept: %+v", e)
				}
				l.Settle(b.start, pool.Outcome{Class: tt.end})
				e := b.endpoint(b.start, c, flash)
				if e.Calls != 0 || e.Breaker.Calls != tt.calls || e.Breaker.Failures != tt.failures || e.Quota.Day.Used != tt.day {
					t.Errorf("after Settle: calls %d, breaker %+v, today %d", e.Calls, e.Breaker, e.Quota.Day.Used)
				}
			})
		})
	}
}

func TestAForgottenLeaseIsGivenBackAfterAnHour(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		c := b.candidate(flash, studio)
		forgotten := b.lease(b.start, c)
		b.refuses(b.start.Add(time.Hour), c, "though the only one that may run has an hour")
		now := b.start.Add(time.Hour + 1)
		second := b.lease(now, c)
		b.refuses(now, c, "beyond its limit")
		forgotten.Settle(now, pool.Outcome{Class: pool.ClassBilling})
		forgotten.Release(now)
		if e := b.endpoint(now, c, flash); e.Calls != 1 || e.Tokens != 200 || e.Quota.Concurrency.Used != 1 || e.Cooldown.Class != "" {
			t.Errorf("the forgotten lease ended after all: %+v", e)
		}
		second.Release(now)
		if e := b.endpoint(now, c, flash); e.Calls != 0 || e.Tokens != 0 || e.Quota.Concurrency.Used != 0 {
			t.Errorf("in the end there is in flight: %+v", e)
		}
	})
}

func TestStatGivesForgottenLeasesBackToo(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 3}), func(t *testing.T, b *bed) {
		c := b.candidate(flash, studio)
		for i := range 3 {
			b.lease(b.start.Add(time.Duration(i)*time.Minute), c)
		}
		for i := range 4 {
			now := b.start.Add(time.Hour + time.Duration(i)*time.Minute - time.Second)
			if e := b.endpoint(now, c, flash); e.Calls != 3-i || e.Quota.Concurrency.Used != int64(3-i) {
				t.Errorf("after %v there are %d calls, %d of the limit; want %d", now.Sub(b.start), e.Calls, e.Quota.Concurrency.Used, 3-i)
			}
		}
	})
}

func TestForcePassesAnOpenBreakerAndNothingElse(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		c := b.candidate(flash, studio)
		for range 5 {
			b.answer(b.start, c, pool.Outcome{Class: pool.ClassServerFault})
		}
		b.refuses(b.start, c, "with the breaker open")
		l, ok := c.Force(b.start, small)
		if !ok {
			t.Fatal("Force does not pass the open breaker")
		}
		if _, ok := c.Force(b.start, small); ok {
			t.Error("Force passes a limit")
		}
		l.Settle(b.start, pool.Outcome{Class: pool.ClassBilling})
		if _, ok := c.Force(b.start, small); ok {
			t.Error("Force passes a rest")
		}
	})
}

func TestAuthorizeSendsTheLeasedCredential(t *testing.T) {
	t.Setenv("POOL_TEST_TOKEN", "ya29.token")
	fromEnv, empty := keyless("env"), keyless("empty")
	fromEnv.Credentials, empty.Credentials = credential.FromEnv("POOL_TEST_TOKEN"), credential.FromEnv("POOL_TEST_NO_TOKEN")
	slow := keyless("slow")
	slow.Credentials = waiting{}
	cfg := pool.Config{Projects: []pool.Project{geminiProject("key", "text-of-key"), keyless("none"), fromEnv, empty, slow}}
	b := newBed(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		project, header, want string
		err                   error
	}{
		{"key", "X-Goog-Api-Key", "text-of-key", nil},
		{"none", "", "", nil},
		{"env", "Authorization", "Bearer ya29.token", nil},
		{"empty", "", "", errors.New("POOL_TEST_NO_TOKEN")},
		{"slow", "", "", context.Canceled},
	} {
		h := http.Header{}
		err := b.lease(b.start, b.candidate(flash, tt.project+"/global/on_demand")).Authorize(ctx, h, "")
		if (err != nil) != (tt.err != nil) || errors.Is(tt.err, context.Canceled) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want %v", tt.project, err, tt.err)
		}
		if want := min(len(tt.want), 1); len(h) != want || h.Get(tt.header) != tt.want {
			t.Errorf("%s: %d headers are set, want %d", tt.project, len(h), want)
		}
	}
	got := b.lease(b.start, b.candidate(flash, "env/global/on_demand")).Secrets()
	if want := []string{"text-of-key", "ya29.token"}; !slices.Equal(got, want) {
		t.Errorf("%d secrets are known, want the key and the token that went out", len(got))
	}
}

// waiting gives a token when its context ends: never.
type waiting struct{}

func (waiting) Token(ctx context.Context) (*auth.Token, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestNothingIsLeftInFlightWhateverCallsMeet(t *testing.T) {
	t.Parallel()
	cfg := scene()
	for i := range cfg.Projects {
		cfg.Projects[i].Limits = []pool.Limit{{Model: flash, RPM: 5000, TPM: 5_000_000, RPD: 500_000, Concurrency: 50}}
	}
	b := newBed(t, cfg)
	var elapsed atomic.Int64 // virtual: every look at the clock is 20 ms later
	now := func() time.Time { return b.start.Add(time.Duration(elapsed.Add(int64(20 * time.Millisecond)))) }
	models := []string{flash, flash + "-001", pro, ""}

	var leased atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 400 {
				candidates := b.pool.View(now(), models[rand.IntN(len(models))]).All()
				c := candidates[rand.IntN(len(candidates))]
				at := now()
				n := pool.Need{Input: rand.Int64N(1000), Output: rand.Int64N(1000), Unmetered: rand.IntN(9) == 0}
				if rand.IntN(2) == 0 {
					n.Deadline = at.Add(time.Duration(rand.IntN(60)) * time.Second)
				}
				c.Load(at)
				l, ok := c.Lease(at, n)
				if !ok {
					c.Wake(at, n)
					c.Reason(at, n)
					l, ok = c.Force(now(), n)
				}
				if !ok {
					continue
				}
				leased.Add(1)
				if rand.IntN(3) == 0 {
					l.Accept(now())
				}
				o := pool.Outcome{Class: pool.ClassOK, Counted: rand.IntN(2) == 0, Usage: quota.Usage{Input: 10, Output: 10}}
				if class := lives[rand.IntN(len(lives))].class; rand.IntN(10) == 0 && (!class.NeedsOperator() || rand.IntN(10) == 0) {
					o = pool.Outcome{Class: class, Hint: time.Duration(rand.IntN(30)) * time.Second} // rare, else all would rest for good
				}
				if rand.IntN(8) == 0 {
					l.Release(now())
				}
				l.Settle(now(), o)
				l.Release(now())
			}
		})
	}
	all.Go(func() {
		for range 200 {
			_ = fmt.Sprint(b.pool.Stat(now()))
		}
	})
	all.Wait()

	if leased.Load() < 1000 {
		t.Errorf("only %d calls were leased: the test tests little", leased.Load())
	}
	for _, e := range b.pool.Stat(now()).Endpoints {
		if e.Calls != 0 || e.Tokens != 0 {
			t.Errorf("%s %s has %d calls and %d tokens in flight", e.Model, e.Endpoint, e.Calls, e.Tokens)
		}
		if e.Quota != nil && e.Quota.Concurrency.Used != 0 {
			t.Errorf("%s %s holds %d calls of its limit", e.Model, e.Endpoint, e.Quota.Concurrency.Used)
		}
	}
}

func TestAHealthyLeaseAllocatesNothing(t *testing.T) {
	v := keyless("v", "global")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1000}}
	s := geminiProject("studio", "k")
	s.Limits = []pool.Limit{{RPM: 1e9, TPM: 1e12, RPD: 1e9, Concurrency: 1e6}}
	cfg := pool.Config{Projects: []pool.Project{v, s}}
	b := newBed(t, cfg)
	o := pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 100, Output: 100}}
	for _, c := range b.pool.View(b.start, flash).All() {
		for _, accept := range []bool{false, true} {
			allocs := testing.AllocsPerRun(100, func() {
				plan := b.pool.View(b.start, flash)
				l := b.leaseFor(b.start, c, plan.Need(pool.Estimate{Prompt: pool.Prompt{Text: 100}}, time.Time{}))
				if !c.Ready(b.start) || c.Load(b.start) <= 0 {
					t.Error("not ready, or its load is not seen")
				}
				if accept {
					l.Accept(b.start)
				}
				l.Settle(b.start, o)
			})
			if allocs != 0 {
				t.Errorf("%s, accepted first: %v: %v allocations", c, accept, allocs)
			}
		}
	}
}
