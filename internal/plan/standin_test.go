package plan_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/pool"
)

// A call whose model cannot serve it in time goes to one that stands in for it, and to the next.
func TestFallbacksServeWhatTheModelCannot(t *testing.T) {
	const flash, lite, last = "gemini-3.5-flash", "gemini-3.5-flash-lite", "gemini-3.1-flash-lite"
	all := demand.Rates{
		Model: flash, RPM: 300, Input: 2000, Output: 100, Length: 10 * time.Minute, Start: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), Seed: 1,
	}.Calls()
	cfg := pool.Config{Projects: []pool.Project{{
		Name: "a", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key-a")},
		Limits: []pool.Limit{{Model: flash, RPM: 100}, {Model: lite, RPM: 100}, {Model: last, RPM: 50}},
	}}}
	w := plan.World{Pool: cfg, MaxWait: 5 * time.Second, FallbackAfter: time.Second, StandIns: func(model string) []string {
		return map[string][]string{flash: {lite, last}}[model]
	}}
	f, err := w.Within(t.Context(), all, price.BuiltIn(), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", f)
	by := make(map[string]int)
	for _, s := range f.StoodIn {
		if by[s.By] = s.Calls; s.Model != flash {
			t.Errorf("%+v", s)
		}
	}
	// A hundred a minute for ten minutes, fifty of the last, and what a bucket has at the beginning.
	if by[lite] < 900 || by[lite] > 1100 || by[last] < 450 || by[last] > 550 {
		t.Errorf("stood in: %v", by)
	}
	served := f.Served[0].Calls
	if served+f.Refused != len(all) || served < 2250 || slices.ContainsFunc(f.Causes, func(r plan.Refused) bool { return r.Cause != "own_limit" && r.Cause != "wait" }) {
		t.Errorf("%d served, %+v", served, f.Causes)
	}
	var bounds []string
	for _, b := range f.Bounds {
		bounds = append(bounds, b.Name)
	}
	if diff := cmp.Diff([]string{"rpm of " + flash, "rpm of " + lite, "rpm of " + last}, bounds); diff != "" || len(bounds) != 3 {
		t.Errorf("-want +got:\n%s", diff)
	}
	// The price is that of the model that served.
	w.StandIns = nil
	alone, err := w.Within(t.Context(), all, price.BuiltIn(), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	each, mixed := alone.Served[0].ByToken.USD/float64(alone.Served[0].Calls), f.Served[0].ByToken.USD/float64(served)
	if len(alone.StoodIn) > 0 || mixed > 0.9*each {
		t.Errorf("a call costs %v with cheaper models that stand in, %v without", mixed, each)
	}
	if f.Longest > 5*time.Second {
		t.Errorf("a call waited %v, of 5s for all of its models", f.Longest)
	}
}

// A model that no project has goes to its stand-in without a wait.
func TestAFallbackOfAModelThatNobodyHas(t *testing.T) {
	all := some(perGSU/10, time.Minute, 1).Calls()
	cfg := keyed(10_000, 100_000_000)
	for i := range cfg.Projects {
		cfg.Projects[i].Models = []string{"gemini-3.5-*"}
	}
	w := plan.World{Pool: cfg, MaxWait: 5 * time.Second, FallbackAfter: time.Second, StandIns: func(string) []string { return []string{"gemini-9-ultra", "gemini-3.5-flash"} }}
	f, err := w.Within(t.Context(), all, price.BuiltIn(), func(int) {})
	if err != nil || f.Refused > 0 || f.Waits > 0 || len(f.StoodIn) != 1 || f.StoodIn[0] != (plan.StoodIn{Model: flash, By: "gemini-3.5-flash", Calls: len(all)}) {
		t.Errorf("%+v, %v", f, err)
	}
	w.StandIns = func(string) []string { return []string{"gemini-9-ultra"} }
	if f, err = w.Within(t.Context(), all, price.BuiltIn(), func(int) {}); err != nil || f.Refused != len(all) || len(f.Causes) != 1 || f.Causes[0].Cause != "no_endpoint" {
		t.Errorf("%+v, %v", f, err)
	}
}

// A call gives up after as many refusals as the router would take.
func TestACallGivesUpAfterItsAttempts(t *testing.T) {
	all := some(3*perGSU, 5*time.Minute, 1).Calls()
	most := func(attempts int) (refusals, refused int) {
		w := plan.World{
			Pool: pool.Config{Projects: []pool.Project{{
				Name: "prod", Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Locations: []string{"global"},
				Provisioned: []pool.Order{{Model: all[0].Model, Location: "global", GSUs: 2, Window: 5 * time.Second}},
			}}},
			MaxWait: time.Minute, Traffic: pool.TrafficProvisioned, MaxAttempts: attempts,
			Window: func(*pool.Order) time.Duration { return time.Second }, // not what the file says
		}
		err := w.Run(t.Context(), all, func(_ int, f plan.Fate) {
			if refusals = max(refusals, f.Refusals); f.Endpoint == nil {
				if refused++; f.Cause == "" {
					t.Error("a call is refused without a cause")
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return refusals, refused
	}
	few, lost := most(1)
	many, kept := most(1000)
	t.Logf("%d refusals and %d calls lost with one attempt, %d and %d with a thousand", few, lost, many, kept)
	if few > 2 || many <= few || lost == 0 || kept == 0 {
		t.Errorf("%d refusals and %d calls lost with one attempt, %d and %d with a thousand", few, lost, many, kept)
	}
}
