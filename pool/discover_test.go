package pool_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// googleHas is what a test says that projects have.
type googleHas struct {
	mu    sync.Mutex
	has   map[string]pool.Project
	errs  map[string]error
	hangs bool
	asked []time.Time
	about []pool.Project
}

func (g *googleHas) discover(ctx context.Context, p pool.Project) (pool.Project, error) {
	g.mu.Lock()
	g.asked, g.about = append(g.asked, time.Now()), append(g.about, p)
	found, err, hangs := g.has[p.Name], g.errs[p.Name], g.hangs
	g.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return pool.Project{}, ctx.Err()
	}
	return found, err
}

func (g *googleHas) set(change func(*googleHas)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

func (g *googleHas) times() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

// problem is an error as package router gives them.
type problem struct {
	text, remedy string
	passing      bool
}

func (p problem) Error() string  { return p.text }
func (p problem) Remedy() string { return p.remedy }
func (p problem) Passing() bool  { return p.passing }

// explored is a pool whose projects "a" (Developer API) and "v" (Vertex AI) are asked about, with the
// events that it told.
type explored struct {
	*bed

	google *googleHas
	cfg    pool.Config
	mu     sync.Mutex
	events []pool.Event
}

// discovering runs a test on such a pool, of which the first answers are in.
func discovering(t *testing.T, google *googleHas, change func(*pool.Config), test func(*testing.T, *explored)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x := &explored{google: google, cfg: pool.Config{
			Discover: google.discover,
			Projects: []pool.Project{
				{
					Name: "a", Backend: pool.BackendGemini, ProjectID: "acme-a", Keys: []pool.Secret{pool.NewSecret("key-of-a")},
					Credentials: pool.NoCredentials, Discover: true,
				},
				{Name: "v", Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Discover: true},
			},
		}}
		if change != nil {
			change(&x.cfg)
		}
		p, err := pool.New(x.cfg, func(e pool.Event) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.events = append(x.events, e)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		x.bed = &bed{t: t, log: &logged{}, pool: p, start: time.Now()}
		time.Sleep(2 * time.Second)
		test(t, x)
	})
}

// take returns the events of a kind since the last time, and forgets all others.
func (x *explored) take(kind pool.EventKind) []pool.Event {
	synctest.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	all := slices.DeleteFunc(x.events, func(e pool.Event) bool { return e.Kind != kind })
	x.events = nil
	return all
}

// limits are those in force of a project for a model.
func (x *explored) limits(model, endpoint string) quota.Limits {
	x.t.Helper()
	return x.candidate(model, endpoint).Limits()
}

const atA, atV = "a/global/on_demand", "v/global/on_demand"

func limitsOfA(limits ...pool.Limit) *googleHas {
	return &googleHas{has: map[string]pool.Project{"a": {Limits: limits}}, errs: map[string]error{}}
}

func TestDiscoveredLimitsHoldWhereTheFileDeclaresNone(t *testing.T) {
	google := limitsOfA(pool.Limit{Model: flash, RPM: 10, TPM: 1_000, RPD: 99}, pool.Limit{Model: pro, RPM: 5})
	discovering(t, google, func(c *pool.Config) {
		c.Projects[0].Limits = []pool.Limit{{Model: flash, RPM: 20, Concurrency: 3}}
	}, func(t *testing.T, x *explored) {
		if got, want := x.limits(flash, atA), (quota.Limits{RPM: 20, TPM: 1_000, RPD: 99, Concurrency: 3}); got != want {
			t.Errorf("in force: %+v, want %+v", got, want)
		}
		if got, want := x.limits(pro, atA), (quota.Limits{RPM: 5}); got != want {
			t.Errorf("of the other model: %+v, want %+v", got, want)
		}
		if got := x.limits("gemini-other", atA); got != (quota.Limits{}) {
			t.Errorf("of one that Google does not show: %+v", got)
		}
		for _, e := range x.pool.Stat(time.Now()).Endpoints {
			if e.Model == flash && e.Endpoint == atA && (e.Declared != quota.Limits{RPM: 20, Concurrency: 3} || e.Discovered != quota.Limits{TPM: 1_000, RPD: 99}) {
				t.Errorf("Stat says %+v and %+v", e.Declared, e.Discovered)
			}
		}
		told := x.take(pool.ProjectDiscovered)
		if len(told) != 1 || told[0].Subject.String() != "project:a" || told[0].Message != "2 limits" {
			t.Errorf("told %+v", told)
		}
		// An hour later nothing has changed, and nothing is told.
		before := google.times()
		time.Sleep(67 * time.Minute)
		if n := google.times() - before; n != 2 {
			t.Errorf("asked %d times in an hour, want once for each project", n)
		}
		if told = x.take(pool.ProjectDiscovered); len(told) != 0 {
			t.Errorf("told again: %+v", told)
		}
		// Then it has.
		google.set(func(g *googleHas) { g.has["a"] = pool.Project{Limits: []pool.Limit{{Model: flash, TPM: 2_000}}} })
		time.Sleep(67 * time.Minute)
		if got, want := x.limits(flash, atA), (quota.Limits{RPM: 20, TPM: 2_000, Concurrency: 3}); got != want {
			t.Errorf("after a change: %+v, want %+v", got, want)
		}
		if got := x.limits(pro, atA); got != (quota.Limits{}) {
			t.Errorf("a limit that is gone holds: %+v", got)
		}
	})
}

