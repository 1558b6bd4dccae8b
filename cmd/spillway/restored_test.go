package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// startRouter returns a router of a file whose variables are their own names.
func startRouter(t *testing.T, file string, google http.RoundTripper) *router.Router {
	t.Helper()
	cfg, err := config.Parse("test", []byte(file), config.WithEnv(func(name string) (string, bool) { return name, true }))
	if err != nil {
		t.Fatal(err)
	}
	r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(google))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// generate calls a model once.
func generate(t *testing.T, r *router.Router, model string) int {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1beta/models/"+model+":generateContent", strings.NewReader(hello))
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// printed is the state of a router as `spillway status` prints it.
func printed(t *testing.T, r *router.Router) string {
	t.Helper()
	text, err := json.Marshal(snapshotOf(r))
	if err != nil {
		t.Fatal(err)
	}
	var s snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	s.print(&b, "http://sidecar", view{})
	return b.String()
}

// row returns the first line that begins with the words.
func row(table string, words ...string) string {
lines:
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		for i, w := range words {
			if i >= len(fields) || fields[i] != w {
				continue lines
			}
		}
		return line
	}
	return ""
}

const twoKeys = `
[router]
max_wait = "0s"
state = "FILE"

[[project]]
name = "a"
backend = "gemini"
keys = ["env:KEY_A", "env:DEAD"]

[[project]]
name = "b"
backend = "gemini"
keys = ["env:KEY_B"]
priority = 1
`

// googleOf is a Google of those two projects, the first with a quota of so many requests a day.
func googleOf(rpd int) *geminitest.Emulator {
	return geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "a", Keys: []string{"KEY_A"}, Limits: []geminitest.Limit{{RPD: rpd}}}, {ID: "b", Keys: []string{"KEY_B"}},
	}})
}

func TestStatusShowsWhatIsRestoredBeforeTheFirstCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := strings.Replace(twoKeys, "FILE", filepath.Join(t.TempDir(), "state"), 1)
		google := googleOf(4)
		first := startRouter(t, file, google)
		for range 6 {
			if code := generate(t, first, "gemini-2.5-flash"); code != http.StatusOK {
				t.Fatalf("a call gets %d", code)
			}
		}
		before := printed(t, first)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		asked := len(google.Requests())
		second := startRouter(t, file, google)
		defer func() { _ = second.Close() }()
		after := printed(t, second)
		for _, words := range [][]string{
			{"gemini-2.5-flash", "1", "a/global/on_demand", "0", "0", "free_day", "until"}, {"Google", "says:"}, {"gemini-2.5-flash", "2", "b/global/on_demand", "0", "0", "ready"},
		} {
			if got, want := row(after, words...), row(before, words...); want == "" || got != want {
				t.Errorf("of %v\nbefore the restart\n%s\nafter it, without a call,\n%s", words, before, after)
			}
		}
		if n := len(google.Requests()); n != asked {
			t.Errorf("Google was asked %d times for a status", n-asked)
		}
	})
}

func TestStatusNumbersAndMomentsAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRouter(t, strings.Replace(twoKeys, `state = "FILE"`, "", 1), googleOf(4))
		defer func() { _ = r.Close() }()
		for range 6 {
			generate(t, r, "gemini-2.5-flash")
		}
		words := []string{"gemini-2.5-flash", "1", "a/global/on_demand"}
		if got := row(printed(t, r), words...); !strings.Contains(got, "rpd 4 of 4") || !strings.Contains(got, "free_day until 2000-01-01 08:00:0") {
			t.Errorf("of a day that is used up it says %s", got)
		}
		if got := row(printed(t, r), words...); !strings.Contains(got, ", tried again at 2000-01-01 00:") {
			t.Errorf("before the probe is due it says %s", got)
		}
		time.Sleep(4 * time.Hour)
		if got := row(printed(t, r), words...); !strings.Contains(got, ", tried again with the next call") || strings.Contains(got, "tried again at") {
			t.Errorf("when the probe is overdue it says %s", got)
		}
	})
}

