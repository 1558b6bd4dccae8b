package geminitest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

func TestRequestsTellWhatWasAskedAndServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := twoBackends()
		cfg.Bodies = true
		google := geminitest.New(cfg)
		ask{key: "key-1", text: "12345678"}.do(t.Context(), google)
		time.Sleep(time.Second)
		ask{token: "token-1", project: "acme", where: "eu", traffic: "shared", method: "streamGenerateContent"}.do(t.Context(), google)
		ask{token: "token-1", project: "acme", where: "eu", traffic: "dedicated", method: "countTokens"}.do(t.Context(), google)
		got := google.Requests()
		if len(got) != 3 {
			t.Fatalf("%d requests", len(got))
		}
		if r := got[0]; r.Backend != "gemini" || r.Key != "key-1" || r.Project != "acme" || r.Location != "" || r.Model != flash || r.Method != "generateContent" ||
			r.HTTPMethod != "POST" || r.Status != 200 || r.PromptTokens != 2 || r.OutputTokens != 20 || r.Served != "" || !strings.Contains(string(r.Body), "12345678") ||
			r.URL.Path != "/v1beta/models/gemini-2.5-flash:generateContent" || r.Header.Get("X-Goog-Api-Key") != "key-1" {
			t.Errorf("the first: %+v", r)
		}
		if r := got[1]; r.Backend != "vertex" || r.Key != "token-1" || r.Location != "eu" || r.Traffic != "shared" || r.Served != "ON_DEMAND" || r.OutputTokens != 20 ||
			r.Host != "aiplatform.eu.rep.googleapis.com" || r.Time.Sub(got[0].Time) != time.Second {
			t.Errorf("the second: %+v", r)
		}
		if r := got[2]; r.Traffic != "dedicated" || r.Served != "" || r.OutputTokens != 0 || r.Status != 200 {
			t.Errorf("the third: %+v", r)
		}
	})
}

func TestNoCredentialIsPrinted(t *testing.T) {
	cfg := twoBackends()
	cfg.Projects = append(cfg.Projects, geminitest.Project{ID: "twice", Keys: []string{"key-1", ""}})
	google := geminitest.New(twoBackends())
	ask{url: "https://generativelanguage.googleapis.com/v1beta/models/" + flash + ":generateContent?key=key-1"}.do(t.Context(), google)
	ask{token: "token-1", project: "acme", where: "eu"}.do(t.Context(), google)
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s", google.Requests(), google.Requests(), google.Requests(), google.Requests()), cfg.Validate().Error(),
	} {
		if strings.Contains(text, "key-1") || strings.Contains(text, "token-1") {
			t.Error("a credential is printed")
		}
	}
}

func TestLogKeepsTheNewestAndCountersKeepAll(t *testing.T) {
	for _, c := range []struct{ log, want int }{{3, 3}, {-1, 0}, {0, 10}} {
		cfg := twoBackends()
		cfg.Log = c.log
		google := geminitest.New(cfg)
		for i := range 10 {
			ask{key: "key-1", text: strings.Repeat("x", 4*(i+1))}.do(t.Context(), google)
		}
		var tokens []int
		for _, r := range google.Requests() {
			tokens = append(tokens, r.PromptTokens)
		}
		if want := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}[10-c.want:]; !slices.Equal(tokens, want) {
			t.Errorf("Log %d remembers %v, want %v", c.log, tokens, want)
		}
		if n := google.Count(geminitest.Match{}); n != 10 {
			t.Errorf("Log %d counts %d", c.log, n)
		}
	}
}

