package translate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

const (
	geminiHost = "https://generativelanguage.googleapis.com/"
	vertexHost = "https://aiplatform.googleapis.com/"
	scoped     = "projects/spillway/locations/global/"
	published  = scoped + "publishers/google/models/"
)

func TestTranslateRebuildsTheAddress(t *testing.T) {
	tests := []struct{ name, from, to string }{
		{"whole", geminiHost + "v1beta/models/m:generateContent", vertexHost + "v1beta1/projects/acme/locations/eu/publishers/google/models/m:generateContent"},
		{"streamed", geminiHost + "v1beta/models/m:streamGenerateContent?alt=sse&key=K", vertexHost + "v1beta1/projects/acme/locations/eu/publishers/google/models/m:streamGenerateContent?alt=sse"},
		{"v1", geminiHost + "v1/models/m:countTokens", vertexHost + "v1/projects/acme/locations/eu/publishers/google/models/m:countTokens"},
		{"escapes", geminiHost + "v1beta/models/m%20x:countTokens", vertexHost + "v1beta1/projects/acme/locations/eu/publishers/google/models/m%20x:countTokens"},
		{"a full name", geminiHost + "v1beta/models/projects/p/locations/l/publishers/google/models/m:generateContent",
			vertexHost + "v1beta1/projects/acme/locations/eu/publishers/google/models/m:generateContent"},
		{"a publisher's name", geminiHost + "v1beta/models/publishers/google/models/m:generateContent",
			vertexHost + "v1beta1/projects/acme/locations/eu/publishers/google/models/m:generateContent"},
		{"a partner's name", geminiHost + "v1beta/models/publishers/meta/models/m:generateContent",
			vertexHost + "v1beta1/projects/acme/locations/eu/publishers/meta/models/m:generateContent"},
		{"to Gemini", vertexHost + "v1beta1/" + published + "m:generateContent", geminiHost + "v1beta/models/m:generateContent"},
		{"to Gemini, streamed", vertexHost + "v1beta1/" + published + "m:streamGenerateContent?alt=sse", geminiHost + "v1beta/models/m:streamGenerateContent?alt=sse"},
		{"to Gemini from v1, which takes more than its v1", vertexHost + "v1/" + published + "m:generateContent", geminiHost + "v1beta/models/m:generateContent"},
		{"to Gemini, without a project", vertexHost + "v1/publishers/google/models/m:generateContent?key=K", geminiHost + "v1beta/models/m:generateContent"},
		{"to Gemini, models/m", vertexHost + "v1beta1/" + scoped + "models/m:generateContent", geminiHost + "v1beta/models/m:generateContent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			call := parse(t, "POST", tt.from, "{}")
			before := call
			tr, lacks := translate.Call(&call, other(call.Backend), nil, []byte("{}"))
			if len(lacks) > 0 {
				t.Fatal(lacks)
			}
			host, err := url.Parse(vertexHost)
			if err != nil {
				t.Fatal(err)
			}
			target := request.Target{Backend: pool.BackendGemini}
			if call.Backend == pool.BackendGemini {
				target = request.Target{Backend: pool.BackendVertex, Base: host, Project: "acme", Location: "eu"}
			}
			if got := tr.Call.URL(target); got == nil || got.String() != tt.to {
				t.Errorf("got  %v\nwant %s", got, tt.to)
			}
			if tr.Call.Model != call.Model || tr.Call.Stream != call.Stream || tr.Call.SSE != call.SSE || tr.Call.Generates != call.Generates {
				t.Errorf("%+v became %+v", call, tr.Call)
			}
			if call.Backend != before.Backend || call.URL(request.Target{Backend: call.Backend}) == nil {
				t.Error("the call itself was changed")
			}
		})
	}
}

