package plain_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
)

func TestFiguresAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -123: "-123", -1234: "-1,234"} {
		if got := plain.Number(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
	if one, many := plain.Plural(1, "call"), plain.Plural(int64(1200), "call"); one != "1 call" || many != "1,200 calls" {
		t.Errorf("%q and %q", one, many)
	}
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 999 * time.Millisecond: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m", 26 * time.Hour: "1d",
		90 * time.Minute: "1h", 2400 * time.Hour: "100d", 1<<63 - 1: "106,751d",
	} {
		if got := plain.Span(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
	at := time.Date(2026, 11, 26, 1, 0, 0, 9, time.FixedZone("", 3600))
	if got := plain.Instant(at); got != "2026-11-26 00:00:00Z" {
		t.Errorf("a time is written %q", got)
	}
}
