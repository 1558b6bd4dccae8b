package router_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/quota"
)

// Without its tier a project would have the limits of the highest, and without the list of models
// none of the others.
func TestAPassingFailureOfAnotherAPIReplacesNoLimits(t *testing.T) {
	for _, method := range []string{"billingInfo.get", "models.list"} {
		synctest.Test(t, func(t *testing.T) {
			studio := discovered("studio", geminitest.Limit{Model: flash, RPM: 10})
			studio.google.Quotas = []geminitest.Quota{{
				ID: "GenerateRequestsPerDayPerProjectPerModel-FreeTier", Metric: "generativelanguage.googleapis.com/generate_content_free_tier_requests",
				Interval: "day", Values: []geminitest.QuotaValue{{Value: 77}},
			}}
			b := setup{}.bed(t, studio)
			client := b.client(t)
			time.Sleep(2 * time.Second)
			inForce := func() (l quota.Limits) {
				if _, err := ask(t.Context(), client, flash); err != nil {
					t.Error(err)
				}
				for _, e := range b.router.Stat().Endpoints {
					l = e.Discovered
				}
				return l
			}
			want := quota.Limits{RPM: 10, RPD: 77}
			if got := inForce(); got != want {
				t.Fatalf("in force: %+v, want %+v", got, want)
			}
			b.Keep(geminitest.Match{Method: method}, geminitest.Overloaded())
			time.Sleep(67 * time.Minute)
			if got := inForce(); got != want {
				t.Errorf("while %s fails: %+v, want %+v", method, got, want)
			}
		})
	}
}
