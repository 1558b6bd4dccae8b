package pool_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

func TestAnotherProjectIDForgetsWhatTheFirstHas(t *testing.T) {
	google := limitsOfA(pool.Limit{Model: flash, RPM: 10})
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		google.set(func(g *googleHas) { g.has["a"], g.errs["a"] = pool.Project{}, errors.New("denied") })
		other := x.cfg
		other.Projects = slices.Clone(x.cfg.Projects)
		other.Projects[0].ProjectID = "acme-other"
		x.reload(time.Now(), other)
		if got := x.limits(flash, atA); got != (quota.Limits{}) {
			t.Errorf("right after the reload: %+v of another project", got)
		}
		before := google.times()
		time.Sleep(2 * time.Second)
		if google.times() != before+1 {
			t.Errorf("asked %d times about the other project", google.times()-before)
		}
		time.Sleep(2 * time.Minute)
		if got := x.limits(flash, atA); got != (quota.Limits{}) {
			t.Errorf("afterwards: %+v of another project", got)
		}
	})
}

func TestALimitOfOtherLocationsDoesNotHold(t *testing.T) {
	google := &googleHas{errs: map[string]error{}, has: map[string]pool.Project{"v": {
		Limits: []pool.Limit{{Model: flash, RPM: 30}}, Provisioned: []pool.Order{{Model: pro, Location: "us", GSUs: 2}},
	}}}
	discovering(t, google, func(c *pool.Config) { c.Projects[1].Locations = []string{"global", "us-central1"} }, func(t *testing.T, x *explored) {
		if got := x.limits(flash, atV); got.RPM != 30 {
			t.Fatalf("in force: %+v", got)
		}
		google.set(func(g *googleHas) { g.has["v"], g.errs["v"] = pool.Project{}, errors.New("denied") })
		other := x.cfg
		other.Projects = slices.Clone(x.cfg.Projects)
		other.Projects[1].Locations = []string{"global"}
		x.reload(time.Now(), other)
		time.Sleep(2 * time.Minute)
		if got := x.limits(flash, atV); got != (quota.Limits{}) {
			t.Errorf("of one location: %+v, which is the sum of two", got)
		}
		if got := x.orders(pro); len(got) != 1 {
			t.Errorf("orders %+v: they do not depend on the locations", got)
		}
	})
}

func TestProjectsOfOneIDDivideItsLimits(t *testing.T) {
	both := pool.Project{Limits: []pool.Limit{{Model: flash, RPM: 10}, {Model: pro, RPM: 6}}}
	google := &googleHas{has: map[string]pool.Project{"a": both, "b": both}, errs: map[string]error{}}
	discovering(t, google, func(c *pool.Config) {
		b := c.Projects[0]
		b.Name, b.Keys, b.Models = "b", []pool.Secret{pool.NewSecret("key-of-b")}, []string{flash}
		c.Projects = append(c.Projects, b)
	}, func(t *testing.T, x *explored) {
		for endpoint, want := range map[string]int64{atA: 5, "b/global/on_demand": 5} {
			if got := x.limits(flash, endpoint); got.RPM != want {
				t.Errorf("%s may send %d a minute, want %d: both have 10 together", endpoint, got.RPM, want)
			}
		}
		if got := x.limits(pro, atA); got.RPM != 6 {
			t.Errorf("of a model that one of them serves: %+v", got)
		}
	})
}

func TestProjectsOfOneIDUseItsOrderOnce(t *testing.T) {
	has := pool.Project{Provisioned: []pool.Order{{Model: flash, Location: "us", GSUs: 2}, {Model: pro, Location: "us", GSUs: 3}}}
	google := &googleHas{has: map[string]pool.Project{"v": has, "w": has}, errs: map[string]error{}}
	discovering(t, google, func(c *pool.Config) {
		c.Projects[1].ProjectID = "acme"
		w := c.Projects[1]
		w.Name, w.Provisioned = "w", []pool.Order{{Model: pro, Location: "us", GSUs: 3}}
		c.Projects = append(c.Projects, w)
	}, func(t *testing.T, x *explored) {
		if got := x.orders(flash); len(got) != 1 || got["v/us/provisioned"].GSUs != 2 {
			t.Errorf("orders %+v", got)
		}
		if got := x.orders(pro); len(got) != 1 || got["w/us/provisioned"].GSUs != 3 {
			t.Errorf("orders %+v: what a file declares wins", got)
		}
		told := x.take(pool.DiscoveryIncomplete)
		if len(told) != 2 || !strings.Contains(told[0].Message, "project") || !strings.Contains(told[0].Remedy, "[[project.provisioned]]") {
			t.Errorf("told %+v", told)
		}
	})
}

