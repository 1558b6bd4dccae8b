package pool_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// twoProjects are one with two keys and a limit, and one with an order.
func twoProjects() pool.Config {
	return pool.Config{Projects: []pool.Project{
		{
			Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("first-key"), pool.NewSecret("second-key")},
			Limits: []pool.Limit{{RPM: 3, RPD: 10}},
		},
		{
			Name: "prod", Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Locations: []string{"global", "us-central1"},
			Provisioned: []pool.Order{{Model: flash, Location: "us-central1", GSUs: 1, Burndown: &quota.Burndown{Output: 5}}},
		},
	}}
}

func (b *bed) reload(now time.Time, cfg pool.Config) {
	b.t.Helper()
	if err := b.pool.Reload(now, cfg); err != nil {
		b.t.Fatal(err)
	}
}

func TestReloadKeepsWhatIsTheSame(t *testing.T) {
	inBubble(t, twoProjects(), func(t *testing.T, b *bed) {
		now := b.start
		studio := b.candidate(flash, "studio/global/on_demand")
		running := b.lease(now, studio)
		b.answer(now, studio, pool.Outcome{Class: pool.ClassOK})
		b.answer(now, studio, pool.Outcome{Class: pool.ClassKeyDead}) // the first key; the quota gives this one back
		order := b.candidate(flash, "prod/us-central1/provisioned")
		held := b.lease(now, order)
		region := b.candidate(flash, "prod/us-central1/on_demand")
		b.answer(now, region, pool.Outcome{Class: pool.ClassModelMissing})
		for range 5 {
			b.answer(now, b.candidate(flash, "prod/global/on_demand"), pool.Outcome{Class: pool.ClassServerFault})
		}
		before := b.pool.Stat(now)

		same := twoProjects() // other pointers, the same words
		b.reload(now, same)

		after := b.pool.Stat(now)
		for i, was := range before.Endpoints {
			is := after.Endpoints[i]
			if is.Endpoint != was.Endpoint || is.Calls != was.Calls || is.Tokens != was.Tokens || is.Cooldown.Class != was.Cooldown.Class ||
				is.Breaker.State != was.Breaker.State {
				t.Errorf("endpoint was %+v\nand is %+v", was, is)
			}
			if was.Quota != nil && *is.Quota != *was.Quota {
				t.Errorf("quota of %s was %+v, is %+v", was.Endpoint, *was.Quota, *is.Quota)
			}
			if was.Order != nil && *is.Order != *was.Order {
				t.Errorf("order of %s was %+v, is %+v", was.Endpoint, *was.Order, *is.Order)
			}
		}
		if got := after.Projects[0].Keys[0].Cooldown.Class; got != pool.ClassKeyDead {
			t.Errorf("the dead key's rest is %q after the reload", got)
		}

		// Leases of before the reload end in what is counted after it.
		running.Settle(now, pool.Outcome{Class: pool.ClassOK})
		held.Settle(now, pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1000}})
		again := b.candidate(flash, "studio/global/on_demand")
		if got := b.endpoint(now, again, flash); got.Calls != 0 || got.Tokens != 0 {
			t.Errorf("%d calls of %d tokens are left after all have ended", got.Calls, got.Tokens)
		}
		b.answer(now, again, pool.Outcome{Class: pool.ClassOK})
		b.refuses(now, again, "though the minute's three are used up")
		if got := b.endpoint(now, b.candidate(flash, "prod/us-central1/provisioned"), flash).Order.Used; got != 1000 {
			t.Errorf("the order has used %v, want the 1000 that were settled", got)
		}
	})
}

func TestReloadTakesChangesOver(t *testing.T) {
	inBubble(t, twoProjects(), func(t *testing.T, b *bed) {
		now := b.start
		studio := b.candidate(flash, "studio/global/on_demand")
		b.answer(now, studio, pool.Outcome{Class: pool.ClassOK})
		running := b.lease(now, b.candidate(flash, "prod/global/on_demand"))

		cfg := twoProjects()
		cfg.Projects = cfg.Projects[:1] // prod is gone
		cfg.Projects[0].Limits = []pool.Limit{{RPM: 2}}
		cfg.Projects[0].Keys = []pool.Secret{pool.NewSecret("third-key")}
		b.reload(now, cfg)

		plan := b.pool.View(now, flash)
		if len(plan.All()) != 1 {
			t.Fatalf("%d endpoints are left, want one", len(plan.All()))
		}
		studio = plan.All()[0]
		if got := studio.Limits(); got != (quota.Limits{RPM: 2}) {
			t.Errorf("limits are %+v", got)
		}
		l := b.lease(now, studio)
		if got := l.Secrets(); !slices.Contains(got, "third-key") || !slices.Equal(got, running.Secrets()) {
			t.Errorf("%d keys are known, want the new one and those that calls under way have", len(got))
		}
		b.refuses(now, studio, "though the new limit is used up, by one of before")
		l.Release(now)
		running.Settle(now, pool.Outcome{Class: pool.ClassOK}) // of a project that is gone
	})
}

