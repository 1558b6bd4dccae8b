package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/store"
)

func TestFourReplicasHoldTheirFiguresInAShortTrial(t *testing.T) {
	e := experiment{scenarios: []scenario{named(t, "fleet-known-4")}, seeds: 1, baselineSeeds: 1, length: 0.3}
	r := e.run(t)
	var table bytes.Buffer
	r.print(&table)
	t.Logf("\n%s", table.String())
	if r.missed() {
		t.Error("the fleet misses a figure")
	}
	if len(r.rows) != 3 {
		t.Fatalf("%d rows, want the fleet's and two baselines", len(r.rows))
	}
	if waste := median(wasted, r.rows[1].outcomes); waste < 0.02 {
		t.Errorf("429 per success: %.3f without a store; want the difference that it makes", waste)
	}
}

func TestEveryFleetHasARowInATrialOfTenSeeds(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range fleetScenarios() {
		if seen[s.name] {
			t.Errorf("two rows %s", s.name)
		}
		seen[s.name] = true
		if s.trial(draw{seed: 1, of: 10, length: 0.3}) == nil {
			t.Errorf("%s has no trial for the first of ten seeds", s.name)
		}
	}
}

func TestMostInAMinuteCountsWhatReachedAProject(t *testing.T) {
	at := func(key string, seconds ...float64) (results []result) {
		for _, s := range seconds {
			results = append(results, result{served: true, key: key, sent: time.Duration(s * float64(time.Second))})
		}
		return results
	}
	refused := []result{{refused: []failure{{at: 59 * time.Second, key: "a"}}}}
	for _, tt := range []struct {
		name  string
		got   []result
		after time.Duration
		want  float64
	}{
		{"within a minute", at("a", 0, 30, 59.9), 0, 3},
		{"a minute apart", at("a", 0, 60, 120), 0, 1},
		{"in two projects", append(at("a", 0, 1), at("b", 2, 3, 4)...), 0, 3},
		{"with a refusal", append(at("a", 1), refused...), 0, 2},
		{"after a time", at("a", 0, 1, 2, 100, 101), time.Minute, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := mostInAMinute(tt.got, tt.after); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestCallsAreSpreadEvenlyOrFourFifthsOverAFifth(t *testing.T) {
	const n = 10_000
	for skewed, want := range map[bool]float64{false: 0.2, true: 0.84} {
		rs := &replicas{tr: &trial{fleet: &fleet{skewed: skewed}}, live: []*replica{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}
		first := 0.0
		for i := range n {
			c := call{at: time.Duration(i) * time.Millisecond}
			r := rs.pick(&c)
			if r != rs.pick(&c) {
				t.Fatal("another replica for the same call")
			}
			if r == rs.live[0] || r == rs.live[1] {
				first++
			}
		}
		if math.Abs(first/n-want) > 0.02 {
			t.Errorf("skewed %v: the first two of ten get %.3f of the calls, want %.2f", skewed, first/n, want)
		}
	}
}

// A replica whose clock is wrong is told the store's time as much too early as its clock is ahead.
func TestClockMovesTheStoresTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, m, ahead := context.Background(), store.NewMemory(0), 30*time.Second
		s, key := clocked(m, ahead), store.Key{Kind: store.KindWindow, Name: "w"}
		ask := store.Ask{Key: key, Limits: store.Limits{RPM: 10}, Requests: 2, Profile: true}
		first, now, err := s.Take(ctx, "0000000000000001", []store.Ask{ask})
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Since(now); off != ahead {
			t.Errorf("the store is %v behind, want %v", off, ahead)
		}
		back := ask
		back.Requests, back.Number, back.Changes = 0, 1, []store.Change{{At: first[0].At, Requests: -first[0].Requests}}
		after, _, err := s.Take(ctx, "0000000000000001", []store.Ask{back})
		if err != nil {
			t.Fatal(err)
		}
		if first[0].Requests != 2 || after[0].Used.Requests != 0 {
			t.Errorf("%d requests granted and %d used after they were given back, want 2 and 0", first[0].Requests, after[0].Used.Requests)
		}
		fact := store.Fact{Key: store.Key{Kind: store.KindOwner, Name: "o"}, Value: []byte("v"), At: now, Until: now.Add(time.Minute)}
		if _, err := s.Publish(ctx, []store.Fact{fact}); err != nil {
			t.Fatal(err)
		}
		ours, _ := s.Lookup(ctx, []store.Key{fact.Key})
		theirs, _ := m.Lookup(ctx, []store.Key{fact.Key})
		if len(ours) != 1 || len(theirs) != 1 || !ours[0].Until.Equal(fact.Until) || !theirs[0].Until.Equal(fact.Until.Add(ahead)) {
			t.Errorf("the fact is %v for the replica and %v for the store", ours, theirs)
		}
	})
}

func TestFleetPlotHasAPointForEachFleet(t *testing.T) {
	var rows []row
	for _, n := range fleetSizes() {
		if newFleetPlot(rows) != nil {
			t.Fatal("a plot of some of the rows")
		}
		for i, policy := range []string{routerName, fleetBaselines[0].name, fleetBaselines[1].name} {
			o := nothing()
			o[wasted] = float64(i * n)
			rows = append(rows, row{scenario{name: fmt.Sprintf("fleet-known-tpm-%d", n)}, policy, []outcome{o}})
		}
	}
	picture := string(newFleetPlot(rows).svg())
	if got, want := strings.Count(picture, "<circle"), 3*len(fleetSizes()); got != want {
		t.Errorf("%d points, want %d", got, want)
	}
	if strings.Contains(picture, "NaN") {
		t.Error("NaN in the picture")
	}
}