func TestTranslateToTheSameBackEndChangesNothing(t *testing.T) {
	const body = `{"serviceTier":"flex","store":true}`
	call := parse(t, "POST", geminiHost+"v1beta/models/m:generateContent", body)
	tr, lacks := translate.Call(&call, pool.BackendGemini, nil, []byte(body))
	if len(lacks) > 0 || string(tr.Body) != body || tr.Call.URL(request.Target{Backend: pool.BackendGemini}) == nil {
		t.Errorf("%v, %q", tr, lacks)
	}
	h := http.Header{"X-Vertex-Ai-Llm-Shared-Request-Type": {"flex"}}
	if tr.Header(h); len(h) != 1 {
		t.Errorf("headers became %v", h)
	}
	const answer = `{"candidates":[{"citationMetadata":{"citations":[]}}],"predictions":[],"embeddings":[]}`
	if got := string(tr.Response([]byte(answer))); got != answer {
		t.Errorf("the answer became %s", got)
	}
	r := strings.NewReader(answer)
	if tr.Events(r) != r {
		t.Error("the stream is read though nothing can change")
	}
}

func TestTranslateSaysWhatCannotBeTranslated(t *testing.T) {
	gemini := func(rest string) string { return "POST " + geminiHost + "v1beta/" + rest }
	vertex := func(rest string) string { return "POST " + vertexHost + "v1beta1/" + scoped + rest }
	tests := []struct{ name, request, body, reason string }{
		{"a file", gemini("models/m:generateContent"), `{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/a"}}]}]}`,
			"files/a lives in the project that made it"},
		{"a file in a function's response", gemini("models/m:generateContent"),
			`{"contents":[{"parts":[{"functionResponse":{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/a"}}]}}]}]}`,
			""},
		{"a bucket", vertex("publishers/google/models/m:generateContent"), `{"contents":[{"parts":[{"file_data":{"file_uri":"gs:\/\/b\/o"}}]}]}`,
			"contents.parts.fileData.fileUri in a bucket (gs://) is not taken by the Gemini API"},
		{"a cache", gemini("models/m:generateContent"), `{"cachedContent":"cachedContents/c"}`, "cachedContents/c lives in the project that made it"},
		{"a store", gemini("models/m:generateContent"), `{"tools":[{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/s"]}}]}`, "fileSearchStores/s lives in the project that made it"},
		{"a tuned model", gemini("tunedModels/t:generateContent"), `{}`, "tunedModels/t lives in the project that made it"},
		{"a tuned endpoint", vertex("endpoints/123:generateContent"), `{}`, "endpoints/123 lives in the project that made it"},
		{"batches", gemini("models/m:batchGenerateContent"), `{}`, "batches live in the project that makes them"},
		{"videos", vertex("publishers/google/models/veo:predictLongRunning"), `{}`, "operations live in the project that makes them"},
		{"an upload", "POST " + geminiHost + "upload/v1beta/files", `x`, "files live in the project that makes them"},
		{"pictures", vertex("publishers/google/models/imagen-4.0-generate-001:predict"), `{"instances":[{"prompt":"a cat"}],"parameters":{"sampleCount":1}}`,
			"imagen-4.0-generate-001:predict has no counterpart on the Gemini API"},
		{"pictures, asked of Gemini", gemini("models/imagen-4.0-generate-001:predict"), `{"instances":[{"prompt":"a cat"}]}`,
			"imagen-4.0-generate-001:predict has no counterpart on Vertex AI"},
		{"a prediction of nothing", vertex("publishers/google/models/p:predict"), `{}`, "p:predict has no counterpart on the Gemini API"},
		{"a partner", vertex("publishers/anthropic/models/claude-x@1:rawPredict"), `{}`, "claude-x@1 is a partner's model, which only Vertex AI serves"},
		{"a partner, streamed", vertex("publishers/anthropic/models/claude-x@1:streamRawPredict"), `{}`, "claude-x@1 is a partner's model, which only Vertex AI serves"},
		{"a partner, the usual way", vertex("publishers/meta/models/llama:generateContent"), `{}`, "publishers/meta/models/llama is a model that only Vertex AI serves"},
		{"a raw call of Gemini's", gemini("models/m:rawPredict"), `{}`, "rawPredict is for callers who speak the dialect of Vertex AI"},
		{"tokens computed", vertex("publishers/google/models/m:computeTokens"), `{}`, "computeTokens has no counterpart on the Gemini API"},
		{"a model looked up", "GET " + geminiHost + "v1beta/models/m", ``, "models.get tells what the Gemini API has"},
		{"models listed", "GET " + vertexHost + "v1beta1/publishers/google/models", ``, "models.list tells what Vertex AI has"},
		{"OpenAI's list of models", gemini("openai/models"), ``, "models of OpenAI's dialect has no counterpart on Vertex AI"},
		{"a field of OpenAI's that one knows", gemini("openai/chat/completions"), `{"model":"m","store":true}`, "store is not taken by Vertex AI"},
		{"a file of the Files API in OpenAI's dialect", gemini("openai/chat/completions"),
			`{"model":"m","messages":[{"content":[{"image_url":{"url":"https://h/v1beta/files/x"}}]}]}`, ""},
		{"alpha", "POST " + geminiHost + "v1alpha/models/m:generateContent", `{}`, "version v1alpha has no counterpart on Vertex AI"},
		{"a body cut short", gemini("models/m:generateContent"), `{"contents":[{}`, "the body is not one whole JSON object"},
		{"a body in a string", gemini("models/m:generateContent"), `"{}"`, "the body is not one whole JSON object"},
		{"more than a body", gemini("models/m:generateContent"), `{}{}`, "the body is not one whole JSON object"},
		{"snake case", gemini("models/m:generateContent"), `{"tool_config":{"include_server_side_tool_invocations":true}}`,
			"toolConfig.includeServerSideToolInvocations is not taken by Vertex AI"},
		{"escaped", gemini("models/m:generateContent"), `{"\u0073tore":true}`, "store is not taken by Vertex AI"},
		{"not in a list", gemini("models/m:generateContent"), `{"contents":{"parts":{"toolCall":{}}}}`, "contents.parts.toolCall is not taken by Vertex AI"},
		{"a tier of the future", gemini("models/m:generateContent"), `{"serviceTier":"turbo"}`, "serviceTier turbo is not taken by Vertex AI"},
		{"counting more than contents", vertex("publishers/google/models/m:countTokens"), `{"contents":[],"systemInstruction":{}}`, "systemInstruction is not taken by the Gemini API"},
		{"counting what Vertex AI does not", gemini("models/m:countTokens"), `{"generateContentRequest":{"toolConfig":{}}}`, "generateContentRequest.toolConfig is not taken by Vertex AI"},
		{"counting what only Gemini knows", vertex("publishers/google/models/m:countTokens"), `{"generateContentRequest":{}}`, "generateContentRequest of Vertex AI is not taken by the Gemini API"},
		{"counting twice", gemini("models/m:countTokens"), `{"contents":[],"generateContentRequest":{"contents":[]}}`, "generateContentRequest beside other fields is not taken by Vertex AI"},
		{"embedding a picture by predict", gemini("models/gemini-embedding-001:batchEmbedContents"), `{"requests":[{"content":{"parts":[{"inlineData":{"data":"AAAA"}}]}}]}`,
			"Vertex AI embeds nothing but one text each with gemini-embedding-001"},
		{"embedding two texts at once by predict", gemini("models/gemini-embedding-001:embedContent"), `{"content":{"parts":[{"text":"a"},{"text":"b"}]}}`,
			"Vertex AI embeds nothing but one text each with gemini-embedding-001"},
		{"embeddings of several sizes", gemini("models/gemini-embedding-001:batchEmbedContents"),
			`{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":1},{"content":{"parts":[{"text":"a"}]}}]}`, "outputDimensionality that differs within a batch is not taken by Vertex AI"},
		{"a batch where one goes", gemini("models/gemini-embedding-2:batchEmbedContents"), `{"requests":[{},{}]}`, "Vertex AI embeds one content a call with gemini-embedding-2, not 2"},
		{"a batch too large", vertex("publishers/google/models/text-embedding-005:predict"), `{"instances":[` + strings.Repeat(`{"content":"a"},`, 100) + `{"content":"a"}]}`,
			"a batch of 101 embeddings is not taken by the Gemini API"},
		{"a setting of predict", vertex("publishers/google/models/text-embedding-005:predict"), `{"instances":[{"content":"a"}],"parameters":{"autoTruncate":true}}`,
			"parameters.autoTruncate is not taken by the Gemini API"},
		{"a setting of embedContent", vertex("publishers/google/models/gemini-embedding-2:embedContent"), `{"content":{},"embedContentConfig":{"documentOcr":false}}`,
			"embedContentConfig.documentOcr is not taken by the Gemini API"},
		{"a field of the future in embeddings", gemini("models/gemini-embedding-2:embedContent"), `{"content":{},"sparkle":1}`, "sparkle is not taken by Vertex AI"},
		{"a choice of fields", gemini("models/gemini-embedding-2:embedContent?fields=embedding"), `{"content":{}}`, "a choice of fields (fields=) of embeddings is not taken by Vertex AI"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method, address, _ := strings.Cut(tt.request, " ")
			call := parse(t, method, address, tt.body)
			tr, lacks := translate.Call(&call, other(call.Backend), nil, []byte(tt.body))
			if tr != nil || len(lacks) == 0 || tt.reason != "" && !slices.Contains(lacks, tt.reason) {
				t.Errorf("%+v\ngot  %q\nwant %q", tr, lacks, tt.reason)
			}
		})
	}
}

