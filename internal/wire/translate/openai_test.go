package translate_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

var chatPaths = map[pool.Backend]string{
	pool.BackendGemini: "https://h/v1beta/openai/", pool.BackendVertex: "https://h/v1/projects/spillway/locations/global/endpoints/openapi/",
}

func TestCallsInOpenAIsDialectAreRenamedAndMoved(t *testing.T) {
	for _, tt := range []struct {
		from                  pool.Backend
		path, model, to, want string
	}{
		{pool.BackendGemini, "chat/completions", "m", "google/m", "https://aiplatform.googleapis.com/v1beta1/projects/spillway/locations/global/endpoints/openapi/chat/completions"},
		{pool.BackendGemini, "embeddings", "models/m", "google/m", "https://aiplatform.googleapis.com/v1beta1/projects/spillway/locations/global/endpoints/openapi/embeddings"},
		{pool.BackendVertex, "chat/completions", "google/m", "m", "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"},
		{pool.BackendVertex, "embeddings", "google/m", "m", "https://generativelanguage.googleapis.com/v1beta/openai/embeddings"},
	} {
		body := `{ "user" : "google/", "model" : "` + tt.model + `" }`
		call := parse(t, "POST", chatPaths[tt.from]+tt.path, body)
		tr, lacks := translate.Call(&call, other(tt.from), nil, []byte(body))
		if tr == nil {
			t.Fatalf("%s: %q", tt.path, lacks)
		}
		if got, want := string(tr.Body), strings.Replace(body, `"`+tt.model+`"`, `"`+tt.to+`"`, 1); got != want || tr.Call.URL(home(other(tt.from))).String() != tt.want {
			t.Errorf("%s %s: %s %s", tt.from, tt.path, tr.Call.URL(home(other(tt.from))), got)
		}
		// The answer names the model as the caller does.
		answer := `{"object":"x","model":"` + tt.to + `","data":[{"model":"google/m"}]}`
		if got, want := string(tr.Response([]byte(answer))), strings.Replace(answer, `"`+tt.to+`"`, `"`+strings.TrimPrefix(tt.model, "models/")+`"`, 1); got != want {
			t.Errorf("%s %s: answer %s, want %s", tt.from, tt.path, got, want)
		}
	}
}

func TestChatsThatOnlyOneBackEndTakes(t *testing.T) {
	for _, tt := range []struct {
		from         pool.Backend
		fields, want string
	}{
		{pool.BackendVertex, `"model":"meta/llama"`, "meta/llama is a partner's model, which only Vertex AI serves"},
		{pool.BackendVertex, `"model":"google/m","messages":[{"content":[{"image_url":{"url":"gs:\/\/b/o"}}]}]`, "url in a bucket (gs://) is not taken by the Gemini API"},
		{pool.BackendVertex, `"model":"google/m","messages":[{"content":[{"image_url":"gs://b/o"}]}]`, "image_url in a bucket (gs://) is not taken by the Gemini API"},
		{pool.BackendVertex, `"model":"google/m","messages":[{"extra_content":{"google":{"parts":[{"file_data":{"file_uri":"gs://b/o"}}]}}}]`, "file_uri in a bucket (gs://) is not taken by the Gemini API"},
		{pool.BackendVertex, `"model":"google/m","extra_body":{"google":{"thinking_config":{},"safety_settings":[]}}`, "extra_body.google.safety_settings is not taken by the Gemini API"},
		{pool.BackendGemini, `"model":"m","extra_body":{"x":1}`, "extra_body.x is not taken by Vertex AI"},
		{pool.BackendGemini, `"model":"m","\u0073tore":true`, "store is not taken by Vertex AI"},
		{pool.BackendGemini, `"model":"tunedModels/t"`, "tunedModels/t is a model that only the Gemini API serves"},
	} {
		body := "{" + tt.fields + "}"
		call := parse(t, "POST", chatPaths[tt.from]+"chat/completions", body)
		if tr, lacks := translate.Call(&call, other(tt.from), nil, []byte(body)); tr != nil || !slices.Contains(lacks, tt.want) {
			t.Errorf("%s: %+v %q", body, tr, lacks)
		}
	}
	const body = `{"model":"m","messages":[{"role":"user","content":"gs:// and files"}],"extra_body":{"google":{"thinking_config":{"thinking_budget":1}}},"tools":[{"url":"gs://b"}]}`
	call := parse(t, "POST", chatPaths[pool.BackendGemini]+"chat/completions", body)
	if _, lacks := translate.Call(&call, pool.BackendVertex, nil, []byte(body)); len(lacks) > 0 {
		t.Errorf("%q", lacks)
	}
}

