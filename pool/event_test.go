package pool_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// replay is what an observer knows who hears nothing but events.
type replay struct {
	cooldowns map[pool.Subject]pool.Event
	limits    map[pool.Subject]quota.Limits
	last      map[pool.Subject]time.Time
	reloads   int
	wrong     []string
}

func newReplay() *replay {
	return &replay{
		cooldowns: make(map[pool.Subject]pool.Event), limits: make(map[pool.Subject]quota.Limits),
		last: make(map[pool.Subject]time.Time),
	}
}

func (r *replay) observe(e pool.Event) {
	if e.At.Before(r.last[e.Subject]) {
		r.wrong = append(r.wrong, fmt.Sprintf("%s %s is told after a later one", e.Subject, e.Kind))
	}
	r.last[e.Subject] = e.At
	was, known := r.cooldowns[e.Subject]
	switch e.Kind {
	case pool.CooldownStarted:
		r.cooldowns[e.Subject] = e
	case pool.CooldownExtended:
		if !known || was.Class != e.Class || !was.Since.Equal(e.Since) || !e.Until.After(was.Until) {
			r.wrong = append(r.wrong, fmt.Sprintf("%+v extends %+v", e, was))
		}
		r.cooldowns[e.Subject] = e
	case pool.CooldownEnded:
		if !known || was.Class != e.Class {
			r.wrong = append(r.wrong, fmt.Sprintf("%+v ends %+v", e, was))
		}
		delete(r.cooldowns, e.Subject)
	case pool.LimitLearned:
		r.limits[e.Subject] = e.Limits
	case pool.LimitForgotten:
		delete(r.limits, e.Subject)
	case pool.Reloaded:
		r.reloads++
	case pool.BreakerOpened, pool.BreakerClosed, pool.UsageHigh, pool.OrderUnused, pool.OrderUnconfirmed, pool.OrderBelowPurchase,
		pool.OrderBegan, pool.OrderEnded, pool.MemoryFull, pool.CallsRefused, pool.ModelRerouted,
		pool.StoreLost, pool.StoreBack, pool.LimitDisputed, pool.ProjectDiscovered, pool.DiscoveryIncomplete:
	}
}

// active returns the cooldown of a subject if it has not ended by time.
func (r *replay) active(now time.Time, s pool.Subject) pool.Cooldown {
	e, ok := r.cooldowns[s]
	if !ok || !e.Until.IsZero() && !e.Until.After(now) {
		return pool.Cooldown{}
	}
	return pool.Cooldown{Class: e.Class, Since: e.Since, Until: e.Until, Quota: e.Quota, Message: e.Message}
}

// alikeTold reports whether two cooldowns are the same as far as events tell; cmp.Diff takes a
// thousand times longer.
func alikeTold(a, b pool.Cooldown) bool {
	return a.Class == b.Class && a.Since.Equal(b.Since) && a.Until.Equal(b.Until) && a.Quota == b.Quota && a.Message == b.Message
}

// told is the part of a cooldown that events tell.
func told(c pool.Cooldown) pool.Cooldown {
	c.Probe, c.Answer = time.Time{}, nil
	return c
}

// longest is the cooldown that keeps an endpoint from a call for the longest time: that of one of
// its gates, or of the key that wakes first. Events do not tell when something is probed.
func (r *replay) longest(
	now time.Time, gates, keys []pool.Subject, probes map[pool.Subject]pool.Cooldown,
) (longest pool.Cooldown, wake time.Time) {
	wakes := func(s pool.Subject) time.Time {
		a := r.active(now, s)
		switch probe := probes[s].Probe; {
		case a.Class == "":
			return now
		case !probe.IsZero() && probe.Before(now):
			return now
		case !probe.IsZero():
			return probe
		case a.Until.IsZero():
			return now.Add(1000 * time.Hour)
		default:
			return a.Until
		}
	}
	wake = now
	for _, s := range gates {
		if w := wakes(s); w.After(wake) {
			longest, wake = r.active(now, s), w
		}
	}
	if len(keys) > 0 {
		first := slices.MinFunc(keys, func(a, b pool.Subject) int { return wakes(a).Compare(wakes(b)) })
		if w := wakes(first); w.After(wake) {
			longest, wake = r.active(now, first), w
		}
	}
	return longest, wake
}

