package geminitest

import (
	"hash/fnv"
	"io"
	"strconv"
	"time"
	_ "time/tzdata" // the day of quotas is California's, whatever the machine knows about time zones
)

// pacific is where the day of a quota begins (ai.google.dev/gemini-api/docs/rate-limits: "RPD
// quotas reset at midnight Pacific time").
var pacific = func() *time.Location {
	loc, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		panic(err) // cannot be: the zone is compiled in
	}
	return loc
}()

// nextMidnight returns the next midnight in California after t, on days of 23, 24 and 25 hours.
func nextMidnight(t time.Time) time.Time {
	y, m, d := t.In(pacific).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, pacific)
}

// seeded returns a number in [0, 1) that depends on nothing but the seed and the names.
func seeded(seed uint64, names ...string) float64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, strconv.FormatUint(seed, 16))
	for _, name := range names {
		_, _ = io.WriteString(h, "\x00"+name)
	}
	x := h.Sum64() // FNV spreads short inputs badly over the high bits; the finalizer of splitmix64 does not
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// window counts up to a limit in consecutive spans of time.
type window struct {
	limit int
	until func(now time.Time) time.Time // the end of the span that now lies in
	end   time.Time
	used  int
}

// minuteWindow is a fixed window of 60 s, which begins at an unknown second.
func minuteWindow(limit int, phase float64) *window {
	shift := time.Duration(phase * float64(time.Minute))
	return &window{limit: limit, until: func(now time.Time) time.Time {
		return now.Add(-shift).Truncate(time.Minute).Add(time.Minute + shift)
	}}
}

// dayWindow is a day in California.
func dayWindow(limit int) *window { return &window{limit: limit, until: nextMidnight} }

// roomFor reports whether n more fit at this time. A nil window has room for everything.
func (w *window) roomFor(now time.Time, n int) bool {
	if w == nil {
		return true
	}
	if !now.Before(w.end) {
		w.used, w.end = 0, w.until(now)
	}
	return n <= w.limit-w.used
}

// use counts n, for which roomFor has found room.
func (w *window) use(n int) {
	if w != nil {
		w.used += n
	}
}
