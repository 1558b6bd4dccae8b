package quota

import (
	"time"
	_ "time/tzdata" // a container without a zone database must not reset at the wrong hour
)

// pacific is where Google's quota day begins. Source:
// https://ai.google.dev/gemini-api/docs/rate-limits ("reset at midnight Pacific time"), read on
// 2026-11-22.
var pacific = loadPacific()

func loadPacific() *time.Location {
	l, err := time.LoadLocation("America/Los_Angeles")
	if err != nil { // only with a damaged ZONEINFO: the zone without its summer time is at most an hour late
		return time.FixedZone("PST", -8*60*60)
	}
	return l
}

// NextMidnight returns the first midnight in Los Angeles after now: the moment at which Google
// resets daily quotas. The day it ends lasts 23 or 25 hours when summer time begins or ends.
func NextMidnight(now time.Time) time.Time {
	y, m, d := now.In(pacific).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, pacific)
}

// day counts requests until the next midnight in Los Angeles.
type day struct {
	requests int64
	alone    int64 // of these, what no other process has been told of
	resets   time.Time
}

func (d *day) advance(now time.Time) {
	if now.Before(d.resets) {
		return
	}
	d.requests, d.alone, d.resets = 0, 0, NextMidnight(now)
}
