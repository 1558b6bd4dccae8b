package router_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestValidateNamesTheFieldOfEveryMistake(t *testing.T) {
	retry := func(r router.Retry) router.Config { return router.Config{Retry: r} }
	aliases := func(pairs ...string) router.Config {
		models := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			models[pairs[i]] = pairs[i+1]
		}
		return router.Config{Models: models}
	}
	fallbacks := func(list ...router.Fallback) router.Config { return router.Config{Fallbacks: list} }
	tests := []struct {
		name string
		cfg  router.Config
		want []string
	}{
		{"the zero value is right", router.Config{}, nil},
		{"policies", router.Config{Policy: router.PolicyRandom, Backend: pool.BackendVertex, MaxAttempts: 1, MaxWait: -1}, nil},
		{"unknown policy", router.Config{Policy: "fastest"}, []string{"router.policy"}},
		{"unknown backend", router.Config{Backend: "openai"}, []string{"router.backend"}},
		{"negative attempts", router.Config{MaxAttempts: -1}, []string{"router.max_attempts"}},
		{"the state is a folder", router.Config{State: "/var/lib/"}, []string{"router.state"}},
		{"negative timeout", router.Config{FirstByteTimeout: -1}, []string{"router.first_byte_timeout"}},
		{"negative backoff", retry(router.Retry{Initial: -1, Max: -1}), []string{"router.retry.initial", "router.retry.max"}},
		{"first backoff above the longest", retry(router.Retry{Initial: 2, Max: 1}), []string{"router.retry.max"}},
		{"first backoff above the default longest", retry(router.Retry{Initial: 2 * time.Minute}), []string{"router.retry.max"}},
		{"longest backoff below the default first", retry(router.Retry{Max: time.Millisecond}), []string{"router.retry.max"}},
		{"negative budget", retry(router.Retry{Budget: -0.1}), []string{"router.retry.budget"}},
		{"budget in percent", retry(router.Retry{Budget: 20}), []string{"router.retry.budget"}},
		{"budget that is no number", retry(router.Retry{Budget: math.NaN()}), []string{"router.retry.budget"}},
		{"aliases are right", aliases("fast", "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro"), nil},
		{"alias of itself", aliases("a", "a"), []string{`models."a"`}},
		{"aliases in a circle", aliases("a", "b", "b", "c", "c", "a"), []string{`models."a"`, `models."b"`, `models."c"`}},
		{"alias of an alias", aliases("a", "b", "b", "gemini-2.5-flash"), []string{`models."a"`}},
		{"alias of nothing", aliases("a", ""), []string{`models."a"`}},
		{"nameless alias", aliases("", "gemini-2.5-flash"), []string{`models.""`}},
		{"alias with a quote and a dot", aliases(`a".b`, "x y"), []string{`models."a\".b"`}},
		{"alias with white space", aliases("a b", "gemini-2.5-flash"), []string{`models."a b"`}},
		{"paths", aliases("a", "models/gemini-2.5-flash", "b", "publishers/google/models/x"), []string{`models."a"`, `models."b"`}},
		{"fallbacks are right, also in a circle", fallbacks(router.Fallback{Model: "a", To: []string{"b"}},
			router.Fallback{Model: "b", To: []string{"a", "c"}}), nil},
		{"fallback of nothing to nothing", fallbacks(router.Fallback{}), []string{"fallback[0].model", "fallback[0].to"}},
		{"fallback to itself, twice and empty", fallbacks(router.Fallback{Model: "a", To: []string{"a", "b", "b", ""}}),
			[]string{"fallback[0].to[0]", "fallback[0].to[2]", "fallback[0].to[3]"}},
		{"two fallbacks of one model", fallbacks(router.Fallback{Model: "a", To: []string{"b"}},
			router.Fallback{Model: "a", To: []string{"c"}}), []string{"fallback[1].model"}},
		{"fallbacks and aliases", router.Config{Models: map[string]string{"fast": "x"}, Fallbacks: []router.Fallback{
			{Model: "fast", To: []string{"y", "fast"}}}}, []string{"fallback[0].model", "fallback[0].to[1]"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			if err := test.cfg.Validate(); err != nil {
				for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
					var field *pool.FieldError
					if !errors.As(one, &field) || field.Problem == "" || field.Fix == "" {
						t.Fatalf("not a whole FieldError: %v", one)
					}
					got = append(got, field.Field)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidateSaysThatStateIsAFile(t *testing.T) {
	err := router.Config{State: "x/"}.Validate()
	const want = "router.state: state names a folder; write the name of a file in it, such as \"spillway.state\""
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestValidateNamesTheModelAtTheEndOfAliases(t *testing.T) {
	err := router.Config{Models: map[string]string{"a": "b", "b": "c", "c": "gemini-2.5-flash"}}.Validate()
	want := `models."a": the alias stands for another alias; write the model itself: "gemini-2.5-flash"` + "\n" +
		`models."b": the alias stands for another alias; write the model itself: "gemini-2.5-flash"`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestValidateNeverShowsValues(t *testing.T) {
	const key = "AIzaSyCANARY0123456789abcdefghijklmnopq"
	err := router.Config{Policy: key, Backend: key, State: key, Models: map[string]string{"a": "b", "b": key, "c": "models/" + key},
		Fallbacks: []router.Fallback{{Model: key, To: []string{key, "models/" + key}}}}.Validate()
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), key) {
		t.Error("no error, or one that shows a value")
	}
}
