package calls_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
)

func TestRingKeepsTheLastRecords(t *testing.T) {
	ring := calls.NewRing(3)
	ids := func(n int) string {
		var text strings.Builder
		for _, r := range ring.Last(n) {
			text.WriteString(r.ID)
		}
		return text.String()
	}
	if got := ids(10); got != "" || ring.Find("0") != nil {
		t.Errorf("an empty ring has %q", got)
	}
	for i, want := range []string{"0", "01", "012", "123", "234"} {
		ring.Add(record(i))
		if got := ids(10); got != want {
			t.Errorf("after %d records it has %q, want %q", i+1, got, want)
		}
	}
	if got := []string{ids(2), ids(0), ids(-1)}; !cmp.Equal(got, []string{"34", "", ""}) {
		t.Errorf("the last 2, 0 and -1 are %q", got)
	}
	for id, want := range map[string]bool{"1": false, "2": true, "4": true, "": false} {
		if got := ring.Find(id); (got != nil) != want || got != nil && got.ID != id {
			t.Errorf("Find(%q) = %v", id, got)
		}
	}
}

func TestRingMayBeUsedConcurrently(t *testing.T) {
	ring := calls.NewRing(10)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 1000 {
				r := record(1000*g + i)
				ring.Add(r)
				if n := len(ring.Last(10)); n > 10 {
					t.Errorf("%d records", n)
				}
				if found := ring.Find(r.ID); found != nil && found.ID != r.ID {
					t.Errorf("found %s", found.ID)
				}
			}
		})
	}
	all.Wait()
	if n := len(ring.Last(10)); n != 10 {
		t.Errorf("%d records are left, want 10", n)
	}
}
