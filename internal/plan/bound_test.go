package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/pool"
)

// twicePerSecond are 120 calls in a minute, of which each second one has a label.
func twicePerSecond(label string) []demand.Call {
	all := demand.Rates{
		Model: flash, RPM: 120, Input: 4000, Output: 40, Length: 5 * time.Minute, Start: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), Seed: 1,
	}.Calls()
	for i := range all {
		if i%2 == 1 {
			all[i].Label = label
		}
	}
	return all
}

// used are the bounds of a fit that are asked for more than they allow, and the others.
func used(f *plan.Fit) map[string]bool {
	over := make(map[string]bool)
	for _, b := range f.Bounds {
		over[b.Name] = b.Asked > b.Allowed
	}
	return over
}

// Accounts for some labels are of no use to other calls, nor the other way round.
func TestALimitOfOtherLabelsIsNoRoom(t *testing.T) {
	common, apart := vertex("common"), vertex("apart")
	common.Limits, apart.Limits = []pool.Limit{{RPM: 20}}, []pool.Limit{{RPM: 1000}}
	apart.Labels = []string{"night-*", "mig"}
	f, served := within(t, twicePerSecond("night-1"), common, apart)
	if f.Refused == 0 || served["apart/global/on_demand"].Calls == 0 {
		t.Fatalf("%+v", f)
	}
	want := map[string]bool{"rpm of " + flash: true, "rpm of " + flash + " for the labels night-*, mig": false}
	if diff := cmp.Diff(want, used(f)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	common.Limits, apart.Limits = apart.Limits, common.Limits
	f, _ = within(t, twicePerSecond("night-1"), common, apart)
	want = map[string]bool{"rpm of " + flash: false, "rpm of " + flash + " for the labels night-*, mig": true}
	if diff := cmp.Diff(want, used(f)); diff != "" || f.Refused == 0 {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What an order serves does not count in a project's limits: they are no bottleneck for it.
func TestWhatAnOrderServesAsksForNoLimit(t *testing.T) {
	p := vertex("prod")
	p.Limits, p.Provisioned = []pool.Limit{{RPM: 20}}, []pool.Order{{Model: flash, Location: "global", GSUs: 500}}
	f, served := within(t, twicePerSecond(""), p)
	if f.Refused > 0 || served["prod/global/provisioned"].Calls != f.Calls || len(f.Bounds) > 0 {
		t.Errorf("%+v", f)
	}
	p.Provisioned[0].GSUs = 1
	f, served = within(t, twicePerSecond(""), p)
	if served["prod/global/provisioned"].Calls == 0 || f.Refused == 0 || !used(f)["rpm of "+flash] {
		t.Errorf("%+v", f)
	}
}