func TestReloadWithOtherCredentialsProbesAtOnce(t *testing.T) {
	for _, class := range []pool.Class{
		pool.ClassBilling, pool.ClassProjectMisconfigured, pool.ClassModelForbidden, pool.ClassNoQuota, pool.ClassKeyDead,
	} {
		t.Run(string(class), func(t *testing.T) {
			inBubble(t, twoProjects(), func(t *testing.T, b *bed) {
				c := b.candidate(flash, "prod/us-central1/on_demand")
				if class == pool.ClassKeyDead { // of a project that keeps its name and gets another key
					c = b.candidate(flash, "studio/global/on_demand")
					b.answer(b.start, c, pool.Outcome{Class: class})
				}
				b.answer(b.start, c, pool.Outcome{Class: class})
				now := b.start.Add(time.Second)
				b.reload(now, twoProjects())
				b.refuses(now, b.candidate(flash, c.String()), "after a reload of the same file")
				cfg := twoProjects()
				cfg.Projects[0].Keys = []pool.Secret{pool.NewSecret("another-key")}
				cfg.Projects[1].Credentials = credential.FromEnv("POOL_TEST_OTHER_TOKEN")
				b.reload(now, cfg)
				c = b.candidate(flash, c.String())
				probe := b.lease(now, c)
				if class != pool.ClassKeyDead {
					b.refuses(now, c, "while a probe is out")
				}
				probe.Settle(now, pool.Outcome{Class: pool.ClassOK})
				if !c.Ready(now) {
					t.Error("a good answer does not end it")
				}
			})
		})
	}
}

func TestReloadWithMistakesChangesNothing(t *testing.T) {
	inBubble(t, twoProjects(), func(t *testing.T, b *bed) {
		plan := b.pool.View(b.start, flash)
		cfg := twoProjects()
		cfg.Projects[1].Name = "studio"
		if err := b.pool.Reload(b.start, cfg); err == nil {
			t.Error("two projects of one name are taken")
		}
		if b.pool.View(b.start, flash) != plan {
			t.Error("the plan is another one")
		}
	})
}

func TestReloadWithAnotherOrderBeginsANewLedger(t *testing.T) {
	inBubble(t, twoProjects(), func(t *testing.T, b *bed) {
		name := "prod/us-central1/provisioned"
		b.answer(b.start, b.candidate(flash, name), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1000}})
		cfg := twoProjects()
		cfg.Projects[1].Provisioned[0].GSUs = 2
		b.reload(b.start, cfg)
		got := b.endpoint(b.start, b.candidate(flash, name), flash).Order
		if got.Used != 0 || got.TokensPerSecond != 5380 {
			t.Errorf("the larger order is %+v", *got)
		}
	})
}

func TestReloadKeepsRestsWhenBreakersAndPacesAreSetOtherwise(t *testing.T) {
	inBubble(t, twoProjects(), func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, "prod/us-central1/on_demand"), pool.Outcome{Class: pool.ClassModelMissing})
		cfg := twoProjects()
		cfg.Breaker.Failures = 1
		cfg.Pacing = quota.Careful()
		b.reload(b.start, cfg)
		b.refuses(b.start, b.candidate(flash, "prod/us-central1/on_demand"), "where the model is missing")
		global := b.candidate(flash, "prod/global/on_demand")
		b.answer(b.start, global, pool.Outcome{Class: pool.ClassServerFault})
		b.refuses(b.start, global, "though one failure is now enough")
	})
}

