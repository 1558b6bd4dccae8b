package verdict

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// MaxHint bounds every retry hint: a year is long enough, and sums with it do not overflow.
const MaxHint = 365 * 24 * time.Hour

// protobufDuration reads google.protobuf.Duration in JSON: seconds with at most nine fractional
// digits and an "s", as in "45.837906927s". It returns 0 for anything else, for zero and for
// negative durations. Longer ones give MaxHint.
func protobufDuration(s string) time.Duration {
	digits, ok := strings.CutSuffix(s, "s")
	if !ok {
		return 0
	}
	digits = strings.TrimPrefix(digits, "+")
	whole, fraction, dotted := strings.Cut(digits, ".")
	if whole == "" && !dotted || !jsonscan.IsDigits(whole) || !jsonscan.IsDigits(fraction) || len(fraction) > 9 || whole+fraction == "" {
		return 0
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 12 {
		return MaxHint
	}
	var seconds, nanos int64
	if whole != "" {
		seconds, _ = strconv.ParseInt(whole, 10, 64)
	}
	if fraction != "" {
		nanos, _ = strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	}
	return hint(seconds, nanos)
}

// hint is the duration of seconds and nanos, between 0 and MaxHint.
func hint(seconds, nanos int64) time.Duration {
	switch {
	case seconds < 0 || nanos < 0:
		return 0
	case seconds >= int64(MaxHint/time.Second):
		return MaxHint
	}
	return min(time.Duration(seconds)*time.Second+time.Duration(min(nanos, 999_999_999)), MaxHint)
}

// readRetryDelay reads the next value as RetryInfo.retryDelay: a Duration string or a bare number
// of seconds. Some gateways write the object {"seconds": …, "nanos": …} instead.
func readRetryDelay(c *jsonscan.Scanner) time.Duration {
	switch c.Peek() {
	case '"':
		s := jsonscan.Unquote(c.Text())
		if d := protobufDuration(s); d > 0 {
			return d
		}
		return decimalSeconds(s)
	case '{':
		var seconds, nanos int64
		c.Enter('{')
		for c.Member() {
			switch string(c.Key) {
			case "seconds":
				seconds, _ = c.Number()
			case "nanos":
				nanos, _ = c.Number()
			}
		}
		return hint(seconds, nanos)
	}
	return decimalSeconds(string(c.Text()))
}

// decimalSeconds reads a number of seconds without a unit.
func decimalSeconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 1) || !(f > 0) {
		return 0
	}
	if f >= MaxHint.Seconds() {
		return MaxHint
	}
	return time.Duration(f * float64(time.Second))
}

// messageHint returns the longest "retry in 20h3m13.257628674s" of a message, 0 if there is none.
func messageHint(message string) time.Duration {
	var longest time.Duration
	for rest := message; ; {
		at := jsonscan.IndexFold(rest, "retry ")
		if at < 0 {
			return longest
		}
		rest = rest[at+len("retry "):]
		word, tail, _ := strings.Cut(rest, " ")
		if w := strings.ToLower(word[:min(len(word), 6)]); w != "in" && w != "after" {
			continue
		}
		rest = tail
		longest = max(longest, spokenDuration(rest))
	}
}

// spokenDuration reads the duration at the front of s: "1h2m3.5s", "850ms", "17 seconds", "17".
func spokenDuration(s string) time.Duration {
	n := 0
	for n < len(s) && n < 48 && (s[n] >= '0' && s[n] <= '9' || s[n] == '.' || s[n] >= 'a' && s[n] <= 'z') {
		n++
	}
	word := strings.TrimRight(s[:n], ".")
	if word == "" || word[0] < '0' || word[0] > '9' {
		return 0
	}
	if last := word[len(word)-1]; last >= '0' && last <= '9' {
		d := decimalSeconds(word)
		if strings.HasPrefix(strings.TrimLeft(s[n:], " "), "minute") {
			d = min(d, MaxHint/60) * 60
		}
		return d
	}
	if d, err := time.ParseDuration(word); err == nil {
		return max(0, min(d, MaxHint))
	}
	// The only well-formed duration that ParseDuration refuses is one beyond its range.
	if strings.Trim(word, "0123456789.hmnus") == "" && strings.ContainsAny(word, "hs") && len(word) > 10 {
		return MaxHint
	}
	return 0
}

// headerHint reads Retry-After: seconds, or any of the three forms of HTTP dates (RFC 9110, section
// 5.6.7).
func headerHint(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if jsonscan.IsDigits(value) {
		return decimalSeconds(value)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), MaxHint))
}
