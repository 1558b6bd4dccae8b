package router_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// written is the slice that was written to it last.
type written []byte

func (w *written) Write(p []byte) (int, error) {
	*w = p
	return len(p), nil
}

func TestBodyInMemoryIsSentFromWhereItIs(t *testing.T) {
	const text = `{"contents":[{"parts":[{"text":"hi"}]}]}`
	for _, tt := range []struct {
		name   string
		body   func(b []byte) io.Reader
		shared bool
	}{
		{"bytes.Reader", func(b []byte) io.Reader { return bytes.NewReader(b) }, true},
		{"bytes.Buffer", func(b []byte) io.Reader { return bytes.NewBuffer(b) }, true},
		{"strings.Reader", func(b []byte) io.Reader { return strings.NewReader(string(b)) }, false},
		{"a reader that cannot be read again", func(b []byte) io.Reader {
			return iotest.OneByteReader(bytes.NewReader(b))
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := []byte(text)
			attempts := 0
			r := routerOver(t, func(req *http.Request) (*http.Response, error) {
				attempts++
				var sent written
				if w, ok := req.Body.(io.WriterTo); !ok {
					t.Errorf("the body is a %T", req.Body)
				} else if _, err := w.WriteTo(&sent); err != nil || string(sent) != text {
					t.Errorf("attempt %d sent %q, %v", attempts, sent, err)
				} else if n := req.ContentLength; n != int64(len(text)) {
					t.Errorf("attempt %d said %d bytes, want %d", attempts, n, len(text))
				} else if shared := &sent[0] == &body[0]; shared != tt.shared {
					t.Errorf("sent from where it is: %v, want %v", shared, tt.shared)
				}
				if attempts == 1 {
					return nil, errors.New("the connection was reset")
				}
				return answerOf(200, okBody), nil
			}, router.Config{Retry: router.Retry{Initial: 1, Max: 1}})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
				"https://generativelanguage.googleapis.com/v1beta/"+genPath, tt.body(body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := r.RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusOK || attempts != 2 {
				t.Fatalf("%v, %v after %d attempts", resp, err, attempts)
			}
		})
	}
}

func TestBodyOfTheCallerIsNeverChanged(t *testing.T) {
	const text = `{"model":"models/alias","contents":[{"parts":[{"text":"hi"}]}],"safety_settings":[]}`
	google := func(*http.Request) (*http.Response, error) { return answerOf(200, okBody), nil }
	r := routerOver(t, google,
		router.Config{Models: map[string]string{"alias": flash}}, vertexed("v", "global").pool)
	body := []byte(text)
	for _, method := range []string{"generateContent", "countTokens"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"https://generativelanguage.googleapis.com/v1beta/models/alias:"+method, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", method, resp, err)
		}
		if string(body) != text {
			t.Errorf("%s: the body became %s", method, body)
		}
	}
}

// inPieces is a body that comes in pieces and ends with an error.
type inPieces struct {
	pieces []string
	err    error
}

func (r *inPieces) Read(p []byte) (int, error) {
	for len(r.pieces) > 0 && r.pieces[0] == "" {
		r.pieces = r.pieces[1:]
	}
	if len(r.pieces) == 0 {
		return 0, r.err
	}
	n := copy(p, r.pieces[0])
	r.pieces[0] = r.pieces[0][n:]
	return n, nil
}

// oneKey is a pool of one project with one key.
func oneKey(key string) pool.Config {
	return pool.Config{Projects: []pool.Project{{
		Name: "a", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret(key)},
	}}}
}

