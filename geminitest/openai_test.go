package geminitest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

// chats are the ways to ask for a chat in OpenAI's dialect. An API key goes as a token there, too.
func chats() map[string]ask {
	const body = `{"model":"%s","messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"tide?"}]}],"stream":false}`
	eu := "https://aiplatform.eu.rep.googleapis.com/v1/projects/a/locations/eu/endpoints/openapi/chat/completions"
	return map[string]ask{
		"a key":          {key: "key-a", url: studio + "/v1beta/openai/chat/completions", body: strings.Replace(body, "%s", "gemini-3.5-flash", 1)},
		"a key as token": {token: "key-a", url: studio + "/v1beta/openai/chat/completions", body: strings.Replace(body, "%s", "models/gemini-3.5-flash", 1)},
		"Vertex AI":      {token: "token-a", url: eu, body: strings.Replace(body, "%s", "google/gemini-3.5-flash", 1)},
	}
}

// choices is what a chat answers, whole or in a piece.
type choices struct {
	Object  string
	Model   string
	Choices []struct {
		Index          int
		Message, Delta struct{ Role, Content string }
		FinishReason   string `json:"finish_reason"`
	}
	Usage struct {
		CompletionTokens int `json:"completion_tokens"`
	}
}

func TestChatsInOpenAIsDialect(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		for name, a := range chats() {
			var whole choices
			a.do(t.Context(), rt).decode(t, &whole)
			if named := strings.HasPrefix(whole.Model, "google/"); named != (name == "Vertex AI") {
				t.Errorf("%s: the model is %s", name, whole.Model)
			}
			if whole.Object != "chat.completion" || strings.TrimPrefix(whole.Model, "google/") != "gemini-3.5-flash" || len(whole.Choices) != 1 ||
				whole.Choices[0].FinishReason != "stop" || whole.Choices[0].Message.Role != "assistant" || whole.Usage.CompletionTokens != 20 {
				t.Errorf("%s: %+v", name, whole)
			}
			a.body = strings.Replace(a.body, `"stream":false`, `"stream":true`, 1)
			got := a.do(t.Context(), rt)
			events := strings.Split(strings.TrimSuffix(got.body, "\r\n\r\n"), "\r\n\r\n")
			if len(events) != 4 || events[3] != "data: [DONE]" || got.header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("%s: %s", name, got.body)
			}
			var text strings.Builder
			for i, event := range events[:3] {
				var piece choices
				if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &piece); err != nil {
					t.Fatal(err)
				}
				text.WriteString(piece.Choices[0].Delta.Content)
				if piece.Object != "chat.completion.chunk" || (piece.Choices[0].FinishReason != "") != (i == 2) {
					t.Errorf("%s, event %d: %s", name, i, event)
				}
			}
			if text.String() != whole.Choices[0].Message.Content {
				t.Errorf("%s: %q in pieces, %q whole", name, text.String(), whole.Choices[0].Message.Content)
			}
		}
		if n := google.Count(geminitest.Match{Method: "openai.chat", Project: "a", Model: "gemini-3.5-flash"}); n != 6 {
			t.Errorf("%d chats are counted, want 6", n)
		}
	})
}

// TestErrorsComeInListsInOpenAIsDialect has them whole, and inside a stream.
func TestErrorsComeInListsInOpenAIsDialect(t *testing.T) {
	cfg := pair()
	cfg.Projects[0].Limits = []geminitest.Limit{{Model: "gemini-3.7-flash", RPM: -1}}
	overBoth(t, cfg, func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		for name, a := range chats() {
			for what, c := range map[string]struct {
				change func(ask) ask
				want   int
			}{
				"a missing model": {func(a ask) ask { a.body = strings.Replace(a.body, "gemini-3.5", "gemini-9", 1); return a }, 404},
				"no messages":     {func(a ask) ask { a.body = strings.Replace(a.body, "messages", "message", 1); return a }, 400},
				"no JSON":         {func(a ask) ask { a.body = "{"; return a }, 400},
				"no quota":        {func(a ask) ask { a.body = strings.Replace(a.body, "3.5", "3.7", 1); return a }, 429},
				"a wrong key":     {func(a ask) ask { a.key, a.token = "key-x", ""; return a }, 400},
			} {
				got := c.change(a).do(t.Context(), rt)
				var list []problem
				if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != c.want || len(list) != 1 || list[0].Error.Code != got.status {
					t.Errorf("%s, %s: %d %s", name, what, got.status, got.body)
				}
			}
			for _, after := range []int{0, 1, 9} {
				google.Script(geminitest.Match{Method: "openai.chat"}, geminitest.Overloaded().AfterEvents(after))
				streamed := a
				streamed.body = strings.Replace(a.body, `"stream":false`, `"stream":true`, 1)
				got := streamed.do(t.Context(), rt)
				last := got.body[strings.LastIndex(got.body, "data: ")+len("data: "):]
				var list []problem
				if err := json.Unmarshal([]byte(last), &list); err != nil || list[0].Error.Code != 503 || strings.Count(got.body, "chat.completion.chunk") != min(after, 3) {
					t.Errorf("%s, after %d events: %s", name, after, got.body)
				}
			}
			google.Script(geminitest.Match{Method: "openai"}, geminitest.Overloaded().Listed())
			if got := a.do(t.Context(), rt); got.status != 503 || !strings.HasPrefix(got.body, "[{") {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
	})
}

func TestVectorsAndModelsInOpenAIsDialect(t *testing.T) {
	google := geminitest.New(pair())
	var vectors struct {
		Data []struct {
			Index     int
			Embedding []float64
		}
	}
	for input, n := range map[string]int{`"a"`: 1, `["a","b"]`: 2} {
		ask{token: "key-a", url: studio + "/v1beta/openai/embeddings", body: `{"model":"gemini-embedding-2","dimensions":8,"input":` + input + `}`}.do(t.Context(), google).decode(t, &vectors)
		if len(vectors.Data) != n || len(vectors.Data[n-1].Embedding) != 8 || vectors.Data[n-1].Index != n-1 {
			t.Errorf("%s: %+v", input, vectors)
		}
	}
	var models struct{ Data []struct{ ID string } }
	ask{verb: http.MethodGet, token: "key-a", url: studio + "/v1beta/openai/models"}.do(t.Context(), google).decode(t, &models)
	if len(models.Data) != len(geminitest.DefaultModels()) || models.Data[0].ID != "models/"+geminitest.DefaultModels()[0] {
		t.Errorf("got %+v", models)
	}
	for model, want := range map[string]int{"gemini-3.5-flash": 200, "gemini-9": 404} {
		if got := (ask{verb: http.MethodGet, key: "key-a", url: studio + "/v1beta/openai/models/" + model}).do(t.Context(), google); got.status != want {
			t.Errorf("%s: %d %s", model, got.status, got.body)
		}
	}
}

// TestOpenAIsOwnPathsLeadNowhere has them answered by Google's front end.
func TestOpenAIsOwnPathsLeadNowhere(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, _ *geminitest.Emulator, rt http.RoundTripper) {
		for _, path := range []string{"/v1/chat/completions", "/v1beta/chat/completions", "/chat/completions", "/v1/embeddings", "/v1/responses", "/v1beta/openai/responses"} {
			got := ask{key: "key-a", url: studio + path}.do(t.Context(), rt)
			if got.status != http.StatusNotFound || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		}
	})
}

