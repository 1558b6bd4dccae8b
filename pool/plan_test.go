package pool_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// names returns the names of a plan's endpoints, tier by tier.
func names(plan *pool.View) [][]string {
	var tiers [][]string
	for _, tier := range plan.Tiers() {
		var one []string
		for _, c := range tier {
			one = append(one, c.String())
		}
		tiers = append(tiers, one)
	}
	return tiers
}

func TestPlanTriesOrdersFirstThenByPriorityThenTheLargerCapacityPool(t *testing.T) {
	late := keyless("late", "europe-west4", "eu", "global")
	late.Priority = 1
	late.Provisioned = []pool.Order{{Model: flash, Location: "us-central1", GSUs: 1}}
	early := keyless("early", "us-east5", "us", "global", "europe-west4")
	early.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1}}
	negative := keyless("negative", "us-west1")
	negative.Priority = -1
	cfg := pool.Config{Projects: []pool.Project{late, early, geminiProject("studio", "k"), negative}}

	inBubble(t, cfg, func(t *testing.T, b *bed) {
		plan := b.pool.View(b.start, flash)
		want := [][]string{
			{"late/us-central1/provisioned", "early/global/provisioned"},
			{"negative/us-west1/on_demand"},
			{"early/global/on_demand", "studio/global/on_demand"},
			{"early/us/on_demand"},
			{"early/us-east5/on_demand", "early/europe-west4/on_demand"},
			{"late/global/on_demand"},
			{"late/eu/on_demand"},
			{"late/europe-west4/on_demand"},
		}
		if diff := cmp.Diff(want, names(plan)); diff != "" {
			t.Errorf("tiers (-want +got):\n%s", diff)
		}
		var all []string
		for _, c := range plan.All() {
			all = append(all, c.String())
		}
		if diff := cmp.Diff(slices.Concat(want...), all); diff != "" {
			t.Errorf("All differs from the tiers (-want +got):\n%s", diff)
		}
	})
}

func TestPlanHasTheEndpointsThatTakeTheModel(t *testing.T) {
	ordered := keyless("ordered", "us", "eu")
	ordered.Models = []string{"gemini-2.5-*", "imagen-[34]"}
	ordered.Provisioned = []pool.Order{
		{Model: "gemini-2.5-flash-001", Location: "us", GSUs: 1},
		{Model: "gemini-2.5-pro", Location: "eu", GSUs: 1},
	}
	cfg := pool.Config{Projects: []pool.Project{geminiProject("any", "k"), ordered}}
	tests := []struct {
		name, model string
		want        [][]string
	}{
		{"an order that names a version serves the model", flash,
			[][]string{{"ordered/us/provisioned"}, {"any/global/on_demand"}, {"ordered/us/on_demand", "ordered/eu/on_demand"}}},
		{"and another version", "gemini-2.5-flash-002",
			[][]string{{"ordered/us/provisioned"}, {"any/global/on_demand"}, {"ordered/us/on_demand", "ordered/eu/on_demand"}}},
		{"an order that names none serves a version", "gemini-2.5-pro-001",
			[][]string{{"ordered/eu/provisioned"}, {"any/global/on_demand"}, {"ordered/us/on_demand", "ordered/eu/on_demand"}}},
		{"a longer name is another model", "gemini-2.5-flash-lite",
			[][]string{{"any/global/on_demand"}, {"ordered/us/on_demand", "ordered/eu/on_demand"}}},
		{"a class in a glob", "imagen-4", [][]string{{"any/global/on_demand"}, {"ordered/us/on_demand", "ordered/eu/on_demand"}}},
		{"no glob of one project matches", "gemini-3-flash", [][]string{{"any/global/on_demand"}}},
		{"a glob in the call is no glob", "gemini-2.5-*",
			[][]string{{"any/global/on_demand"}, {"ordered/us/on_demand", "ordered/eu/on_demand"}}},
		{"a call without a model goes wherever a project is asked, whatever models it takes", "",
			[][]string{{"any/global/on_demand"}, {"ordered/us/on_demand", "ordered/eu/on_demand"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, cfg, func(t *testing.T, b *bed) {
				if diff := cmp.Diff(tt.want, names(b.pool.View(b.start, tt.model))); diff != "" {
					t.Errorf("%q (-want +got):\n%s", tt.model, diff)
				}
			})
		})
	}
}

