package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/internal/wire/verdict"
)

// seen is all that a Stream says.
type seen struct {
	Events       int
	Content      bool
	Finished     bool
	Failure      string
	FailureFirst bool
	Usage        stream.Usage
}

func see(s *stream.Stream) seen {
	return seen{s.Events(), s.Content(), s.Finished(), string(s.Failure()), s.FailureFirst(), s.Usage()}
}

// follow feeds pieces of at most n bytes and closes; n = 0 is all at once. It overwrites what it
// fed, as a reader does.
func follow(tb testing.TB, sse bool, bytes string, n int) *stream.Stream {
	tb.Helper()
	s := stream.New(stream.Form{SSE: sse})
	if n == 0 {
		n = len(bytes)
	}
	buffer := make([]byte, n)
	for len(bytes) > 0 {
		piece := buffer[:copy(buffer, bytes)]
		bytes = bytes[len(piece):]
		if got, err := s.Write(piece); got != len(piece) || err != nil {
			tb.Fatalf("Write: %d, %v", got, err)
		}
		clear(piece)
	}
	s.Close()
	return s
}

const (
	text    = `{"candidates":[{"content":{"parts":[{"text":"a \"data:\" {[\\"}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"}}`
	end     = `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"totalTokenCount":9,"trafficType":"ON_DEMAND"}}`
	failure = `{"error":{"code":503,"message":"high demand","status":"UNAVAILABLE"}}`
)

var endUsage = stream.Usage{Known: true, Prompt: 3, Total: 9, Traffic: "ON_DEMAND"}

