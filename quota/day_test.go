package quota_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

func TestNextMidnightIsThatOfLosAngeles(t *testing.T) {
	for _, tt := range []struct{ name, now, want string }{
		{"winter", "2026-01-15T12:00:00Z", "2026-01-16T08:00:00Z"},
		{"summer", "2026-07-15T12:00:00Z", "2026-07-16T07:00:00Z"},
		{"another day in Europe already", "2026-07-15T06:59:59Z", "2026-07-15T07:00:00Z"},
		{"midnight itself begins a day", "2026-07-15T07:00:00Z", "2026-07-16T07:00:00Z"},
		{"the short day in March", "2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z"},
		{"the short day, after the change", "2026-03-08T15:00:00Z", "2026-03-09T07:00:00Z"},
		{"the long day in November", "2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z"},
		{"the long day, in the hour that comes twice", "2026-11-01T09:30:00Z", "2026-11-02T08:00:00Z"},
		{"the end of a year", "2026-12-31T23:00:00Z", "2027-01-01T08:00:00Z"},
		{"a clock in another zone", "2026-07-15T12:00:00+09:00", "2026-07-15T07:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, tt.now)
			if err != nil {
				t.Fatal(err)
			}
			if got := quota.NextMidnight(now).UTC().Format(time.RFC3339); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