func TestCallsGoOnWhileGoogleDoesNotAnswer(t *testing.T) {
	google := limitsOfA(pool.Limit{Model: flash, RPM: 10})
	google.hangs = true
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		for range 4 { // nothing waits for the answer
			x.answer(time.Now(), x.candidate(flash, atA), good)
		}
		google.set(func(g *googleHas) { g.hangs = false })
		time.Sleep(3*time.Minute + 11*time.Minute) // the question ends, and is asked again
		if got, want := x.limits(flash, atA), (quota.Limits{RPM: 10}); got != want {
			t.Fatalf("in force: %+v, want %+v", got, want)
		}
	})
}

func TestALimitThatARefusalNamesGoesBeforeTheOneThatGoogleShows(t *testing.T) {
	for _, named := range []int64{4, 25} {
		google := limitsOfA(pool.Limit{Model: flash, RPM: 10})
		discovering(t, google, nil, func(t *testing.T, x *explored) {
			refused := pool.Outcome{Class: pool.ClassMinuteQuota, Stated: quota.Limits{RPM: named}, Hint: time.Second}
			x.answer(time.Now(), x.candidate(flash, atA), refused)
			if got, want := x.limits(flash, atA), (quota.Limits{RPM: named}); got != want {
				t.Errorf("in force: %+v, want %+v", got, want)
			}
			told := x.take(pool.LimitDisputed)
			if len(told) != 1 || told[0].Limits.RPM != named || told[0].Discovered.RPM != 10 {
				t.Fatalf("told %+v", told)
			}
			time.Sleep(2 * time.Minute)
			x.answer(time.Now(), x.candidate(flash, atA), refused)
			if told = x.take(pool.LimitDisputed); len(told) != 0 {
				t.Errorf("the same is told again: %+v", told)
			}
			time.Sleep(40 * time.Hour) // it is forgotten
			if got, want := x.limits(flash, atA), (quota.Limits{RPM: 10}); got != want {
				x.pool.Stat(time.Now()) // lets it grow
				if got = x.limits(flash, atA); got != want {
					t.Errorf("afterwards: %+v, want %+v", got, want)
				}
			}
		})
	}
}

func TestWhatWasLearnedIsForgottenOnceTheQuotaIsAnother(t *testing.T) {
	google := limitsOfA(pool.Limit{Model: flash, RPM: 10})
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		x.answer(time.Now(), x.candidate(flash, atA), pool.Outcome{Class: pool.ClassMinuteQuota, Stated: quota.Limits{RPM: 10}, Hint: time.Second})
		if told := x.take(pool.LimitDisputed); len(told) != 0 {
			t.Errorf("they agree: %+v", told)
		}
		google.set(func(g *googleHas) { g.has["a"] = pool.Project{Limits: []pool.Limit{{Model: flash, RPM: 50}}} })
		time.Sleep(67 * time.Minute)
		if got, want := x.limits(flash, atA), (quota.Limits{RPM: 50}); got != want {
			t.Errorf("in force: %+v, want %+v", got, want)
		}
	})
}