func TestMomentsThatHavePassedAreNotAnnounced(t *testing.T) {
	now := time.Date(2026, 11, 25, 23, 24, 0, 0, time.UTC)
	past, next := now.Add(-10*time.Minute), now.Add(10*time.Minute)
	for _, tt := range []struct {
		endpoint endpointSnapshot
		want     string
	}{
		{endpointSnapshot{}, "ready"},
		{endpointSnapshot{Limits: []limitSnapshot{{Name: "rpm", Used: 3, Limit: 4}}}, "ready, rpm 3 of 4"},
		{endpointSnapshot{Limits: []limitSnapshot{{Name: "rpm", Used: 4, Limit: 4}}}, "limit reached, rpm 4 of 4"},
		{endpointSnapshot{Limits: []limitSnapshot{{Name: "rpm", Used: 3, Limit: 4, From: "discovered"}}}, "ready, rpm 3 of 4 (discovered)"},
		{endpointSnapshot{Limits: []limitSnapshot{{Name: "rpm", Used: 3, Limit: 4, From: "declared"}}}, "ready, rpm 3 of 4"},
		{endpointSnapshot{Order: &orderSnapshot{Used: 10, Capacity: 10}}, "order full, order used to 100 %, 0 served, 0 refused"},
		{endpointSnapshot{Cooldown: &cooldownSnapshot{Class: "billing", Probe: past}}, "billing, tried again with the next call"},
		{endpointSnapshot{Cooldown: &cooldownSnapshot{Class: "billing", Probe: next}}, "billing, tried again at 2026-11-25 23:34:00Z"},
		{endpointSnapshot{Cooldown: &cooldownSnapshot{Class: "contention", Until: past}}, "contention, tried again with the next call"},
		{endpointSnapshot{Cooldown: &cooldownSnapshot{Class: "contention", Until: next}}, "contention until 2026-11-25 23:34:00Z"},
		{endpointSnapshot{Breaker: &breakerSnapshot{"open", next}}, "breaker_open until 2026-11-25 23:34:00Z"},
		{endpointSnapshot{Breaker: &breakerSnapshot{"open", past}}, "breaker_open, tried again with the next call"},
		{endpointSnapshot{Breaker: &breakerSnapshot{"half_open", time.Time{}}}, "breaker_half_open"},
	} {
		if got := strings.Join(tt.endpoint.notes(now), ", "); got != tt.want {
			t.Errorf("it says %q, want %q", got, tt.want)
		}
	}
}

func TestWordsOfOthersDoNotCommandTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := googleOf(0)
		google.Keep(geminitest.Match{Project: "a"}, geminitest.Answer{Status: http.StatusTooManyRequests, Body: []byte(`{"error":{"code":429,
			"message":"\u001b[2J\u009bmYou exceeded\u0007 your current quota\u202e","status":"RESOURCE_EXHAUSTED","details":[
			{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m","quotaId":"GenerateRequestsPerDay\u001b]0;x\u0007\tPer","quotaValue":"4"}]}]}}`)})
		r := startRouter(t, strings.Replace(twoKeys, `state = "FILE"`, "", 1), google)
		defer func() { _ = r.Close() }()
		generate(t, r, "gemini-2.5-flash")
		text, err := json.Marshal(snapshotOf(r))
		if err != nil {
			t.Fatal(err)
		}
		for name, shown := range map[string]string{"JSON": string(text), "table": printed(t, r)} {
			if strings.ContainsFunc(strings.ReplaceAll(shown, "\n", ""), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e }) ||
				strings.Contains(shown, `\u001b`) || !strings.Contains(shown, "You exceeded") {
				t.Errorf("the %s is %q", name, shown)
			}
		}
	})
	// A sidecar that is none, or an older one, says what it likes.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"backend":"\u001b[2J","projects":[{"name":"a\u009b2J\nready","keys":[{"key":"\u001bc","cooldown":{"class":"\u0007","quota":"\u001b","message":"\r"}}]}],
			"endpoints":[{"model":"\u001b","endpoint":"\u001b","breaker":{"state":"\u001b"},"limits":[{"name":"\u001b"}]}]}`))
	}))
	defer server.Close()
	code, text := transcript(t.Context(), "status", server.URL)
	if code != statusOK || strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), unicode.IsControl) || strings.Contains(text, "\nready") {
		t.Errorf("status prints %q", text)
	}
}