// compare checks that the picture that events give is that of the pool.
func (r *replay) compare(t *testing.T, p *pool.Pool, now time.Time) {
	t.Helper()
	for _, wrong := range r.wrong {
		t.Error(wrong)
	}
	p.Stat(now) // ends leases that are an hour old
	stat, inside := p.Stat(now), p.Cooldowns(now)
	for s := range r.cooldowns {
		if _, ok := inside[s]; !ok {
			inside[s] = pool.Cooldown{}
		}
	}
	for s, c := range inside {
		if got := r.active(now, s); !alikeTold(c, got) {
			t.Errorf("%s (-pool +events):\n%s", s, cmp.Diff(told(c), got))
		}
	}
	for _, project := range stat.Projects {
		got := r.active(now, pool.Subject{Kind: "project", Project: project.Name})
		if !alikeTold(project.Cooldown, got) {
			t.Errorf("project %s (-Stat +events):\n%s", project.Name, cmp.Diff(told(project.Cooldown), got))
		}
	}
	keys := make(map[string]pool.Cooldown)
	for _, project := range stat.Projects {
		for _, k := range project.Keys {
			keys[project.Name+"/"+k.Key.String()] = k.Cooldown
		}
	}
	for _, e := range stat.Endpoints {
		var c *pool.Candidate
		for _, one := range p.View(now, e.Model).All() {
			if one.String() == e.Endpoint {
				c = one
			}
		}
		gates, its := c.Gates()
		want, wake := r.longest(now, gates, its, inside)
		if !alikeTold(e.Cooldown, want) && !r.equallyLong(now, slices.Concat(gates, its), inside, e.Cooldown, wake) {
			t.Errorf("%s %s (-Stat +events):\n%s", e.Model, e.Endpoint, cmp.Diff(told(e.Cooldown), want))
		}
		shared := pool.Subject{Kind: "model", Project: c.Project, Model: e.Model}
		if c.Traffic == pool.TrafficOnDemand && e.Learned != r.limits[shared] {
			t.Errorf("%s %s has learned %+v, and events say %+v", e.Model, e.Endpoint, e.Learned, r.limits[shared])
		}
		for _, k := range its {
			name := c.Project + "/key-" + k.Credential[:8]
			if got := r.active(now, k); !alikeTold(keys[name], got) {
				t.Errorf("%s (-Stat +events):\n%s", name, cmp.Diff(told(keys[name]), got))
			}
		}
	}
}

// equallyLong reports whether other is the cooldown of one of the subjects that wakes at that
// moment, too.
func (r *replay) equallyLong(
	now time.Time, subjects []pool.Subject, probes map[pool.Subject]pool.Cooldown, other pool.Cooldown, wake time.Time,
) bool {
	for _, s := range subjects {
		if a := r.active(now, s); alikeTold(a, other) {
			return probes[s].Probe.Equal(wake) || a.Until.Equal(wake)
		}
	}
	return false
}

// changedScenes are what reloads bring: projects go and come back, one is another of the same name,
// keys, orders, limits and places change.
func changedScenes() []pool.Config {
	all := make([]pool.Config, 6)
	for i := range all {
		all[i] = scene()
	}
	all[1].Projects = all[1].Projects[1:]
	all[2].Projects[2].ProjectID = "another"
	all[3].Projects[0].Keys = all[3].Projects[0].Keys[:1]
	all[3].Projects[2].Provisioned[0].GSUs = 500
	all[4].Projects[2].Locations = []string{"eu", "us-central1"}
	all[4].Projects[2].Provisioned = nil
	all[4].Pacing.Tolerance = 0.5
	all[5].Projects[1].Limits = []pool.Limit{{RPM: 50, RPD: 700}}
	all[5].Breaker.Window = 20 * time.Second
	return all
}

// history is one random sequence of what may happen to a pool.
type history struct {
	*testing.T

	random *rand.Rand
	pool   *pool.Pool
	replay *replay
	scenes []pool.Config
	open   []pool.Lease
}

