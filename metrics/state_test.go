package metrics_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
	"github.com/spillway-go/spillway/store"
)

const deadKey = "k-revoked-canary"

// scene is a router to which something of everything has happened: a key is dead, an order is full,
// a model has failed and another is answered for, and a location is paced.
func scene(t testing.TB) *bed {
	t.Helper()
	google := geminitest.Config{
		Projects: []geminitest.Project{
			{ID: "studio", Keys: []string{"k-studio"}},
			{ID: "acme", Keys: []string{"k-acme"}, Orders: []geminitest.Order{{
				Model: flash, Location: "eu", TokensPerSecond: 500, Window: 30 * time.Second,
			}}},
			{ID: "dear", Keys: []string{"k-dear"}},
		},
		Thoughts: 30,
		Reroutes: []geminitest.Reroute{{Model: "gemini-2.5-flash", To: "gemini-3.5-flash-lite"}},
		Caching:  geminitest.Caching{Implicit: true, Min: 4},
		Capacity: []geminitest.Capacity{
			{Location: "eu", Model: "gemini-3.1-pro-preview", Requests: 2}, {Location: "us", Tier: "priority"},
		},
		Latency: geminitest.Latency{FirstToken: 100 * time.Millisecond},
	}
	p := pool.Config{Projects: []pool.Project{
		{
			Name: "studio", Backend: pool.BackendGemini,
			Keys:   []pool.Secret{pool.NewSecret(deadKey), pool.NewSecret("k-studio")},
			Limits: []pool.Limit{{RPM: 100, TPM: 1e6, RPD: 1000, Concurrency: 50}},
		},
		{
			Name: "prod", ProjectID: "acme", Backend: pool.BackendVertex, Locations: []string{"eu"}, Priority: 1,
			Keys:        []pool.Secret{pool.NewSecret("k-acme")},
			Provisioned: []pool.Order{{Model: flash, Location: "eu", TokensPerSecond: 500, Window: 30 * time.Second}},
		},
		{
			Name: "dear", Backend: pool.BackendVertex, Locations: []string{"us"}, Keys: []pool.Secret{pool.NewSecret("k-dear")},
			Models: []string{"gemini-3.1-flash-lite"}, OnDemand: []string{pool.TierPriority},
		},
	}}
	b := newBed(t, google, p, router.WithStore(store.NewMemory(time.Millisecond)))
	for range 40 {
		b.call(t, flash, "Spillway-Label", "team-a")
	}
	for range 3 {
		b.call(t, "gemini-2.5-flash")
	}
	for range 6 {
		b.Script(geminitest.Match{Model: "gemini-3.6-flash", Project: "studio"}, geminitest.Internal())
	}
	for range 6 {
		b.call(t, "gemini-3.6-flash")
	}
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() { b.call(t, "gemini-3.1-pro-preview", "Spillway-Locations", "eu", "Spillway-Max-Wait", "3s") })
	}
	group.Wait()
	b.Script(geminitest.Match{Project: "studio"}, geminitest.MinuteQuota("gemini-3.6-flash", 10, 30*time.Second))
	b.call(t, "gemini-3.6-flash")
	b.call(t, "gemini-none", "Spillway-Max-Wait", "0s")
	b.call(t, "gemini-3.1-flash-lite", "Spillway-Locations", "us", "Spillway-Label", "team-a")
	for range 3 {
		b.ask(t, flash, "countTokens", `{"contents":[{"parts":[{"text":"hi"}]}]}`, "Spillway-Cache", "10m")
	}
	return b
}

// inScene runs a test on a scene.
func inScene(t *testing.T, test func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := scene(t)
		test(t, b)
		_ = b.router.Close()
	})
}