// Events as the event stream format defines them:
// https://html.spec.whatwg.org/multipage/server-sent-events.html, "Interpreting an event stream".
// Only what Google adds departs from it, and says so.
func TestStreamServerSentEvents(t *testing.T) {
	traffic := stream.Usage{Traffic: "ON_DEMAND"}
	tests := []struct {
		name, in string
		want     seen
	}{
		{"nothing", "", seen{}},
		{"LF", "data: " + text + "\n\ndata: " + end + "\n\n", seen{Events: 2, Content: true, Finished: true, Usage: endUsage}},
		{"CR LF", "data: " + text + "\r\n\r\ndata: " + end + "\r\n\r\n", seen{Events: 2, Content: true, Finished: true, Usage: endUsage}},
		{"CR", "data: " + text + "\r\rdata: " + end + "\r\r", seen{Events: 2, Content: true, Finished: true, Usage: endUsage}},
		{"mixed ends of lines", "data: " + text + "\r\n\rdata: " + end + "\n\r\n", seen{Events: 2, Content: true, Finished: true, Usage: endUsage}},
		{"byte order mark", "\ufeffdata: " + end + "\n\n", seen{Events: 1, Content: true, Finished: true, Usage: endUsage}},
		{"a second byte order mark is part of the field", "\ufeff\ufeffdata: " + end + "\n\n", seen{}},
		{"no space behind the colon", "data:" + end + "\n\n", seen{Events: 1, Content: true, Finished: true, Usage: endUsage}},
		{"comments", ": hello\n\n:\ndata: " + end + "\n: data: " + failure + "\n\n", seen{Events: 1, Content: true, Finished: true, Usage: endUsage}},
		{"other fields", "event: x\nid: 1\nretry: 9\nfoo: " + failure + "\ndata: " + end + "\n\n", seen{Events: 1, Content: true, Finished: true, Usage: endUsage}},
		{"fields without data are no event", "event: x\n\nid: 1\n\n", seen{}},
		{"field names are case sensitive", "Data: " + end + "\n\n", seen{}},
		{"a space before the colon is part of the name", "data : " + end + "\n\n", seen{}},
		{"a field without a colon", "data\n\n", seen{Events: 1}},
		{"data in several lines", "data: {\"candidates\":\ndata: [{\"finishReason\":\ndata: \"STOP\"}]}\n\n", seen{Events: 1, Content: true, Finished: true}},
		{"many blank lines", "\n\n\ndata: " + text + "\n\n\n\n\n", seen{Events: 1, Content: true, Usage: traffic}},
		{"no blank line at the end, which Google forgets", "data: " + text + "\n\ndata: " + end, seen{Events: 2, Content: true, Finished: true, Usage: endUsage}},
		{"one end of line at the end", "data: " + end + "\n", seen{Events: 1, Content: true, Finished: true, Usage: endUsage}},

		{"error first", "data: " + failure + "\n\n", seen{Events: 1, Failure: failure, FailureFirst: true}},
		{"error after content", "data: " + text + "\n\ndata: " + failure + "\n\n", seen{Events: 2, Content: true, Failure: failure, Usage: traffic}},
		{"error on a bare line", "data: " + text + "\r\n\r\n" + failure + "\r\n\r\n", seen{Events: 2, Content: true, Failure: failure, Usage: traffic}},
		{"error on bare lines", "{\n  \"error\": {\n    \"code\": 503\n  }\n}\n", seen{Events: 1, Failure: "{\n  \"error\": {\n    \"code\": 503\n  }\n}", FailureFirst: true}},
		{"error in an array", "data: [" + failure + "]\n\n", seen{Events: 1, Failure: "[" + failure + "]", FailureFirst: true}},
		{"the first of two errors", "data: " + failure + "\n\ndata: {\"error\":{}}\n\n", seen{Events: 2, Failure: failure, FailureFirst: true}},
		{"error before content", "data: " + failure + "\n\ndata: " + text + "\n\n", seen{Events: 2, Content: true, Failure: failure, FailureFirst: true, Usage: traffic}},
		{"error beside candidates", "data: {\"candidates\":[{}],\"error\":{}}\n\n", seen{Events: 1, Failure: `{"candidates":[{}],"error":{}}`, FailureFirst: true}},
		{"no error", "data: {\"error\":null}\n\n", seen{Events: 1}},
		{"traffic before anything", "data: {\"usageMetadata\":{\"trafficType\":\"PROVISIONED_THROUGHPUT\"}}\n\n", seen{Events: 1, Usage: stream.Usage{Traffic: "PROVISIONED_THROUGHPUT"}}},
		{"no candidates", "data: {\"candidates\":[]}\n\ndata: {\"candidates\":null}\n\n", seen{Events: 2}},
		{"no parts but an end", "data: {\"candidates\":[{\"content\":{},\"finishReason\":\"MAX_TOKENS\"}]}\n\n", seen{Events: 1, Content: true, Finished: true}},
		{"no end", "data: {\"candidates\":[{\"finishReason\":\"FINISH_REASON_UNSPECIFIED\"}]}\n\ndata: {\"candidates\":[{\"finishReason\":\"\"}]}\n\n", seen{Events: 2}},
		{"continuation", "data: {\"candidates\":[{\"finishReason\":\"CONTINUATION\"}]}\n\n", seen{Events: 1, Content: true, Finished: true}},
		{"blocked", "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n", seen{Events: 1, Content: true, Finished: true}},
		{"not blocked", "data: {\"promptFeedback\":{}}\n\n", seen{Events: 1}},
		{"payloads that are no objects", "data: \"x\"\n\ndata: [1,\"{\"]\n\ndata: [DONE]\n\ndata: 7\n\ndata: null\n\n", seen{Events: 5}},
		{"cut JSON", "data: {\"candidates\":[{\"finishReason\":\"STO\n\n", seen{Events: 1, Content: true, Finished: true}},
		{"a finishReason that a model wrote", "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\\\"finishReason\\\":\\\"STOP\\\"\"}],\"finishReason\":\"STOP\"}}]}\n\n", seen{Events: 1, Content: true}},
		{"counts stay when a later event has none", "data: " + end + "\n\ndata: {\"usageMetadata\":{\"trafficType\":\"X\"}}\n\n", seen{Events: 2, Content: true, Finished: true,
			Usage: stream.Usage{Known: true, Prompt: 3, Total: 9, Traffic: "X"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for n := range 8 {
				if diff := cmp.Diff(tt.want, see(follow(t, true, tt.in, n))); diff != "" {
					t.Fatalf("in pieces of %d (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

func TestStreamArray(t *testing.T) {
	tests := []struct {
		name, in string
		want     seen
	}{
		{"nothing", "", seen{}},
		{"empty", "[]", seen{}},
		{"two", "[" + text + "\n,\r\n" + end + "\n]\n", seen{Events: 2, Content: true, Finished: true, Usage: endUsage}},
		{"cut between", "[" + text + "\n,", seen{Events: 1, Content: true, Usage: stream.Usage{Traffic: "ON_DEMAND"}}},
		{"cut within", "[" + text + "\n," + end[:len(end)-1], seen{Events: 1, Content: true, Usage: stream.Usage{Traffic: "ON_DEMAND"}}},
		{"error first", "[{\n \"error\": {}\n}\n]", seen{Events: 1, Failure: "{\n \"error\": {}\n}", FailureFirst: true}},
		{"error after content", "[" + text + "," + failure + "]", seen{Events: 2, Content: true, Failure: failure, Usage: stream.Usage{Traffic: "ON_DEMAND"}}},
		{"an object alone", failure, seen{Events: 1, Failure: failure, FailureFirst: true}},
		{"byte order mark", "\ufeff[" + end + "]", seen{Events: 1, Content: true, Finished: true, Usage: endUsage}},
		{"what follows the array is not of it", "[" + text + "]" + failure, seen{Events: 1, Content: true, Usage: stream.Usage{Traffic: "ON_DEMAND"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for n := range 8 {
				if diff := cmp.Diff(tt.want, see(follow(t, false, tt.in, n))); diff != "" {
					t.Fatalf("in pieces of %d (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

func TestStreamSkipsEventsBeyondItsBuffer(t *testing.T) {
	const size = 33 << 20
	huge := `{"error":{"x":"` + strings.Repeat("A", size) + `"}}`
	for _, sse := range []bool{true, false} {
		in := "[" + huge + "," + end + "]"
		if sse {
			in = "data: " + huge + "\r\n\r\ndata: " + end + "\r\n\r\n"
		}
		for _, n := range []int{0, 1 << 20} {
			s := follow(t, sse, in, n)
			if want := (seen{Events: 2, Content: true, Finished: true, Usage: endUsage}); see(s) != want {
				t.Errorf("sse %v in pieces of %d: %+v", sse, n, see(s))
			}
		}
	}
}

func TestStreamReadsEventsOfTwentyMegabytes(t *testing.T) {
	image := `{"candidates":[{"content":{"parts":[{"inlineData":{"data":"` + strings.Repeat("A", 20<<20) + `"}}]},"finishReason":"STOP"}]}`
	if got := see(follow(t, true, "data: "+image+"\n\n", 32<<10)); !got.Finished || got.Events != 1 {
		t.Errorf("%+v", got)
	}
}

func TestStreamPending(t *testing.T) {
	const half = `data: {"candidates":[{"content`
	steps := []struct {
		write string
		want  int
	}{
		{"", 0}, {half, len(half)}, {":", len(half) + 1}, {"\r", len(half) + 2}, {"\n", len(half) + 3}, {"\r", 0}, {"\n", 0}, {":", 1}, {"\n", 2}, {"\n", 0},
	}
	s := stream.New(stream.Form{SSE: true})
	for i, step := range steps {
		s.Write([]byte(step.write))
		if s.Pending() != step.want {
			t.Errorf("step %d: %d pending, want %d", i, s.Pending(), step.want)
		}
	}
	s.Write([]byte(half))
	s.Drop()
	s.Write([]byte("data: " + end + "\n\n"))
	if got := see(s); s.Pending() != 0 || got.Events != 2 || !got.Finished {
		t.Errorf("after Drop: %d pending, %+v", s.Pending(), got)
	}

	s = stream.New(stream.Form{})
	for i, step := range []struct {
		write string
		want  int
	}{{"[", 0}, {`{"a`, 3}, {`":"}`, 7}, {`"}`, 0}, {", ", 0}, {"{", 1}} {
		s.Write([]byte(step.write))
		if s.Pending() != step.want {
			t.Errorf("array, step %d: %d pending, want %d", i, s.Pending(), step.want)
		}
	}
}

func TestStreamIgnoresWhatComesAfterClose(t *testing.T) {
	s := follow(t, true, "data: "+text+"\n\n", 0)
	before := see(s)
	s.Write([]byte("data: " + end + "\n\n"))
	s.Close()
	if got := see(s); got != before {
		t.Errorf("%+v became %+v", before, got)
	}
}

// TestErrorEventReachesTheSDK cuts streams everywhere and lets genai read what is left and the
// fault behind it.
func TestErrorEventReachesTheSDK(t *testing.T) {
	const chunk = `{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`
	for _, eol := range []string{"\n", "\r\n"} {
		whole := "data: " + chunk + eol + eol + "data: " + chunk + eol + eol
		for n := range len(whole) + 1 {
			for _, held := range []bool{true, false} {
				s := stream.New(stream.Form{SSE: true})
				s.Write([]byte(whole[:n]))
				sent := whole[:n]
				half := strings.TrimRight(sent[n-s.Pending():], "\r\n")
				if !held && half != "" && half != "data: "+chunk {
					continue // half an event ends the SDK's reading; Pending prevents it
				}
				if held {
					sent = sent[:n-s.Pending()]
					s.Drop()
				} else {
					s.Close()
				}
				sent += string(s.ErrorEvent(verdict.ErrorBody(503, "UNAVAILABLE", "cut")))
				chunks, broken, last := readStream(t, sent)
				var fault genai.APIError
				if !errors.As(last, &fault) || fault.Code != 503 || fault.Status != "UNAVAILABLE" || fault.Message != "cut" {
					t.Fatalf("eol %q cut at %d, held %v: last error %v\n%q", eol, n, held, last, sent)
				}
				if want := strings.Count(sent, chunk); broken > 0 || chunks != want {
					t.Fatalf("eol %q cut at %d: %d chunks, %d broken\n%q", eol, n, chunks, broken, sent)
				}
			}
		}
	}
}

// readStream reads a stream as genai does. It goes on after errors, and returns the last.
func readStream(t *testing.T, body string) (chunks, broken int, last error) {
	t.Helper()
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{Backend: genai.BackendGeminiAPI, APIKey: "spillway",
		HTTPClient: &http.Client{Transport: answer(func(*http.Request) *http.Response {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		})}})
	if err != nil {
		t.Fatal(err)
	}
	config := &genai.GenerateContentConfig{AutomaticContinuation: new(false)}
	for chunk, err := range client.Models.GenerateContentStream(context.Background(), "m", genai.Text("x"), config) {
		switch {
		case err != nil:
			last = err
			if _, ok := errors.AsType[genai.APIError](err); !ok {
				broken++
			}
		case len(chunk.Candidates) > 0:
			chunks++
		}
	}
	return chunks, broken, last
}

type answer func(*http.Request) *http.Response

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

func TestErrorEventOfAnArrayIsAnElementOfIt(t *testing.T) {
	for in, want := range map[string]string{
		"":                  "[F]",
		"[":                 "[F]",
		"[\n":               "[\nF]",
		"[" + text:          "[" + text + ",F]",
		"[" + text + "\n":   "[" + text + "\n,F]",
		"[" + text + ",":    "[" + text + ",F]",
		"[" + text + ",{\"": "[" + text + ",F]",
		"[{":                "[F]",
	} {
		s := stream.New(stream.Form{})
		s.Write([]byte(in))
		sent := in[:len(in)-s.Pending()]
		s.Drop()
		fault := string(s.ErrorEvent(verdict.ErrorBody(500, "INTERNAL", "cut")))
		want = strings.Replace(want, "F", string(verdict.ErrorBody(500, "INTERNAL", "cut")), 1)
		if sent+fault != want {
			t.Errorf("%q: got %s, want %s", in, sent+fault, want)
		}
	}
	for _, in := range []string{"[]", "[" + text + "]", "[" + text + ",{", text} {
		s := stream.New(stream.Form{})
		s.Write([]byte(in))
		if got := s.ErrorEvent(verdict.ErrorBody(500, "INTERNAL", "cut")); got != nil {
			t.Errorf("%q cannot be followed, got %s", in, got)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add(true, []byte("\ufeffdata: "+text+"\r\n\r\n: x\ndata: "+end+"\r\rdata: "+failure), uint8(3))
	f.Add(true, []byte(failure+"\n\ndata\ndata: x\n\n"), uint8(1))
	f.Add(false, []byte("["+text+",\n"+failure+"]"), uint8(5))
	f.Add(false, []byte(`[{"a":"\\\"}"},{"candidates":[{"finishReason":"STOP"}]}`), uint8(2))
	f.Fuzz(func(t *testing.T, sse bool, in []byte, n uint8) {
		whole := follow(t, sse, string(in), 0)
		pieces := follow(t, sse, string(in), int(n%32)+1)
		if diff := cmp.Diff(see(whole), see(pieces)); diff != "" {
			t.Errorf("pieces of %d differ:\n%s", n%32+1, diff)
		}
		if whole.Pending() != pieces.Pending() || whole.Pending() > len(in) {
			t.Errorf("%d pending, in pieces %d", whole.Pending(), pieces.Pending())
		}
		if a, b := whole.ErrorEvent(verdict.ErrorBody(500, "X", "y")), pieces.ErrorEvent(verdict.ErrorBody(500, "X", "y")); !bytes.Equal(a, b) {
			t.Errorf("fault %q, in pieces %q", a, b)
		}
	})
}

func BenchmarkStreamWrite(b *testing.B) {
	event := []byte("data: " + `{"candidates":[{"content":{"parts":[{"text":"` + strings.Repeat("word ", 40) + `"}],"role":"model"},"index":0}],` +
		`"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":50,"totalTokenCount":60},"modelVersion":"gemini-2.5-flash"}` + "\r\n\r\n")
	for _, n := range []int{len(event), 64} {
		b.Run(fmt.Sprintf("pieces of %d", n), func(b *testing.B) {
			s := stream.New(stream.Form{SSE: true})
			b.ReportAllocs()
			b.SetBytes(int64(len(event)))
			for b.Loop() {
				for rest := event; len(rest) > 0; rest = rest[min(n, len(rest)):] {
					s.Write(rest[:min(n, len(rest))])
				}
			}
			if !s.Content() {
				b.Fatal("no content")
			}
		})
	}
}