func TestWhatCannotBeReadStaysAsItWas(t *testing.T) {
	google := limitsOfA(pool.Limit{Model: flash, RPM: 10})
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		denied := problem{"the limits cannot be read", "grant the role", false}
		google.set(func(g *googleHas) {
			g.has["a"], g.errs["a"] = pool.Project{}, errors.Join(denied, problem{"the tier cannot be read", "", true})
		})
		time.Sleep(67 * time.Minute)
		if got, want := x.limits(flash, atA), (quota.Limits{RPM: 10}); got != want {
			t.Errorf("in force: %+v, want %+v", got, want)
		}
		told := x.take(pool.DiscoveryIncomplete)
		if len(told) != 2 || told[0].Message != "the limits cannot be read" || told[0].Remedy != "grant the role" || told[0].Subject.Project != "a" {
			t.Fatalf("told %+v", told)
		}
		before := google.times()
		time.Sleep(11 * time.Minute) // one of the two may pass
		if google.times() == before {
			t.Error("what may pass is not asked again soon")
		}
		if told = x.take(pool.DiscoveryIncomplete); len(told) != 0 {
			t.Errorf("told again: %+v", told)
		}
	})
}

func orderOfV(orders ...pool.Order) *googleHas {
	return &googleHas{has: map[string]pool.Project{"v": {Provisioned: orders}}, errs: map[string]error{}}
}

// orders are those that serve a model, by their endpoints.
func (x *explored) orders(model string) map[string]pool.Order {
	found := map[string]pool.Order{}
	for _, tier := range x.pool.Plan(&pool.Request{Model: model}).Tiers {
		for _, e := range tier {
			if e.Order != nil {
				found[e.Name] = *e.Order
			}
		}
	}
	return found
}

func TestADiscoveredOrderServesAsIfItWereDeclared(t *testing.T) {
	google := orderOfV(pool.Order{Model: flash, Location: "europe-west4", GSUs: 10, TokensPerSecond: 26_900})
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		x.acquire(&pool.Request{Model: flash}) // the memory has the model
		order, ok := x.orders(flash)["v/europe-west4/provisioned"]
		if !ok || order.GSUs != 10 {
			t.Fatalf("orders %+v", x.orders(flash))
		}
		l := x.acquire(&pool.Request{Model: flash})
		if got := l.Endpoint().Name; got != "v/europe-west4/provisioned" {
			t.Errorf("a call goes to %s", got)
		}
		l.Release(time.Now())
		shown := false
		for _, e := range x.pool.Stat(time.Now()).Endpoints {
			shown = shown || e.Endpoint == "v/europe-west4/provisioned" && e.OrderDiscovered
		}
		if !shown {
			t.Error("Stat does not say where the order is known from")
		}
		// One reading without it may be late; two are not.
		google.set(func(g *googleHas) { g.has["v"] = pool.Project{Provisioned: []pool.Order{}} })
		time.Sleep(67 * time.Minute)
		if len(x.orders(flash)) != 1 {
			t.Error("one reading without the order takes it away")
		}
		time.Sleep(67 * time.Minute)
		if len(x.orders(flash)) != 0 {
			t.Error("two readings without the order leave it")
		}
	})
}

func TestAnOrderOfTheFileWins(t *testing.T) {
	google := orderOfV(
		pool.Order{Model: flash + "-001", Location: "global", GSUs: 10}, pool.Order{Model: flash, Location: "us", GSUs: 2},
	)
	discovering(t, google, func(c *pool.Config) {
		c.Projects[1].Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 3}}
	}, func(t *testing.T, x *explored) {
		got := x.orders(flash)
		if len(got) != 2 || got["v/global/provisioned"].GSUs != 3 || got["v/us/provisioned"].GSUs != 2 {
			t.Errorf("orders %+v", got)
		}
		if told := x.take(pool.DiscoveryIncomplete); len(told) != 0 {
			t.Errorf("told %+v", told)
		}
	})
}