func TestTranslateNamesEverythingThatIsLackingOnce(t *testing.T) {
	const body = `{"store":true,"contents":[{"parts":[{"toolCall":{}},{"toolCall":{}},{"partMetadata":{}}]}],"tools":[{"fileSearch":{}}]}`
	call := parse(t, "POST", geminiHost+"v1beta/models/m:generateContent", body)
	_, lacks := translate.Call(&call, pool.BackendVertex, nil, []byte(body))
	if diff := cmp.Diff([]string{
		"store is not taken by Vertex AI", "contents.parts.toolCall is not taken by Vertex AI",
		"contents.parts.partMetadata is not taken by Vertex AI", "tools.fileSearch is not taken by Vertex AI",
	}, lacks); diff != "" {
		t.Error(diff)
	}
}

func TestTranslateLeavesBodiesAloneByteForByte(t *testing.T) {
	const vertex = vertexHost + "v1beta1/" + published
	tests := []struct{ name, address, header, body, want, wantHeader string }{
		{"as it is", geminiHost + "v1beta/models/m:generateContent", "", "{ \"contents\" : [ { \"parts\":[{\"text\":\"\\u0061 store\"}]}],\n\"futureField\":{\"n\":1.50e+0},\"generationConfig\":{\"seed\":12345678901234567890} }\n", "same", ""},
		{"nothing", geminiHost + "v1beta/models/m:generateContent", "", "", "same", ""},
		{"public addresses", geminiHost + "v1beta/models/m:generateContent", "", `{"contents":[{"parts":[{"fileData":{"fileUri":"https://www.youtube.com/watch?v=1"}},{"fileData":{"fileUri":"gs://b/o"}}]}]}`, "same", ""},
		{"what only looks one-sided", geminiHost + "v1beta/models/m:generateContent", "",
			`{"contents":[{"parts":[{"functionCall":{"args":{"store":1,"toolCall":{},"parts":[{"toolCall":1}]}}}]}],"generationConfig":{"responseSchema":{"properties":{"store":{}}},"responseJsonSchema":{"store":{}}},"tools":[{"functionDeclarations":[{"parameters":{"properties":{"fileSearch":{}}}}]}]}`, "same", ""},
		{"a tier", geminiHost + "v1beta/models/m:generateContent", "", `{"contents": [1.0] , "serviceTier" : "flex", "x":[ ]}`, `{"contents": [1.0],"x":[ ]}`, "flex"},
		{"a tier alone, in snake case", geminiHost + "v1beta/models/m:streamGenerateContent", "", `{"service_tier":"PRIORITY"}`, `{}`, "priority"},
		{"the standard tier", geminiHost + "v1beta/models/m:generateContent", "flex", `{"serviceTier":"standard","contents":[]}`, `{"contents":[]}`, ""},
		{"the caller's own header", geminiHost + "v1beta/models/m:generateContent", "flex", `{"contents":[]}`, "same", "flex"},
		{"the model", geminiHost + "v1beta/models/m:generateContent", "", `{"model":"models/m","contents":[]}`, `{"contents":[]}`, ""},
		{"a tier for Gemini", vertex + "m:generateContent", "priority", `{"contents": [ ]}`, `{"contents": [ ],"serviceTier":"priority"}`, ""},
		{"a tier for Gemini, which the body names", vertex + "m:generateContent", "flex", `{"serviceTier":"priority"}`, "same", ""},
		{"a tier for Gemini without a body", vertex + "m:generateContent", "flex", ``, `{"serviceTier":"flex"}`, ""},
		{"the model, for Gemini", vertex + "m:generateContent", "", `{"model":"projects/p/locations/l/publishers/google/models/m","contents":[]}`, `{"contents":[]}`, ""},
		{"a count", vertex + "m:countTokens", "flex", `{"contents": [ ]}`, "same", ""},
		{"a whole request to be counted", geminiHost + "v1beta/models/m:countTokens", "", `{"generateContentRequest":{"model":"models/m","contents": [ 1 ],"systemInstruction":{},"tools":[],"generationConfig":{}}}`,
			`{"contents": [ 1 ],"systemInstruction":{},"tools":[],"generationConfig":{}}`, ""},
		{"one embedding by predict", geminiHost + "v1beta/models/gemini-embedding-001:embedContent", "",
			`{"model":"models/gemini-embedding-001","content":{"role":"user","parts":[{"text":"\u00e9\n"}]},"task_type":"CLUSTERING","title":null,"outputDimensionality":1.0e1}`,
			`{"instances":[{"content":"\u00e9\n","task_type":"CLUSTERING"}],"parameters":{"outputDimensionality":1.0e1}}`, ""},
		{"one embedding by embedContent", geminiHost + "v1beta/models/gemini-embedding-2:embedContent", "",
			`{"content":{"parts":[{"inlineData":{"data":"AAAA"}}],"future":1.0}}`, `{"content":{"parts":[{"inlineData":{"data":"AAAA"}}],"future":1.0}}`, ""},
		{"settings beside the content", vertex + "gemini-embedding-2:embedContent", "", `{"content":{"parts":[]},"taskType":"A","embedContentConfig":{"title":"B"}}`,
			`{"requests":[{"content":{"parts":[]},"model":"models/gemini-embedding-2","taskType":"A","title":"B"}]}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			call := parse(t, "POST", tt.address, tt.body)
			h := http.Header{}
			if tt.header != "" {
				h.Set("X-Vertex-Ai-Llm-Shared-Request-Type", tt.header)
			}
			given := []byte(tt.body)
			tr, lacks := translate.Call(&call, other(call.Backend), h, given)
			if len(lacks) > 0 {
				t.Fatal(lacks)
			}
			want := tt.want
			if want == "same" {
				want = tt.body
			}
			if string(tr.Body) != want || string(given) != tt.body {
				t.Errorf("got  %s\nwant %s\ngiven %s", tr.Body, want, given)
			}
			if tr.Header(h); h.Get("X-Vertex-Ai-Llm-Shared-Request-Type") != tt.wantHeader {
				t.Errorf("headers %v, want %q", h, tt.wantHeader)
			}
		})
	}
}

func TestTranslateAfterRename(t *testing.T) {
	const body = `{"requests":[{"model":"models/gemini-embedding-2","content":{"parts":[{"text":"a"}]}}]}`
	call := parse(t, "POST", geminiHost+"v1beta/models/gemini-embedding-2:batchEmbedContents", body)
	renamed := call.Rename("text-embedding-005", []byte(body))
	tr, lacks := translate.Call(&call, pool.BackendVertex, nil, renamed)
	if len(lacks) > 0 {
		t.Fatal(lacks)
	}
	got := tr.Call.URL(request.Target{Backend: pool.BackendVertex, Project: "p", Location: "eu"}).String()
	if got != "https://aiplatform.eu.rep.googleapis.com/v1beta1/projects/p/locations/eu/publishers/google/models/text-embedding-005:predict" ||
		string(tr.Body) != `{"instances":[{"content":"a"}]}` {
		t.Errorf("%s %s", got, tr.Body)
	}
}

func TestModelNames(t *testing.T) {
	tests := []struct{ url, model, method, resource, rebuilt string }{
		{geminiHost + "v1beta/models/m:generateContent", "m", "generateContent", "", "v1beta/models/m:generateContent"},
		{geminiHost + "v1beta/tunedModels/t:generateContent", "tunedModels/t", "generateContent", "tunedModels/t", "v1beta/tunedModels/t:generateContent"},
		{geminiHost + "v1beta/models/publishers/google/models/m:generateContent", "m", "generateContent", "", "v1beta/models/m:generateContent"},
		{geminiHost + "v1beta/models/projects/p/locations/l/publishers/google/models/m:generateContent", "m", "generateContent", "", "v1beta/models/m:generateContent"},
		{geminiHost + "v1beta/models/publishers/meta/models/llama:generateContent", "llama", "generateContent", "", "v1beta/models/publishers/meta/models/llama:generateContent"},
		{geminiHost + "v1beta/models/projects/p/locations/l/endpoints/123:generateContent", "endpoints/123", "generateContent", "endpoints/123", "v1beta/models/projects/p/locations/l/endpoints/123:generateContent"},
		{geminiHost + "v1beta/models/projects/p/locations/l/models/123:generateContent", "models/123", "generateContent", "models/123", "v1beta/models/projects/p/locations/l/models/123:generateContent"},
		{geminiHost + "v1beta/models/projects:generateContent", "projects", "generateContent", "", "v1beta/models/projects:generateContent"},
		{vertexHost + "v1beta1/" + published + "m:generateContent", "m", "generateContent", "", "v1beta1/projects/acme/locations/eu/publishers/google/models/m:generateContent"},
		{vertexHost + "v1beta1/projects/p/locations/l/endpoints/123:streamGenerateContent", "endpoints/123", "streamGenerateContent", "endpoints/123", "v1beta1/projects/acme/locations/eu/endpoints/123:streamGenerateContent"},
		{vertexHost + "v1beta1/projects/p/locations/l/models/123:generateContent", "models/123", "generateContent", "models/123", "v1beta1/projects/acme/locations/eu/models/123:generateContent"},
		{vertexHost + "v1/" + scoped + "publishers/anthropic/models/claude-x@1:rawPredict", "claude-x@1", "rawPredict", "", "v1/projects/acme/locations/eu/publishers/anthropic/models/claude-x@1:rawPredict"},
		{vertexHost + "v1/" + scoped + "publishers/mistralai/models/m:streamRawPredict", "m", "streamRawPredict", "", "v1/projects/acme/locations/eu/publishers/mistralai/models/m:streamRawPredict"},
	}
	for _, tt := range tests {
		call := parse(t, "POST", tt.url, "{}")
		if call.Model != tt.model || call.Method != tt.method || call.Resource != tt.resource || call.Stream != strings.HasPrefix(tt.method, "stream") {
			t.Errorf("%s: %+v", tt.url, call)
		}
		got := call.URL(request.Target{Backend: call.Backend, Project: "acme", Location: "eu"})
		if got == nil || !strings.HasSuffix(got.Path, "/"+tt.rebuilt) {
			t.Errorf("%s: rebuilt as %v", tt.url, got)
		}
	}
}

// FuzzTranslate holds that a translation of JSON is JSON, and that what was said in another dialect
// and back is the same.
func FuzzTranslate(f *testing.F) {
	methods := []string{
		"v1beta/models/m:generateContent", "v1beta/models/m:streamGenerateContent?alt=sse", "v1beta/models/m:countTokens",
		"v1beta/models/gemini-embedding-001:batchEmbedContents", "v1beta/models/gemini-embedding-2:batchEmbedContents", "v1beta/models/gemini-embedding-2:embedContent",
		"v1beta1/" + published + "m:generateContent", "v1beta1/" + published + "m:countTokens",
		"v1beta1/" + published + "gemini-embedding-001:predict", "v1beta1/" + published + "gemini-embedding-2:embedContent",
	}
	for i, body := range []string{
		`{"contents":[{"parts":[{"text":"hi"},{"functionResponse":{"parts":[{"mediaProcessing":1}]}}]}],"serviceTier":"flex"}`,
		`{"contents":{"parts":{"file_data":{"file_uri":"gs://b/o"}}},"model":"x"}`,
		`{"generateContentRequest":{"model":"m","contents":[],"tools":[{}]}}`,
		`{"requests":[{"content":{"parts":[{"text":"a"}],"role":"user"},"taskType":"X","title":"T","outputDimensionality":3},{"content":{"parts":[{"text":"b"}]}}]}`,
		`{"requests":[{"content":{"parts":[{"inlineData":{"data":"AAAA"}}]},"title":null}]}`,
		`{"content":{"parts":[{"text":"a"}]},"title":"T"}`,
		`{"toolConfig":{"functionCallingConfig":{"streamFunctionCallArguments":true}},"contents":[[]]}`,
		`{"generateContentRequest":{}}`,
		`{"instances":[{"content":"a","task_type":"X"},{"content":"b"}],"parameters":{"outputDimensionality":1}}`,
		`{"content":{"parts":[]},"embedContentConfig":{"taskType":"A"}}`,
	} {
		f.Add(uint8(i), "flex", []byte(body), []byte(`{"candidates":[{"citationMetadata":{"citations":[{}],"citationSources":1}}],"predictions":[{"embeddings":{"statistics":{"token_count":1}}}],"embedding":{},"embeddings":[{}]}`))
	}
	f.Fuzz(func(t *testing.T, method uint8, tier string, body, answer []byte) {
		u, err := url.Parse("https://h/" + methods[int(method)%len(methods)])
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{"X-Vertex-Ai-Llm-Shared-Request-Type": {tier}}
		there := func(u *url.URL, body []byte) (*translate.Translation, *url.URL) {
			call := request.Parse("POST", u, body)
			tr, lacks := translate.Call(&call, other(call.Backend), h, body)
			if (tr == nil) != (len(lacks) > 0) {
				t.Fatalf("translation %v, lacks %q", tr, lacks)
			}
			if tr == nil {
				return nil, nil
			}
			if json.Valid(body) && !json.Valid(tr.Body) {
				t.Fatalf("%s became %s", body, tr.Body)
			}
			if got := tr.Response(answer); json.Valid(answer) && !json.Valid(got) {
				t.Fatalf("answer %s became %s", answer, got)
			}
			tr.Header(h)
			return tr, tr.Call.URL(home(tr.Call.Backend))
		}
		first, u := there(u, body)
		if first == nil || !json.Valid(body) {
			return
		}
		second, u := there(u, first.Body)
		if second == nil {
			return // the way back has reasons of its own
		}
		third, _ := there(u, second.Body)
		if third == nil {
			t.Fatalf("%s became %s, which cannot go back", first.Body, second.Body)
		}
		if diff := cmp.Diff(value(t, first.Body), value(t, third.Body)); diff != "" {
			t.Errorf("there and back and there again (-first +third):\n%s", diff)
		}
	})
}

func BenchmarkTranslate(b *testing.B) {
	bodies := map[string][]byte{
		"1KB":      fmt.Appendf(nil, `{"contents":[{"parts":[{"text":%q}],"role":"user"}],"generationConfig":{"maxOutputTokens":100}}`, strings.Repeat("text ", 200)),
		"1MBImage": fmt.Appendf(nil, `{"contents":[{"parts":[{"inlineData":{"data":%q,"mimeType":"image/png"}}]}]}`, strings.Repeat("A", 1<<20)),
		"100Turns": fmt.Appendf(nil, `{"contents":[%s{"parts":[{"text":"and?"}],"role":"user"}]}`, strings.Repeat(`{"parts":[{"text":"A sentence that says a little."}],"role":"model"},`, 100)),
	}
	for name, body := range bodies {
		b.Run(name, func(b *testing.B) {
			call := parse(b, "POST", geminiHost+"v1beta/models/m:generateContent", string(body))
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, lacks := translate.Call(&call, pool.BackendVertex, nil, body); lacks != nil {
					b.Fatal(lacks)
				}
			}
		})
	}
}
