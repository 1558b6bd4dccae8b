package stream_test

import (
	"testing"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/pool"
)

// TestUsageInOpenAIsDialect has what both back ends, and OpenAI itself, send.
func TestUsageInOpenAIsDialect(t *testing.T) {
	for name, tt := range map[string]struct {
		usage string
		want  stream.Usage
	}{
		"the Gemini API, thoughts in the total alone": {`{"prompt_tokens":2000,"completion_tokens":3,"total_tokens":2023}`,
			stream.Usage{Known: true, Prompt: 2000, Output: 3, Thoughts: 20, Total: 2023}},
		"Vertex AI, thoughts beside the completion": {`{"completion_tokens":45,"completion_tokens_details":{"reasoning_tokens":504},"extra_properties":{"google":{"traffic_type":"PROVISIONED_THROUGHPUT"}},"prompt_tokens":27,"total_tokens":576}`,
			stream.Usage{Known: true, Prompt: 27, Output: 45, Thoughts: 504, Total: 576, Traffic: "PROVISIONED_THROUGHPUT"}},
		"OpenAI, thoughts in the completion": {`{"prompt_tokens":10,"completion_tokens":30,"total_tokens":40,"completion_tokens_details":{"reasoning_tokens":20}}`,
			stream.Usage{Known: true, Prompt: 10, Output: 10, Thoughts: 20, Total: 40}},
		"cached and audio": {`{"prompt_tokens":10,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":2}}`,
			stream.Usage{Known: true, Prompt: 10, Cached: 8, Total: 10, PromptDetails: pool.Modalities{Audio: 2}}},
		"traffic alone":             {`{"extra_properties":{"google":{"traffic_type":"ON_DEMAND"}}}`, stream.Usage{Traffic: "ON_DEMAND"}},
		"impossible numbers":        {`{"prompt_tokens":-3,"completion_tokens":1e99,"total_tokens":5,"completion_tokens_details":{"reasoning_tokens":9e99}}`, stream.Usage{Known: true, Thoughts: 1<<31 - 1, Total: 5}},
		"more thoughts than billed": {`{"prompt_tokens":1,"total_tokens":5,"completion_tokens_details":{"reasoning_tokens":9}}`, stream.Usage{Known: true, Prompt: 1, Thoughts: 9, Total: 5}},
		"null":                      {`null`, stream.Usage{}},
		"cut":                       {`{"prompt_tokens":3,"comp`, stream.Usage{Known: true, Prompt: 3}},
	} {
		whole := stream.Whole(stream.Form{Dialect: stream.OpenAI}, []byte(`{"choices":[],"usage":`+tt.usage+`}`))
		var apart stream.Stream
		stream.Charge(&apart, []byte(tt.usage))
		if whole.Usage() != tt.want || apart.Usage() != tt.want {
			t.Errorf("%s: %+v and %+v, want %+v", name, whole.Usage(), apart.Usage(), tt.want)
		}
	}
}

func TestTheModelInOpenAIsDialect(t *testing.T) {
	for name, want := range map[string]string{"asked": "", "google/asked": "", "models/asked": "", "google/other": "other", "": ""} {
		s := stream.Whole(stream.Form{Dialect: stream.OpenAI, Model: "asked"}, []byte(`{"model":"`+name+`"}`))
		if got := s.Usage().Served; got != want {
			t.Errorf("%s is read as %q", name, got)
		}
	}
}

func TestSignaturesInOpenAIsDialect(t *testing.T) {
	const body = `{"choices":[{"message":{"extra_content":{"google":{"thought_signature":"AAAA"}},"tool_calls":[{"extra_content":{"google":{"thought_signature":"BBBB"}}}]}}]}`
	s := stream.Whole(stream.Form{Dialect: stream.OpenAI, Signed: true}, []byte(body))
	if got := s.Signatures(); len(got) != 2 || got[0] != request.SignatureName([]byte("AAAA")) || got[1] != request.SignatureName([]byte("BBBB")) || !s.Content() {
		t.Errorf("%q", got)
	}
}
