package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestCheckShowsTheLadderWithItsPrices(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spillway.toml")
	text := `[[project]]
name            = "prod"
backend         = "vertex"
credentials     = "none"
on_demand       = ["standard", "priority"]
batch_on_demand = ["flex", "standard"]

[[project]]
name        = "jobs"
backend     = "vertex"
credentials = "none"
priority    = 1
labels      = ["migration-*"]
on_demand   = ["flex", "priority"]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if code := check(t.Context(), []string{file, "gemini-3.5-flash"}, &out, &errs); code != statusOK {
		t.Fatalf("%d: %s", code, errs.String())
	}
	for _, want := range []string{
		"tier 1   prod/global/on_demand_flex               batch calls first, 0.5 × the standard price: $0.75 in, $4.50 out a million tokens",
		"tier 2   prod/global/on_demand                    the standard price: $1.50 in, $9.00 out a million tokens",
		"tier 3   prod/global/on_demand_priority           interactive calls, 1.8 × the standard price: $2.70 in, $16.20 out a million tokens",
		"tier 4   jobs/global/on_demand_flex               only calls labelled migration-*, 0.5 × the standard price: $0.75 in, $4.50 out a million tokens",
		"tier 5   jobs/global/on_demand                    only calls labelled migration-*, calls that name it, the standard price: $1.50 in, $9.00 out a million tokens",
		"tier 6   jobs/global/on_demand_priority           only calls labelled migration-*, interactive calls, 1.8 × the standard price: $2.70 in, $16.20 out a million tokens",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if code := check(t.Context(), []string{file, "gemini-3.5-flash", "--json"}, &out, &errs); code != statusOK {
		t.Fatal(code)
	}
	var got checked
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if p := got.Models[0].Tiers[0][0].Price; p == nil || *p != (tierPrice{0.5, 0.75, 4.5}) {
		t.Errorf("flex costs %+v", p)
	}
	var calls []string
	for _, e := range slices.Concat(got.Models[0].Tiers...) {
		calls = append(calls, e.Calls)
	}
	if !slices.Equal(calls, []string{"batch", "", "interactive", "", "named", "interactive"}) || !slices.Equal(got.Projects[1].Labels, []string{"migration-*"}) {
		t.Errorf("the steps are for %q, the projects %+v", calls, got.Projects)
	}
}

func TestPricesAreOfShortPromptsAndOnlyWhatIsKnown(t *testing.T) {
	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	vertex := pool.Endpoint{Backend: pool.BackendVertex, Location: "eu", Traffic: pool.TrafficPriority}
	for model, want := range map[string]string{
		"gemini-3.1-pro-preview": "1.98 × the standard price: $3.96 in, $23.76 out a million tokens",
		"gemini-99":              "1.98 × the standard price",
	} {
		if p, ok := priceOf(model, &vertex, at); !ok || p.words() != want {
			t.Errorf("%s: %q, want %q", model, p.words(), want)
		}
	}
	if p, ok := priceOf("gemini-3.5-flash", &pool.Endpoint{Traffic: pool.TrafficProvisioned}, at); ok {
		t.Errorf("an order costs %+v", p)
	}
}

func TestExplainTellsBatchCallsApartAndStatusWhatWasDowngraded(t *testing.T) {
	const file = `[[project]]
name            = "studio"
backend         = "gemini"
keys            = ["env:KEY"]
on_demand       = ["priority"]
batch_on_demand = ["flex", "standard"]
`
	cfg, err := config.Parse("test", []byte(file), config.WithEnv(func(string) (string, bool) { return "the-key", true }))
	if err != nil {
		t.Fatal(err)
	}
	google := geminitest.New(geminitest.Config{
		Projects: []geminitest.Project{{ID: "studio", Keys: []string{"the-key"}}}, Capacity: []geminitest.Capacity{{Tier: "priority"}},
	})
	r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(google))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(newSidecar(r, defaultListen, config.Serve{}, slog.New(slog.DiscardHandler)))
	t.Cleanup(func() {
		server.Close()
		_ = r.Close()
	})
	for flag, want := range map[string]string{"": "studio/global/on_demand_priority", "--batch": "studio/global/on_demand_flex"} {
		args := []string{"explain", "gemini-3.5-flash", server.URL}
		if flag != "" {
			args = append(args, flag)
		}
		if code, text := typed(t, args...); code != statusOK || !strings.Contains(text, "would go to "+want) {
			t.Errorf("%v: %d %s", args, code, text)
		}
	}
	o := operated{Server: server}
	if resp := o.post(t, "gemini-3.5-flash"); resp.StatusCode != http.StatusOK || resp.Header.Get("Spillway-Traffic") != "on_demand" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	if _, text := typed(t, "status", server.URL); !strings.Contains(text, "1 of 1 call answered at another service tier") {
		t.Errorf("status says\n%s", text)
	}
}

func TestExplainKnowsThatALabelHasAccountsOfItsOwn(t *testing.T) {
	const file = `[[project]]
name    = "studio"
backend = "gemini"
keys    = ["env:KEY"]

[[project]]
name    = "apart"
backend = "gemini"
keys    = ["env:OTHER"]
labels  = ["migration-*"]
`
	cfg, err := config.Parse("test", []byte(file), config.WithEnv(func(name string) (string, bool) { return "the-key-of-" + name, true }))
	if err != nil {
		t.Fatal(err)
	}
	r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(geminitest.New(geminitest.Config{})))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(newSidecar(r, defaultListen, config.Serve{}, slog.New(slog.DiscardHandler)))
	t.Cleanup(func() {
		server.Close()
		_ = r.Close()
	})
	for label, want := range map[string]string{
		"": ": a call would go to studio/", "migration-1": ": a call with the label migration-1 would go to apart/", "other": " with the label other would go to studio/",
		"a\nb": "would be refused",
	} {
		code, text := typed(t, "explain", "gemini-3.5-flash", server.URL, "--batch=false", "--label", label)
		if (code == statusOK) == (label == "a\nb") || !strings.Contains(text, want) {
			t.Errorf("%q: %d %s", label, code, text)
		}
	}
}
