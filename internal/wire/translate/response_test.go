package translate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

// full is a value of a type with everything set; a type within itself is left out.
func full(t reflect.Type, seen ...reflect.Type) (v reflect.Value, ok bool) {
	v = reflect.New(t).Elem()
	switch {
	case t.Kind() == reflect.Pointer:
		elem, ok := full(t.Elem(), seen...)
		if ok {
			v.Set(reflect.New(t.Elem()))
			v.Elem().Set(elem)
		}
		return v, ok
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		elem, ok := full(t.Elem(), seen...)
		if ok {
			v.Set(reflect.Append(v, elem, elem))
		}
		return v, ok
	case t.Kind() == reflect.Struct && t.Name() != "Time" && t.Name() != "Date":
		if slices.Contains(seen, t) {
			return v, false
		}
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && f.Type != reflect.TypeFor[*genai.HTTPResponse]() {
				if elem, ok := full(f.Type, append(seen, t)...); ok {
					v.Field(i).Set(elem)
				}
			}
		}
		return v, true
	}
	for _, only := range alone(t, "") {
		return only, true
	}
	return v, false
}

// asSent is how a back end would send a message of the SDK's, as far as its FromMldev and
// FromVertex differ.
func asSent(t *testing.T, backend pool.Backend, message any) []byte {
	t.Helper()
	body, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := value(t, body).(map[string]any)
	if !ok {
		t.Fatalf("%s is no message", body)
	}
	candidates, _ := m["candidates"].([]any)
	for _, c := range candidates {
		if c, _ := c.(map[string]any)["citationMetadata"].(map[string]any); backend == pool.BackendGemini && c["citations"] != nil {
			c["citationSources"] = c["citations"]
			delete(c, "citations")
		}
	}
	body, err = json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// without takes out what only one of the SDK's two ways to read an answer reads.
func without(r *genai.GenerateContentResponse) *genai.GenerateContentResponse {
	if r == nil {
		return nil
	}
	r.CreateTime, r.ModelStatus = time.Time{}, nil
	for _, c := range r.Candidates {
		if c != nil {
			c.FinishMessage = ""
		}
	}
	return r
}

func TestEveryFieldOfAnAnswerReachesTheCallerAsItsOwnBackEndWouldSendIt(t *testing.T) {
	ctx := context.Background()
	once := &genai.GenerateContentConfig{AutomaticContinuation: new(false)}
	decode := func(s *sdk, body []byte, stream bool) *genai.GenerateContentResponse {
		if !stream {
			s.answer = body
			r, err := s.client.Models.GenerateContent(ctx, "gemini-2.5-flash", genai.Text("hi"), once)
			if err != nil {
				t.Fatalf("%v of %s", err, body)
			}
			r.SDKHTTPResponse = nil
			return r
		}
		s.answer = body
		for r, err := range s.client.Models.GenerateContentStream(ctx, "gemini-2.5-flash", genai.Text("hi"), once) {
			if err != nil {
				t.Fatalf("%v of %s", err, body)
			}
			r.SDKHTTPResponse = nil
			return r
		}
		t.Fatalf("nothing came of %s", body)
		return nil
	}
	clients := map[pool.Backend]*sdk{pool.BackendGemini: newSDK(t, pool.BackendGemini), pool.BackendVertex: newSDK(t, pool.BackendVertex)}
	translation := func(from pool.Backend) *translate.Translation {
		decode(clients[from], []byte("{}"), false)
		call := clients[from].last.call()
		tr, lacks := translate.Call(&call, other(from), nil, clients[from].last.body)
		if len(lacks) > 0 {
			t.Fatal(lacks)
		}
		return tr
	}
	sse := func(body []byte) []byte { return fmt.Appendf(nil, "data: %s\r\n\r\n", body) }
	translations := map[pool.Backend]*translate.Translation{pool.BackendGemini: translation(pool.BackendGemini), pool.BackendVertex: translation(pool.BackendVertex)}

	n := 0
	check := func(path string, response genai.GenerateContentResponse) {
		n++
		native := map[pool.Backend]*genai.GenerateContentResponse{}
		for _, b := range backends {
			native[b] = decode(clients[b], asSent(t, b, &response), false)
			got := decode(clients[b], translations[b].Response(asSent(t, other(b), &response)), false)
			if diff := cmp.Diff(native[b], got); diff != "" {
				t.Errorf("%s for a caller of %s (-its own +the other's):\n%s", path, b, diff)
			}
		}
		for _, b := range backends {
			call := translations[b].Call
			call.Method, call.Stream, call.SSE = "streamGenerateContent", true, true
			tr := *translations[b]
			tr.Call = call
			events, err := io.ReadAll(tr.Events(bytes.NewReader(sse(asSent(t, other(b), &response)))))
			if err != nil {
				t.Fatal(err)
			}
			want := decode(clients[b], sse(asSent(t, b, &response)), true)
			if diff := cmp.Diff(want, decode(clients[b], events, true)); diff != "" {
				t.Errorf("%s streamed to a caller of %s (-its own +the other's):\n%s", path, b, diff)
			}
		}
		// A difference that a new SDK brings between the two shows here.
		if diff := cmp.Diff(without(native[pool.BackendGemini]), without(native[pool.BackendVertex])); diff != "" {
			t.Errorf("%s: the back ends' answers have come to differ (-gemini +vertex):\n%s", path, diff)
		}
	}
	for path, v := range alone(reflect.TypeFor[genai.GenerateContentResponse](), "") {
		check(path, v.Interface().(genai.GenerateContentResponse))
	}
	all, _ := full(reflect.TypeFor[genai.GenerateContentResponse]())
	check("all of it", all.Interface().(genai.GenerateContentResponse))
	if n < 100 {
		t.Errorf("only %d fields were looked at", n)
	}
}

func TestEmbeddingsReachTheCallerAsItsOwnBackEndWouldSendThem(t *testing.T) {
	ctx := context.Background()
	texts := func(n int) (contents []*genai.Content) {
		for range n {
			contents = append(contents, genai.NewContentFromText("hi", genai.RoleUser))
		}
		return contents
	}
	const predicted = `{"predictions":[{"embeddings":{"values":[0.1,-2e-7],"statistics":{"truncated":true,"token_count":6}}},{"embeddings":{"values":[3]}}],"metadata":{"billableCharacterCount":11}}`
	const batched = `{"embeddings":[{"values":[0.1,-2e-7]},{"values":[3]}]}`
	tests := []struct {
		name, model  string
		from         pool.Backend
		texts        int
		answer, want string
	}{
		{"predict for a caller of batchEmbedContents", "gemini-embedding-001", pool.BackendGemini, 2, predicted,
			`{"metadata":{"billableCharacterCount":11},"embeddings":[{"values":[0.1,-2e-7],"statistics":{"truncated":true,"tokenCount":6}},{"values":[3]}]}`},
		{"batchEmbedContents for a caller of predict", "gemini-embedding-001", pool.BackendVertex, 2, batched,
			`{"predictions":[{"embeddings":{"values":[0.1,-2e-7]}},{"embeddings":{"values":[3]}}]}`},
		{"embedContent for a caller of batchEmbedContents", "gemini-embedding-2", pool.BackendGemini, 1,
			`{"embedding":{"values":[1.50]},"usageMetadata":{"promptTokenCount":2},"truncated":false}`,
			`{"usageMetadata":{"promptTokenCount":2},"truncated":false,"embeddings":[{"values":[1.50]}]}`},
		{"batchEmbedContents for a caller of embedContent", "gemini-embedding-2", pool.BackendVertex, 1, `{"embeddings":[{"values":[1.50]}]}`, `{"embedding":{"values":[1.50]}}`},
		{"something else", "gemini-embedding-2", pool.BackendVertex, 1, `{"what":"is this"}`, `{"what":"is this"}`},
		{"nothing", "gemini-embedding-001", pool.BackendGemini, 1, ``, ``},
		{"no embeddings", "gemini-embedding-001", pool.BackendGemini, 1, `{"predictions":[]}`, `{"embeddings":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSDK(t, tt.from)
			e := s.send(func(c *genai.Client) error {
				_, err := c.Models.EmbedContent(ctx, tt.model, texts(tt.texts), nil)
				return err
			})
			if e.err != nil {
				t.Fatal(e.err)
			}
			call := e.call()
			tr, lacks := translate.Call(&call, other(tt.from), nil, e.body)
			if len(lacks) > 0 {
				t.Fatal(lacks)
			}
			given := []byte(tt.answer)
			if got := string(tr.Response(given)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if string(given) != tt.answer {
				t.Errorf("the answer given became %s", given)
			}
		})
	}

	// Both clients make the same of both answers, but for what only Vertex AI counts.
	responses := map[pool.Backend]*genai.EmbedContentResponse{}
	for _, b := range backends {
		s := newSDK(t, b)
		ask := func(answer []byte) *genai.EmbedContentResponse {
			s.answer = answer
			r, err := s.client.Models.EmbedContent(ctx, "gemini-embedding-001", texts(2), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.SDKHTTPResponse = nil
			return r
		}
		own, theirs := batched, predicted
		if b == pool.BackendVertex {
			own, theirs = predicted, batched
		}
		native := ask([]byte(own))
		call := s.last.call()
		tr, lacks := translate.Call(&call, other(b), nil, s.last.body)
		if len(lacks) > 0 {
			t.Fatal(lacks)
		}
		got := ask(tr.Response([]byte(theirs)))
		responses[b] = got
		for i := range native.Embeddings {
			if diff := cmp.Diff(native.Embeddings[i].Values, got.Embeddings[i].Values); diff != "" {
				t.Errorf("%s: %s", b, diff)
			}
		}
	}
	if s := responses[pool.BackendGemini].Embeddings[0].Statistics; s == nil || s.TokenCount != 6 || !s.Truncated {
		t.Errorf("statistics of Vertex AI became %+v", s)
	}
}

func TestCountsPassAsTheyAre(t *testing.T) {
	for _, b := range backends {
		s := newSDK(t, b)
		e := s.send(func(c *genai.Client) error {
			_, err := c.Models.CountTokens(context.Background(), "gemini-2.5-flash", genai.Text("hi"), nil)
			return err
		})
		call := e.call()
		tr, lacks := translate.Call(&call, other(b), nil, e.body)
		if len(lacks) > 0 {
			t.Fatal(lacks)
		}
		const body = `{"totalTokens":3,"totalBillableCharacters":9}`
		if got := string(tr.Response([]byte(body))); got != body {
			t.Errorf("%s: %s", b, got)
		}
	}
}

// streamed translates the answer to a streamed call of the Gemini API that Vertex AI serves.
func streamed(tb testing.TB, query string, from io.Reader) (string, error) {
	tb.Helper()
	call := parse(tb, "POST", "https://h/v1beta/models/m:streamGenerateContent"+query, "{}")
	tr, lacks := translate.Call(&call, pool.BackendVertex, nil, []byte("{}"))
	if len(lacks) > 0 {
		tb.Fatal(lacks)
	}
	got, err := io.ReadAll(tr.Events(from))
	return string(got), err
}
