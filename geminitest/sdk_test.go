package geminitest_test

import (
	"context"
	"net/http"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/sdktour"
)

const flash = "gemini-2.5-flash"

// twoBackends is one project that both back ends know.
func twoBackends() geminitest.Config {
	return geminitest.Config{Projects: []geminitest.Project{{ID: "acme", Keys: []string{"key-1"}, Tokens: []string{"token-1"}}}}
}

// withToken adds an access token, as the transport of Google's auth library does.
type withToken struct {
	base  http.RoundTripper
	token string
}

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.token)
	return t.base.RoundTrip(r)
}

// sdkClients returns an unmodified SDK client for each back end. A base of "" means Google's own
// hosts.
func sdkClients(t *testing.T, rt http.RoundTripper, base string) map[string]*genai.Client {
	t.Helper()
	clients := map[string]*genai.Client{}
	for name, cfg := range map[string]*genai.ClientConfig{
		"gemini": {Backend: genai.BackendGeminiAPI, APIKey: "key-1", HTTPClient: &http.Client{Transport: rt}},
		"vertex": {
			Backend: genai.BackendVertexAI, Project: "acme", Location: "europe-west4",
			HTTPClient: &http.Client{Transport: withToken{rt, "token-1"}},
		},
	} {
		cfg.HTTPOptions.BaseURL = base
		client, err := genai.NewClient(t.Context(), cfg)
		if err != nil {
			t.Fatalf("%s: NewClient failed", name) // its text may hold the key
		}
		clients[name] = client
	}
	return clients
}

func TestSDKWorksInMemoryOnBothBackEnds(t *testing.T) {
	for _, lf := range []bool{false, true} {
		cfg := twoBackends()
		cfg.LF = lf
		google := geminitest.New(cfg)
		for name, client := range sdkClients(t, google, "") {
			t.Run(name, func(t *testing.T) { sdktour.Basics(t, client, sdktour.Google{Models: geminitest.DefaultModels()}) })
		}
		if google.InFlight() != 0 || google.KeysInURL() != 0 {
			t.Errorf("in flight %d, keys in URLs %d; want none", google.InFlight(), google.KeysInURL())
		}
	}
}

func TestSDKWorksOverLoopbackOnBothBackEnds(t *testing.T) {
	google := geminitest.NewServer(t, twoBackends())
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for name, client := range sdkClients(t, transport, google.URL) {
		t.Run(name, func(t *testing.T) { sdktour.Basics(t, client, sdktour.Google{Models: geminitest.DefaultModels()}) })
	}
	if n := google.Count(geminitest.Match{Backend: "vertex", Location: "europe-west4", Method: "generateContent"}); n != 2 {
		t.Errorf("%d calls to europe-west4, want 2: on loopback the path tells the location", n)
	}
}

func TestSDKWorksInExpressMode(t *testing.T) {
	google := geminitest.New(twoBackends())
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{
		Backend: genai.BackendVertexAI, APIKey: "key-1", HTTPClient: google.Client(),
	})
	if err != nil {
		t.Fatal("NewClient failed")
	}
	if _, err := client.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), nil); err != nil {
		t.Error(err)
	}
	if n := google.Count(geminitest.Match{Project: "acme", Location: "global"}); n != 1 {
		t.Errorf("%d calls for the key's project in global, want 1", n)
	}
}

func TestThinkingAndLengthAreAsTheCallerWants(t *testing.T) {
	google := geminitest.New(geminitest.Config{Output: 30, Thoughts: 40, Projects: twoBackends().Projects})
	client := sdkClients(t, google, "")["gemini"]
	for name, c := range map[string]struct {
		max, budget, candidates int32
		text, thoughts          int32
		finish                  genai.FinishReason
	}{
		"unbounded":               {0, 0, 1, 30, 0, genai.FinishReasonStop},
		"room to spare":           {31, 0, 1, 30, 0, genai.FinishReasonStop},
		"cut short":               {7, 0, 1, 7, 0, genai.FinishReasonMaxTokens},
		"with thoughts":           {0, 12, 1, 30, 12, genai.FinishReasonStop},
		"with many thoughts":      {0, 35, 1, 30, 35, genai.FinishReasonStop},
		"with too many thoughts":  {0, 99, 1, 30, 40, genai.FinishReasonStop},
		"thoughts cost the text":  {20, 12, 1, 8, 12, genai.FinishReasonMaxTokens},
		"thoughts eat everything": {10, 12, 1, 0, 10, genai.FinishReasonMaxTokens},
		"two candidates":          {0, 0, 2, 60, 0, genai.FinishReasonStop},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := &genai.GenerateContentConfig{MaxOutputTokens: c.max, CandidateCount: c.candidates}
			if c.budget > 0 {
				cfg.ThinkingConfig = &genai.ThinkingConfig{ThinkingBudget: &c.budget}
			}
			check := func(resp *genai.GenerateContentResponse) {
				t.Helper()
				u := resp.UsageMetadata
				if u.CandidatesTokenCount != c.text || u.ThoughtsTokenCount != c.thoughts || u.TotalTokenCount != 1+c.text+c.thoughts {
					t.Errorf("usage %+v, want text %d, thoughts %d", u, c.text, c.thoughts)
				}
				if len(resp.Candidates) != int(c.candidates) || resp.Candidates[0].FinishReason != c.finish {
					t.Errorf("%d candidates, %s; want %d, %s", len(resp.Candidates), resp.Candidates[0].FinishReason, c.candidates, c.finish)
				}
			}
			resp, err := client.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), cfg)
			if err != nil {
				t.Fatal(err)
			}
			check(resp)
			var last *genai.GenerateContentResponse
			for chunk, err := range client.Models.GenerateContentStream(t.Context(), flash, genai.Text("hi"), cfg) {
				if err != nil {
					t.Fatal(err)
				}
				last = chunk
			}
			check(last)
		})
	}
}
