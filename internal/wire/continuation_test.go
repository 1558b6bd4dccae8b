package wire_test

import (
	"net/http"
	"testing"

	"github.com/spillway-go/spillway/internal/wire"
)

func TestContinuationIsKnownAgainInEveryForm(t *testing.T) {
	const address = "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent"
	want := parse(t, http.MethodPost, address, `{"contents":[],"continuationToken":"+/8="}`).Continuation
	if want == "" {
		t.Fatal("the call continues nothing")
	}
	for name, body := range map[string]string{
		"as sent":      `{"candidates":[{"finishReason":"CONTINUATION","continuationToken":"+/8="}]}`,
		"for URLs":     `{"candidates":[{"continuationToken":"-_8"}]}`,
		"with escapes": `{"candidates":[{"continuationToken":"+\/8\u003d"}]}`,
		"snake case":   `{"candidates":[{"continuation_token":"+/8="}]}`,
		"the last":     `{"candidates":[{"continuationToken":"AAAA"},{"continuationToken":"+/8="}]}`,
	} {
		if got := wire.Continuation([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		for _, sse := range []bool{true, false} {
			event := "data: " + body + "\n\n"
			if !sse {
				event = "[" + body + "]"
			}
			s := wire.NewStream(sse)
			for _, b := range []byte(event) {
				_, _ = s.Write([]byte{b})
			}
			if got := s.Continuation(); got != want {
				t.Errorf("%s, in a stream (SSE %v): %q, want %q", name, sse, got, want)
			}
		}
	}
	for _, body := range []string{``, `{}`, `{"candidates":[{"continuationToken":""}]}`, `{"candidates":[{"content":{"continuationToken":"AAAA"}}]}`, `{"continuationToken":"AAAA"}`} {
		if got := wire.Continuation([]byte(body)); got != "" {
			t.Errorf("%s: %q, want none", body, got)
		}
	}
	if got := parse(t, http.MethodPost, address, `{"contents":[{"continuationToken":"AAAA"}]}`).Continuation; got != "" {
		t.Errorf("a token deeper in the body: %q, want none", got)
	}
}
