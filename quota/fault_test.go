package quota_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

func TestFaultsCountAllAndRememberTheLastThousand(t *testing.T) {
	var fs quota.Faults
	if len(fs.List()) != 0 || fs.Stat() != (quota.FaultStat{}) {
		t.Error("the zero value has faults")
	}
	start := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for i := range 2_500 {
		use := 1.0
		if i%5 == 0 {
			use = 1.01
		}
		fs.Add(quota.Fault{At: start.Add(time.Duration(i) * time.Second), Status: 500 + i%2, Use: use})
		list := fs.List()
		if want := min(i+1, 1_000); len(list) != want {
			t.Fatalf("after %d it remembers %d, want %d", i+1, len(list), want)
		}
		for j, f := range list {
			if want := start.Add(time.Duration(i+1-len(list)+j) * time.Second); !f.At.Equal(want) {
				t.Fatalf("after %d the fault %d is of %v, want %v", i+1, j, f.At, want)
			}
		}
	}
	want := quota.FaultStat{
		BelowCount: 2_000, BelowLast: start.Add(2_499 * time.Second), AboveCount: 500, AboveLast: start.Add(2_495 * time.Second),
	}
	if got := fs.Stat(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}