// TestUsageComesInOpenAIsDialectAsEachBackEndTellsIt has thoughts, which the Gemini API counts only in
// the total.
func TestUsageComesInOpenAIsDialectAsEachBackEndTellsIt(t *testing.T) {
	cfg := pair()
	cfg.Thoughts = 7
	google := geminitest.New(cfg)
	for name, a := range chats() {
		a.body = strings.Replace(a.body, `"stream":false`, `"stream":true,"extra_body":{"google":{"thinking_config":{"thinking_budget":9}}}`, 1)
		plain := a.do(t.Context(), google).body
		a.body = strings.Replace(a.body, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
		asked := a.do(t.Context(), google).body
		reasoning, each := strings.Count(asked, `"reasoning_tokens":7`), strings.Count(asked, `"usage":`)
		if !strings.Contains(asked, `"total_tokens":`) {
			t.Errorf("%s: no total in %s", name, asked)
		}
		switch name {
		case "Vertex AI":
			if strings.Count(plain, `"traffic_type":"ON_DEMAND"`) != 1 || each != 1 || reasoning != 1 {
				t.Errorf("%s: %s\n%s", name, plain, asked)
			}
		default:
			if strings.Contains(plain, `"usage"`) || each != 3 || reasoning != 0 {
				t.Errorf("%s: %s\n%s", name, plain, asked)
			}
		}
	}
}

func TestToolsAreCalledInOpenAIsDialect(t *testing.T) {
	google := geminitest.New(pair())
	for name, a := range chats() {
		a.body = strings.Replace(a.body, `"stream":false`, `"tools":[{"type":"function","function":{"name":"tide"}}],"tool_choice":"required"`, 1)
		got := a.do(t.Context(), google)
		var answer struct {
			Choices []struct {
				FinishReason string `json:"finish_reason"`
				Message      json.RawMessage
			}
		}
		got.decode(t, &answer)
		if len(answer.Choices) != 1 || answer.Choices[0].FinishReason != "tool_calls" || !strings.Contains(got.body, `"name": "tide"`) {
			t.Fatalf("%s: %s", name, got.body)
		}
		// The signature goes back with the next turn. The other back end's is refused.
		a.body = strings.Replace(a.body, `"messages":[`, `"messages":[`+string(answer.Choices[0].Message)+",", 1)
		if next := a.do(t.Context(), google); next.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, next.status, next.body)
		}
		a.body = strings.Replace(a.body, `"thought_signature": "`, `"thought_signature": "AAAA`, 1)
		if next := a.do(t.Context(), google); next.status != http.StatusBadRequest || !strings.Contains(next.body, "thought signature") {
			t.Errorf("%s: %d %s", name, next.status, next.body)
		}
	}
}

func TestVertexNamesAModelWithItsPublisherInOpenAIsDialect(t *testing.T) {
	google := geminitest.New(pair())
	a := chats()["Vertex AI"]
	a.body = strings.Replace(a.body, "google/", "", 1)
	if got := a.do(t.Context(), google); got.status != http.StatusBadRequest || !strings.Contains(got.body, "publisher/model") {
		t.Errorf("%d %s", got.status, got.body)
	}
	a.url = strings.Replace(a.url, "chat/completions", "embeddings", 1)
	a.body = `{"model":"google/gemini-embedding-001","input":["a","b"]}`
	if got := a.do(t.Context(), google); got.status != http.StatusOK || strings.Count(got.body, `"embedding":`) != 2 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
