package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/plain"
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
			[]string{"project prod: the order of gemini-3.5-flash in eu ended on " +
				plain.Instant(row.Read.Add(2*time.Hour)) + ", 2d ago; remove it, or correct until"}},
		{"an order that has ended, with old figures", 3 * 366 * 24 * time.Hour, func(o *pool.Order) { o.Until = row.Read },
			[]string{"project prod: the order of gemini-3.5-flash in eu ended on " + plain.Instant(row.Read) + ", 1,098d ago; remove it, or correct until"}},
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

func TestCheckReadsOrdersThatFollowEachOther(t *testing.T) {
	row, _ := quota.RowOf("gemini-3.5-flash")
	change := row.Read.AddDate(0, 1, 0)
	of := func(until, from time.Time) *config.Config {
		a := pool.Order{Model: "gemini-3.5-flash", Location: "eu", GSUs: 2, Until: until}
		b := pool.Order{Model: "gemini-3.5-flash", Location: "eu", GSUs: 3, From: from}
		return &config.Config{Pool: pool.Config{Projects: []pool.Project{{Name: "prod", Provisioned: []pool.Order{b, a}}}}}
	}
	for _, tt := range []struct {
		name        string
		until, from time.Time
		at          time.Time
		want        []string
	}{
		{"without a gap", change, change, row.Read, nil},
		{"with a long one", change, change.AddDate(0, 0, 3), row.Read, nil},
		{"with an offset that one of them lacks", change, change.Add(8 * time.Hour), row.Read,
			[]string{"project prod: the order of gemini-3.5-flash in eu ends 8h before the next one begins, at "}},
		{"after the change", change, change, change, []string{"project prod: the order of gemini-3.5-flash in eu ended on "}},
		{"old figures of both", change.AddDate(2, 0, 0), change.AddDate(2, 0, 0), change.AddDate(1, 0, 0),
			[]string{"project prod: the order of gemini-3.5-flash in eu relies on figures"}},
	} {
		got := orderAges(of(tt.until, tt.from), tt.at)
		if len(got) != len(tt.want) || len(got) > 0 && !strings.HasPrefix(got[0].Problem, tt.want[0]) {
			t.Errorf("%s: %+v, want %q", tt.name, got, tt.want)
		}
	}
}

// Explain speaks of the order in force, in whatever order the file has the two.
func TestExplainShowsTheOrderInForce(t *testing.T) {
	from := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	now := pool.Endpoint{Name: "prod/eu/provisioned", Order: &pool.Order{Model: "gemini-3.5-flash", Until: from}}
	next := pool.Endpoint{Name: "prod/eu/provisioned", Order: &pool.Order{Model: "gemini-3.5-flash", From: from}}
	version := pool.Endpoint{Name: "prod/eu/provisioned", Order: &pool.Order{Model: "gemini-3.5-flash-002", From: from}}
	for _, tier := range [][]pool.Endpoint{{now, next}, {next, now}, {now}, {next}} {
		if x := planOf(pool.Plan{Tiers: [][]pool.Endpoint{tier}}); len(x.Tiers[0]) != 1 {
			t.Errorf("it shows %+v", x.Tiers)
		}
	}
	if x := planOf(pool.Plan{Tiers: [][]pool.Endpoint{{now, version}}}); len(x.Tiers[0]) != 2 {
		t.Errorf("of two versions it shows %+v", x.Tiers)
	}
}
