package verdict_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/verdict"
)

func TestScrub(t *testing.T) {
	const key = "AIza-Sy_1/2+3"
	tests := []struct{ name, in, want string }{
		{"nothing there", `{"error":{}}`, `{"error":{}}`},
		{"raw", "a " + key + " b", "a [redacted] b"},
		{"at both ends", key + key, "[redacted][redacted]"},
		{"JSON, slash escaped", `"AIza-Sy_1\/2+3"`, `"[redacted]"`},
		{"JSON, \\u", `"\u0041Iza-Sy_1\u002F2\u002b3"`, `"[redacted]"`},
		{"JSON within JSON", `"AIza-Sy_1\\u002f2+3 \\\/"`, `"[redacted] \\\/"`},
		{"percent", "?key=" + url.QueryEscape(key) + "&a", "?key=[redacted]&a"},
		{"percent, all of it", "%41%49%7a%61%2D%53%79%5F%31%2F%32%2b%33", "[redacted]"},
		{"cut", key[:len(key)-1], key[:len(key)-1]},
		{"the longer of two", key + "-more", "[redacted]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(verdict.Scrub([]byte(tt.in), "", "other", key, key+"-more")); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestScrubReturnsItsInputWhenNothingIsFound(t *testing.T) {
	body := []byte(strings.Repeat(`{"a":"\u0041%41"}`, 10))
	if got := verdict.Scrub(body, "secret", ""); &got[0] != &body[0] || len(got) != len(body) {
		t.Error("a copy")
	}
	if n := testing.AllocsPerRun(10, func() { verdict.Scrub(body, "secret") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
