package main

import (
	"strings"
	"testing"
	"time"
)

func TestMost(t *testing.T) {
	start := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds ...float64) (times []time.Time) {
		for _, s := range seconds {
			times = append(times, start.Add(time.Duration(s*float64(time.Second))))
		}
		return times
	}
	for _, tt := range []struct {
		name  string
		times []time.Time
		from  float64
		want  int
	}{
		{"none", nil, 0, 0},
		{"all in one minute", at(0, 1, 59.9), 0, 3},
		{"a minute ends before its 60th second", at(0, 1, 60), 0, 2},
		{"two minutes", at(0, 1, 2, 61.5, 62.5, 63, 64, 65), 0, 5},
		{"only what begins later", at(0, 1, 2, 3, 10, 11), 5, 2},
		{"nothing later", at(0, 1, 2), 5, 0},
		{"at the very moment", at(0, 5), 5, 1},
	} {
		if got := most(tt.times, time.Minute, at(tt.from)[0]); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestAllowed(t *testing.T) {
	for _, tt := range []struct {
		length time.Duration
		want   int
	}{{0, 0}, {20 * time.Second, 30}, {40 * time.Second, 60}, {time.Minute, 60}, {quickLength, 120}, {wholeLength, 180}} {
		if got := allowed(60, 1.5, tt.length); got != tt.want {
			t.Errorf("in %s: %d, want %d", tt.length, got, tt.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	d := []time.Duration{3, 1, 2, 4}
	if a, b, c := quantile(nil, 0.5), quantile(d, 0.5), quantile(d, 0.99); a != 0 || b != 3 || c != 4 {
		t.Errorf("got %d, %d, %d", a, b, c)
	}
}

func TestScripts(t *testing.T) {
	info := "# Commandstats\r\ncmdstat_evalsha:calls=12,usec=1\r\ncmdstat_eval:calls=3,usec=1\r\ncmdstat_get:calls=9,usec=1\r\n"
	if got := scripts(info); got != 15 {
		t.Errorf("%d scripts, want 15", got)
	}
}

func TestMissed(t *testing.T) {
	good := result{served: 1200, allowed: 1200, most: 1, lost: []int{1, 1}, back: []int{1, 1}, keys: 3}
	r := row{served: 0.99, most: 1, lost: 2}
	if missed := r.missed(&good); len(missed) > 0 {
		t.Errorf("a good result misses %q", missed)
	}
	for want, spoil := range map[string]func(*result){
		"served":         func(r *result) { r.served = 1000 },
		"429":            func(r *result) { r.refused = 3 },
		"failed":         func(r *result) { r.failed = map[string]int{"status 502": 1} },
		"in 60 s":        func(r *result) { r.most = 1.02 },
		"counted":        func(r *result) { r.after = 1.02 },
		"lost the store": func(r *result) { r.lost = []int{1, 2} },
		"right":          func(r *result) { r.right = 2 * time.Minute },
		"read":           func(r *result) { r.leaks = []string{"a key"} },
	} {
		bad := good
		spoil(&bad)
		if missed := strings.Join(r.missed(&bad), "; "); !strings.Contains(missed, want) {
			t.Errorf("%s: missed %q", want, missed)
		}
	}
}