// A configuration that is rolled back must not find a full minute empty, or rests forgotten.
func TestWhatComesBackWithinADayGoesOnWhereItWas(t *testing.T) {
	inBubble(t, twoProjects(), func(t *testing.T, b *bed) {
		studio, now := "studio/global/on_demand", b.start
		for range 3 {
			b.answer(now, b.candidate(flash, studio), pool.Outcome{Class: pool.ClassOK})
		}
		b.answer(now, b.candidate(flash, "prod/global/on_demand"), pool.Outcome{Class: pool.ClassBilling})
		without, with := twoProjects(), twoProjects()
		without.Projects = without.Projects[1:]
		for range 3 {
			b.reload(now, without)
			b.reload(now, with)
		}
		b.refuses(now, b.candidate(flash, studio), "though the minute's three were used up")
		b.reload(now, pool.Config{Projects: with.Projects[:1]})
		b.reload(now.Add(24*time.Hour), with)
		if got := b.candidate(flash, "prod/global/on_demand").Resting(now).Class; got != pool.ClassBilling {
			t.Errorf("after a day away the project rests for %q", got)
		}
		b.reload(now.Add(24*time.Hour), pool.Config{Projects: with.Projects[:1]})
		b.reload(now.Add(25*time.Hour), pool.Config{Projects: with.Projects[:1]})
		b.reload(now.Add(50*time.Hour), with)
		if got := b.candidate(flash, "prod/global/on_demand").Resting(now).Class; got != "" {
			t.Errorf("after two days away the project still rests for %q", got)
		}
	})
}

func TestAnOrderThatGoesAndComesBackKeepsItsCooldown(t *testing.T) {
	p, other := keyless("a", "us"), keyless("o", "us")
	p.Provisioned = []pool.Order{{Model: flash, Location: "us", GSUs: 10}}
	with, without := pool.Config{Projects: []pool.Project{p, other}}, pool.Config{Projects: []pool.Project{other}}
	inBubble(t, with, func(t *testing.T, b *bed) {
		names := []string{"a/us/provisioned", "a/us/on_demand"}
		for _, name := range names {
			b.answer(b.start, b.candidate(flash, name), pool.Outcome{Class: pool.ClassDayQuota})
		}
		b.reload(b.start, without)
		b.reload(b.start, with)
		for _, name := range names {
			if got := b.candidate(flash, name).Resting(b.start).Class; got != pool.ClassDayQuota {
				t.Errorf("%s is on cooldown for %q", name, got)
			}
		}
		changed := p
		changed.Provisioned = []pool.Order{{Model: flash, Location: "us", GSUs: 20}}
		b.reload(b.start, without)
		b.reload(b.start, pool.Config{Projects: []pool.Project{changed, other}})
		if got := b.candidate(flash, names[0]).Resting(b.start).Class; got != "" {
			t.Errorf("another order in its place is on cooldown for %q", got)
		}
	})
}

func TestFirstUseWhileAReloadGoesOnKeepsToTheNewLimits(t *testing.T) {
	t.Parallel()
	cfg := func(rpm int64) pool.Config {
		p := keyless("a", "us")
		p.Limits = []pool.Limit{{RPM: rpm}}
		return pool.Config{Projects: []pool.Project{p}}
	}
	p, err := pool.New(cfg(1_000), nil)
	if err != nil {
		t.Fatal(err)
	}
	for round := range int64(500) {
		model := fmt.Sprintf("m%d", round)
		p.View(time.Now(), model)
		start := make(chan struct{})
		var done sync.WaitGroup
		for range 3 {
			done.Go(func() {
				<-start
				if l, err := p.Acquire(context.Background(), &pool.Request{Model: model}); err == nil {
					l.Release(time.Now())
				}
			})
		}
		want := 1_001 + round
		done.Go(func() {
			<-start
			if err := p.Reload(time.Now(), cfg(want)); err != nil {
				t.Error(err)
			}
		})
		close(start)
		done.Wait()
		if got := p.View(time.Now(), model).All()[0].Limits().RPM; got != want {
			t.Fatalf("round %d: the limit in force is %d, that of the configuration %d", round, got, want)
		}
	}
}

func TestAnEndpointThatIsFirstUsedByAnOlderPlanHasTheNewSettings(t *testing.T) {
	cfg := func(rpm int64, failures int) pool.Config {
		p := keyless("a", "us")
		p.Limits = []pool.Limit{{RPM: rpm}}
		return pool.Config{Projects: []pool.Project{p}, Breaker: breaker.Config{Failures: failures}}
	}
	inBubble(t, cfg(10, 5), func(t *testing.T, b *bed) {
		older := b.candidate(flash, "a/us/on_demand")
		b.reload(b.start, cfg(20, 2))
		for range 2 {
			b.answer(b.start, older, pool.Outcome{Class: pool.ClassServerFault})
		}
		if got := b.pool.Stat(b.start).Endpoints[0].Breaker.State; got != breaker.StateOpen {
			t.Errorf("the breaker is %v", got)
		}
		current := b.candidate(flash, "a/us/on_demand")
		b.refuses(b.start, current, "the breaker opens after 2 faults")
		if got := current.Limits().RPM; got != 20 {
			t.Errorf("%d calls are allowed a minute", got)
		}
	})
}