// streamed reads a stream through a router, at most size bytes at once. It returns what was read,
// and what came of the attempt.
func streamed(
	t *testing.T, query string, body io.Reader, size int,
) (read string, class pool.Class) {
	t.Helper()
	trace := router.WithTrace(&router.Trace{
		AttemptEnd: func(_ context.Context, end router.AttemptEnd) { class = end.Outcome.Class },
	})
	google := transport(func(*http.Request) (*http.Response, error) {
		resp := answerOf(200, "")
		resp.Body = io.NopCloser(body)
		return resp, nil
	})
	cfg := router.Config{MaxAttempts: 1}
	r, err := router.New(oneKey("k-a"), cfg, router.WithTransport(google), trace)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent"+query, `{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []byte
	for p := make([]byte, size); ; {
		n, err := resp.Body.Read(p)
		all = append(all, p[:n]...)
		clear(p)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("reading ends with %v", err)
			}
			return string(all), class
		}
	}
}

const (
	firstEvent  = `{"candidates":[{"content":{"parts":[{"text":"a \"b\" {["}]}}]}`
	secondEvent = `{"candidates":[{"content":{"parts":[{"text":"é"}]},"finishReason":"STOP"}],` +
		`"usageMetadata":{"promptTokenCount":3}}`
)

var wholeStreams = map[string]string{
	"?alt=sse": "data: " + firstEvent + "\r\n\r\ndata: " + secondEvent + "\r\n\r\n",
	"":         "[" + firstEvent + ",\r\n" + secondEvent + "]\n",
}

func TestStreamIsTheSameHoweverItsBytesCome(t *testing.T) {
	for query, whole := range wholeStreams {
		for at := range len(whole) {
			for _, size := range []int{1, 100, 4096} {
				pieces := []string{whole[:at], whole[at:]}
				got, class := streamed(t, query, &inPieces{pieces, io.EOF}, size)
				if got != whole || class != pool.ClassOK {
					t.Fatalf("%s in two pieces at %d, read by %d: %s\n%q", query, at, size, class, got)
				}
			}
		}
	}
}

func TestStreamIsTheSameWhereverItIsCut(t *testing.T) {
	for query, whole := range wholeStreams {
		for at := len(firstEvent) + len("data: \r\n\r\n"); at < len(whole); at++ {
			for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
				want, wantClass := afterCut(query != "", whole[:at], end)
				for _, size := range []int{1, 100, 4096} {
					pieces := []string{whole[:at/2], whole[at/2 : at]}
					got, class := streamed(t, query, &inPieces{pieces, end}, size)
					if got != want || class != wantClass {
						t.Fatalf("%s cut at %d by %v, read by %d: %s, want %s\n%q, want\n%q",
							query, at, end, size, class, wantClass, got, want)
					}
				}
			}
		}
	}
}

// afterCut is what becomes of a stream that ends too early.
func afterCut(sse bool, sent string, end error) (string, pool.Class) {
	s := stream.New(stream.Form{SSE: sse})
	_, _ = s.Write([]byte(sent))
	whole := stream.New(stream.Form{SSE: sse})
	_, _ = whole.Write([]byte(sent))
	if whole.Close(); errors.Is(end, io.EOF) && !whole.Cut() {
		s = whole
	} else {
		sent = sent[:len(sent)-s.Pending()]
		s.Drop()
		s.Close()
	}
	why := "gave no finishReason"
	if s.Finished() {
		if errors.Is(end, io.EOF) || s.Ended() {
			return sent, pool.ClassOK
		}
		why = "broke the connection"
	}
	body := verdict.ErrorBody(http.StatusServiceUnavailable, "UNAVAILABLE",
		"spillway: the stream broke off before its end; a/global/on_demand "+why)
	return sent + string(s.ErrorEvent(body)), pool.ClassTransport
}

func TestLargeEventsOfAStreamPassWhole(t *testing.T) {
	t.Parallel()
	for _, length := range []int{3 << 10, 100 << 10, 1 << 20, 5 << 20} {
		event := "data: " + strings.Replace(firstEvent, "a ", strings.Repeat("a", length), 1) + "\n\n"
		whole := event + wholeStreams["?alt=sse"] + event + "data: " + secondEvent + "\n\n"
		for _, size := range []int{600, 64 << 10} {
			for _, piece := range []int{1000, 32 << 10} {
				var pieces []string
				for left := whole; left != ""; left = left[min(piece, len(left)):] {
					pieces = append(pieces, left[:min(piece, len(left))])
				}
				got, class := streamed(t, "?alt=sse", &inPieces{pieces, io.EOF}, size)
				if got != whole || class != pool.ClassOK {
					t.Errorf("events of %d bytes in pieces of %d, read by %d: %d bytes of %d, %s",
						length, piece, size, len(got), len(whole), class)
				}
			}
		}
	}
}

