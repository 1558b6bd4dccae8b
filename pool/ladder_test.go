package pool_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
)

// climber returns a project that buys these service tiers.
func climber(p pool.Project, interactive, batch []string) pool.Project {
	p.OnDemand, p.BatchOnDemand = interactive, batch
	return p
}

var all = []string{pool.TierFlex, pool.TierStandard, pool.TierPriority}

func TestServiceTiersGoFromTheCheapestToTheDearestWithinAPriority(t *testing.T) {
	late := keyless("late", "global")
	late.Priority = 1
	cfg := pool.Config{Projects: []pool.Project{
		climber(keyless("acme", "europe-west4", "eu", "global"), all, nil),
		climber(geminiProject("studio", "k"), []string{pool.TierPriority}, nil),
		late,
	}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		want := [][]string{
			{"acme/global/on_demand_flex"},
			{"acme/global/on_demand", "studio/global/on_demand"},
			{"acme/eu/on_demand"},
			{"acme/europe-west4/on_demand"},
			{"acme/global/on_demand_priority", "studio/global/on_demand_priority"},
			{"acme/eu/on_demand_priority"},
			{"late/global/on_demand"},
		}
		if diff := cmp.Diff(want, names(b.pool.View(b.start, flash))); diff != "" {
			t.Errorf("tiers (-want +got):\n%s", diff)
		}
		if homes := b.pool.Homes(pool.BackendVertex); len(homes) != 4 {
			t.Errorf("the homes are %v, want each location once", homes)
		}
	})
}

// mayGo are the traffics of the endpoints that a request may go to.
func mayGo(b *bed, r pool.Request) (traffics []pool.Traffic) {
	r.Model = flash
	for _, tier := range b.pool.Plan(&r).Tiers {
		for _, e := range tier {
			if e.Why == "" {
				traffics = append(traffics, e.Traffic)
			}
		}
	}
	return traffics
}

func TestCallsGoToTheServiceTiersOfTheirLadder(t *testing.T) {
	const (
		flex, standard, priority = pool.TrafficFlex, pool.TrafficOnDemand, pool.TrafficPriority
	)
	type traffics = []pool.Traffic
	for name, tt := range map[string]struct {
		interactive, batch []string
		request            pool.Request
		want               traffics
	}{
		"by default":                           {nil, nil, pool.Request{}, traffics{standard}},
		"a batch call by default":              {nil, nil, pool.Request{Batch: true}, traffics{standard}},
		"an interactive call":                  {all[1:], all[:2], pool.Request{}, traffics{standard, priority}},
		"a batch call":                         {all[1:], all[:2], pool.Request{Batch: true}, traffics{flex, standard}},
		"a batch call does without priority":   {all[1:], nil, pool.Request{Batch: true}, traffics{standard}},
		"unless there is nothing else":         {all[2:], nil, pool.Request{Batch: true}, traffics{priority}},
		"a tier of the caller's":               {all[1:], all[:2], pool.Request{Asked: pool.Asked{OnDemand: flex}}, traffics{flex}},
		"the standard tier of the caller's":    {all[2:], nil, pool.Request{Asked: pool.Asked{OnDemand: standard}}, traffics{standard}},
		"a tier that the project does not buy": {all[1:], nil, pool.Request{Asked: pool.Asked{OnDemand: flex}}, traffics{standard}},
		"only one for now":                     {all, nil, pool.Request{Asked: pool.Asked{Only: flex}}, traffics{flex}},
		"without one":                          {all, nil, pool.Request{Asked: pool.Asked{Without: flex}}, traffics{standard, priority}},
		"any pay-as-you-go":                    {all, nil, pool.Request{Traffic: standard}, traffics{flex, standard, priority}},
		"another method":                       {all, nil, pool.Request{Asked: pool.Asked{Method: "embedContent"}}, traffics{standard}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := pool.Config{Projects: []pool.Project{climber(keyless("acme", "global"), tt.interactive, tt.batch)}}
			inBubble(t, cfg, func(t *testing.T, b *bed) {
				if got := mayGo(b, tt.request); !slices.Equal(got, tt.want) {
					t.Errorf("it may go to %q, want %q", got, tt.want)
				}
				r := tt.request
				r.Model = flash
				l, err := b.pool.Acquire(t.Context(), &r)
				if err != nil {
					t.Fatal(err)
				}
				if got := l.Endpoint().Traffic; got != tt.want[0] {
					t.Errorf("it goes to %q, want %q", got, tt.want[0])
				}
				l.Release(time.Now())
			})
		})
	}
}

// Google's capacity is each tier's own; the account and its quotas are the project's.
func TestWhatARefusalAtStandardKeepsFromTheOtherServiceTiers(t *testing.T) {
	for class, well := range map[pool.Class]bool{
		pool.ClassContention: true, pool.ClassModelMissing: true,
		pool.ClassMinuteQuota: false, pool.ClassDayQuota: false, pool.ClassSpendRate: false, pool.ClassBilling: false,
		pool.ClassProjectMisconfigured: false, pool.ClassModelForbidden: false,
	} {
		for _, p := range []pool.Project{keyless("acme", "global"), geminiProject("acme", "k")} {
			inBubble(t, pool.Config{Projects: []pool.Project{climber(p, all, nil)}}, func(t *testing.T, b *bed) {
				b.answer(b.start, b.candidate(flash, "acme/global/on_demand"), pool.Outcome{Class: class})
				for _, tier := range []string{"flex", "priority"} {
					l, ok := b.candidate(flash, "acme/global/on_demand_"+tier).Lease(b.start, small)
					if ok != well {
						t.Errorf("%s on %s: %s takes a call is %v, want %v", class, p.Backend, tier, ok, well)
					}
					l.Release(b.start)
				}
			})
		}
	}
}

