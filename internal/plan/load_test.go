package plan

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/quota"
)

func TestLoadIsAddedUpOverSpans(t *testing.T) {
	start := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	cost := func(u quota.Usage) float64 { return float64(u.Input) }
	at := func(d time.Duration, tokens int64) demand.Call {
		return demand.Call{At: start.Add(d), Usage: quota.Usage{Input: tokens}}
	}
	var steady []demand.Call // a hundred spans of ten seconds, each with a little more
	for i := range 100 {
		steady = append(steady, at(time.Duration(i)*10*time.Second, int64(i+1)*10))
	}
	for _, tt := range []struct {
		name  string
		calls []demand.Call
		want  Load
	}{
		{"nothing", nil, Load{Over: 10 * time.Second}},
		{"one call", []demand.Call{at(0, 500)}, Load{10 * time.Second, 50, 50, 50}},
		{"a hundred spans", steady, Load{10 * time.Second, 50500.0 / 990, 99, 100}},
		{"a gap of years", []demand.Call{at(0, 500), at(50*365*24*time.Hour, 700)}, Load{10 * time.Second, 1200 / (50 * 365 * 24 * 3600.0), 0, 70}},
	} {
		if got := loadOver(tt.calls, cost, 10*time.Second); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestTheWindowAddsUpWhatItHasSeen(t *testing.T) {
	start := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	w := window{length: 10 * time.Second, most: 1000}
	first, ok := w.admit(start, 600)
	if !ok {
		t.Fatal("an empty window takes nothing")
	}
	if _, ok := w.admit(start, 500); ok {
		t.Error("the window takes more than it has")
	}
	w.settle(start.Add(time.Second), first, 200, 100)    // it was less
	second, ok := w.admit(start.Add(5*time.Second), 600) // and 100 for the output
	if !ok {
		t.Error("what was given back is not there")
	}
	if _, ok := w.admit(start.Add(9*time.Second), 500); ok {
		t.Error("the window takes more than it has")
	}
	if _, ok := w.admit(start.Add(10*time.Second), 200); !ok {
		t.Error("what has left the window still counts")
	}
	w.settle(start.Add(20*time.Second), second, 600, 0) // it has left the window
	w.forget(start.Add(30 * time.Second))
	if w.used != 0 || len(w.charges) != 0 {
		t.Errorf("an idle window has used %v, of %d calls", w.used, len(w.charges))
	}
}
