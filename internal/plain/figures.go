package plain

import (
	"strconv"
	"time"
)

// Number writes a number as 1,234,567.
func Number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Plural returns a number with its noun, which takes an s unless the number is one.
func Plural[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Number(int64(n)) + " " + noun
}

// Span writes a length of time as people say it, in the one unit that fits: "3d", "5h", "12m", "40s".
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range [...]struct {
		length time.Duration
		name   string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= unit.length {
			return Number(int64(d/unit.length)) + unit.name
		}
	}
	return Number(int64(max(d, 0)/time.Second)) + "s"
}

// Instant writes a time to the second, in UTC.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
