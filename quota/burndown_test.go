package quota_test

import (
	"testing"

	"github.com/spillway-go/spillway/quota"
)

func TestBurndownCosts(t *testing.T) {
	b := quota.Burndown{Input: 2, Cached: 0.5, Output: 10, LongInput: 4, LongOutput: 15}
	for _, test := range []struct {
		usage quota.Usage
		want  quota.Cost
	}{
		{quota.Usage{Input: 1000, Cached: 400, Output: 50}, quota.Cost{Input: 600*2 + 400*0.5, Output: 500}},
		{quota.Usage{Input: 300_000, Output: 100}, quota.Cost{Input: 1_200_000, Output: 1500}},
		{quota.Usage{}, quota.Cost{}},
	} {
		if got := b.Cost(test.usage); got != test.want {
			t.Errorf("%+v costs %+v, want %+v", test.usage, got, test.want)
		}
	}
}