// Flex has a quota of its own on Vertex AI; what is used up there is not the project's.
func TestTheQuotaOfFlexIsItsOwnOnVertexAI(t *testing.T) {
	for _, p := range []pool.Project{keyless("acme", "global"), geminiProject("acme", "k")} {
		inBubble(t, pool.Config{Projects: []pool.Project{climber(p, all, nil)}}, func(t *testing.T, b *bed) {
			b.answer(b.start, b.candidate(flash, "acme/global/on_demand_flex"), pool.Outcome{Class: pool.ClassMinuteQuota, Hint: time.Minute})
			l, ok := b.candidate(flash, "acme/global/on_demand").Lease(b.start, small)
			if ok != (p.Backend == pool.BackendVertex) {
				t.Errorf("%s: standard takes a call is %v", p.Backend, ok)
			}
			l.Release(b.start)
			b.refuses(b.start, b.candidate(flash, "acme/global/on_demand_flex"), "although its quota is used up")
		})
	}
}

func TestLimitsAreOfAllServiceTiersTogether(t *testing.T) {
	p := climber(keyless("acme", "global"), all, nil)
	p.Limits = []pool.Limit{{RPM: 2}}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, "acme/global/on_demand_flex"), pool.Outcome{Class: pool.ClassOK})
		b.answer(b.start, b.candidate(flash, "acme/global/on_demand"), pool.Outcome{Class: pool.ClassOK})
		b.refuses(b.start, b.candidate(flash, "acme/global/on_demand_priority"), "although two calls were made")
	})
}

func TestAPauseOfPayAsYouGoIsOfAllServiceTiersAndOneOfATierOfItAlone(t *testing.T) {
	for subject, want := range map[string][]string{
		"model:acme/" + flash + ";traffic=on_demand":                    nil,
		"model:acme/global/" + flash:                                    nil,
		"model:acme/global/" + flash + ";traffic=on_demand_priority":    {"on_demand_flex", "on_demand"},
		"server:vertex/global/" + flash + ";traffic=on_demand_flex":     {"on_demand", "on_demand_priority"},
		"server:vertex/global/" + flash:                                 nil,
		"model:acme/global/" + flash + ";traffic=on_demand_flex":        {"on_demand", "on_demand_priority"},
		"model:acme/global/" + flash + ";traffic=provisioned":           {"refused"},
		"model:acme/global/" + flash + ";traffic=on_demand_offpeak":     {"refused"},
		"model:acme/global/" + flash + ";tier=priority":                 {"refused"},
		"server:vertex/global/" + flash + ";traffic=on_demand_priority": {"on_demand_flex", "on_demand"},
	} {
		cfg := pool.Config{Projects: []pool.Project{climber(keyless("acme", "global"), all, nil)}}
		inBubble(t, cfg, func(t *testing.T, b *bed) {
			b.pool.View(b.start, flash) // the pool knows the model
			err := b.pool.Pause(b.start, subject, time.Hour, "")
			if refused := slices.Equal(want, []string{"refused"}); refused != (err != nil) {
				t.Fatalf("%s: %v", subject, err)
			} else if refused {
				return
			}
			var got []string
			for _, traffic := range mayGo(b, pool.Request{Traffic: pool.TrafficOnDemand}) {
				got = append(got, string(traffic))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s leaves %v, want %v", subject, got, want)
			}
		})
	}
}

func TestAFleetPacesEachServiceTierByItself(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{climber(keyless("acme", "global", "eu"), all, nil)}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		for name, want := range map[string]string{
			"acme/global/on_demand":          "model:acme/" + flash, // as without other tiers
			"acme/eu/on_demand":              "model:acme/" + flash,
			"acme/global/on_demand_flex":     "model:acme/" + flash + ";traffic=on_demand_flex",
			"acme/global/on_demand_priority": "model:acme/" + flash + ";traffic=on_demand_priority",
			"acme/eu/on_demand_priority":     "model:acme/" + flash + ";traffic=on_demand_priority",
		} {
			if got := b.candidate(flash, name).PaceSubject(); got != want {
				t.Errorf("%s is paced as %s, want %s", name, got, want)
			}
		}
	})
}

// A reload that adds a service tier leaves what is known of the others, and a restart finds all again.
func TestWhatIsKnownOfServiceTiersOutlivesReloadsAndRestarts(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{climber(keyless("acme", "global"), all[1:], nil)}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		const priority = "acme/global/on_demand_priority"
		b.answer(b.start, b.candidate(flash, priority), pool.Outcome{Class: pool.ClassModelMissing})
		b.refuses(b.start, b.candidate(flash, priority), "although it lacks the model")
		more := pool.Config{Projects: []pool.Project{climber(keyless("acme", "global"), all, nil)}}
		if err := b.pool.Reload(b.start, more); err != nil {
			t.Fatal(err)
		}
		b.refuses(b.start, b.candidate(flash, priority), "after a reload")
		b.lease(b.start, b.candidate(flash, "acme/global/on_demand_flex")).Release(b.start)

		saved, err := b.pool.Save(b.start)
		if err != nil {
			t.Fatal(err)
		}
		again := newBed(t, more)
		if err := again.pool.Restore(b.start, saved); err != nil {
			t.Fatal(err)
		}
		again.refuses(b.start, again.candidate(flash, priority), "after a restart")
		again.lease(b.start, again.candidate(flash, "acme/global/on_demand")).Release(b.start)
	})
}
