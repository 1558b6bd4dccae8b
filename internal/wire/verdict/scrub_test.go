package verdict_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
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
		{"JSON within JSON within JSON", `\\\\u0041Iza-Sy_1\\\/2+3`, "[redacted]"},
		{"a URL in JSON within JSON", `AIza-Sy_1%2F2\\u00252B3`, "[redacted]"},
		{"percent, twice", "AIza-Sy_1%252F2%252b3&", "[redacted]&"},
		{"HTML", "AIza-Sy_1&#47;2&#x2B;3 &amp; AIza-Sy_1&#x0002f;2&amp;#43;3", "[redacted] &amp; [redacted]"},
		{"Go, C", `\x41Iza-Sy_1\x2f2+3`, "[redacted]"},
		{"quoted", `"AIza-Sy_1/2+3"`, `"[redacted]"`},
		{"beside what is escaped", `\"AIza-Sy_1/2+3\"\n%20AIza-Sy_1/2+3%20`, `\"[redacted]\"\n%20[redacted]%20`},
		{"half an escape", `AIza-Sy_1\u002`, `AIza-Sy_1\u002`},
		{"cut", key[:len(key)-1], "[redacted]"},
		{"a part of it", key[:len(key)-1] + " ", key[:len(key)-1] + " "},
		{"the longer of two", key + "-more", "[redacted]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(verdict.NewScrubber([]string{"", "other", key, key + "-more"}).Scrub([]byte(tt.in))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestScrubReturnsItsInputWhenNothingIsFound(t *testing.T) {
	body := []byte(strings.Repeat(`{"a":"b\n%&%zz"}`, 10))
	s := verdict.NewScrubber([]string{"secret", ""})
	if got := s.Scrub(body); &got[0] != &body[0] || len(got) != len(body) {
		t.Error("a copy")
	}
	text := string(body)
	if n := testing.AllocsPerRun(10, func() { s.Scrub(body); s.ScrubText(text) }); n != 0 {
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

// fastest is the least time that a text takes, of several times.
func fastest(s *verdict.Scrubber, text []byte) time.Duration {
	best := time.Hour
	for range 3 {
		began := time.Now()
		s.Scrub(text)
		best = min(best, time.Since(began))
	}
	return best
}

// A scrubber that begins anew at each byte, or at each escape, takes a hundred times as long for
// secrets that are a hundred times longer, and a hundred times as long as it should for a hundred
// times the text. The bounds leave room for a machine that does other things.
func TestScrubTakesTimeLinearInTheText(t *testing.T) {
	for _, unit := range []string{`\`, "%", "%25", `\u005c`, "a", "AIzaSy"} {
		secrets := func(n int) *verdict.Scrubber {
			var all []string
			for i := range 50 {
				all = append(all, fmt.Sprintf("%s%03d", strings.Repeat(unit, n/len(unit)), i))
			}
			return verdict.NewScrubber(all)
		}
		text := func(n int) []byte { return []byte(strings.Repeat(unit, n/len(unit))) }
		short := secrets(30)
		little, much := fastest(short, text(16<<10)), fastest(short, text(1600<<10))
		if much > 20*100*little {
			t.Errorf("%q: 16 kB take %v, 1600 kB %v", unit, little, much)
		}
		if d := fastest(secrets(3000), text(1600<<10)); d > 25*much {
			t.Errorf("%q: 1600 kB take %v with secrets of 30 bytes, %v with such of 3000", unit, much, d)
		}
	}
}

// A search for each secret at each byte would take minutes here.
func TestScrubFindsOneOfManySecrets(t *testing.T) {
	secrets := make([]string, 10_000)
	for i := range secrets {
		secrets[i] = fmt.Sprintf("AIzaSy%033d", i)
	}
	s := verdict.NewScrubber(secrets)
	for _, piece := range []string{
		`\`, `\u0041`, "%41", "%", "A", "AIzaSy", secrets[0][:20], secrets[7],
	} {
		body := strings.Repeat(piece, 1<<20/len(piece)) + "."
		want := body
		if piece == secrets[7] {
			want = strings.Repeat("[redacted]", 1<<20/len(piece)) + "."
		}
		if got := string(s.Scrub([]byte(body))); got != want {
			t.Errorf("%q again and again: wrong", piece)
		}
	}
}

// spellings of text as bodies and headers have them.
func spellings(text string) map[string]string {
	inJSON := func(s string) string {
		quoted, _ := json.Marshal(s)
		return string(quoted[1 : len(quoted)-1])
	}
	var units, numbers strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&units, `\u%04x`, text[i])
		fmt.Fprintf(&numbers, `&#%d;`, text[i])
	}
	return map[string]string{
		"plain": text, "query": url.QueryEscape(text), "path": url.PathEscape(text),
		"query, twice": url.QueryEscape(url.QueryEscape(text)),
		"JSON":         inJSON(text), "JSON, units": units.String(), "JSON, slashes": strings.ReplaceAll(inJSON(text), "/", `\/`),
		"JSON, thrice": inJSON(inJSON(units.String())), "query in JSON": inJSON(url.QueryEscape(text)),
		"JSON in query": url.QueryEscape(units.String()), "quoted": strconv.Quote(text),
		"HTML": html.EscapeString(text), "HTML, numbers": numbers.String(),
	}
}

func TestScrubFindsEverySpelling(t *testing.T) {
	secrets := []string{
		"AIzaSyCanary_0-123456789abcdefghijklmno", "AQ.Ab8RN6canary-0123456789_abcdefghijklmnopqrstuvwxyz0",
		"ya29.c.canary+/0123456789==" + strings.Repeat("aB3/+_-.", 120), `odd\secret"with%25all&`,
	}
	s := verdict.NewScrubber(secrets)
	for _, secret := range secrets {
		for name, spelled := range spellings(secret) {
			text := `{"error":{"message":"not ` + spelled + ` here"}}`
			want := `{"error":{"message":"not [redacted] here"}}`
			if name == "quoted" {
				want = `{"error":{"message":"not "[redacted]" here"}}`
			}
			if got := s.ScrubText(text); got != want {
				t.Errorf("%s of %.12s…: got %s", name, secret, got)
			}
			for _, size := range []int{3, 1000} { // and in pieces
				if got := inPieces(s, text, size); got != want {
					t.Errorf("%s of %.12s…, in pieces of %d: got %s", name, secret, size, got)
				}
			}
		}
	}
}

// inPieces scrubs a text that comes in pieces.
func inPieces(s *verdict.Scrubber, text string, size int) string {
	var out, held []byte
	for ; text != ""; text = text[min(size, len(text)):] {
		held = append(held, text[:min(size, len(text))]...)
		clean, used := s.ScrubSome(held)
		out = append(out, clean...)
		held = append([]byte(nil), held[used:]...)
	}
	return string(append(out, s.Scrub(held)...))
}

func TestScrubberWithOneMoreSecret(t *testing.T) {
	s := verdict.NewScrubber([]string{"key-one", "key-two"})
	more := s.With("ya29.three")
	const text = `key-one ya29.three key-two ya29%2Ethree`
	if got := more.ScrubText(text); got != "[redacted] [redacted] [redacted] [redacted]" {
		t.Errorf("got %s", got)
	}
	if got := s.ScrubText(text); got != "[redacted] ya29.three [redacted] ya29%2Ethree" {
		t.Errorf("the first one changed: got %s", got)
	}
	if s.With("key-two") != s || more.With("ya29.three") != more || s.With("") != s {
		t.Error("a secret is added twice")
	}
	if got := new(verdict.Scrubber).With("key-one").ScrubText(text); got != `[redacted] ya29.three key-two ya29%2Ethree` {
		t.Errorf("of the zero Scrubber: %s", got)
	}
	if got := inPieces(more, text, 3); got != more.ScrubText(text) {
		t.Errorf("in pieces: %s", got)
	}
}

func TestScrubSomeHoldsBackNoMoreThanItMust(t *testing.T) {
	s := verdict.NewScrubber([]string{"AIzaSyCanary", "key-1"})
	for _, text := range []string{
		"data: {\"text\":\"AIzaSy\"}\n\n", "data: x\r\n\r\n", "[{\"a\": 1}\n", "the key ", `"qqqqqqqq`,
	} {
		if clean, used := s.ScrubSome([]byte(text)); string(clean) != text || used != len(text) {
			t.Errorf("%q: %q, %d of %d bytes", text, clean, used, len(text))
		}
	}
	endless := []byte(strings.Repeat("Aa0", 1<<20))
	if clean, used := s.ScrubSome(endless); used < len(endless)-1000 || len(clean) != used {
		t.Errorf("of %d bytes without a space only %d go on", len(endless), used)
	}
}

// FuzzScrub compares the scrubber with a search for each secret at each byte.
func FuzzScrub(f *testing.F) {
	f.Add(`a\u0041%41&#65;AA`, "A", "aA", 3)
	f.Add(`abcabcab`, "abc", "cab", 2)
	f.Add(`%2525252525`, "%", "%25%25", 1)
	f.Add(strings.Repeat(`\`, 100), `\\`, `\`, 5)
	f.Fuzz(func(t *testing.T, text, one, other string, size int) {
		s := verdict.NewScrubber([]string{one, other})
		whole := s.ScrubText(text)
		if got := string(s.Scrub([]byte(text))); got != whole {
			t.Errorf("bytes: %q, string: %q", got, whole)
		}
		rest := strings.Split(whole, "[redacted]")
		for _, secret := range []string{one, other} {
			for _, part := range rest {
				if secret != "" && strings.Contains(part, secret) {
					t.Errorf("%q has %q in it", whole, secret)
				}
			}
		}
		if strings.Contains(text, one) && one != "" && len(rest) == 1 && !strings.Contains(text, "[redacted]") {
			t.Errorf("%q: %q was not found", text, one)
		}
		got := inPieces(s, text, max(1, size%100))
		for _, secret := range []string{one, other} {
			for part := range strings.SplitSeq(got, "[redacted]") {
				if secret != "" && strings.Contains(part, secret) {
					t.Errorf("in pieces: %q has %q in it", got, secret)
				}
			}
		}
	})
}

func BenchmarkNewScrubber(b *testing.B) {
	tokens := make([]string, 256)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("ya29.%03d%s", i, strings.Repeat("aB3_-", 200))
	}
	b.ReportAllocs()
	for b.Loop() {
		verdict.NewScrubber(tokens)
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

func TestASecretThatIsCutOffAtTheEndIsFound(t *testing.T) {
	const key, token = "AIzaSyAbcdefghijklmnopqrstuvwxyz0123456", "ya29.c.b0AXv0zTMabcdefghijklmnopqrstuvwxyz"
	for _, s := range []*verdict.Scrubber{verdict.NewScrubber([]string{key, token}), verdict.NewScrubber([]string{key}).With(token)} {
		for text, want := range map[string]string{
			"Consumer 'api_key:" + key[:30]:               "Consumer 'api_key:[redacted]",
			"Consumer 'api_key:" + key[:8]:                "Consumer 'api_key:[redacted]",
			"Consumer 'api_key:" + key[:7]:                "Consumer 'api_key:" + key[:7],
			token[:20]:                                    "[redacted]",
			key + " and " + token[:9]:                     "[redacted] and [redacted]",
			key[:30] + "'":                                key[:30] + "'", // nobody has cut it
			strings.Repeat("x", 200_000) + " " + key[:12]: strings.Repeat("x", 200_000) + " [redacted]",
		} {
			if got := s.ScrubText(text); got != want {
				t.Errorf("%.80s becomes %.80s", text, got)
			}
			if got := string(s.Scrub([]byte(text))); got != want {
				t.Errorf("%.80s becomes %.80s", text, got)
			}
		}
	}
}
