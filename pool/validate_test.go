package pool_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// geminiProject and vertexProject return a project that is right.
func geminiProject(name string, keys ...string) pool.Project {
	p := pool.Project{Name: name, Backend: pool.BackendGemini}
	for _, key := range keys {
		p.Keys = append(p.Keys, pool.NewSecret(key))
	}
	return p
}

func vertexProject(name string) pool.Project {
	return pool.Project{Name: name, Backend: pool.BackendVertex}
}

// fieldsOf returns the fields that err is about, in order.
func fieldsOf(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("error is no errors.Join: %v", err)
	}
	var all []string
	for _, one := range joined.Unwrap() {
		var field *pool.FieldError
		if !errors.As(one, &field) {
			t.Fatalf("not a FieldError: %v", one)
		}
		if field.Problem == "" || field.Fix == "" {
			t.Errorf("%s lacks a problem or a fix", one)
		}
		all = append(all, field.Field)
	}
	return all
}

func TestValidateNamesTheFieldOfEveryMistake(t *testing.T) {
	order := pool.Order{Model: "gemini-2.5-flash", Location: "us", GSUs: 1}
	with := func(change func(*pool.Project)) pool.Config {
		p := vertexProject("prod")
		change(&p)
		return pool.Config{Projects: []pool.Project{p}}
	}
	ordered := func(change func(*pool.Order)) pool.Config {
		return with(func(p *pool.Project) {
			o := order
			change(&o)
			p.Provisioned = []pool.Order{o}
		})
	}
	tests := []struct {
		name string
		cfg  pool.Config
		want []string
	}{
		{"a vertex project with nothing else is right", with(func(*pool.Project) {}), nil},
		{"a gemini project with a key is right", pool.Config{Projects: []pool.Project{geminiProject("a", "k1")}}, nil},
		{"keys of one project that differ are right", pool.Config{Projects: []pool.Project{geminiProject("a", "k1", "k2")}}, nil},
		{"no project", pool.Config{}, []string{"project"}},
		{"no name, no backend", pool.Config{Projects: []pool.Project{{}}}, []string{"project[0].name", "project[0].backend"}},
		{"unknown backend", with(func(p *pool.Project) { p.Backend = "openai" }), []string{"project[0].backend"}},
		{"same name", pool.Config{Projects: []pool.Project{vertexProject("a"), vertexProject("b"), vertexProject("a")}}, []string{"project[2].name"}},
		{"name with slash", with(func(p *pool.Project) { p.Name = "a/b" }), []string{"project[0].name"}},
		{"name of dots", with(func(p *pool.Project) { p.Name = ".." }), []string{"project[0].name"}},
		{"name that is a key", with(func(p *pool.Project) { p.Name = "AIzaSy01234567890123456789" }), []string{"project[0].name"}},
		{"gemini without keys", pool.Config{Projects: []pool.Project{geminiProject("a")}}, []string{"project[0].keys"}},
		{"empty key", pool.Config{Projects: []pool.Project{geminiProject("a", "k", "")}}, []string{"project[0].keys[1]"}},
		{"key with line end", pool.Config{Projects: []pool.Project{geminiProject("a", "k\r\nX: y")}}, []string{"project[0].keys[0]"}},
		{"key that is no ASCII", pool.Config{Projects: []pool.Project{geminiProject("a", "schlüssel")}}, []string{"project[0].keys[0]"}},
		{"same key twice", pool.Config{Projects: []pool.Project{geminiProject("a", "k", "k")}}, []string{"project[0].keys[1]"}},
		{"same key in two projects", pool.Config{Projects: []pool.Project{geminiProject("a", "k"), geminiProject("b", "k")}}, []string{"project[1].keys[0]"}},
		{"gemini with credentials", pool.Config{Projects: []pool.Project{func() pool.Project {
			p := geminiProject("a", "k")
			p.Credentials, p.ProjectID, p.Locations, p.Provisioned = pool.NoCredentials, "x", []string{"us"}, []pool.Order{order}
			return p
		}()}}, []string{"project[0].credentials", "project[0].project_id", "project[0].locations", "project[0].provisioned[0]"}},
		{"keys and credentials", with(func(p *pool.Project) {
			p.Keys, p.Credentials = []pool.Secret{pool.NewSecret("k")}, pool.NoCredentials
		}), []string{"project[0].credentials"}},
		{"project id with slash", with(func(p *pool.Project) { p.ProjectID = "a/../b" }), []string{"project[0].project_id"}},
		{"project id of a domain", with(func(p *pool.Project) { p.ProjectID = "example.com:acme" }), nil},
		{"locations", with(func(p *pool.Project) {
			p.Locations = []string{"global", "us", "eu", "northamerica-northeast1", "", "US", "us-central1-a", "us", "evil.example/"}
		}), []string{"project[0].locations[4]", "project[0].locations[5]", "project[0].locations[6]", "project[0].locations[7]",
			"project[0].locations[8]"}},
		{"globs", with(func(p *pool.Project) { p.Models = []string{"*", "gemini-[23]*", "[", "", "models/x", "a b"} }),
			[]string{"project[0].models[2]", "project[0].models[3]", "project[0].models[4]", "project[0].models[5]"}},
		{"negative weight", with(func(p *pool.Project) { p.Weight = -1 }), []string{"project[0].weight"}},
		{"infinite weight", with(func(p *pool.Project) { p.Weight = math.Inf(1) }), []string{"project[0].weight"}},
		{"weight that is no number", with(func(p *pool.Project) { p.Weight = math.NaN() }), []string{"project[0].weight"}},
		{"base URL with path is right", with(func(p *pool.Project) { p.BaseURL = "http://127.0.0.1:9090/vertex" }), nil},
		{"base URL without scheme", with(func(p *pool.Project) { p.BaseURL = "example.com" }), []string{"project[0].base_url"}},
		{"base URL with user", with(func(p *pool.Project) { p.BaseURL = "https://a@example.com" }), []string{"project[0].base_url"}},
		{"base URL with query", with(func(p *pool.Project) { p.BaseURL = "https://example.com?" }), []string{"project[0].base_url"}},
		{"base URL with fragment", with(func(p *pool.Project) { p.BaseURL = "https://example.com#a" }), []string{"project[0].base_url"}},
		{"base URL of a file", with(func(p *pool.Project) { p.BaseURL = "file:///etc" }), []string{"project[0].base_url"}},
		{"an order is right", ordered(func(*pool.Order) {}), nil},
		{"order without anything", ordered(func(o *pool.Order) { *o = pool.Order{} }),
			[]string{"project[0].provisioned[0].model", "project[0].provisioned[0].location", "project[0].provisioned[0].gsus"}},
		{"order for a glob", ordered(func(o *pool.Order) { o.Model = "gemini-*" }), []string{"project[0].provisioned[0].model"}},
		{"order of tokens for a model that nobody knows", ordered(func(o *pool.Order) {
			o.Model, o.GSUs, o.TokensPerSecond = "gemini-99-ultra", 0, 1000
		}), nil},
		{"order for a model that nobody knows", ordered(func(o *pool.Order) { o.Model = "gemini-99-ultra" }),
			[]string{"project[0].provisioned[0].model"}},
		{"negative order", ordered(func(o *pool.Order) { o.GSUs, o.TokensPerSecond, o.Window = -1, -1, -time.Second }),
			[]string{"project[0].provisioned[0].gsus", "project[0].provisioned[0].tokens_per_second", "project[0].provisioned[0].window"}},
		{"burndown", ordered(func(o *pool.Order) { o.Burndown = &quota.Burndown{CachedAudio: math.NaN(), LongOutput: -1} }),
			[]string{"project[0].provisioned[0].burndown.cached_audio", "project[0].provisioned[0].burndown.long_output"}},
		{"overflow", ordered(func(o *pool.Order) { o.Overflow = "spill" }), []string{"project[0].provisioned[0].overflow"}},
		{"a fence around an order is right", pool.Config{Locations: []string{"us"}, Projects: ordered(func(*pool.Order) {}).Projects}, nil},
		{"fence of bad globs", pool.Config{Locations: []string{"eu", "[", ""}, Projects: []pool.Project{vertexProject("a")}},
			[]string{"router.locations[1]", "router.locations[2]"}},
		{"fence that leaves nothing", pool.Config{Locations: []string{"eu", "us-*"}, Projects: []pool.Project{
			vertexProject("a"), geminiProject("b", "k"),
		}}, []string{"router.locations"}},
		{"fence that leaves the Developer API", pool.Config{Locations: []string{"glob*"}, Projects: []pool.Project{geminiProject("b", "k")}}, nil},
		{"two orders for one lot", with(func(p *pool.Project) { p.Provisioned = []pool.Order{order, order} }),
			[]string{"project[0].provisioned[1]"}},
		{"orders in two locations are right", with(func(p *pool.Project) {
			eu := order
			eu.Location = "eu"
			p.Provisioned = []pool.Order{order, eu}
		}), nil},
		{"limits", with(func(p *pool.Project) {
			p.Limits = []pool.Limit{{RPM: 1}, {Model: "*"}, {Model: "[", RPM: -1, TPM: -1, RPD: -1, Concurrency: -1}}
		}), []string{"project[0].limits[1]", "project[0].limits[2].model", "project[0].limits[2].rpm", "project[0].limits[2].tpm",
			"project[0].limits[2].rpd", "project[0].limits[2].concurrency"}},
		{"breaker", pool.Config{Projects: []pool.Project{vertexProject("a")}, Breaker: breaker.Config{
			Failures: -1, Open: time.Minute, MaxOpen: time.Second, Window: -1}},
			[]string{"breaker.window", "breaker.failures", "breaker.max_open"}},
		{"pacing", pool.Config{Projects: []pool.Project{vertexProject("a")}, Pacing: quota.Pacing{
			Gain: 0.5, Tolerance: 1.5, Growth: -1, Floor: math.NaN(), Burst: -1}},
			[]string{"router.pacing.gain", "router.pacing.tolerance", "router.pacing.growth", "router.pacing.floor", "router.pacing.burst"}},
		{"presets are right", pool.Config{Projects: []pool.Project{vertexProject("a")}, Pacing: quota.Eager()}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, fieldsOf(t, test.cfg.Validate())); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidateSaysBothNamesOfAKeyInTwoProjectsAndShowsOnlyItsHash(t *testing.T) {
	const key = "AIzaSyCANARY0123456789abcdefghijklmnopq"
	err := pool.Config{Projects: []pool.Project{geminiProject("first", key), geminiProject("second", "other", key)}}.Validate()
	want := `project[1].keys[1]: ` + pool.NewSecret(key).String() +
		` of project "second" is a key of project "first" too, at project[0].keys[0]; keep it in the one project whose quota it uses`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestValidateNeverShowsAKey(t *testing.T) {
	const marker = "CANARY"
	key := pool.NewSecret("s3cr3t-CANARY\n")
	looksLikeOne := "AIzaSyCANARY0123456789abcdefghijklmnopq"
	p := pool.Project{
		Name: looksLikeOne, Backend: marker, ProjectID: looksLikeOne, Keys: []pool.Secret{key, key}, Locations: []string{marker},
		Models: []string{"[" + marker}, BaseURL: "https://u:" + marker + "@%zz",
		Provisioned: []pool.Order{{Model: marker + "*", Location: marker, Overflow: marker}, {Model: looksLikeOne, Location: "us", GSUs: 1}},
		Limits:      []pool.Limit{{Model: "models/" + marker}},
	}
	again := p
	again.Backend = pool.BackendGemini
	err := pool.Config{Projects: []pool.Project{p, again}}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(text, marker) {
			t.Error("an error shows a secret")
		}
	}
}

func TestLooksLikeCredentialKnowsKeysTokensAndNothingElse(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{"AIzaSyA0123456789abcdefghijklmnopqrstuv", true},
		{"https://example.com/?key=AIzaSyA0123456789abcdefghijklmnopqrstuv", true},
		{"AQ.Ab8RN6LxyzABCDEFGHIJ", true},
		{"ya29.a0AfH6SMBx", true},
		{"-----BEGIN PRIVATE KEY-----", true},
		{"", false},
		{"gemini-2.5-flash-preview-09-2025", false},
		{"northamerica-northeast1", false},
		{"GEMINI_API_KEY", false},
		{"AIza", false},
		{"FAQ.about-everything-here", false},
	}
	for _, test := range tests {
		if got := credential.Looks(test.text); got != test.want {
			t.Errorf("LooksLikeCredential(%q) = %v, want %v", test.text, got, test.want)
		}
	}
}