func TestALimitIsThatOfEveryVersionOfAModel(t *testing.T) {
	google := limitsOfA(pool.Limit{Model: flash, RPM: 10}, pool.Limit{Model: flash + "-002", RPM: 3})
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		for model, want := range map[string]int64{flash: 10, flash + "-001": 10, flash + "-002": 3, flash + "-lite": 0} {
			if got := x.limits(model, atA); got.RPM != want {
				t.Errorf("%s has %d, want %d", model, got.RPM, want)
			}
		}
	})
}

func TestNumbersThatMakeNoSenseCostNothing(t *testing.T) {
	google := &googleHas{errs: map[string]error{}, has: map[string]pool.Project{
		"a": {Limits: []pool.Limit{
			{Model: flash, RPM: math.MaxInt64, TPM: math.MinInt64, RPD: math.MaxInt64}, {Model: "*", RPM: 1}, {RPM: 1}, {Model: pro, RPM: 1, TPM: math.MaxInt64},
		}},
		"v": {Provisioned: []pool.Order{
			{Model: flash, Location: "us", GSUs: math.MaxInt}, {Model: pro, Location: "us", GSUs: -1}, {Model: pro, Location: "eu", TokensPerSecond: math.Inf(1)},
			{Model: "gemini-9", Location: "us", GSUs: 4, TokensPerSecond: 1_000}, {Model: "gemini-*", Location: "us", GSUs: 1}, {},
		}},
	}}
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		for range 3 {
			x.answer(time.Now(), x.candidate(flash, atA), good)
		}
		if got := x.limits(pro, atA); got.RPM != 1 {
			t.Errorf("a good value beside odd ones: %+v", got)
		}
		for _, model := range []string{flash, pro, "gemini-9"} {
			l := x.acquire(&pool.Request{Model: model})
			l.Release(time.Now())
		}
		x.reload(time.Now(), x.cfg) // what was found must not make a reload fail
	})
}

func TestReplicasKeepToADiscoveredLimitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := known(1, pool.Limit{})
		cfg.Projects[0].Discover, cfg.Projects[0].ProjectID, cfg.Projects[0].Credentials = true, "acme", pool.NoCredentials
		google := &googleHas{errs: map[string]error{}, has: map[string]pool.Project{"p0": {Limits: []pool.Limit{{Model: "m", RPM: 120}}}}}
		cfg.Discover = google.discover
		shared := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 4, cfg, func(int) store.Store { return shared })
		time.Sleep(5 * time.Second)
		rng := rand.New(rand.NewPCG(1, 2))
		rs.offer(rng, 3, 3*time.Minute, 200*time.Millisecond, 2*time.Second)
		google.set(func(g *googleHas) { g.has["p0"] = pool.Project{Limits: []pool.Limit{{Model: "m", RPM: 60}}} })
		time.Sleep(67 * time.Minute)
		if most := rs.most(); most > 120 || rs.served < 250 {
			t.Errorf("%d in a minute, want at most 120, and %d served", most, rs.served)
		}
		rs.sent, rs.served = map[string][]time.Time{}, 0
		rs.offer(rng, 3, 3*time.Minute, 200*time.Millisecond, 2*time.Second)
		if most := rs.most(); most > 60 || rs.served < 120 {
			t.Errorf("of a smaller limit: %d in a minute, want at most 60, and %d served", most, rs.served)
		}
	})
}

