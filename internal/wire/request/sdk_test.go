package request_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/genai"
	"google.golang.org/genai/interactions/models/operations"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// recorder answers every request with next to nothing and keeps what was asked and where it would
// go.
type recorder struct {
	target request.Target
	calls  []request.Call
	urls   []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	c := request.Parse(req.Method, req.URL, body)
	r.calls = append(r.calls, c)
	u := c.URL(r.target)
	if u == nil {
		r.urls = append(r.urls, "")
	} else {
		r.urls = append(r.urls, u.String())
	}
	h := http.Header{
		"X-Goog-Upload-Url":    {"https://generativelanguage.googleapis.com/upload/v1beta/files?key=K&upload_id=abc&upload_protocol=resumable"},
		"X-Goog-Upload-Status": {"final"},
	}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(bytes.NewReader([]byte(`{"file":{},"models":[],"tunedModels":[],"publisherModels":[]}`))), Request: req}, nil
}

// TestSDK drives genai's own client and checks what is read from the requests that it really
// builds, and their new addresses.
func TestSDK(t *testing.T) {
	const flash = "gemini-2.5-flash"
	ctx := context.Background()
	hi := genai.Text("hi")
	type row struct {
		name string
		call func(c *genai.Client)
		want request.Call // Backend and Version are filled in
		url  string       // after the version; {scope} is projects/acme/locations/europe-west4
	}
	generate := request.Call{Model: flash, Method: "generateContent", Generates: true, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 1}, Candidates: 1}}
	of := func(method, model, resource string, tokens int64) request.Call {
		return request.Call{Method: method, Model: model, Resource: resource, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: tokens}, Candidates: 1}}
	}
	stream := generate
	stream.Method, stream.Stream, stream.SSE = "streamGenerateContent", true, true
	full := generate
	full.Estimate.Prompt = pool.Prompt{Text: 9, Cached: true, Tools: true}
	full.Estimate.MaxOutput, full.Estimate.Candidates, full.Resource, full.Estimate.MaxThoughts = 77, 2, "cachedContents/9", 33
	tuned := func(name string) request.Call {
		return request.Call{Model: name, Resource: name, Method: "generateContent", Generates: true, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 1}, Candidates: 1}}
	}
	everything := &genai.GenerateContentConfig{
		MaxOutputTokens: 77, CandidateCount: 2, CachedContent: "cachedContents/9",
		ThinkingConfig:    &genai.ThinkingConfig{ThinkingBudget: new(int32(33))},
		SystemInstruction: genai.NewContentFromText("sys", genai.RoleUser),
		Tools:             []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "f"}}}},
	}

	tests := map[genai.Backend][]row{
		genai.BackendGeminiAPI: {
			{"generate", func(c *genai.Client) { c.Models.GenerateContent(ctx, flash, hi, nil) }, generate, "models/" + flash + ":generateContent"},
			{"generate, full name", func(c *genai.Client) { c.Models.GenerateContent(ctx, "publishers/google/models/"+flash, hi, nil) },
				generate, "models/" + flash + ":generateContent"},
			{"generate with everything", func(c *genai.Client) { c.Models.GenerateContent(ctx, "models/"+flash, hi, everything) },
				full, "models/" + flash + ":generateContent"},
			{"stream", func(c *genai.Client) {
				for range c.Models.GenerateContentStream(ctx, flash, hi, nil) {
					continue
				}
			}, stream, "models/" + flash + ":streamGenerateContent?alt=sse"},
			{"tuned model", func(c *genai.Client) { c.Models.GenerateContent(ctx, "tunedModels/x", hi, nil) }, tuned("tunedModels/x"), "tunedModels/x:generateContent"},
			{"count", func(c *genai.Client) { c.Models.CountTokens(ctx, flash, hi, nil) }, of("countTokens", flash, "", 1), "models/" + flash + ":countTokens"},
			{"embed", func(c *genai.Client) { c.Models.EmbedContent(ctx, "gemini-embedding-001", hi, nil) },
				of("batchEmbedContents", "gemini-embedding-001", "", 1), "models/gemini-embedding-001:batchEmbedContents"},
			{"get model", func(c *genai.Client) { c.Models.Get(ctx, flash, nil) }, of("models.get", flash, "", 0), "models/" + flash},
			{"list models", func(c *genai.Client) { c.Models.List(ctx, nil) }, of("models.list", "", "", 0), "models"},
			{"list tuned models", func(c *genai.Client) { c.Models.List(ctx, &genai.ListModelsConfig{QueryBase: new(false)}) },
				of("tunedModels.list", "", "tunedModels", 0), "tunedModels"},
			{"videos", func(c *genai.Client) {
				c.Models.GenerateVideosFromSource(ctx, "veo-3", &genai.GenerateVideosSource{Prompt: "cat"}, nil)
			}, of("predictLongRunning", "veo-3", "operations", 1), "models/veo-3:predictLongRunning"},
			{"video operation", func(c *genai.Client) {
				c.Operations.GetVideosOperation(ctx, &genai.GenerateVideosOperation{Name: "models/veo-3/operations/5"}, nil)
			}, of("operations.get", "veo-3", "operations/5", 0), "models/veo-3/operations/5"},
			{"get file", func(c *genai.Client) { c.Files.Get(ctx, "files/a", nil) }, of("files.get", "", "files/a", 0), "files/a"},
			{"list files", func(c *genai.Client) { c.Files.List(ctx, nil) }, of("files.list", "", "files", 0), "files"},
			{"delete file", func(c *genai.Client) { c.Files.Delete(ctx, "files/a", nil) }, of("files.delete", "", "files/a", 0), "files/a"},
			{"download file", func(c *genai.Client) {
				c.Files.Download(ctx, genai.NewDownloadURIFromFile(&genai.File{DownloadURI: "https://generativelanguage.googleapis.com/v1beta/files/a:download?alt=media"}), nil)
			}, of("files.download", "", "files/a", 0), "files/a:download?alt=media"},
			{"make cache", func(c *genai.Client) { c.Caches.Create(ctx, flash, nil) }, of("cachedContents.create", flash, "cachedContents", 1), "cachedContents"},
			{"get cache", func(c *genai.Client) { c.Caches.Get(ctx, "cachedContents/9", nil) }, of("cachedContents.get", "", "cachedContents/9", 0), "cachedContents/9"},
			{"update cache", func(c *genai.Client) { c.Caches.Update(ctx, "cachedContents/9", nil) }, of("cachedContents.update", "", "cachedContents/9", 0), "cachedContents/9"},
			{"delete cache", func(c *genai.Client) { c.Caches.Delete(ctx, "cachedContents/9", nil) }, of("cachedContents.delete", "", "cachedContents/9", 0), "cachedContents/9"},
			{"make batch", func(c *genai.Client) { c.Batches.Create(ctx, flash, &genai.BatchJobSource{FileName: "files/a"}, nil) },
				of("batchGenerateContent", flash, "files/a", 1), "models/" + flash + ":batchGenerateContent"},
			{"cancel batch", func(c *genai.Client) { c.Batches.Cancel(ctx, "batches/7", nil) }, of("batches.cancel", "", "batches/7", 0), "batches/7:cancel"},
			{"get tuning", func(c *genai.Client) { c.Tunings.Get(ctx, "tunedModels/x", nil) }, of("tunedModels.get", "", "tunedModels/x", 0), "tunedModels/x"},
			{"get document", func(c *genai.Client) { c.FileSearchStores.Documents.Get(ctx, "fileSearchStores/s/documents/d", nil) },
				of("documents.get", "", "fileSearchStores/s", 0), "fileSearchStores/s/documents/d"},
			{"get interaction", func(c *genai.Client) {
				c.Interactions.Get(ctx, operations.GetInteractionByIDRequest{ID: "int1", Stream: new(true)})
			}, request.Call{Method: "interactions.get", Resource: "interactions/int1", Stream: true, SSE: true, Estimate: pool.Estimate{Candidates: 1}}, "interactions/int1?stream=true"},
			{"cancel interaction", func(c *genai.Client) {
				c.Interactions.Cancel(ctx, operations.CancelInteractionByIDRequest{ID: "int1"})
			}, of("interactions.cancel", "", "interactions/int1", 0), "interactions/int1/cancel"},
		},
		genai.BackendVertexAI: {
			{"generate", func(c *genai.Client) { c.Models.GenerateContent(ctx, flash, hi, nil) }, generate, "{scope}/publishers/google/models/" + flash + ":generateContent"},
			{"generate with everything", func(c *genai.Client) {
				c.Models.GenerateContent(ctx, "publishers/google/models/"+flash, hi, everything)
			},
				full, "{scope}/publishers/google/models/" + flash + ":generateContent"},
			{"generate, short name", func(c *genai.Client) { c.Models.GenerateContent(ctx, "models/"+flash, hi, nil) }, generate, "{scope}/publishers/google/models/" + flash + ":generateContent"},
			{"stream", func(c *genai.Client) {
				for range c.Models.GenerateContentStream(ctx, flash, hi, nil) {
					continue
				}
			}, stream, "{scope}/publishers/google/models/" + flash + ":streamGenerateContent?alt=sse"},
			{"tuned endpoint", func(c *genai.Client) { c.Models.GenerateContent(ctx, "projects/p/locations/l/endpoints/33", hi, nil) },
				tuned("endpoints/33"), "{scope}/endpoints/33:generateContent"},
			{"count", func(c *genai.Client) { c.Models.CountTokens(ctx, flash, hi, nil) }, of("countTokens", flash, "", 1), "{scope}/publishers/google/models/" + flash + ":countTokens"},
			{"embed", func(c *genai.Client) { c.Models.EmbedContent(ctx, "gemini-embedding-001", hi, nil) },
				of("predict", "gemini-embedding-001", "", 1), "{scope}/publishers/google/models/gemini-embedding-001:predict"},
			{"get model", func(c *genai.Client) { c.Models.Get(ctx, flash, nil) }, of("models.get", flash, "", 0), "publishers/google/models/" + flash},
			{"get model of the registry", func(c *genai.Client) { c.Models.Get(ctx, "projects/p/locations/l/models/123", nil) },
				of("models.get", "models/123", "models/123", 0), "{scope}/models/123"},
			{"list models", func(c *genai.Client) { c.Models.List(ctx, nil) }, of("models.list", "", "", 0), "publishers/google/models"},
			{"list tuned models", func(c *genai.Client) { c.Models.List(ctx, &genai.ListModelsConfig{QueryBase: new(false)}) },
				of("models.list", "", "models", 0), "{scope}/models?filter=labels.tune-type:*"},
			{"videos", func(c *genai.Client) {
				c.Models.GenerateVideosFromSource(ctx, "veo-3", &genai.GenerateVideosSource{Prompt: "cat"}, nil)
			}, of("predictLongRunning", "veo-3", "operations", 1), "{scope}/publishers/google/models/veo-3:predictLongRunning"},
			{"video operation", func(c *genai.Client) {
				c.Operations.GetVideosOperation(ctx, &genai.GenerateVideosOperation{Name: "projects/p/locations/l/publishers/google/models/veo-3/operations/5"}, nil)
			}, of("fetchPredictOperation", "veo-3", "operations/5", 1), "{scope}/publishers/google/models/veo-3:fetchPredictOperation"},
			{"make cache", func(c *genai.Client) { c.Caches.Create(ctx, flash, nil) }, of("cachedContents.create", flash, "cachedContents", 1), "{scope}/cachedContents"},
			{"get cache by its full name", func(c *genai.Client) { c.Caches.Get(ctx, "projects/12/locations/us/cachedContents/9", nil) },
				of("cachedContents.get", "", "cachedContents/9", 0), "{scope}/cachedContents/9"},
			{"make batch", func(c *genai.Client) {
				c.Batches.Create(ctx, flash, &genai.BatchJobSource{Format: "jsonl", GCSURI: []string{"gs://b/c"}},
					&genai.CreateBatchJobConfig{Dest: &genai.BatchJobDestination{Format: "jsonl", GCSURI: "gs://b/d"}})
			}, of("batchPredictionJobs.create", flash, "batchPredictionJobs", 7), "{scope}/batchPredictionJobs"},
			{"get batch", func(c *genai.Client) { c.Batches.Get(ctx, "projects/p/locations/l/batchPredictionJobs/7", nil) },
				of("batchPredictionJobs.get", "", "batchPredictionJobs/7", 0), "{scope}/batchPredictionJobs/7"},
			{"get tuning", func(c *genai.Client) { c.Tunings.Get(ctx, "tuningJobs/4", nil) }, of("tuningJobs.get", "", "tuningJobs/4", 0), "{scope}/tuningJobs/4"},
			{"get interaction", func(c *genai.Client) {
				c.Interactions.Get(ctx, operations.GetInteractionByIDRequest{ID: "int1"})
			}, of("interactions.get", "", "interactions/int1", 0), "{scope}/interactions/int1"},
		},
	}
	for backend, rows := range tests {
		rec := &recorder{target: request.Target{Backend: pool.BackendGemini}}
		cfg := genai.ClientConfig{Backend: backend, APIKey: "spillway", HTTPClient: &http.Client{Transport: rec}}
		prefix := "https://generativelanguage.googleapis.com/v1beta/"
		version := "v1beta"
		if backend == genai.BackendVertexAI {
			cfg.APIKey, cfg.Project, cfg.Location = "", "spillway", "global"
			rec.target = request.Target{Backend: pool.BackendVertex, Project: "acme", Location: "europe-west4"}
			prefix, version = "https://europe-west4-aiplatform.googleapis.com/v1beta1/", "v1beta1"
		}
		client, err := genai.NewClient(ctx, &cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range rows {
			t.Run(string(rec.target.Backend)+"/"+tt.name, func(t *testing.T) {
				rec.calls, rec.urls = nil, nil
				tt.call(client)
				if len(rec.calls) == 0 {
					t.Fatal("no request")
				}
				want := tt.want
				want.Backend, want.Version = rec.target.Backend, version
				if diff := cmp.Diff(want, rec.calls[0], cmpopts.IgnoreUnexported(request.Call{}, request.Use{}), cmpopts.IgnoreFields(request.Call{}, "Resources", "Prefix", "Turns", "Use")); diff != "" {
					t.Errorf("call (-want +got):\n%s", diff)
				}
				if want := prefix + strings.ReplaceAll(tt.url, "{scope}", "projects/acme/locations/europe-west4"); rec.urls[0] != want {
					t.Errorf("URL  %s\nwant %s", rec.urls[0], want)
				}
			})
		}
	}
}

