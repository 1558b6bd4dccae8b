package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

func TestCheckSaysWhatIsOutOfDate(t *testing.T) {
	row, ok := quota.RowOf("gemini-3.5-flash")
	if !ok {
		t.Fatal("there is no row to look at")
	}
	order := func(change func(*pool.Order)) *config.Config {
		o := pool.Order{Model: "gemini-3.5-flash", Location: "eu", GSUs: 2}
		change(&o)
		return &config.Config{Pool: pool.Config{Projects: []pool.Project{{Name: "prod", Provisioned: []pool.Order{o}}}}}
	}
	old := "project prod: the order of gemini-3.5-flash in eu relies on figures that were read on " + row.Read.Format(time.DateOnly) +
		" at " + row.Source + "; update Spillway, or write tokens_per_second and burndown as that page has them now"
	for _, tt := range []struct {
		name  string
		after time.Duration
		order func(*pool.Order)
		want  []string
	}{
		{"new figures", 364 * 24 * time.Hour, func(*pool.Order) {}, nil},
		{"old figures", 366 * 24 * time.Hour, func(*pool.Order) {}, []string{old}},
		{"old figures of which half is stated", 366 * 24 * time.Hour, func(o *pool.Order) { o.TokensPerSecond = 5 }, []string{old}},
		{"old figures that are stated", 366 * 24 * time.Hour, func(o *pool.Order) {
			o.TokensPerSecond, o.Burndown = 5, &quota.Burndown{Output: 6}
		}, nil},
		{"a model that the table does not have", 366 * 24 * time.Hour, func(o *pool.Order) { o.Model = "gemini-9-ultra" }, nil},
		{"an order that has ended", 50 * time.Hour, func(o *pool.Order) { o.Until = row.Read.Add(2 * time.Hour) },
			[]string{"project prod: the order of gemini-3.5-flash in eu ended 2d ago; remove it, or correct until"}},
		{"an order that ends", 50 * time.Hour, func(o *pool.Order) { o.Until = row.Read.Add(51 * time.Hour) }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, w := range orderAges(order(tt.order), row.Read.Add(tt.after)) {
				got = append(got, w.Problem+"; "+w.Fix)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestCheckSaysWhenAnOrderIsInForce(t *testing.T) {
	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return at.AddDate(0, 0, n) }
	for _, tt := range []struct {
		from, until time.Time
		want        string
	}{
		{time.Time{}, time.Time{}, ""},
		{day(-1), time.Time{}, ""},
		{day(3), time.Time{}, "begins in 3d, at 2026-11-29 00:00:00Z"},
		{day(3), day(33), "begins in 3d, at 2026-11-29 00:00:00Z, ends at 2026-12-29 00:00:00Z"},
		{time.Time{}, day(1), "ends at 2026-11-27 00:00:00Z"},
		{day(-9), at, "ended at 2026-11-26 00:00:00Z"},
	} {
		if got := strings.Join(inForce(&pool.Order{From: tt.from, Until: tt.until}, at), ", "); got != tt.want {
			t.Errorf("from %v until %v: %q, want %q", tt.from, tt.until, got, tt.want)
		}
	}
}