func TestAnOrderIsNotUsedWhereDataMayNotGo(t *testing.T) {
	for _, test := range []struct {
		name              string
		locations, fence  []string
		order             pool.Order
		used              bool
		message           string
		wantFound, remedy string
	}{
		{"a listed location", []string{"europe-west4"}, nil, pool.Order{Model: flash, Location: "europe-west4", GSUs: 1}, true, "", "", ""},
		{"global is anywhere", []string{"global"}, nil, pool.Order{Model: flash, Location: "us", GSUs: 1}, true, "", "", ""},
		{
			"another region", []string{"europe-west4"}, nil, pool.Order{Model: flash, Location: "us-central1", GSUs: 1}, false,
			"not one of the project's", "", "locations",
		},
		{"outside the fence", nil, []string{"eu", "global"}, pool.Order{Model: flash, Location: "us", GSUs: 1}, false, "outside the locations", "", "[router]"},
		{"no location at all", nil, nil, pool.Order{Model: flash, Location: "moon", GSUs: 1}, false, "not a location", "", "[[project.provisioned]]"},
		{"no units", nil, nil, pool.Order{Model: flash, Location: "us"}, false, "neither gsus", "", ""},
		{"a model without a row", nil, nil, pool.Order{Model: "gemini-9", Location: "us", GSUs: 1}, false, "throughput", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			discovering(t, orderOfV(test.order), func(c *pool.Config) {
				c.Locations, c.Projects[1].Locations = test.fence, test.locations
			}, func(t *testing.T, x *explored) {
				if used := len(x.orders(test.order.Model)) == 1; used != test.used {
					t.Errorf("used: %v", used)
				}
				told := x.take(pool.DiscoveryIncomplete)
				if (len(told) == 1) == test.used {
					t.Fatalf("told %+v", told)
				}
				if !test.used && (told[0].Subject.Kind != "order" || !strings.Contains(told[0].Message, test.message) || !strings.Contains(told[0].Remedy, test.remedy)) {
					t.Errorf("told %+v", told[0])
				}
			})
		})
	}
}

func TestReloadsAskAgainAndKeepWhatIsKnown(t *testing.T) {
	google := limitsOfA(pool.Limit{Model: flash, RPM: 10})
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		before := google.times()
		for range 100 { // more than once a minute would be a storm
			x.reload(time.Now(), x.cfg)
		}
		if got, want := x.limits(flash, atA), (quota.Limits{RPM: 10}); got != want {
			t.Errorf("right after a reload: %+v, want %+v", got, want)
		}
		time.Sleep(5 * time.Minute)
		if n := google.times() - before; n < 2 || n > 4 {
			t.Errorf("100 reloads ask %d times about two projects", n)
		}
		without := x.cfg
		without.Projects = slices.Clone(x.cfg.Projects)
		without.Projects[0].Discover, without.Projects[0].ProjectID, without.Projects[0].Credentials = false, "", nil
		x.reload(time.Now(), without)
		if got := x.limits(flash, atA); got != (quota.Limits{}) {
			t.Errorf("without discover: %+v", got)
		}
		before = google.times()
		time.Sleep(3 * time.Hour)
		if n := google.times() - before; n < 2 || n > 4 {
			t.Errorf("asked %d times, want about the other project alone", n)
		}
	})
}

func TestCloseEndsDiscovery(t *testing.T) {
	google := limitsOfA()
	google.hangs = true
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		x.pool.Close()
		synctest.Wait() // the bubble fails if a goroutine stays
		before := google.times()
		time.Sleep(3 * time.Hour)
		if google.times() != before {
			t.Error("it goes on asking")
		}
	})
}

func TestWhoAsksGetsCredentialsAndPlacesAndMayPanic(t *testing.T) {
	google := limitsOfA()
	discovering(t, google, func(c *pool.Config) {
		c.Locations, c.Projects[1].Locations = []string{"eu", "global"}, []string{"eu", "us"}
		ask := c.Discover
		c.Discover = func(ctx context.Context, p pool.Project) (pool.Project, error) {
			_, _ = ask(ctx, p)
			panic("a bug")
		}
	}, func(t *testing.T, x *explored) {
		google.mu.Lock()
		defer google.mu.Unlock()
		for _, p := range google.about {
			if p.Credentials == nil || p.ProjectID == "" {
				t.Errorf("asked about %+v", p)
			}
			if p.Name == "v" && !slices.Equal(p.Locations, []string{"eu"}) {
				t.Errorf("asked about %v, want what is inside the fence", p.Locations)
			}
		}
		if told := x.take(pool.DiscoveryIncomplete); len(told) != 2 || !strings.Contains(told[0].Message, "panics") {
			t.Errorf("told %+v", told)
		}
	})
}

func TestSharesDivideDiscoveredLimits(t *testing.T) {
	discovering(t, limitsOfA(pool.Limit{Model: flash, RPM: 80}), func(c *pool.Config) { c.Share = 0.25 },
		func(t *testing.T, x *explored) {
			if got, want := x.limits(flash, atA), (quota.Limits{RPM: 20}); got != want {
				t.Errorf("in force: %+v, want %+v", got, want)
			}
		})
}
