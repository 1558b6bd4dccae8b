package store_test

import (
	"math"
	"testing"
	"time"

	"github.com/spillway-go/spillway/store"
)

var pacing = store.Pacing{Gain: 1.1, Tolerance: 0.05, Growth: 0.1, Floor: 0.5, Burst: 50 * time.Millisecond}

func locations(seed float64, names ...string) *store.PaceAsk {
	a := store.PaceAsk{Pacing: pacing}
	for _, name := range names {
		a.Locations = append(a.Locations, store.PaceLocation{Name: name, Seed: seed})
	}
	return &a
}

func TestPaceIsGrantedAtTheFirstLocationThatHasRoom(t *testing.T) {
	var s store.PacerSet
	for i, want := range []int{0, 1, -1} {
		g := s.Allow(noon, locations(4, "near", "far"))
		if g.Index != want || len(g.Rates) != 2 || g.Rates[0] != 4 || g.Now != noon {
			t.Errorf("ask %d: %+v, want location %d", i, g, want)
		}
		if wait := g.Wait; want < 0 && (wait < 250*time.Millisecond || wait > 251*time.Millisecond) {
			t.Errorf("wait of %v at 4 a second", wait)
		}
	}
	s.Return(noon, "far")
	s.Return(noon, "unheard of")
	if g := s.Allow(noon, locations(4, "near", "far")); g.Index != 1 {
		t.Errorf("%+v, want the location that was given back", g)
	}
}

func TestPaceBeginsAnewWithASeedWhenNobodyHasAsked(t *testing.T) {
	var s store.PacerSet
	comes := func(seed float64) *store.PaceAsk {
		a := locations(seed, "near")
		a.Locations[0].Comes = true
		return a
	}
	for _, step := range []struct {
		at   float64
		ask  *store.PaceAsk
		want float64
	}{
		{0, locations(4, "near"), 4},
		{0.1, locations(8, "near"), 4},
		{0.2, comes(8), 4},
		{1.3, comes(8), 8}, // it was not asked for a second
		{2.5, locations(2, "near"), 8},
		{13, locations(2, "near"), 2}, // nor for ten
	} {
		if g := s.Allow(after(step.at), step.ask); math.Abs(g.Rates[0]/step.want-1) > 0.5 {
			t.Errorf("at %v: a rate of %v, want about %v", step.at, g.Rates[0], step.want)
		}
	}
}

func TestPaceFallsOnceForWhatWasSentBeforeItFell(t *testing.T) {
	var s store.PacerSet
	reject := func(at, sent float64) float64 {
		return s.Reject(after(at), &store.PaceRejection{
			Pacing: pacing, Location: store.PaceLocation{Name: "near", Seed: 20}, After: after(at).Sub(after(sent)),
		}).Rate
	}
	granted := 0
	for at := 0.0; at < 1; at += 0.01 {
		if s.Allow(after(at), locations(20, "near")).Index == 0 {
			granted++
		}
	}
	if granted < 18 || granted > 30 {
		t.Fatalf("%d requests in a second at 20 a second", granted)
	}
	for range 12 {
		reject(1, 0.95)
	}
	fell := reject(1.3, 1)
	if fell >= 20 {
		t.Fatalf("a rate of %v after contention, want it fallen", fell)
	}
	for at := 1.3; at < 2; at += 0.1 {
		s.Allow(after(at), locations(20, "near"))
		if got := reject(at, 1.1); got < fell {
			t.Errorf("at %v: the rate fell again, to %v, by what was sent before", at, got)
		}
	}
}
