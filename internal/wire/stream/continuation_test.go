package stream_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/stream"
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
		if got := continuation(body); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		for _, sse := range []bool{true, false} {
			event := "data: " + body + "\n\n"
			if !sse {
				event = "[" + body + "]"
			}
			s := stream.New(stream.Form{SSE: sse})
			for _, b := range []byte(event) {
				_, _ = s.Write([]byte{b})
			}
			if got := s.Continuation(); got != want {
				t.Errorf("%s, in a stream (SSE %v): %q, want %q", name, sse, got, want)
			}
		}
	}
	for _, body := range []string{``, `{}`, `{"candidates":[{"continuationToken":""}]}`, `{"candidates":[{"content":{"continuationToken":"AAAA"}}]}`, `{"continuationToken":"AAAA"}`} {
		if got := continuation(body); got != "" {
			t.Errorf("%s: %q, want none", body, got)
		}
	}
	if got := parse(t, http.MethodPost, address, `{"contents":[{"continuationToken":"AAAA"}]}`).Continuation; got != "" {
		t.Errorf("a token deeper in the body: %q, want none", got)
	}
}

func parse(tb testing.TB, method, address, body string) request.Call {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	return request.Parse(method, u, []byte(body))
}

// continuation is what a whole response says of its continuation.
func continuation(body string) string {
	s := stream.Whole(stream.Form{}, []byte(body))
	return s.Continuation()
}