func TestCountsFollowWhatMatches(t *testing.T) {
	google := one(geminitest.Project{Limits: []geminitest.Limit{{Model: "*-lite", RPM: -1}}})
	ask{key: "key-1"}.do(t.Context(), google)
	ask{key: "key-1", model: "gemini-2.5-flash-lite"}.do(t.Context(), google)
	ask{key: "none"}.do(t.Context(), google)
	ask{token: "token-1", project: "acme", where: "eu"}.do(t.Context(), google)
	for _, c := range []struct {
		match        geminitest.Match
		status, want int
	}{
		{geminitest.Match{}, 200, 2}, {geminitest.Match{}, 429, 1}, {geminitest.Match{Key: "key-1"}, 429, 1}, {geminitest.Match{Key: "none"}, 400, 1},
		{geminitest.Match{Project: "acme"}, 400, 0}, {geminitest.Match{Model: "gemini-2.5-*"}, 200, 2}, {geminitest.Match{Backend: "vertex"}, 200, 1},
		{geminitest.Match{Location: "eu", Traffic: "none", Served: "ON_DEMAND"}, 200, 1}, {geminitest.Match{Method: "countTokens"}, 200, 0},
	} {
		if n := google.CountStatus(c.match, c.status); n != c.want {
			t.Errorf("%+v with %d: %d, want %d", c.match, c.status, n, c.want)
		}
	}
	google.Reset()
	if google.Count(geminitest.Match{}) != 0 || len(google.Requests()) != 0 {
		t.Error("Reset forgets nothing")
	}
}

func TestRequestsUnderWayAtResetAreNotCountedAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := slow()
		done := make(chan reply)
		go func() { done <- ask{key: "key-1"}.do(t.Context(), google) }()
		synctest.Wait()
		if google.Count(geminitest.Match{}) != 1 || google.CountStatus(geminitest.Match{}, 0) != 1 || google.InFlight() != 1 {
			t.Error("a request under way is counted, with status 0")
		}
		google.Reset()
		if r := <-done; r.status != 200 {
			t.Error(r.err)
		}
		if n := google.Count(geminitest.Match{}); n != 0 {
			t.Errorf("%d counted", n)
		}
	})
}

// TestEverythingAtOnce runs calls of all kinds against every control, for the race detector, and
// then checks the sums.
func TestEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := geminitest.New(geminitest.Config{
			Log: 100, Latency: geminitest.Latency{FirstToken: time.Second, PerToken: time.Millisecond, Jitter: 0.5},
			Capacity: []geminitest.Capacity{{Location: "eu", Requests: 20, RejectedCost: 0.1}},
			Projects: []geminitest.Project{{
				ID: "acme", Keys: []string{"key-1"}, Tokens: []string{"token-1"}, Limits: []geminitest.Limit{{RPM: 5, TPM: 1000}},
				Orders: []geminitest.Order{{Model: flash, Location: "europe-west4", GSUs: 1}},
			}},
		})
		calls := []ask{
			{key: "key-1"}, {key: "key-1", method: "streamGenerateContent"}, {key: "key-1", method: "countTokens"}, {key: "none"},
			{token: "token-1", project: "acme", where: "eu"}, {token: "token-1", project: "acme", where: "europe-west4"},
			{key: "key-1", verb: http.MethodGet, url: "https://generativelanguage.googleapis.com/v1beta/models"},
		}
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				for j := range 10 {
					r := calls[(i+j)%len(calls)].do(t.Context(), google)
					if r.err != nil || r.readErr != nil {
						t.Error(r.err, r.readErr)
					}
				}
			})
		}
		wg.Go(func() {
			for range 50 {
				google.Script(geminitest.Match{Method: "generateContent"}, geminitest.Overloaded())
				remove := google.Keep(geminitest.Match{Method: "streamGenerateContent"}, geminitest.QuotaUnknown().AfterEvents(1))
				mend := google.SetOutage(geminitest.Outage{Location: "eu"})
				google.Outage("", true)
				google.Revoke("key-1")
				_, _, _, _ = google.Requests(), google.Count(geminitest.Match{}), google.InFlight(), google.OrderUsage("acme", "europe-west4", flash)
				time.Sleep(100 * time.Millisecond)
				google.Restore("key-1")
				google.Outage("", false)
				mend()
				remove()
				time.Sleep(100 * time.Millisecond)
			}
		})
		wg.Wait()
		synctest.Wait()
		statuses := 0
		for _, status := range []int{200, 400, 429, 503} {
			n := google.CountStatus(geminitest.Match{}, status)
			if n == 0 {
				t.Errorf("no answer with %d: the calls do not reach everything", status)
			}
			statuses += n
		}
		if google.Count(geminitest.Match{}) != 400 || statuses != 400 || google.InFlight() != 0 || len(google.Requests()) != 100 {
			t.Errorf("%d counted, %d with a known status, %d in flight", google.Count(geminitest.Match{}), statuses, google.InFlight())
		}
	})
}