func (h *history) outcome() pool.Outcome {
	classes := pool.RuledClasses()
	o := pool.Outcome{Class: classes[h.random.IntN(len(classes))]}
	if h.random.IntN(3) == 0 {
		o.Class = pool.ClassOK
	}
	switch h.random.IntN(3) {
	case 0:
		o.Hint = time.Duration(h.random.Int64N(int64(2 * time.Minute)))
	case 1:
		o.Quota, o.Message = "some quota", "what Google said"
		o.Stated = quota.Limits{
			RPM: 20 + h.random.Int64N(3), TPM: h.random.Int64N(2) * 50_000, RPD: h.random.Int64N(2) * 900,
		}
	}
	return o
}

func (h *history) step() {
	now := time.Now()
	switch what := h.random.IntN(10); {
	case what < 5:
		models := []string{flash, flash + "-001", pro, ""}
		all := h.pool.View(now, models[h.random.IntN(len(models))]).All()
		c := all[h.random.IntN(len(all))]
		lease := c.Lease
		if h.random.IntN(4) == 0 {
			lease = c.Force
		}
		if l, ok := lease(now, small); ok {
			h.open = append(h.open, l)
		}
	case what < 9 && len(h.open) > 0:
		i := h.random.IntN(len(h.open))
		l := h.open[i]
		switch h.random.IntN(6) {
		case 0:
			l.Accept(now)
		case 1:
			l.Release(now)
		default:
			l.Settle(now, h.outcome())
			h.open = slices.Delete(h.open, i, i+1)
		}
	case h.random.IntN(4) == 0:
		if err := h.pool.Reload(now, h.scenes[h.random.IntN(len(h.scenes))]); err != nil {
			h.Fatal(err)
		}
	}
	if h.random.IntN(2) == 0 { // mostly moments, seldom half an hour
		steps := []time.Duration{time.Millisecond, time.Second, time.Minute, 30 * time.Minute}
		time.Sleep(time.Duration(h.random.Int64N(int64(steps[h.random.IntN(len(steps))]))))
	}
}

func TestReplayedEventsGiveThePictureOfStat(t *testing.T) {
	t.Parallel()
	histories := amount(200, 1_000)
	const steps, deeds = 12, 5 // in less than 24 h: limits are not forgotten yet
	for seed := range uint64(histories) {
		synctest.Test(t, func(t *testing.T) {
			h := &history{T: t, random: rand.New(rand.NewPCG(seed, 7)), replay: newReplay(), scenes: changedScenes()}
			var err error
			if h.pool, err = pool.New(h.scenes[0], h.replay.observe); err != nil {
				t.Fatal(err)
			}
			for i := range steps {
				for range deeds {
					h.step()
				}
				h.replay.compare(t, h.pool, time.Now())
				if t.Failed() {
					t.Fatalf("seed %d, step %d", seed, i)
				}
			}
		})
		if t.Failed() {
			return
		}
	}
}

// observed is a pool whose events a test sees.
func observed(t *testing.T, cfg pool.Config, observe func(*pool.Pool, pool.Event)) *bed {
	t.Helper()
	var known atomic.Pointer[pool.Pool] // events may come from the pool's own goroutines
	p, err := pool.New(cfg, func(e pool.Event) { observe(known.Load(), e) })
	if err != nil {
		t.Fatal(err)
	}
	known.Store(p)
	return &bed{t: t, start: time.Now(), pool: p}
}

