package demand_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/router"
)

// The log has the name in the call, which may be an alias of the file's: such calls are for its model.
func TestCallsWithAnAliasAreForItsModel(t *testing.T) {
	const lite = "gemini-3.5-flash-lite"
	asked := func(name string, models ...string) string {
		return record(t, func(r *calls.Record) {
			r.Model = name
			for _, m := range models {
				r.Attempts = append(r.Attempts, calls.Attempt{Model: m})
			}
			if len(models) == 0 {
				r.Outcome, r.Tokens = calls.OutcomeRefused, calls.Tokens{}
			}
		})
	}
	got, err := demand.Read(strings.NewReader(
		asked("fast") + // refused, before the log says whose alias it is
			asked("fast", flash) +
			asked("fast", lite) + // its model had no endpoint, a fallback had
			asked("fast", flash, flash, lite) +
			asked("gemini-2.5-flash", flash) + // an alias, too, though it has the name of a model
			asked("gemini-3.1-pro-preview", "gemini-3.1-pro-preview", flash) + // a fallback
			asked("gemini-3.1-pro-preview", flash) +
			asked("unknown")))
	if err != nil {
		t.Fatal(err)
	}
	want := []demand.Share{{Name: flash, Calls: 5}, {Name: "gemini-3.1-pro-preview", Calls: 2}}
	if diff := cmp.Diff(want, got.Models()); diff != "" || got.Filled != 1 || got.Skipped != 1 {
		t.Errorf("-want +got:\n%s%+v", diff, got.Left)
	}
}

// What the response cache has served made no request: it is no demand, and is told as what it is.
func TestWhatTheResponseCacheServedDoesNotCount(t *testing.T) {
	got, err := demand.Read(strings.NewReader(record(t, nothing) + record(t, func(r *calls.Record) {
		r.Cache, r.Tokens = router.CacheHit, calls.Tokens{}
	})))
	if err != nil {
		t.Fatal(err)
	}
	want := []demand.Left{{Why: "that the response cache served", Entries: 1, Line: 2}}
	if diff := cmp.Diff(want, got.Left); diff != "" || len(got.Calls) != 1 {
		t.Errorf("-want +got:\n%s%+v", diff, got.Calls)
	}
}