func TestStreamAllocatesNothingForAnEvent(t *testing.T) {
	p := make([]byte, 1024)
	allocations := func(events int) float64 {
		pieces := make([]string, 0, 2*events+2)
		r := routerOver(t, func(*http.Request) (*http.Response, error) {
			pieces = pieces[:0]
			for range events {
				pieces = append(pieces, "data: "+firstEvent+"\n\n", "data: {", firstEvent[1:]+"\n\n")
			}
			resp := answerOf(200, "")
			resp.Body = io.NopCloser(&inPieces{append(pieces, "data: "+secondEvent+"\n\n"), io.EOF})
			return resp, nil
		}, router.Config{})
		return testing.AllocsPerRun(10, func() {
			req := gen(t.Context(), "models/"+flash+":streamGenerateContent?alt=sse", `{}`)
			resp, err := r.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = resp.Body.Read(p)
			}
		})
	}
	few, many := allocations(10), allocations(110)
	if made := 200.0; many-few > made+10 { // the strings that the transport makes
		t.Errorf("200 more events allocate %.0f times, %.0f of them in the test", many-few, made)
	}
}

func TestResponsesOfAnyLengthAreReadWhole(t *testing.T) {
	for _, length := range []int{0, 1, 511, 512, 513, 4095, 4096, 4097, 1 << 20} {
		body := strings.Replace(okBody, "hi", strings.Repeat("x", length), 1)
		for _, said := range []int64{-1, 0, int64(len(body)) - 1, int64(len(body)), int64(len(body)) + 1} {
			for name, reader := range map[string]func(io.Reader) io.Reader{
				"all at once":  func(r io.Reader) io.Reader { return r },
				"by halves":    iotest.HalfReader,
				"with its end": iotest.DataErrReader,
			} {
				r := routerOver(t, func(*http.Request) (*http.Response, error) {
					resp := answerOf(200, "")
					resp.Body, resp.ContentLength = io.NopCloser(reader(strings.NewReader(body))), said
					return resp, nil
				}, router.Config{})
				resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				if string(got) != body || err != nil || resp.ContentLength != int64(len(body)) {
					t.Errorf("%d bytes %s, said to be %d: got %d, %v",
						len(body), name, said, len(got), err)
				}
			}
		}
	}
}

func TestKeysAreScrubbedOfEveryConfiguration(t *testing.T) {
	google := transport(func(req *http.Request) (*http.Response, error) {
		key := req.Header.Get("X-Goog-Api-Key")
		return answerOf(400, fmt.Sprintf(`{"error":{"code":400,"message":"not %s"}}`, key)), nil
	})
	r, err := router.New(oneKey("first-key"), router.Config{}, router.WithTransport(google))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "second-key", "third-key"} {
		if key != "" {
			if err := r.Reload(oneKey(key), router.Config{}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), "not [redacted]") {
				t.Errorf("%s", body)
			}
		}
	}
}

// TestShortBodyIsNotSentAsIfWholeHoweverLong: the caller promised one byte more than is ever kept,
// and gave one less.
func TestShortBodyIsNotSentAsIfWholeHoweverLong(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return answerOf(200, okBody), nil
	}, router.Config{BodyMemory: 128 << 20})
	req := gen(t.Context(), genPath, "")
	req.Body, req.GetBody = io.NopCloser(io.LimitReader(blanks{}, 64<<20)), nil
	req.ContentLength = 64<<20 + 1
	if resp, err := r.RoundTrip(req); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, %v", resp, err)
	}
}

// blanks gives blanks without end.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