func TestSDKUpload(t *testing.T) {
	base, err := url.Parse("http://127.0.0.1:9090/emulator/")
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{target: request.Target{Backend: pool.BackendGemini, Base: base}}
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{Backend: genai.BackendGeminiAPI, APIKey: "spillway", HTTPClient: &http.Client{Transport: rec}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Files.Upload(context.Background(), strings.NewReader("x"), &genai.UploadFileConfig{MIMEType: "text/plain"}); err != nil {
		t.Fatal(err)
	}
	want := []request.Call{
		{Backend: pool.BackendGemini, Version: "v1beta", Method: "files.upload", Resource: "files", Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 1}, Candidates: 1}},
		{Backend: pool.BackendGemini, Version: "v1beta", Method: "files.upload", Resource: "uploads/abc", Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 1}, Candidates: 1}},
	}
	if diff := cmp.Diff(want, rec.calls, cmpopts.IgnoreUnexported(request.Call{}, request.Use{}), cmpopts.IgnoreFields(request.Call{}, "Resources", "Prefix", "Turns", "Use")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"http://127.0.0.1:9090/emulator/upload/v1beta/files",
		"http://127.0.0.1:9090/emulator/upload/v1beta/files?upload_id=abc&upload_protocol=resumable",
	}, rec.urls); diff != "" {
		t.Error(diff)
	}
}
