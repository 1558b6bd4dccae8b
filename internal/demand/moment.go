package demand

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// layouts are how logs write times; those without an offset are in UTC.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999 UTC", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999 Z07:00", "2006-01-02 15:04:05.999999999 -0700 UTC",
	"2006-01-02T15:04:05.999999999-07",
}

// timeOf reads a time: a date, or seconds since 1970, or their thousandths, millionths or billionths.
// Not ok if it is none.
func timeOf(text string) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return likely(t)
		}
	}
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		unit := unitOf(float64(whole))
		perSecond := int64(time.Second / unit)
		return likely(time.Unix(whole/perSecond, whole%perSecond*int64(unit)).UTC())
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n > 0 && n < math.MaxInt64) {
		return time.Time{}, false
	}
	// Floats are no more exact than some microseconds now.
	seconds := n / float64(time.Second/unitOf(n))
	return likely(time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC())
}

// unitOf is of what a number of that size counts the time since 1970.
func unitOf(n float64) time.Duration {
	switch {
	case n < 1e11:
		return time.Second
	case n < 1e14:
		return time.Millisecond
	case n < 1e17:
		return time.Microsecond
	default:
		return time.Nanosecond
	}
}

// likely reports whether a call to Gemini may have been made then. A clock that was not set says 1970.
func likely(t time.Time) (time.Time, bool) {
	if t.Year() < 2020 || t.Year() > 2100 {
		return time.Time{}, false
	}
	return t, true
}