func TestAttemptsAndTokensAreThoseThatGoogleSaw(t *testing.T) {
	inScene(t, func(t *testing.T, b *bed) {
		requests, tokens := map[string]float64{}, map[string]float64{}
		for _, r := range b.Requests() {
			project, location, traffic, method := "studio", "global", "on_demand", "generate"
			if r.Location != "" {
				project, location = "prod", r.Location
			}
			if r.Project == "dear" {
				project, traffic = "dear", "on_demand_priority"
			}
			if r.Traffic == "dedicated" {
				traffic = "provisioned"
			}
			if r.Method == "countTokens" {
				method = r.Method
			}
			at := fmt.Sprintf("location=%q,method=%q,model=%q,project=%q,traffic=%q}", location, method, r.Model, project, traffic)
			requests[at]++
			if r.Model == "gemini-2.5-flash" { // tokens count where they are charged
				at = strings.Replace(at, r.Model, "gemini-3.5-flash-lite", 1)
			}
			if n := r.PromptTokens + r.OutputTokens; r.Status == http.StatusOK && method == "generate" {
				tokens[at] += float64(n)
			}
		}
		sums := func(name string) map[string]float64 {
			got := map[string]float64{}
			for series, n := range b.values(t, name) {
				_, at, _ := strings.Cut(series, "location=")
				label, rest, _ := strings.Cut(series, ",location=")
				if strings.Contains(label, "location") {
					at = rest
				}
				at = regexp.MustCompile(`(class|kind)="[^"]*",`).ReplaceAllString("location="+at, "")
				got[at] += n
			}
			return got
		}
		if diff := cmp.Diff(requests, sums("spillway_attempts_total")); diff != "" {
			t.Errorf("attempts (-Google's +counted):\n%s", diff)
		}
		if diff := cmp.Diff(tokens, sums("spillway_tokens_total")); diff != "" {
			t.Errorf("tokens (-Google's +counted):\n%s", diff)
		}
	})
}

func TestStateIsWhatHappened(t *testing.T) {
	inScene(t, func(t *testing.T, b *bed) {
		got := b.values(t, "spillway_")
		hash := ""
		for subject := range b.router.Stat().Cooldowns {
			if of, ok := strings.CutPrefix(subject, "key:studio/"); ok {
				hash = of
			}
		}
		order := fmt.Sprintf(`{location="eu",model=%q,project="prod"}`, flash)
		for series, want := range map[string]float64{
			`spillway_cooldown_active{class="key_dead",kind="key",subject="key:studio/` + hash + `"}`:                                    1,
			`spillway_rerouted_attempts_total{method="generate",model="gemini-2.5-flash"}`:                                               3,
			`spillway_rerouted_info{method="generate",model="gemini-2.5-flash",served="gemini-3.5-flash-lite"}`:                          1,
			`spillway_exhausted_total{method="generate",model="gemini-none"}`:                                                            1,
			`spillway_queued_calls{method="generate",model="` + flash + `"}`:                                                             0,
			`spillway_breaker_state{location="global",method="generate",model="gemini-3.6-flash",project="studio",traffic="on_demand"}`:  2,
			`spillway_endpoint_ready{location="global",method="generate",model="gemini-3.6-flash",project="studio",traffic="on_demand"}`: 0,
			`spillway_endpoint_ready{location="eu",method="generate",model="gemini-3.6-flash",project="prod",traffic="on_demand"}`:       1,
			`spillway_limit{limit="rpm",method="generate",model="` + flash + `",project="studio"}`:                                       100,
			`spillway_limit{limit="rpd",method="generate",model="` + flash + `",project="studio"}`:                                       1000,
			"spillway_order_capacity_tokens" + order:                                                                                     500 * 30,
			"spillway_order_bypassed_total" + order:                                                                                      0,
			"spillway_store_up":                                                                                                          1,
			"spillway_store_members":                                                                                                     1,
			"spillway_store_lapsed_members":                                                                                              0,
			"spillway_lookups_total":                                                                                                     0,
			"spillway_retries_refused_total":                                                                                             0,
		} {
			if v, ok := got[series]; !ok || v != want {
				t.Errorf("%s is %v (%v), want %v", series, v, ok, want)
			}
		}
		for series, positive := range map[string]bool{
			`spillway_breaker_opens_total{location="global",method="generate",model="gemini-3.6-flash",project="studio",traffic="on_demand"}`: true,
			"spillway_order_used_tokens" + order: true, "spillway_order_served_total" + order: true,
			"spillway_order_used_ratio" + order: true, "spillway_order_spilled_tokens_total" + order: true,
			"spillway_retries_total": true, "spillway_retry_budget": true,
			`spillway_limit_used_ratio{limit="rpd",method="generate",model="` + flash + `",project="studio"}`:                                      true,
			`spillway_pace_requests_per_second{location="eu",method="generate",model="gemini-3.1-pro-preview",project="prod",traffic="on_demand"}`: true,
		} {
			if (got[series] > 0) != positive {
				t.Errorf("%s is %v", series, got[series])
			}
		}
	})
}

