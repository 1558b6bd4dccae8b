package pool_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// What an order could have served, and did not, counts in tokens at its burndown rates.
func TestStatCountsWhatAnOrderSpills(t *testing.T) {
	burndown := &quota.Burndown{Input: 1, Output: 6}
	v := keyless("v", "eu", "global")
	v.Provisioned = []pool.Order{{Model: flash, Location: "eu", TokensPerSecond: 100, Burndown: burndown, Window: 30 * time.Second}}
	usage := pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1_000, Output: 50}}
	large := pool.Estimate{Input: 10_000, Output: 50} // more than the order's window holds
	tests := []struct {
		name    string
		request pool.Request
		outcome pool.Outcome
		spilled int64
		passed  int64
	}{
		{"a call that does not fit", pool.Request{Model: flash, Estimate: large}, usage, 1_000 + 6*50, 0},
		{"a call that fits", pool.Request{Model: flash, Estimate: pool.Estimate{Input: 10, Output: 5}}, usage, 0, 0},
		{"a call that may not use orders", pool.Request{Model: flash, Traffic: pool.TrafficOnDemand}, usage, 0, 0},
		{"a call that may not go to the order's location", pool.Request{Model: flash, Locations: []string{"global"}}, usage, 0, 0},
		{"a call for another model", pool.Request{Model: pro, Estimate: large}, usage, 0, 0},
		{"a call of which Google counted nothing", pool.Request{Model: flash, Estimate: large}, pool.Outcome{Class: pool.ClassOK}, 0, 0},
		{
			"a call for the order that was served on demand",
			pool.Request{Model: flash, Estimate: pool.Estimate{Input: 10, Output: 5}, Traffic: pool.TrafficProvisioned},
			pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 200, Cached: 0, Output: 10}, Traffic: "ON_DEMAND"},
			260, 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
				b.acquire(&tt.request).Settle(time.Now(), tt.outcome)
				b.pool.Plan(&pool.Request{Model: flash})
				e := b.endpoint(time.Now(), b.candidate(flash, "v/eu/provisioned"), flash)
				if e.SpilledTokenCount != tt.spilled || e.BypassedCount != tt.passed {
					t.Errorf("spilled %d tokens and %d calls passed the order, want %d and %d", e.SpilledTokenCount, e.BypassedCount, tt.spilled, tt.passed)
				}
			})
		})
	}
}

func TestStatSaysWhichModelAnswersInPlaceOfAnother(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{keyless("v")}}, func(t *testing.T, b *bed) {
		for _, by := range []string{"", "gemini-3.8-flash", "gemini-3.8-flash", pro} {
			b.answer(time.Now(), b.candidate(pro, "v/global/on_demand"), served(by))
		}
		for _, m := range b.pool.Stat(time.Now()).Models {
			if m.Model == pro && (m.Served != "gemini-3.8-flash" || m.ReroutedCount != 2) {
				t.Errorf("served by %q, %d times, want by gemini-3.8-flash, 2 times", m.Served, m.ReroutedCount)
			}
		}
	})
}

func TestStatShowsEveryCooldownByItsSubject(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		now := b.start
		b.answer(now, b.candidate(flash, "a/global/on_demand"), pool.Outcome{Class: pool.ClassKeyDead})
		b.answer(now, b.candidate(pro, "v/eu/on_demand"), pool.Outcome{Class: pool.ClassContention})
		b.answer(now, b.candidate(pro, "c/global/on_demand"), pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 30 * time.Second})
		b.answer(now, b.candidate(flash, "w/global/on_demand"), pool.Outcome{Class: pool.ClassBilling})
		b.answer(now, b.candidate(flash, "v/global/provisioned"), pool.Outcome{Class: pool.ClassProvisionedFull})
		classes := func(at time.Time) map[string]pool.Class {
			got := map[string]pool.Class{}
			for subject, c := range b.pool.Stat(at).Cooldowns {
				got[subject] = c.Class
			}
			return got
		}
		lasting := map[string]pool.Class{"key:a/b46ea55b48367d16": pool.ClassKeyDead, "project:w": pool.ClassBilling}
		want := map[string]pool.Class{
			"key:a/b46ea55b48367d16": pool.ClassKeyDead, "project:w": pool.ClassBilling,
			"model:v/eu/" + pro: pool.ClassContention, "model:c/" + pro: pool.ClassMinuteQuota, "order:v/global/" + flash: pool.ClassProvisionedFull,
		}
		if diff := cmp.Diff(want, classes(now)); diff != "" {
			t.Errorf("on cooldown (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(lasting, classes(now.Add(2*time.Minute))); diff != "" {
			t.Errorf("two minutes later (-want +got):\n%s", diff)
		}
	})
}
