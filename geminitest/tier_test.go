package geminitest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

var hosts = map[string]string{
	"global": "aiplatform.googleapis.com", "eu": "aiplatform.eu.rep.googleapis.com",
	"europe-west4": "europe-west4-aiplatform.googleapis.com",
}

// tiered asks the emulator at a service tier, and returns the status, the trafficType and the tier that
// the header names.
func tiered(t *testing.T, em *geminitest.Emulator, backend, location, tier string) (status int, traffic, header string) {
	t.Helper()
	body := `{"contents":[{"role":"user","parts":[{"text":"four score and seven years"}]}]}`
	address := "https://generativelanguage.googleapis.com/v1beta/models/gemini-3.5-flash:generateContent"
	if backend == "vertex" {
		address = "https://" + hosts[location] + "/v1/projects/p/locations/" + location +
			"/publishers/google/models/gemini-3.5-flash:generateContent"
	} else if tier != "" {
		body = strings.Replace(body, "{", `{"serviceTier":"`+tier+`",`, 1)
	}
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Goog-Api-Key", "key")
	if backend == "vertex" {
		req.Header.Set("X-Vertex-Ai-Llm-Request-Type", "shared")
		req.Header.Set("X-Vertex-Ai-Llm-Shared-Request-Type", tier)
	}
	resp, err := em.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	all := em.Requests()
	return resp.StatusCode, all[len(all)-1].Served, resp.Header.Get("X-Gemini-Service-Tier")
}

func TestServiceTiersAreSoldWhereTheyExistAndNamedInTheAnswer(t *testing.T) {
	for _, tt := range []struct{ backend, location, tier, traffic, header string }{
		{"vertex", "global", "flex", "ON_DEMAND_FLEX", ""},
		{"vertex", "eu", "flex", "ON_DEMAND", ""},
		{"vertex", "eu", "priority", "ON_DEMAND_PRIORITY", ""},
		{"vertex", "europe-west4", "priority", "ON_DEMAND", ""},
		{"vertex", "global", "", "ON_DEMAND", ""},
		{"gemini", "", "flex", "ON_DEMAND_FLEX", "flex"},
		{"gemini", "", "PRIORITY", "ON_DEMAND_PRIORITY", "priority"},
		{"gemini", "", "standard", "ON_DEMAND", "standard"},
		{"gemini", "", "", "", ""},
	} {
		em := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "p", Keys: []string{"key"}}}})
		status, traffic, header := tiered(t, em, tt.backend, tt.location, tt.tier)
		if status != http.StatusOK || traffic != tt.traffic || header != tt.header {
			t.Errorf("%+v: %d %q %q", tt, status, traffic, header)
		}
		asked := strings.ToLower(tt.tier)
		if asked == "" {
			asked = "none"
		}
		if n := em.Count(geminitest.Match{Tier: asked}); n != 1 {
			t.Errorf("%+v: %d calls are counted at %s", tt, n, asked)
		}
	}
}

func TestWhatIsTooMuchForATierIsDowngradedShedOrRefused(t *testing.T) {
	full := []geminitest.Capacity{
		{Location: "*", Tier: "flex"}, {Tier: "flex"}, {Location: "*", Tier: "priority"}, {Tier: "priority"},
	}
	for _, tt := range []struct {
		backend, tier string
		capacity      []geminitest.Capacity
		noFlex        []string
		status        int
		traffic       string
	}{
		{"vertex", "flex", full, nil, 503, ""},
		{"gemini", "flex", full, nil, 503, ""},
		{"vertex", "priority", full, nil, 200, "ON_DEMAND"},
		{"gemini", "priority", full, nil, 200, "ON_DEMAND"},
		{"vertex", "priority", append(full, geminitest.Capacity{Location: "*"}), nil, 429, ""},
		{"vertex", "", full, nil, 200, "ON_DEMAND"},
		{"vertex", "flex", nil, []string{"gemini-3.5-*"}, 400, ""},
		{"gemini", "flex", nil, []string{"gemini-3.5-*"}, 400, ""},
		{"vertex", "priority", nil, []string{"gemini-3.5-*"}, 200, "ON_DEMAND_PRIORITY"},
	} {
		em := geminitest.New(geminitest.Config{
			Projects: []geminitest.Project{{ID: "p", Keys: []string{"key"}}}, Capacity: tt.capacity, NoFlex: tt.noFlex,
		})
		if status, traffic, _ := tiered(t, em, tt.backend, "global", tt.tier); status != tt.status || traffic != tt.traffic {
			t.Errorf("%s %s: %d %q, want %d %q", tt.backend, tt.tier, status, traffic, tt.status, tt.traffic)
		}
	}
}

func TestPriorityOfTheDeveloperAPIIsAPartOfTheLimitAndCountsInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		em := geminitest.New(geminitest.Config{
			Projects: []geminitest.Project{{ID: "p", Keys: []string{"key"}, Limits: []geminitest.Limit{{RPM: 10}}}},
		})
		served := map[string]int{}
		for range 12 {
			_, traffic, _ := tiered(t, em, "gemini", "", "priority")
			served[traffic]++
		}
		if served["ON_DEMAND_PRIORITY"] != 3 || served["ON_DEMAND"] != 7 || served[""] != 2 {
			t.Errorf("served %v, want 3 at priority, 7 at standard, 2 refused", served)
		}
	})
}

func TestPriorityOfVertexAIGrowsWithSustainedUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tokens = 7 // of a call
		em := geminitest.New(geminitest.Config{
			Projects: []geminitest.Project{{ID: "p", Keys: []string{"key"}}}, PriorityTokens: 10 * tokens,
		})
		inMinute := func() (n int) {
			for range 20 {
				if _, traffic, _ := tiered(t, em, "vertex", "global", "priority"); traffic == "ON_DEMAND_PRIORITY" {
					n++
				}
			}
			time.Sleep(time.Minute)
			return n
		}
		var got []int
		for range 12 {
			got = append(got, inMinute())
		}
		if got[0] != 10 || got[9] != 10 || got[10] != 15 {
			t.Errorf("calls at priority in each minute: %v, want 10, and 15 after ten minutes", got)
		}
		time.Sleep(3 * time.Hour)
		if n := inMinute(); n != 15 {
			t.Errorf("after a pause %d calls, want 15", n)
		}
	})
}