func TestPlanOfAModelThatNobodyTakesHasNoTiers(t *testing.T) {
	p := keyless("prod")
	p.Models = []string{"gemini-*"}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		plan := b.pool.View(b.start, "claude")
		if len(plan.Tiers()) != 0 || len(plan.All()) != 0 || plan.ModelName() != "claude" {
			t.Errorf("plan of %q has tiers %v", plan.ModelName(), names(plan))
		}
	})
}

func TestWhatBelongsToNoModelMayLiveWhereverTheProjectIsAsked(t *testing.T) {
	first := keyless("first", "eu", "global")
	first.Provisioned = []pool.Order{{Model: flash, Location: "us-central1", GSUs: 1}}
	cfg := pool.Config{Projects: []pool.Project{first, keyless("second", "eu")}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		want := []string{"first/global/on_demand", "first/eu/on_demand", "second/eu/on_demand", "first/us-central1/on_demand"}
		var got []string
		for _, c := range b.pool.View(b.start, "").All() {
			got = append(got, c.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("endpoints (-want +got):\n%s", diff)
		}
	})
}

func TestPlanShowsWeightsLimitsAndOrders(t *testing.T) {
	heavy := keyless("heavy")
	heavy.Weight = 2.5
	heavy.Limits = []pool.Limit{{RPM: 7}}
	plain := keyless("plain")
	plain.Provisioned = []pool.Order{{Model: flash, Location: "eu", GSUs: 2}}
	inBubble(t, pool.Config{Projects: []pool.Project{plain, heavy}}, func(t *testing.T, b *bed) {
		plan := b.pool.Plan(&pool.Request{Model: flash})
		if len(plan.Tiers) != 2 || plan.Model != flash {
			t.Fatalf("the plan is %+v", plan)
		}
		order, equals := plan.Tiers[0][0], plan.Tiers[1]
		if order.Order == nil || order.Order.GSUs != 2 || order.Overflow != pool.OverflowRouter || order.Limits != (quota.Limits{}) {
			t.Errorf("the order's endpoint is %+v", order)
		}
		if equals[0].Weight != 1 || equals[1].Weight != 2.5 || equals[1].Limits != (quota.Limits{RPM: 7}) {
			t.Errorf("the on-demand endpoints are %+v and %+v", equals[0], equals[1])
		}
	})
}

func TestPlanKeepsToTheStrictestOfTheLimitsThatMatch(t *testing.T) {
	p := keyless("prod", "global", "eu")
	p.Provisioned = []pool.Order{{Model: flash, Location: "us", GSUs: 1}}
	p.Limits = []pool.Limit{
		{RPM: 100, RPD: 5000},
		{Model: "gemini-*-flash", RPM: 200, TPM: 1000},
		{Model: flash, TPM: 2000, Concurrency: 7},
		{Model: "*-pro", RPM: 1},
	}
	cfg := pool.Config{Projects: []pool.Project{p, keyless("free")}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		tests := []struct {
			model, endpoint string
			want            quota.Limits
		}{
			{flash, "prod/global/on_demand", quota.Limits{RPM: 100, TPM: 1000, RPD: 5000, Concurrency: 7}},
			{flash, "prod/eu/on_demand", quota.Limits{RPM: 100, TPM: 1000, RPD: 5000, Concurrency: 7}},
			{flash, "prod/us/provisioned", quota.Limits{}},
			{flash, "free/global/on_demand", quota.Limits{}},
			{pro, "prod/global/on_demand", quota.Limits{RPM: 1, RPD: 5000}},
			{"other", "prod/global/on_demand", quota.Limits{RPM: 100, RPD: 5000}},
			{"", "prod/global/on_demand", quota.Limits{}},
		}
		for _, tt := range tests {
			if got := b.candidate(tt.model, tt.endpoint).Limits(); got != tt.want {
				t.Errorf("%q on %s keeps to %+v, want %+v", tt.model, tt.endpoint, got, tt.want)
			}
		}
	})
}

func TestPlanOf10000ProjectsIsBuiltInAMoment(t *testing.T) {
	var cfg pool.Config
	for i := range 10_000 {
		p := geminiProject(fmt.Sprintf("p%d", i), fmt.Sprintf("key-%d", i))
		p.Limits = []pool.Limit{{RPM: 10}}
		cfg.Projects = append(cfg.Projects, p)
	}
	b := newBed(t, cfg)
	began := time.Now()
	plan := b.pool.View(b.start, flash)
	// It takes about 20 ms; anything that grows with the square of the projects takes many seconds.
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the plan took %v", took)
	}
	if got := len(plan.Tiers()[0]); got != 10_000 {
		t.Errorf("%d endpoints, want 10,000", got)
	}
}