func TestAnObserverMayUseThePool(t *testing.T) {
	cfg := scene()
	cfg.Projects[0].Limits = []pool.Limit{{Model: flash, RPM: 5}}
	synctest.Test(t, func(t *testing.T) {
		kinds := make(map[pool.EventKind]bool)
		reloads := 0
		b := observed(t, cfg, func(p *pool.Pool, e pool.Event) {
			kinds[e.Kind] = true
			p.Stat(time.Now())
			if _, err := p.Save(time.Now()); err != nil {
				t.Error(err)
			}
			for _, model := range []string{flash, pro, "another"} {
				if l, err := p.Acquire(t.Context(), &pool.Request{Model: model}); err == nil {
					l.Accept(time.Now())
					l.Settle(time.Now(), good)
				}
			}
			if reloads++; reloads%10 == 0 {
				if err := p.Reload(time.Now(), cfg); err != nil {
					t.Error(err)
				}
			}
		})
		for _, l := range lives {
			for _, c := range b.pool.View(b.start, flash).All() {
				for range 6 {
					now := time.Now()
					if lease, ok := c.Force(now, small); ok {
						lease.Settle(now, pool.Outcome{Class: l.class, Stated: quota.Limits{RPM: 30}})
					}
				}
			}
			time.Sleep(time.Hour)
			for _, c := range b.pool.View(b.start, flash).All() {
				if lease, ok := c.Force(time.Now(), small); ok {
					lease.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Traffic: "ON_DEMAND"})
				}
			}
		}
		data, err := b.pool.Save(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := b.pool.Restore(time.Now(), data); err != nil {
			t.Fatal(err)
		}
		b.reload(time.Now(), cfg)
		for _, kind := range []pool.EventKind{
			pool.CooldownStarted, pool.CooldownEnded, pool.BreakerOpened, pool.BreakerClosed, pool.LimitLearned,
			pool.UsageHigh, pool.OrderUnused, pool.Reloaded,
		} {
			if !kinds[kind] {
				t.Errorf("there was no event %s", kind)
			}
		}
	})
}

func TestGoodCallsHaveNoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := observed(t, scene(), func(_ *pool.Pool, e pool.Event) { t.Errorf("%+v", e) })
		for i := range 200 {
			l := b.acquire(&pool.Request{Model: []string{flash, pro, ""}[i%3], MaxWait: time.Second})
			switch i % 4 {
			case 0:
				l.Accept(time.Now())
			case 1:
				l.Release(time.Now())
			}
			l.Settle(time.Now(), good)
			time.Sleep(time.Millisecond)
		}
	})
}

func TestEventsOfASubjectComeInOrderFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplay()
		inside := 0
		b := observed(t, scene(), func(_ *pool.Pool, e pool.Event) {
			if inside++; inside > 1 {
				t.Error("two events are delivered at once")
			}
			r.observe(e)
			inside--
		})
		done := make(chan struct{})
		const callers = 16
		for i := range callers {
			go func() {
				defer func() { done <- struct{}{} }()
				random := rand.New(rand.NewPCG(uint64(i), 1))
				classes := pool.RuledClasses()
				for range 100 {
					all := b.pool.View(b.start, flash).All()
					c := all[random.IntN(len(all))]
					if l, ok := c.Force(time.Now(), small); ok {
						time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
						o := pool.Outcome{Class: classes[random.IntN(len(classes))]}
						if random.IntN(2) == 0 {
							o.Class = pool.ClassOK
						}
						l.Settle(time.Now(), o)
					}
					time.Sleep(time.Duration(random.Int64N(int64(10 * time.Minute))))
				}
			}()
		}
		for range callers {
			<-done
		}
		r.compare(t, b.pool, time.Now())
		if len(r.last) < 10 {
			t.Errorf("there were events of %d subjects only", len(r.last))
		}
	})
}

func TestAPanicOfTheObserverDoesNotKeepLaterEventsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard, angry := 0, true
		b := observed(t, scene(), func(*pool.Pool, pool.Event) {
			if heard++; angry {
				panic("the observer is angry")
			}
		})
		fails := func(name string) {
			b.answer(time.Now(), b.candidate(flash, name), pool.Outcome{Class: pool.ClassNoQuota})
		}
		fails("a/global/on_demand")
		angry = false
		fails("c/global/on_demand")
		fails("w/global/on_demand")
		if heard != 3 {
			t.Errorf("%d of 3 events are delivered", heard)
		}
		if got := b.pool.Stat(time.Now()).QueueCount; got != 0 {
			t.Errorf("%d queues", got)
		}
	})
}

