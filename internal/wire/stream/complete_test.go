package stream_test

import (
	"testing"

	"github.com/spillway-go/spillway/internal/wire/stream"
)

func TestComplete(t *testing.T) {
	const stop = `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}`
	gemini, events, chat := stream.Form{}, stream.Form{SSE: true}, stream.Form{SSE: true, Dialect: stream.OpenAI}
	for _, tt := range []struct {
		name string
		form stream.Form
		body string
		want bool
	}{
		{"an array", gemini, "[" + stop + "]", true},
		{"an array without its end", gemini, "[" + stop, false},
		{"an array that goes on", gemini, "[" + stop + ",", false},
		{"an array that says nothing", gemini, `[{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}]}]`, false},
		{"an empty text", events, `data: {"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}` + "\n\n", false},
		{"a text after the reason", events, `data: {"candidates":[{"finishReason":"STOP"}]}` + "\n\ndata: " + stop + "\n\n", true},
		{"a picture", events, `data: {"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"aa"}}]},"finishReason":"STOP"}]}` + "\n\n", true},
		{"no candidates", events, `data: {"candidates":[]}` + "\n\n", false},
		{"an array that is cut", gemini, `[{"candidates":[{"finishReason":"STOP"}]},{"cand`, false},
		{"events", events, "data: " + stop + "\n\n", true},
		{"a last event without its blank line", events, "data: " + stop, true},
		{"an event that is cut", events, "data: " + stop + "\n\ndata: {\"cand", false},
		{"the reason in every event", events, "data: " + stop + "\n\ndata: " + stop + "\n\n", true},
		{"another reason first", events, `data: {"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}` + "\n\ndata: " + stop + "\n\n", false},
		{"the second candidate has no end", events, `data: {"candidates":[{"index":1}]}` + "\n\ndata: " + stop + "\n\n", false},
		{"a page of HTML after it", events, "data: " + stop + "\n\n<html>\n\n", false},
		{"nothing", events, "", false},
		{"a chat", chat, `data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n", true},
		{"a chat without its last event", chat, `data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}` + "\n\n", false},
		{"a chat that says nothing", chat, `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n", false},
		{"a chat with a call", chat, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}` + "\n\ndata: [DONE]\n\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, step := range []int{1, 7, 1 << 20} {
				s := stream.New(tt.form)
				for rest := []byte(tt.body); len(rest) > 0; {
					n := min(step, len(rest))
					_, _ = s.Write(rest[:n])
					rest = rest[n:]
				}
				s.Close()
				if got := stream.Complete(s); got != tt.want {
					t.Errorf("in pieces of %d: %v, want %v", step, got, tt.want)
				}
			}
		})
	}
}