// text returns what a Prometheus gets.
func (b *bed) text(t testing.TB) []byte {
	t.Helper()
	var page bytes.Buffer
	for _, f := range b.families(t) {
		if _, err := expfmt.MetricFamilyToText(&page, f); err != nil {
			t.Fatal(err)
		}
	}
	return page.Bytes()
}

func TestNamesAndHelpKeepToPrometheusConventions(t *testing.T) {
	inScene(t, func(t *testing.T, b *bed) {
		problems, err := promlint.New(bytes.NewReader(b.text(t))).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	})
}

// The package's comment lists every metric, and the scene has every one of them.
func TestEveryMetricIsDocumented(t *testing.T) {
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	comment, _, _ := strings.Cut(string(source), "\npackage metrics")
	inScene(t, func(t *testing.T, b *bed) {
		shown := map[string]bool{}
		for _, f := range b.families(t) {
			name := strings.TrimPrefix(f.GetName(), "spillway_")
			shown[name] = true
			if !regexp.MustCompile(`(?m)^//\t(.*, )?` + name + `\b`).MatchString(comment) {
				t.Errorf("%s is not in the package's comment", f.GetName())
			}
		}
		for _, line := range regexp.MustCompile(`(?m)^//\t([a-z_]+(?:, [a-z_]+)*)(?:  |$)`).FindAllStringSubmatch(comment, -1) {
			for name := range strings.SplitSeq(line[1], ", ") {
				if !shown[name] {
					t.Errorf("the scene has no %s", name)
				}
			}
		}
	})
}

func TestNoKeyShows(t *testing.T) {
	inScene(t, func(t *testing.T, b *bed) {
		page := b.text(t)
		for _, key := range []string{deadKey, "k-studio", "k-acme", "canary"} {
			if bytes.Contains(page, []byte(key)) {
				t.Errorf("%q shows", key)
			}
		}
	})
}