func TestLateOutcomesOfAReplacedProjectTellNothingOfTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplay()
		b := observed(t, scene(), func(_ *pool.Pool, e pool.Event) { r.observe(e) })
		var late []pool.Lease
		for range 3 {
			late = append(late, b.lease(b.start, b.candidate(flash, "v/eu/on_demand")))
		}
		known := b.lease(b.start, b.candidate(flash, "v/eu/on_demand"))
		known.Settle(b.start, pool.Outcome{Class: pool.ClassNoQuota, Stated: quota.Limits{RPD: 9}})
		b.reload(b.start, changedScenes()[2]) // another project of the name
		r.compare(t, b.pool, b.start)
		for i, class := range []pool.Class{pool.ClassBilling, pool.ClassModelMissing, pool.ClassMinuteQuota} {
			late[i].Settle(b.start, pool.Outcome{Class: class, Stated: quota.Limits{RPM: 7}})
		}
		r.compare(t, b.pool, b.start)
		if len(r.cooldowns) != 0 || len(r.limits) != 0 {
			t.Errorf("events tell of %+v and %+v", r.cooldowns, r.limits)
		}
		b.reload(b.start, scene()) // it is back, with what it was told meanwhile
		r.compare(t, b.pool, b.start)
		if len(r.cooldowns) < 3 || len(r.limits) != 0 { // a reload forgets limits
			t.Errorf("when it is back events tell of %+v and %+v", r.cooldowns, r.limits)
		}
	})
}

func TestAnotherOrderInThePlaceOfOneEndsItsCooldowns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplay()
		b := observed(t, scene(), func(_ *pool.Pool, e pool.Event) { r.observe(e) })
		order := b.candidate(flash, "v/global/provisioned")
		first, second := b.lease(b.start, order), b.lease(b.start, order)
		first.Settle(b.start, pool.Outcome{Class: pool.ClassProvisionedFull, Hint: 20 * time.Second})
		second.Settle(b.start, pool.Outcome{Class: pool.ClassNoQuota})
		if len(r.cooldowns) != 2 {
			t.Errorf("cooldowns are %+v", r.cooldowns)
		}
		b.reload(b.start, changedScenes()[3])
		r.compare(t, b.pool, b.start)
		if len(r.cooldowns) != 0 {
			t.Errorf("another order has the cooldowns %+v", r.cooldowns)
		}
	})
}

func TestAPanicOfTheObserverDoesNotLoseALease(t *testing.T) {
	p := keyless("a", "us")
	p.Limits = []pool.Limit{{RPM: 1}}
	angry, err := pool.New(pool.Config{Projects: []pool.Project{p}}, func(pool.Event) { panic("the observer is angry") })
	if err != nil {
		t.Fatal(err)
	}
	l, err := angry.Acquire(t.Context(), &pool.Request{Model: flash}) // UsageHigh: 1 of 1
	if err != nil || l.Endpoint() == nil {
		t.Errorf("%v, %v", l.Endpoint(), err)
	}
}

func TestLimitsThatGrowWithoutACallAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplay()
		b := observed(t, scene(), func(_ *pool.Pool, e pool.Event) { r.observe(e) })
		b.answer(b.start, b.candidate(flash, "a/global/on_demand"), pool.Outcome{
			Class: pool.ClassMinuteQuota, Stated: quota.Limits{RPM: 10},
		})
		for range 60 {
			time.Sleep(59 * time.Minute)
			r.compare(t, b.pool, time.Now())
		}
		if len(r.limits) > 0 {
			t.Errorf("%v is told, and all is forgotten", r.limits)
		}
	})
}

func TestEventsOfASubjectAreInTheOrderOfItsChanges(t *testing.T) {
	const calls = 4
	for round := range 1_000 {
		var last pool.Event
		p, err := pool.New(pool.Config{Projects: []pool.Project{keyless("a", "us")}}, func(e pool.Event) { last = e })
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		c := p.View(now, flash).All()[0]
		start := make(chan struct{})
		var done sync.WaitGroup
		for i := range calls {
			l, ok := c.Lease(now, small)
			if !ok {
				t.Fatal("no lease")
			}
			done.Go(func() {
				<-start
				l.Settle(now, pool.Outcome{Class: pool.ClassMinuteQuota, Hint: time.Duration(i+1) * 10 * time.Second})
			})
		}
		close(start)
		done.Wait()
		if known := p.Stat(now).Endpoints[0].Cooldown; !known.Until.Equal(last.Until) {
			t.Fatalf("round %d: the last event says until %v, Stat %v", round, last.Until, known.Until)
		}
	}
}
