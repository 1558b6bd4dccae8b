package geminitest_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
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

// sdkClients returns an unmodified SDK client for each back end. A base of "" means Google's own hosts.
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

// exercise makes every emulated method through the SDK.
func exercise(t *testing.T, name string, client *genai.Client) {
	t.Helper()
	ctx := t.Context()
	resp, err := client.Models.GenerateContent(ctx, flash, genai.Text("How high is the dam?"), nil)
	if err != nil {
		t.Fatal(err)
	}
	u := resp.UsageMetadata
	if u.PromptTokenCount != 5 || u.CandidatesTokenCount != 20 || u.TotalTokenCount != 25 || len(u.PromptTokensDetails) != 1 {
		t.Errorf("usage %+v, want 5 + 20 = 25", u)
	}
	if got, want := u.TrafficType, map[string]genai.TrafficType{"vertex": genai.TrafficTypeOnDemand}[name]; got != want {
		t.Errorf("trafficType %q, want %q", got, want)
	}
	if resp.ModelVersion != flash || resp.ResponseID == "" || resp.Candidates[0].FinishReason != genai.FinishReasonStop || len(resp.Text()) != 79 {
		t.Errorf("answer %+v", resp)
	}

	var streamed strings.Builder
	var chunks []*genai.GenerateContentResponse
	for chunk, err := range client.Models.GenerateContentStream(ctx, flash, genai.Text("How high is the dam?"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		streamed.WriteString(chunk.Text())
		chunks = append(chunks, chunk)
	}
	if len(chunks) < 3 {
		t.Fatalf("%d chunks, want several", len(chunks))
	}
	if streamed.String() != resp.Text() {
		t.Errorf("streamed %q, want the text of the whole answer %q", streamed.String(), resp.Text())
	}
	last := chunks[len(chunks)-1]
	if last.Candidates[0].FinishReason != genai.FinishReasonStop || last.UsageMetadata.TotalTokenCount != 25 {
		t.Errorf("last chunk %+v", last)
	}
	for _, chunk := range chunks[:len(chunks)-1] {
		if chunk.Candidates[0].FinishReason != "" {
			t.Error("an event before the last has a finishReason")
		}
		if name == "vertex" && (chunk.UsageMetadata.TrafficType != genai.TrafficTypeOnDemand || chunk.UsageMetadata.TotalTokenCount != 0) {
			t.Errorf("early usage %+v, want the traffic type without counts", chunk.UsageMetadata)
		}
	}

	count, err := client.Models.CountTokens(ctx, flash, genai.Text("How high is the dam?"), nil)
	if err != nil || count.TotalTokens != 5 {
		t.Errorf("CountTokens = %v, %v; want 5", count, err)
	}
	for _, model := range []string{"gemini-embedding-001", "text-embedding-005"} {
		size := int32(16)
		embedded, err := client.Models.EmbedContent(ctx, model, genai.Text("water"), &genai.EmbedContentConfig{OutputDimensionality: &size})
		if err != nil || len(embedded.Embeddings) != 1 || len(embedded.Embeddings[0].Values) != 16 {
			t.Errorf("EmbedContent(%s) = %+v, %v; want one vector of 16", model, embedded, err)
		}
	}
	model, err := client.Models.Get(ctx, flash, nil)
	if err != nil || !strings.HasSuffix(model.Name, "models/"+flash) {
		t.Errorf("Get = %+v, %v", model, err)
	}
	var names []string
	for model, err := range client.Models.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, model.Name[strings.LastIndex(model.Name, "/")+1:])
	}
	if !slices.Equal(names, geminitest.DefaultModels()) {
		t.Errorf("models %v", names)
	}
	page, err := client.Models.List(ctx, &genai.ListModelsConfig{PageSize: 3})
	if err != nil || len(page.Items) != 3 || page.NextPageToken == "" {
		t.Errorf("a page of 3 = %+v, %v", page, err)
	}

	_, err = client.Models.GenerateContent(ctx, "gemini-none", genai.Text("hi"), nil)
	var apiError genai.APIError
	if !errors.As(err, &apiError) || apiError.Code != 404 || apiError.Status != "NOT_FOUND" {
		t.Errorf("a missing model gives %v, want Google's 404", err)
	}
	for _, err := range client.Models.GenerateContentStream(ctx, "gemini-none", genai.Text("hi"), nil) {
		if !errors.As(err, &apiError) || apiError.Code != 404 {
			t.Errorf("a missing model gives %v to a stream, want Google's 404", err)
		}
	}
}

func TestSDKWorksInMemoryOnBothBackEnds(t *testing.T) {
	for _, lf := range []bool{false, true} {
		cfg := twoBackends()
		cfg.LF = lf
		google := geminitest.New(cfg)
		for name, client := range sdkClients(t, google, "") {
			t.Run(name, func(t *testing.T) { exercise(t, name, client) })
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
		t.Run(name, func(t *testing.T) { exercise(t, name, client) })
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
