package request_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire/request"
)

const (
	atTier = "https://h/v1beta/models/m:generateContent"
	chatAt = "https://h/v1beta/openai/chat/completions"
)

func TestServiceTierIsReadFromTheTopOfTheBodyAlone(t *testing.T) {
	for body, want := range map[string]string{
		`{"serviceTier":"FLEX","contents":[]}`:                           "flex",
		`{"contents":[],"service_tier":"priority"}`:                      "priority",
		`{"serviceTier":"standard"}`:                                     "standard",
		`{"service_tier":"default"}`:                                     "standard",
		`{"service_tier":"auto"}`:                                        "",
		`{"serviceTier":"unspecified"}`:                                  "",
		`{"serviceTier":"scale"}`:                                        "scale",
		`{"contents":[{"parts":[{"text":"x","serviceTier":"flex"}]}]}`:   "",
		`{"contents":[{"parts":[{"text":"\"serviceTier\":\"flex\""}]}]}`: "",
		`{"serviceTier":3}`:                                              "",
		`{"serviceTier":`:                                                "",
	} {
		c := parse(t, http.MethodPost, atTier, body)
		if got := request.ServiceTier(&c); got != want {
			t.Errorf("%s names %q, want %q", body, got, want)
		}
	}
}

func TestWithServiceTierChangesNothingElse(t *testing.T) {
	for _, tt := range []struct{ url, body, want string }{
		{atTier, `{"contents":[]}`, `{"serviceTier":"flex","contents":[]}`},
		{atTier, ` { "contents" : [ ] } `, ` {"serviceTier":"flex", "contents" : [ ] } `},
		{atTier, `{"contents":[],"service_tier":"auto","x":1}`, `{"contents":[],"service_tier":"flex","x":1}`},
		{chatAt, `{"model":"m"}`, `{"service_tier":"flex","model":"m"}`},
		{chatAt, `{"model":"m","service_tier":null}`, `{"model":"m","service_tier":"flex"}`},
		{atTier, `{}`, `{}`},
		{atTier, `[]`, `[]`},
		{atTier, ``, ``},
	} {
		c := parse(t, http.MethodPost, tt.url, tt.body)
		given := []byte(tt.body)
		if got := string(request.WithServiceTier(&c, given, "flex")); got != tt.want || string(given) != tt.body {
			t.Errorf("%q becomes %q, want %q; it was changed to %q", tt.body, got, tt.want, given)
		}
	}
}

func TestWithoutServiceTierTakesItOutOfTheTopAlone(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":1,"service_tier":"flex","b":{"serviceTier":"flex"}}`: `{"a":1,"b":{"serviceTier":"flex"}}`,
		`{"service_tier":"flex"}`:                                  `{}`,
		`{"a":1}`:                                                  `{"a":1}`,
		``:                                                         ``,
	} {
		if got := string(request.WithoutServiceTier([]byte(body))); got != want {
			t.Errorf("%s becomes %s, want %s", body, got, want)
		}
	}
}

// Whatever the body is, a service tier makes no JSON of what was none, and no other JSON of what was.
func FuzzServiceTier(f *testing.F) {
	f.Add([]byte(`{"contents":[{"parts":[{"text":"hi"}]}]}`))
	f.Add([]byte(`{"serviceTier":{"a":[1,{}]},"b":"\u0022"}`))
	f.Add([]byte(`{"a":1,}`))
	f.Add([]byte(`{"service_tier"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := parse(t, http.MethodPost, atTier, string(body))
		with := request.WithServiceTier(&c, body, "flex")
		without := request.WithoutServiceTier(body)
		var was, is map[string]any
		if json.Unmarshal(body, &was) != nil || len(was) == 0 {
			return
		}
		if err := json.Unmarshal(with, &is); err != nil {
			t.Fatalf("%q becomes %q: %v", body, with, err)
		}
		for _, m := range []map[string]any{was, is} {
			delete(m, "serviceTier")
			delete(m, "service_tier")
		}
		if diff := cmp.Diff(was, is); diff != "" && !foreign(was) {
			t.Errorf("%q becomes %q (-want +got):\n%s", body, with, diff)
		}
		if !json.Valid(without) {
			t.Errorf("%q becomes %q", body, without)
		}
	})
}

// foreign reports whether an object has the tier under a name that no caller writes, such as
// "service__tier", which folds into it.
func foreign(m map[string]any) bool {
	for name := range m {
		if len(name) > 10 && (name[0] == 's' || name[0] == 'S') {
			return true
		}
	}
	return false
}
