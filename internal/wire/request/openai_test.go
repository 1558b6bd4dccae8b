package request_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

const chats = "https://h/v1beta/openai/chat/completions"

func TestEstimatesOfChatsInOpenAIsDialect(t *testing.T) {
	message := func(content string) string {
		return `{"model":"m","messages":[{"role":"user","content":` + content + `}]}`
	}
	for name, tt := range map[string]struct {
		body string
		want pool.Estimate
	}{
		"text":                {message(`"12345678"`), pool.Estimate{Candidates: 1, Prompt: pool.Prompt{Text: 2}}},
		"bounds":              {`{"max_completion_tokens":70,"n":3,"messages":[{"content":"abcd"}]}`, pool.Estimate{Candidates: 3, MaxOutput: 70, Prompt: pool.Prompt{Text: 1}}},
		"the older bound":     {`{"max_tokens":70,"messages":[{"content":"abcd"}]}`, pool.Estimate{Candidates: 1, MaxOutput: 70, Prompt: pool.Prompt{Text: 1}}},
		"no thoughts":         {`{"reasoning_effort":"none","messages":[{"content":"abcd"}]}`, pool.Estimate{Candidates: 1, NoThoughts: true, Prompt: pool.Prompt{Text: 1}}},
		"bounds of others":    {`{"metadata":{"n":9,"max_tokens":9},"messages":[{"content":"abcd"}]}`, pool.Estimate{Candidates: 1, Prompt: pool.Prompt{Text: 1}}},
		"a picture":           {message(`[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 40_000) + `"}}]`), pool.Estimate{Candidates: 1, Prompt: pool.Prompt{Image: 258}}},
		"a picture's address": {message(`[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]`), pool.Estimate{Candidates: 1, Prompt: pool.Prompt{Image: 258}}},
		"speech":              {message(`[{"type":"input_audio","input_audio":{"data":"` + strings.Repeat("A", 32_000/3*4) + `","format":"wav"}}]`), pool.Estimate{Candidates: 1, Prompt: pool.Prompt{Audio: 32}}},
		"a paper":             {message(`[{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}]`), pool.Estimate{Candidates: 1, Prompt: pool.Prompt{Document: 258}}},
		"words for a format":  {`{"format":"wav","url":"abcdefgh","messages":[]}`, pool.Estimate{Candidates: 1, Prompt: pool.Prompt{Text: 3}}},
	} {
		if diff := cmp.Diff(tt.want, parse(t, "POST", chats, tt.body).Estimate); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPrefixOfAChatIsItsInstructionsAndItsFirstTurn(t *testing.T) {
	const system, hello, more = `{"role":"system","content":"be brief"}`, `,{"role":"user","content":"hello"}`, `,{"role":"assistant","content":"hi"},{"role":"user","content":"and you?"}`
	at := func(messages string) request.Call { return parse(t, "POST", chats, `{"messages":[`+messages+`]}`) }
	want := at(system + hello + more)
	if want.Prefix == 0 || want.Turns != 3 {
		t.Fatalf("%+v", want)
	}
	for name, messages := range map[string]string{"the first turn": system + hello, "the next turn": system + hello + more + more} {
		if got := at(messages); got.Prefix != want.Prefix {
			t.Errorf("%s: %x, want %x", name, got.Prefix, want.Prefix)
		}
	}
	for name, messages := range map[string]string{
		"another first turn": system + strings.Replace(hello, "hello", "hey", 1) + more, "another instruction": strings.Replace(system, "brief", "short", 1) + hello + more,
		"no instruction": hello[1:] + more, "the role comes last": `{"content":"be brief","role":"user"}` + hello + more,
	} {
		if got := at(messages); got.Prefix == want.Prefix || got.Prefix == 0 {
			t.Errorf("%s: %x, as without", name, got.Prefix)
		}
	}
	if got := at(system); got.Prefix != 0 || got.Turns != 0 {
		t.Errorf("instructions alone: %+v", got)
	}
	if last := at(`{"content":"be brief","role":"system"}` + hello + more); last.Turns != 3 {
		t.Errorf("a role at the end: %d turns", last.Turns)
	}
}

func TestOnlyAStreamThatDoesNotTellIsAskedForItsUsage(t *testing.T) {
	const onVertex = "https://h/v1/projects/p/locations/l/endpoints/openapi/chat/completions"
	for _, tt := range []struct {
		url, body string
		want      bool
	}{
		{chats, `{"stream":true}`, true},
		{chats, `{"stream":true,"stream_options":{"include_usage":false}}`, true},
		{chats, `{"stream":true,"metadata":{"include_usage":true}}`, true},
		{chats, `{"stream":true,"stream_options":{"include_usage":true}}`, false},
		{chats, `{"stream":false}`, false},
		{"https://h/v1beta/openai/embeddings", `{"stream":true}`, false},
		{"https://h/v1beta/models/m:streamGenerateContent?alt=sse", `{}`, false},
	} {
		c := parse(t, "POST", tt.url, tt.body)
		if got := request.HidesUsage(&c, pool.BackendGemini); got != tt.want {
			t.Errorf("%s %s: %v", tt.url, tt.body, got)
		}
	}
	if c := parse(t, "POST", onVertex, `{"stream":true}`); request.HidesUsage(&c, pool.BackendVertex) {
		t.Error("Vertex AI tells it always")
	}
	for body, want := range map[string]string{
		`{"stream":true}`: `{"stream_options":{"include_usage":true},"stream":true}`,
		"\t{ \"a\":1}":    "\t" + `{"stream_options":{"include_usage":true}, "a":1}`,
		`{"stream_options":{"include_usage":false,"x":[1]},"a":1}`: `{"stream_options":{"include_usage":true,"x":[1]},"a":1}`,
		`{"a":1,"stream_options":null}`:                            `{"a":1,"stream_options":{"include_usage":true}}`,
		`{"a":1,"stream_options":"x"}`:                             `{"a":1,"stream_options":{"include_usage":true}}`,
		`{}`:                                                       `{}`, `[]`: `[]`, ``: ``, `{"a`: `{"a`,
	} {
		was := []byte(body)
		got := string(request.WithUsage(was))
		if got != want || string(was) != body || json.Valid(was) && !json.Valid([]byte(got)) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

func TestSignaturesOfAChat(t *testing.T) {
	const body = `{"messages":[{"role":"user","content":"\"thought_signature\":\"no\""},{"role":"assistant","extra_content":{"google":{"thought_signature":"AAAA"}},` +
		`"tool_calls":[{"id":"1","extra_content":{"google":{"thought_signature":"BBBB"}}},{"id":"2"}]}]}`
	var names []string
	request.Signatures([]byte(body), func(name string) { names = append(names, name) })
	if want := []string{request.SignatureName([]byte("AAAA")), request.SignatureName([]byte("BBBB"))}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	got, _ := request.Unsign([]byte(body), func(name string) bool { return name == names[1] })
	if want := strings.Replace(body, "BBBB", request.Placeholder, 1); string(got) != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestNamesOfMethodsInOpenAIsDialect(t *testing.T) {
	for url, want := range map[string]string{
		chats: "openai.chat", "https://h/openai/v1/embeddings": "openai.embeddings", "https://h/v1beta/openai/models": "openai.models.list",
		"https://h/v1beta/openai/models/m": "openai.models.get", "https://h/v1beta/openai/x": "", generate: "generateContent",
	} {
		if c := parse(t, "POST", url, ""); request.MethodName(&c) != want {
			t.Errorf("%s: %q", url, request.MethodName(&c))
		}
	}
}

func TestTheNameOfAModelIsWrittenAsTheBackEndTakesIt(t *testing.T) {
	const onVertex = "https://h/v1/projects/p/locations/l/endpoints/openapi/chat/completions"
	for _, tt := range []struct{ url, name, model, want string }{
		{onVertex, "gemini-3.5-flash", "gemini-3.5-flash", "google/gemini-3.5-flash"},
		{onVertex, "models/gemini-3.5-flash", "gemini-3.5-flash", "google/gemini-3.5-flash"},
		{onVertex, "google/gemini-3.5-flash", "gemini-3.5-flash", "google/gemini-3.5-flash"},
		{onVertex, "fast", "gemini-3.5-flash", "google/gemini-3.5-flash"},
		{onVertex, "google/fast", "gemini-3.5-flash", "google/gemini-3.5-flash"},
		{onVertex, "meta/llama-4", "meta/llama-4", "meta/llama-4"},
		{onVertex, "fast", "meta/llama-4", "meta/llama-4"},
		{chats, "google/gemini-3.5-flash", "gemini-3.5-flash", "gemini-3.5-flash"},
		{chats, "models/gemini-3.5-flash", "gemini-3.5-flash", "models/gemini-3.5-flash"},
		{chats, "gemini-3.5-flash", "gemini-3.5-flash", "gemini-3.5-flash"},
		{chats, "google/fast", "gemini-3.5-flash", "gemini-3.5-flash"},
	} {
		body := func(name string) string { return `{"n":1,"model":"` + name + `","messages":[{"model":"x"}]}` }
		c := parse(t, "POST", tt.url, body(tt.name))
		if got := string(c.Rename(tt.model, []byte(body(tt.name)))); got != body(tt.want) || c.Model != tt.model || !request.Named(&c, tt.model) {
			t.Errorf("%s for %s as %s: %s", tt.url, tt.name, tt.model, got)
		}
	}
}

func TestWhatAPathBelowAnotherSaysIsOfNoOther(t *testing.T) {
	for path, want := range map[string]string{"embeddings": "embedContent", "embeddings/x": "other", "chat/completions": "", "chat/completions/x": "other", "models": "models.get", "models/m": "models.get", "modelsx": "other"} {
		c := parse(t, "POST", "https://h/v1beta/openai/"+path, "")
		if got := c.Asked("POST").Method; got != want {
			t.Errorf("%s counts as %q, want %q", path, got, want)
		}
	}
}