// TestFailuresWithinAPurchaseCountApart: an order that was full at another moment hides none of them.
func TestFailuresWithinAPurchaseCountApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, geminitest.Config{Projects: []geminitest.Project{{
			ID: "prod", Keys: []string{"k-prod"}, Orders: []geminitest.Order{{Model: flash, Location: "eu", GSUs: 1}},
		}}}, pool.Config{Projects: []pool.Project{{
			Name: "prod", Backend: pool.BackendVertex, Locations: []string{"eu"}, Keys: []pool.Secret{pool.NewSecret("k-prod")},
			Provisioned: []pool.Order{{Model: flash, Location: "eu", GSUs: 1}},
		}}})
		b.Script(geminitest.Match{Traffic: "dedicated"}, geminitest.Unavailable())
		b.call(t, flash)
		want := map[string]float64{}
		for purchase, n := range map[string]float64{"below": 1, "above": 0} {
			want[fmt.Sprintf("spillway_order_failed_total{location=\"eu\",model=%q,project=\"prod\",purchase=%q}", flash, purchase)] = n
		}
		if diff := cmp.Diff(want, b.values(t, "spillway_order_failed_total")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestOrdersThatFollowEachOtherAreOneSeries: a counter goes on over the change, and an order that is not
// in force has nothing that it could use.
func TestOrdersThatFollowEachOtherAreOneSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		change := time.Now().Add(time.Hour)
		b := newBed(t, geminitest.Config{Projects: []geminitest.Project{{
			ID: "prod", Keys: []string{"k-prod"}, Orders: []geminitest.Order{{Model: flash, Location: "eu", GSUs: 2}},
		}}}, pool.Config{Projects: []pool.Project{{
			Name: "prod", Backend: pool.BackendVertex, Locations: []string{"eu"}, Keys: []pool.Secret{pool.NewSecret("k-prod")},
			Provisioned: []pool.Order{
				{Model: flash, Location: "eu", GSUs: 2, From: change, Until: change.Add(time.Hour), Window: 10 * time.Second},
				{Model: flash, Location: "eu", GSUs: 1, Until: change, Window: 10 * time.Second},
			},
		}}})
		labels := fmt.Sprintf("{location=\"eu\",model=%q,project=\"prod\"}", flash)
		b.call(t, flash)
		for _, step := range []struct {
			after            time.Duration
			capacity, served float64 // a capacity of zero is none
		}{{0, 6750, 1}, {time.Hour, 13500, 2}, {time.Second, 13500, 3}, {2 * time.Hour, 0, 4}} {
			time.Sleep(step.after)
			got := b.values(t, "spillway_order_")
			capacity, shown := got["spillway_order_capacity_tokens"+labels]
			_, ratio := got["spillway_order_used_ratio"+labels]
			if capacity != step.capacity || shown != (step.capacity > 0) || ratio != shown {
				t.Errorf("after %v: the capacity is %v (%v)", step.after, capacity, shown)
			}
			if served := got["spillway_order_served_total"+labels]; served != step.served {
				t.Errorf("after %v: %v calls were served, want %v", step.after, served, step.served)
			}
			b.call(t, flash)
		}
	})
}

// TestModelsThatCallersMakeUpFillNoPrometheus: each would be a series of every metric of an endpoint.
func TestModelsThatCallersMakeUpFillNoPrometheus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google, p := studio()
		b := newBed(t, google, p)
		b.Keep(geminitest.Match{Model: "made-up-*"}, geminitest.ModelMissing("made-up", "generateContent"))
		for i := range 300 {
			b.call(t, fmt.Sprintf("made-up-%d", i))
		}
		b.call(t, flash)
		for _, f := range b.families(t) {
			if n := len(f.GetMetric()); n > 102 {
				t.Errorf("%s has %d series", f.GetName(), n)
			}
		}
		served := fmt.Sprintf("spillway_attempts_total{class=\"ok\",location=\"global\",method=\"generate\",model=%q,project=\"studio\",traffic=\"on_demand\"}", flash)
		if got := b.values(t, "spillway_attempts_total"); got[served] != 1 {
			t.Errorf("a model that answers does not count: %v", got)
		}
	})
}

func TestPausesAreShown(t *testing.T) {
	inScene(t, func(t *testing.T, b *bed) {
		if err := b.router.Pause("project:studio", 0, "a drill"); err != nil {
			t.Fatal(err)
		}
		got := b.values(t, "spillway_cooldown_")
		const labels = `{class="paused",kind="project",subject="project:studio"}`
		if got["spillway_cooldown_active"+labels] != 1 {
			t.Errorf("a pause is missing in %v", got)
		}
		if _, left := got["spillway_cooldown_remaining_seconds"+labels]; left {
			t.Error("a pause without an end has time left")
		}
	})
}

func TestTheResponseCacheShows(t *testing.T) {
	inScene(t, func(t *testing.T, b *bed) {
		for name, want := range map[string]float64{"cache_hits_total": 2, "cache_misses_total": 1, "cache_entries": 1, "cache_limit_bytes": 64 << 20} {
			got := b.values(t, "spillway_"+name)
			if diff := cmp.Diff(map[string]float64{"spillway_" + name + `{model="",namespace=""}`: want}, got); diff != "" {
				t.Error(diff)
			}
		}
	})
}