// A limit is declared, discovered and learned in any order.
func TestDeclaredDiscoveredAndLearnedInEveryOrder(t *testing.T) {
	for _, order := range []string{"DFL", "DLF", "FDL", "FLD", "LDF", "LFD", "FL", "LF", "DF", "FD", "F"} {
		for _, named := range []int64{4, 15, 25} {
			google := limitsOfA()
			google.errs["a"] = errors.New("not yet")
			discovering(t, google, nil, func(t *testing.T, x *explored) {
				for _, step := range order {
					switch step {
					case 'D':
						x.cfg.Projects = slices.Clone(x.cfg.Projects)
						x.cfg.Projects[0].Limits = []pool.Limit{{Model: "gemini-*", RPM: 20}}
						x.reload(time.Now(), x.cfg)
					case 'F':
						google.set(func(g *googleHas) {
							g.errs, g.has["a"] = map[string]error{}, pool.Project{Limits: []pool.Limit{{Model: flash, RPM: 10}}}
						})
						time.Sleep(67 * time.Minute)
					case 'L':
						x.answer(time.Now(), x.candidate(flash, atA), pool.Outcome{Class: pool.ClassMinuteQuota, Stated: quota.Limits{RPM: named}, Hint: time.Second})
						time.Sleep(2 * time.Minute)
					}
				}
				declared, learned := strings.Contains(order, "D"), strings.Index(order, "L") > strings.Index(order, "D") && strings.Contains(order, "L")
				want := int64(10)
				switch {
				case declared && learned:
					want = min(20, named)
				case declared:
					want = 20
				case learned:
					want = named
				}
				if got := x.limits(flash, atA).RPM; got < want || got > want+want/2 { // a learned one grows
					t.Errorf("%s with %d named: %d is in force, want %d", order, named, got, want)
				}
			})
		}
	}
}

func TestAReloadInTheMiddleOfAReadingIsAnswered(t *testing.T) {
	google := limitsOfA(pool.Limit{Model: flash, RPM: 10})
	google.hangs = true
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		without := x.cfg
		without.Projects = []pool.Project{x.cfg.Projects[1]}
		x.reload(time.Now(), without) // what was asked about it is nobody's now
		google.set(func(g *googleHas) { g.hangs = false })
		time.Sleep(time.Second)
		x.reload(time.Now(), x.cfg)
		time.Sleep(2 * time.Second)
		if got := x.limits(flash, atA); got.RPM != 10 {
			t.Errorf("in force: %+v", got)
		}
	})
}

// With as many projects that hang as may be asked about at once, the others are still asked about, and
// none of those is asked about a second time while it hangs.
func TestAQuestionThatNeverEndsKeepsNoOtherFromBeingAsked(t *testing.T) {
	const hanging = 8
	var release chan struct{} // of the bubble
	google := &googleHas{has: map[string]pool.Project{"a": {Limits: []pool.Limit{{Model: flash, RPM: 7}}}}}
	discovering(t, google, func(c *pool.Config) {
		release = make(chan struct{})
		for i := range hanging {
			p := c.Projects[1]
			p.Name = "hung-" + strconv.Itoa(i)
			c.Projects = append(c.Projects, p)
		}
		ask := c.Discover
		c.Discover = func(ctx context.Context, p pool.Project) (pool.Project, error) {
			answer, err := ask(ctx, p)
			if strings.HasPrefix(p.Name, "hung-") {
				<-release
				answer.Provisioned = []pool.Order{{Model: flash, Location: "us", GSUs: 1}}
			}
			return answer, err
		}
	}, func(t *testing.T, x *explored) {
		defer close(release)
		time.Sleep(4 * time.Minute)
		if got := x.limits(flash, atA); got.RPM != 7 {
			t.Errorf("in force: %+v", got)
		}
		told := x.take(pool.DiscoveryIncomplete)
		if len(told) != hanging || !strings.Contains(told[0].Message, "does not answer in time") {
			t.Errorf("told %+v", told)
		}
		time.Sleep(3 * time.Hour)
		asked := map[string]int{}
		google.set(func(g *googleHas) {
			for _, p := range g.about {
				asked[p.Name]++
			}
		})
		for name, n := range asked {
			if hung := strings.HasPrefix(name, "hung-"); hung && n != 1 || !hung && n < 3 {
				t.Errorf("asked %d times about %s", n, name)
			}
		}
		release <- struct{}{} // one comes to its end: it is asked again, and what it said so late does not count
		time.Sleep(time.Minute)
		if orders := x.orders(flash); len(orders) != 0 {
			t.Errorf("an answer of hours ago counts: %+v", orders)
		}
	})
}

func TestAnOrderForAModelThatTheProjectDoesNotTakeIsTold(t *testing.T) {
	discovering(t, orderOfV(pool.Order{Model: flash, Location: "us", GSUs: 1}), func(c *pool.Config) {
		c.Projects[1].Models = []string{pro}
	}, func(t *testing.T, x *explored) {
		told := x.take(pool.DiscoveryIncomplete)
		if len(told) != 1 || !strings.Contains(told[0].Message, "its model is none of the project's") || !strings.Contains(told[0].Remedy, "add its model") {
			t.Errorf("told %+v", told)
		}
	})
}
