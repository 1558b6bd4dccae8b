package verdict_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

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

func TestScrubTakesTheLongestSpelling(t *testing.T) {
	tests := []struct {
		secrets  []string
		in, want string
	}{
		{[]string{"A", `\u0041/`}, `\u0041/`, "[redacted]"},
		{[]string{"A", `\u0041/`}, `\u0041 `, "[redacted] "},
		{[]string{"%2", "%25", "%"}, "%25%2%", "[redacted][redacted][redacted]"},
		{[]string{`a\`, "a", "b"}, `a\\b`, "[redacted][redacted]"},
		{[]string{"ab", "abc", "abcd", "b", "ab"}, "abce bcd", "[redacted]e [redacted]cd"},
		{[]string{"", ""}, "abc", "abc"},
	}
	for _, tt := range tests {
		if got := string(verdict.NewScrubber(tt.secrets).Scrub([]byte(tt.in))); got != tt.want {
			t.Errorf("%q in %q: got %q, want %q", tt.secrets, tt.in, got, tt.want)
		}
	}
}

// A search for each secret at each byte would take minutes here.
func TestScrubTakesTheSameTimeForManySecrets(t *testing.T) {
	secrets := make([]string, 10_000)
	for i := range secrets {
		secrets[i] = fmt.Sprintf("AIzaSy%033d", i)
	}
	s := verdict.NewScrubber(secrets)
	began := time.Now()
	for _, piece := range []string{
		`\`, `\u0041`, "%41", "%", "A", "AIzaSy", secrets[0][:20], secrets[7],
	} {
		body := strings.Repeat(piece, 1<<20/len(piece))
		want := body
		if piece == secrets[7] {
			want = strings.Repeat("[redacted]", 1<<20/len(piece))
		}
		if got := string(s.Scrub([]byte(body))); got != want {
			t.Errorf("%q again and again: wrong", piece)
		}
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("8 MB took %v", d)
	}
}

func BenchmarkScrub(b *testing.B) {
	secrets := make([]string, 10_000)
	for i := range secrets {
		secrets[i] = fmt.Sprintf("AIzaSy%033d", i)
	}
	s := verdict.NewScrubber(secrets)
	said := strings.Repeat("API key not valid. ", 50) + secrets[7]
	body := []byte(`{"error":{"message":"` + said + `"}}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		s.Scrub(body)
	}
}