// TestEventsOfAChatWithoutTheirUsage cuts the stream everywhere.
func TestEventsOfAChatWithoutTheirUsage(t *testing.T) {
	const (
		hi   = `{"choices":[{"delta":{"content":"\"usage\":{}"}}]`
		cost = `"usage":{"prompt_tokens":1,"x":{"y":[1]}}`
		fail = `{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`
	)
	for name, tt := range map[string]struct{ in, want, usage, failure string }{
		"in every chunk":               {"data: " + hi + `,"id":"1",` + cost + "}\n\ndata: " + hi + "," + cost + "}\n\ndata: [DONE]\n\n", "data: " + hi + `,"id":"1"}` + "\n\ndata: " + hi + "}\n\ndata: [DONE]\n\n", cost[8:], ""},
		"the first member":             {"data: {" + cost + " , " + hi[1:] + "}\n\n", "data: { " + hi[1:] + "}\n\n", cost[8:], ""},
		"in the middle":                {"data: " + hi + ` , ` + cost + ` , "id":"1"}` + "\n\n", "data: " + hi + ` , "id":"1"}` + "\n\n", cost[8:], ""},
		"in a chunk of its own":        {"data: " + hi + "}\r\n\r\ndata: {\"choices\":[]," + cost + "}\r\n\r\ndata: [DONE]\r\n\r\n", "data: " + hi + "}\r\n\r\ndata: [DONE]\r\n\r\n", cost[8:], ""},
		"no choices at all":            {"data: {\"choices\":[]," + cost + "}\n\ndata: [DONE]\n\n", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n", cost[8:], ""},
		"the last without its end":     {"data: " + hi + "," + cost + "}\n\ndata: " + hi + "," + cost + "}", "data: " + hi + "}\n\ndata: " + hi + "}", cost[8:], ""},
		"cut":                          {"data: " + hi + "," + cost + "}\n\ndata: " + hi[:20], "data: " + hi + "}\n\ndata: " + hi[:20], cost[8:], ""},
		"comments":                     {": ping\n\ndata: " + hi + "}\n\n", ": ping\n\ndata: " + hi + "}\n\n", "", ""},
		"an error in a list":           {"data: " + hi + "," + cost + "}\n\ndata: [" + fail + "]\n\n", "data: " + hi + "}\n\ndata: REWRITTEN\n\n", cost[8:], "[" + fail + "]"},
		"an error without data before": {"data: " + hi + "}\n\n" + fail + "\n\n", "data: " + hi + "}\n\ndata: REWRITTEN\n\n", "", fail},
		"an error in a text":           {"data: {\"choices\":[{\"delta\":{\"content\":\"{\\\"error\\\":{}}\"}}]}\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"{\\\"error\\\":{}}\"}}]}\n\n", "", ""},
		"nothing":                      {"", "", "", ""},
		"not JSON":                     {"data: usage\n\ndata: \"usage\"\n\n", "data: usage\n\ndata: \"usage\"\n\n", "", ""},
	} {
		for cut, r := range map[string]io.Reader{"whole": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in))} {
			c := translate.Chat{HideUsage: true, Rewrite: func([]byte) []byte { return []byte("REWRITTEN") }}
			got, err := io.ReadAll(c.Events(r))
			if err != nil || string(got) != tt.want || string(c.Usage()) != tt.usage || string(c.Failure()) != tt.failure {
				t.Errorf("%s, %s: %v\ngot  %q, usage %s, failure %s\nwant %q", name, cut, err, got, c.Usage(), c.Failure(), tt.want)
			}
		}
	}
}

// FuzzChat has events that are broken in every way. What has neither usage nor an error passes as it
// is.
func FuzzChat(f *testing.F) {
	for _, seed := range []string{
		"data: {\"choices\":[{}],\"usage\":{}}\n\ndata: {\"choices\":[],\"usage\":1}\r\n\r\ndata: [DONE]\n\n", "{\"error\":{\"code\":503}}\n\n",
		"data: [{\"error\":{}}]\r\rdata: {\"usage\":{},\"usage\":{\"a\":[", ": x\n\nid: 1\ndata: {\ndata: \"usage\":null}\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, r := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in))} {
			c := translate.Chat{HideUsage: true, Rewrite: func(failure []byte) []byte { return failure }}
			out, err := io.ReadAll(c.Events(r))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(in, []byte("usage")) && !bytes.Contains(in, []byte("error")) && !bytes.Equal(out, in) {
				t.Errorf("%q becomes %q", in, out)
			}
		}
	})
}
