package jsonscan_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// members returns the names and raw values of an object's members.
func members(body string) (all []string) {
	for c := jsonscan.Object([]byte(body)); c.Member(); {
		all = append(all, string(c.Key), string(c.Raw()))
	}
	return all
}

func TestScannerKeepsWhatCameBeforeAnEarlyEnd(t *testing.T) {
	tests := []struct {
		body string
		want []string
	}{
		{``, nil},
		{`[1]`, nil},
		{` { "a" : 1 , "b":[{"c":"]"}],"d":null} {"e":1}`, []string{"a", "1", "b", `[{"c":"]"}]`, "d", "null"}},
		{`{"a":"x\"y\\","b":tr`, []string{"a", `"x\"y\\"`, "b", "tr"}},
		{`{"a":{"b":`, []string{"a", `{"b":`}},
		{`{"a":1,"b`, []string{"a", "1"}},
		{`{"a":1,:"b":2}`, []string{"a", "1", "b", "2"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, members(tt.body)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.body, diff)
		}
	}
}

func TestScannerSkipsValuesThatWereNotRead(t *testing.T) {
	c := jsonscan.New([]byte(`[{"a":{"n":7}},[8],"9",{"a":{"n":"10"}}]`))
	var got []int64
	for c.Enter('['); c.Element(); {
		if !c.Enter('{') {
			continue
		}
		for c.Member() {
			for c.Enter('{'); c.Member(); {
				n, ok := c.Number()
				if !ok {
					t.Fatal("no number")
				}
				got = append(got, n)
			}
		}
	}
	if diff := cmp.Diff([]int64{7, 10}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzUnquote(f *testing.F) {
	for _, s := range []string{``, `a\n\t\r\b\f\"\\\/`, `\u00e9\ud83c\udf0a\ud83c`, `\x`, `\u12`, `\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := jsonscan.Unquote([]byte(s))
		var want string
		if utf8.ValidString(s) && json.Unmarshal([]byte(`"`+s+`"`), &want) == nil && got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	})
}
