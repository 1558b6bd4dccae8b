package plain_test

import (
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/plain"
)

func TestText(t *testing.T) {
	for _, test := range []struct {
		name, in string
		most     int
		want     string
	}{
		{"plain", "limit: 20, model: gemini", 100, "limit: 20, model: gemini"},
		{"letters of any script", "Größe 大きさ 🙂 \uFFFD", 100, "Größe 大きさ 🙂 \uFFFD"},
		{"empty", "", 100, ""},
		{"escape sequences", "a\x1b[31mred\x1b[0m\ab\x7f", 100, "a[31mred[0mb"},
		{"C1, as one character", "a\u009b31m\u0085b", 100, "a31m b"},
		{"bidi overrides and isolates", "a\u202eb\u2066c\u200fd\u061ce", 100, "abcde"},
		{"no width", "a\u200bb\ufeffc\u00add", 100, "abcd"},
		{"lines", "a\nb\r\nc\u2028d\te", 100, "a b  c d e"},
		{"invalid UTF-8", "a\xff\x9bb\xc3", 100, "ab"},
		{"tags and private use", "a\U000E0041b\uE000c", 100, "abc"},
		{"as long as allowed", "abcdef", 6, "abcdef"},
		{"too long", "abcdefg", 6, "abc…"},
		{"too long, cut between characters", "äöüäöü", 6, "ä…"},
		{"long, but short when plain", "\x1b\x1b\x1b\x1bab\x1b\x1b", 3, "ab"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := plain.Text(test.in, test.most)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if !plain.Is(got) || plain.Is(test.in) != (test.in == plain.Text(test.in, len(test.in)+10)) {
				t.Errorf("%q: Is disagrees with Text", test.in)
			}
		})
	}
}

func TestLines(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "one": "one", "a\n\tb\n": "a\n\tb\n", "a\x1b[m\n\u202eb\r\n\n\xff": "a[m\nb \n\n",
	} {
		if got := plain.Lines(in); got != want {
			t.Errorf("of %q: got %q, want %q", in, got, want)
		}
	}
}

func TestTextOfWhatIsPlainAllocatesNothing(t *testing.T) {
	s := strings.Repeat("model:prod/eu/gemini-3.5-flash ä ", 8)
	if n := testing.AllocsPerRun(10, func() { plain.Text(s, 1000) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
