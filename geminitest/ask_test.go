package geminitest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// ask is one request, made by hand.
type ask struct {
	method  string // "generateContent" if empty
	url     string // instead of the model's
	key     string
	token   string
	project string // Vertex AI
	where   string // location, which makes it a call to Vertex AI
	traffic string
	model   string
	text    string
	max     int
	body    string // instead of one made of text and max
	verb    string
}

// hostFor is the host of a location, written down apart from the emulator's own idea of it.
func hostFor(location string) string {
	switch location {
	case "":
		return "generativelanguage.googleapis.com"
	case "global":
		return "aiplatform.googleapis.com"
	case "us", "eu":
		return "aiplatform." + location + ".rep.googleapis.com"
	}
	return location + "-aiplatform.googleapis.com"
}

func (a ask) request(ctx context.Context) *http.Request {
	if a.method == "" {
		a.method = "generateContent"
	}
	if a.model == "" {
		a.model = flash
	}
	if a.url == "" {
		a.url = "https://" + hostFor(a.where) + "/v1beta/models/" + a.model + ":" + a.method
		if a.where != "" {
			a.url = "https://" + hostFor(a.where) + "/v1/projects/" + a.project + "/locations/" + a.where + "/publishers/google/models/" + a.model + ":" + a.method
		}
		if a.method == "streamGenerateContent" {
			a.url += "?alt=sse"
		}
	}
	if a.body == "" {
		if a.text == "" {
			a.text = "hi"
		}
		text, _ := json.Marshal(a.text)
		a.body = fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":%s}]}],"generationConfig":{"maxOutputTokens":%d}}`, text, a.max)
	}
	if a.verb == "" {
		a.verb = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, a.verb, a.url, strings.NewReader(a.body))
	if err != nil {
		panic(err)
	}
	if a.key != "" {
		r.Header.Set("X-Goog-Api-Key", a.key)
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	if a.traffic != "" {
		r.Header.Set("X-Vertex-Ai-Llm-Request-Type", a.traffic)
	}
	return r
}

// reply is what came back.
type reply struct {
	status  int
	header  http.Header
	body    string
	err     error
	readErr error
}

// do sends the request and reads the whole answer.
func (a ask) do(ctx context.Context, rt http.RoundTripper) reply {
	resp, err := rt.RoundTrip(a.request(ctx))
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: string(body), readErr: err}
}

// problem is the error of an answer.
type problem struct {
	Error struct {
		Code    int
		Message string
		Status  string
		Details []struct {
			Type       string `json:"@type"`
			Reason     string
			RetryDelay string
			Violations []struct{ QuotaID, QuotaMetric, QuotaValue string }
		}
	}
}

func (r reply) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("status %d, error %v, no JSON: %q", r.status, r.err, r.body)
	}
	return p
}

// decode reads a good answer.
func (r reply) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), into); err != nil || r.status != 200 {
		t.Fatalf("status %d, error %v: %q", r.status, r.err, r.body)
	}
}

// retry is the delay of RetryInfo, 0 if there is none.
func (r reply) retry(t *testing.T) time.Duration {
	t.Helper()
	for _, d := range r.problem(t).Error.Details {
		if d.RetryDelay != "" {
			delay, err := time.ParseDuration(d.RetryDelay)
			if err != nil {
				t.Fatal(err)
			}
			return delay
		}
	}
	return 0
}

// quotas are the ids of the violated quotas, with their values.
func (r reply) quotas(t *testing.T) []string {
	t.Helper()
	var ids []string
	for _, d := range r.problem(t).Error.Details {
		for _, v := range d.Violations {
			ids = append(ids, v.QuotaID+"="+v.QuotaValue)
		}
	}
	return ids
}

// served is the trafficType of an answer.
func (r reply) served(t *testing.T) string {
	t.Helper()
	var answer struct{ UsageMetadata struct{ TrafficType string } }
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
		t.Fatalf("status %d, error %v, no JSON: %q", r.status, r.err, r.body)
	}
	return answer.UsageMetadata.TrafficType
}

// one is an emulator with one project.
func one(p geminitest.Project) *geminitest.Emulator {
	if p.ID == "" {
		p.ID = "acme"
	}
	p.Keys, p.Tokens = append(p.Keys, "key-1"), append(p.Tokens, "token-1")
	return geminitest.New(geminitest.Config{Projects: []geminitest.Project{p}})
}
