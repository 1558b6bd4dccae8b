package pool_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
)

func TestDayQuotaRestsToMidnightInLosAngeles(t *testing.T) {
	for _, tt := range []struct{ name, now, midnight string }{
		{"winter", "2000-01-10T20:00:00Z", "2000-01-11T08:00:00Z"},
		{"summer", "2000-07-10T20:00:00Z", "2000-07-11T07:00:00Z"},
		{"the day that summer time begins has 23 hours", "2000-04-02T08:30:00Z", "2000-04-03T07:00:00Z"},
		{"the day that summer time ends has 25 hours", "2000-10-29T07:30:00Z", "2000-10-30T08:00:00Z"},
		{"a minute before midnight", "2000-07-11T06:59:00Z", "2000-07-11T07:00:00Z"},
		{"at midnight", "2000-07-11T07:00:00Z", "2000-07-12T07:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				now, midnight := instant(t, tt.now), instant(t, tt.midnight)
				c := b.candidate(flash, "a/global/on_demand")
				b.answer(now, c, pool.Outcome{Class: pool.ClassDayQuota})
				until := c.Resting(now).Until
				if late := until.Sub(midnight); late < 0 || late > second {
					t.Errorf("it rests until %v, want within a second after %v", until.UTC(), midnight)
				}
				if c.Ready(now.Add(time.Millisecond)) || !c.Ready(until) {
					t.Error("it is ready at the wrong times")
				}
			})
		})
	}
}

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestDayQuotaIsProbedAfterItsHintAtMostFourTimes(t *testing.T) {
	for _, tt := range []struct {
		name string
		hint time.Duration
		gaps []time.Duration // until there is no more probe
	}{
		{"no hint", 0, []time.Duration{15 * minute, 30 * minute, time.Hour, 2 * time.Hour}},
		{"the free tier's, of seconds", 30 * second, []time.Duration{30 * second, 15 * minute, 30 * minute, time.Hour}},
		{"next to nothing", 1, []time.Duration{second, 15 * minute, 30 * minute, time.Hour}},
		{"the paid tier's, of hours", 6 * time.Hour, []time.Duration{6 * time.Hour}},
		{"longer than the day", 72_193 * second, nil},
		{"longer than all days", math.MaxInt64, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				now := b.start.Add(minute) // after four in the afternoon
				c := b.candidate(flash, "a/global/on_demand")
				b.answer(now, c, pool.Outcome{Class: pool.ClassDayQuota, Hint: tt.hint})
				end := c.Resting(now).Until
				if end.IsZero() {
					t.Fatalf("it does not rest: %+v", c.Resting(now))
				}
				var gaps []time.Duration
				for {
					next := b.next(now, c)
					if !next.Before(end.Add(-second)) { // each refusal draws its second after midnight anew
						break
					}
					gaps = append(gaps, next.Sub(now))
					now = next
					b.answer(now, c, pool.Outcome{Class: pool.ClassDayQuota, Hint: tt.hint})
				}
				if diff := cmp.Diff(tt.gaps, gaps); diff != "" {
					t.Errorf("gaps between probes (-want +got):\n%s", diff)
				}

				now = b.next(now, c)
				b.answer(now, c, pool.Outcome{Class: pool.ClassDayQuota})
				if got := b.next(now, c).Sub(now); got != 15*minute {
					t.Errorf("the next day's first probe is after %v: a reset that comes late must not cost hours", got)
				}
			})
		})
	}
}
