package router_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// ofLength is a body of n bytes that is made while it is read.
func ofLength(n int) io.Reader {
	const before, after = `{"contents":[{"role":"user","parts":[{"text":"`, `"}]}],"generationConfig":{"maxOutputTokens":7}}`
	return io.MultiReader(strings.NewReader(before), io.LimitReader(letters{}, int64(n-len(before)-len(after))), strings.NewReader(after))
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// posted is a request whose body comes from somewhere. Its length is negative if it is not said.
func posted(ctx context.Context, path string, body io.Reader, length int64) *http.Request {
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost,
		"https://generativelanguage.googleapis.com/v1beta/"+path, io.NopCloser(body))
	req.GetBody, req.ContentLength = nil, length
	return req
}

// inFolder makes a folder the one for temporary files, and returns what is in it.
func inFolder(t *testing.T) (files func() []string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	return func() []string {
		found, _ := filepath.Glob(filepath.Join(dir, "*"))
		return found
	}
}

// nothingIsLeft checks that the router holds no body any more.
func nothingIsLeft(t *testing.T, r *router.Router, files func() []string) {
	t.Helper()
	if memory, inFiles := r.BodiesHeld(); memory != 0 || inFiles != 0 {
		t.Errorf("bodies of %d bytes in memory and %d in files are held", memory, inFiles)
	}
	if left := files(); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

func TestBodyWithoutRoomIsKeptInAFile(t *testing.T) {
	const length = 3 << 20
	for name, said := range map[string]int64{"said": length, "unsaid": -1} {
		t.Run(name, func(t *testing.T) {
			files := inFolder(t)
			var attempts atomic.Int64
			var r *router.Router
			r = routerOver(t, func(req *http.Request) (*http.Response, error) {
				defer req.Body.Close()
				got, err := io.ReadAll(req.Body)
				want, _ := io.ReadAll(ofLength(length))
				if string(got) != string(want) || err != nil || req.ContentLength != length {
					t.Errorf("%d bytes of %d are sent, said to be %d: %v", len(got), length, req.ContentLength, err)
				}
				if again, err := req.GetBody(); err != nil {
					t.Error(err)
				} else if got, err := io.ReadAll(again); string(got) != string(want) || err != nil {
					t.Errorf("read again, the body has %d bytes, %v", len(got), err)
				} else {
					_ = again.Close()
				}
				if memory, inFiles := r.BodiesHeld(); memory > 1<<20 || inFiles != length {
					t.Errorf("%d bytes are in memory and %d in files", memory, inFiles)
				}
				if runtime.GOOS != "windows" && len(files()) > 0 {
					t.Errorf("others can see %v", files())
				}
				if attempts.Add(1) == 1 {
					return nil, errors.New("the connection was reset")
				}
				return answerOf(200, okBody), nil
			}, router.Config{BodyMemory: 1 << 20, Retry: router.Retry{Initial: 1, Max: 1}})
			resp, err := r.RoundTrip(posted(t.Context(), genPath, ofLength(length), said))
			if err != nil || resp.StatusCode != http.StatusOK || attempts.Load() != 2 {
				t.Fatalf("%v, %v after %d attempts", resp, err, attempts.Load())
			}
			nothingIsLeft(t, r, files)
		})
	}
}

func TestBodyInAFileIsUnderstoodToItsEnd(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	cfg := router.Config{BodyMemory: 1 << 20, Models: map[string]string{"alias": flash}}
	for _, tt := range []struct{ name, path, body, wantPath, want string }{
		{
			"a model's alias", "openai/chat/completions", `{"messages":[{"content":"` + long + `"}],"model":"alias"}`,
			"/v1beta/openai/chat/completions", `{"messages":[{"content":"` + long + `"}],"model":"` + flash + `"}`,
		},
		{
			"the other back end's dialect", genPath, `{"contents":[{"parts":[{"text":"` + long + `"}]}],"model":"models/` + flash + `"}`,
			"/v1beta1/projects/v/locations/global/publishers/google/" + genPath, `{"contents":[{"parts":[{"text":"` + long + `"}]}]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := inFolder(t)
			ps := []pool.Project{keyed("a", "k-a").pool}
			if tt.wantPath != "/v1beta/"+tt.path {
				only := keyed("a", "k-a").pool
				only.Models = []string{"other"}
				ps = []pool.Project{only, vertexed("v", "global").pool}
			}
			r := routerOver(t, func(req *http.Request) (*http.Response, error) {
				defer req.Body.Close()
				got, _ := io.ReadAll(req.Body)
				if string(got) != tt.want || req.ContentLength != int64(len(tt.want)) || req.URL.Path != tt.wantPath {
					t.Errorf("sent to %s: %d bytes, said to be %d, that begin %.60s and end %s",
						req.URL.Path, len(got), req.ContentLength, got, got[len(got)-60:])
				}
				return okFor(req), nil
			}, cfg, ps...)
			resp, err := r.RoundTrip(posted(t.Context(), tt.path, strings.NewReader(tt.body), int64(len(tt.body))))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatal(resp, err)
			}
			nothingIsLeft(t, r, files)
		})
	}
}

// TestBodyWithRoomNowhereIsSentOnce: neither memory nor disk.
func TestBodyWithRoomNowhereIsSentOnce(t *testing.T) {
	const length = 3 << 20
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	t.Setenv("TMP", os.Getenv("TMPDIR"))
	for _, said := range []int64{length, -1} {
		attempts := 0
		r := routerOver(t, func(req *http.Request) (*http.Response, error) {
			attempts++
			defer req.Body.Close()
			want, _ := io.ReadAll(ofLength(length))
			if got, err := io.ReadAll(req.Body); string(got) != string(want) || err != nil || req.ContentLength != said {
				t.Errorf("%d bytes are sent, said to be %d, %v", len(got), req.ContentLength, err)
			}
			return answerOf(503, `{}`), nil
		}, router.Config{BodyMemory: 1 << 20, Retry: router.Retry{Initial: 1, Max: 1}})
		resp, err := r.RoundTrip(posted(t.Context(), genPath, ofLength(length), said))
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || attempts != 1 {
			t.Fatalf("%v, %v after %d attempts", resp, err, attempts)
		}
		nothingIsLeft(t, r, func() []string { return nil })
	}
}

// TestAnswerWithRoomNowhereConvictsNobody: no disk on this side is no fault of an endpoint, and what
// was generated once is not to be paid for four times.
func TestAnswerWithRoomNowhereConvictsNobody(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	t.Setenv("TMP", os.Getenv("TMPDIR"))
	long, attempts := strings.Replace(okBody, "{", `{"x":"`+strings.Repeat("x", 3<<20)+`",`, 1), 0
	r := routerOver(t, func(*http.Request) (*http.Response, error) {
		attempts++
		return answerOf(200, long), nil
	}, router.Config{BodyMemory: 1 << 20, Retry: router.Retry{Initial: 1, Max: 1}}, vertexed("v", "global").pool)
	for range 10 {
		resp, err := r.RoundTrip(posted(t.Context(), genPath, strings.NewReader(says("hi")), int64(len(says("hi")))))
		if err == nil || !strings.Contains(err.Error(), "translated") {
			t.Fatal(resp, err)
		}
	}
	if attempts != 10 {
		t.Errorf("%d attempts at 10 calls: one that was answered is asked for again, or its endpoint is closed", attempts)
	}
	nothingIsLeft(t, r, func() []string { return nil })
}

func TestBodiesThatEndBadlyLeaveNothing(t *testing.T) {
	files := inFolder(t)
	google := func(req *http.Request) (*http.Response, error) {
		switch req.URL.Query().Get("how") {
		case "panic":
			panic("a transport of somebody else's")
		case "wait":
			defer req.Body.Close()
			<-req.Context().Done()
			return nil, req.Context().Err()
		case "close":
			_ = req.Body.Close()
		} // else the body is not closed
		return answerOf(200, okBody), nil
	}
	r := routerOver(t, google, router.Config{BodyMemory: 4 << 20})
	all := func() io.Reader { return ofLength(6 << 20) }
	half := func() io.Reader { return io.LimitReader(all(), 3<<20) }
	then := func(r io.Reader) func() io.Reader { return func() io.Reader { return io.MultiReader(half(), r) } }
	for name, tt := range map[string]struct {
		body  func() io.Reader
		path  string
		panic bool
	}{
		"the body breaks off":          {then(iotest.ErrReader(errors.New("gone"))), genPath, false},
		"the body is shorter":          {half, genPath + "?how=close", false},
		"the body panics":              {then(panicking{}), genPath, true},
		"the caller leaves":            {all, genPath + "?how=wait", false},
		"the transport panics":         {all, genPath + "?how=panic", true},
		"the transport closes nothing": {all, genPath, false},
	} {
		for _, said := range []int64{6 << 20, -1} {
			ctx, leave := context.WithCancel(t.Context())
			if name == "the caller leaves" {
				time.AfterFunc(50*time.Millisecond, leave)
			}
			func() {
				defer func() {
					if p := recover(); (p != nil) != tt.panic {
						t.Errorf("%s: panics: %v", name, p)
					}
				}()
				resp, err := r.RoundTrip(posted(ctx, tt.path, tt.body(), said))
				if err == nil {
					_ = resp.Body.Close()
				}
			}()
			leave()
			for range 100 { // what is forgotten goes with the garbage
				if memory, inFiles := r.BodiesHeld(); memory+inFiles == 0 {
					break
				}
				runtime.GC()
				time.Sleep(time.Millisecond)
			}
			nothingIsLeft(t, r, files)
			if t.Failed() {
				t.Fatal(name)
			}
		}
	}
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("a body of somebody else's") }

// A stream may last for minutes after its request was sent: the request is not held so long.
func TestBodyIsLetGoWhenItIsSent(t *testing.T) {
	for name, memory := range map[string]int64{"in memory": 64 << 20, "in a file": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			files := inFolder(t)
			trace := router.WithTrace(&router.Trace{})
			google := transport(func(req *http.Request) (*http.Response, error) {
				_, _ = io.Copy(io.Discard, req.Body)
				_ = req.Body.Close()
				return answerOf(200, wholeStreams["?alt=sse"], "Content-Type", "text/event-stream"), nil
			})
			r := newRouter(t, oneKey("k-a"), router.Config{BodyMemory: memory}, router.WithTransport(google), trace)
			resp, err := r.RoundTrip(posted(t.Context(), "models/"+flash+":streamGenerateContent?alt=sse", ofLength(8<<20), 8<<20))
			if err != nil {
				t.Fatal(err)
			}
			nothingIsLeft(t, r, files)
			if got, err := io.ReadAll(resp.Body); string(got) != wholeStreams["?alt=sse"] || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// A response for which there is no room passes through, and its cost is known nevertheless.
func TestAnswerWithoutRoomPassesThrough(t *testing.T) {
	text := strings.Repeat("x", 500<<10)
	good := strings.Replace(okBody, "hi", text, 1)
	var usage int64
	trace := router.WithTrace(&router.Trace{AttemptEnd: func(_ context.Context, e router.AttemptEnd) {
		usage = e.Outcome.Usage.Input + 1000*e.Outcome.Usage.Output
	}})
	answer := good
	google := transport(func(*http.Request) (*http.Response, error) { return answerOf(200, answer), nil })
	r := newRouter(t, oneKey("k-a"), router.Config{BodyMemory: 64 << 10}, router.WithTransport(google), trace)
	for _, cut := range []int{0, 3, 100 << 10} {
		answer, usage = good[:len(good)-cut], 0
		resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(got) != answer || (err == nil) != (cut == 0) {
			t.Errorf("cut by %d: %d bytes of %d, %v", cut, len(got), len(answer), err)
		}
		if cut == 0 && usage != 1001 {
			t.Errorf("the usage is %d", usage)
		}
	}
	nothingIsLeft(t, r, func() []string { return nil })
}

// What has to be translated cannot pass: it goes over a file.
func TestTranslatedAnswerWithoutRoomGoesOverAFile(t *testing.T) {
	files := inFolder(t)
	answer := `{"candidates":[{"content":{"parts":[{"text":"` + strings.Repeat("x", 2<<20) + `"}]},"citationMetadata":{"citations":[{"uri":"u"}]},` +
		`"finishReason":"STOP"}]}`
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, answer), nil },
		router.Config{BodyMemory: 1 << 20, Backend: pool.BackendGemini}, vertexed("v").pool)
	for range 2 {
		resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		want := strings.Replace(answer, "citations", "citationSources", 1)
		if got, err := io.ReadAll(resp.Body); string(got) != want || err != nil || resp.ContentLength != int64(len(want)) {
			t.Errorf("%d bytes of %d, said to be %d, %v", len(got), len(want), resp.ContentLength, err)
		}
		_ = resp.Body.Close()
		nothingIsLeft(t, r, files)
	}
}

// peak returns the most bytes that the heap has had, above what it had at the start, until it is
// called.
func peak() func() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() int64 { metrics.Read(sample); return int64(sample[0].Value.Uint64()) }
	runtime.GC()
	start := read()
	most, done, ended := start, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				most = max(most, read())
			}
		}
	}()
	return func() int64 { close(done); <-ended; return max(most, read()) - start }
}

// atOnce makes so many calls at once.
func atOnce(n int, call func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { call(i) })
	}
	wg.Wait()
}

// TestHeapIsBoundedWhateverCallsHold plays what filled several GB: with SPILLWAY_LONG=1 as it was,
// else a fraction of it with a fraction of the memory.
func TestHeapIsBoundedWhateverCallsHold(t *testing.T) {
	// In the fraction, what other tests have left would decide when the garbage is collected.
	defer debug.SetGCPercent(debug.SetGCPercent(amount(25, 100)))
	inFolder(t)
	scale := amount(8, 1)
	mb := (1 << 20) / scale
	most := int64(512 * mb)
	cfg := router.Config{BodyMemory: int64(256 * mb), MaxWait: -1, Models: map[string]string{"alias": flash}}
	check := func(t *testing.T, what func() int64) {
		t.Helper()
		got := what()
		t.Logf("the heap grows by %d MB of %d", got>>20, most>>20)
		if got > most {
			t.Errorf("the heap grows by %d MB, want at most %d", got>>20, most>>20)
		}
	}
	const calls = 40
	for name, path := range map[string]string{"requests": genPath, "requests that name the model": "openai/chat/completions"} {
		t.Run(name, func(t *testing.T) {
			var here sync.WaitGroup // all are under way at once
			here.Add(calls)
			r := routerOver(t, func(req *http.Request) (*http.Response, error) {
				n, err := io.Copy(io.Discard, req.Body)
				_ = req.Body.Close()
				if n < int64(60*mb) || err != nil {
					t.Errorf("%d bytes are sent, %v", n, err)
				}
				here.Done()
				here.Wait()
				return okFor(req), nil
			}, cfg)
			grown := peak()
			atOnce(calls, func(int) {
				body := ofLength(60 * mb)
				if path != genPath {
					body = io.MultiReader(strings.NewReader(`{"model":"alias","x":`), body, strings.NewReader("}"))
				}
				resp, err := r.RoundTrip(posted(t.Context(), path, body, -1))
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Error(resp, err)
				}
			})
			check(t, grown)
			nothingIsLeft(t, r, func() []string { return nil })
		})
	}
	for name, ps := range map[string][]pool.Project{"answers": nil, "translated answers": {vertexed("v").pool}} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			cfg.Backend = pool.BackendGemini
			r := routerOver(t, func(*http.Request) (*http.Response, error) {
				resp := answerOf(200, "")
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"candidates":[{"citationMetadata":{},"content":{"parts":[{"text":"`),
					io.LimitReader(letters{}, int64(20*mb)), strings.NewReader(`"}]},"finishReason":"STOP"}]}`)))
				return resp, nil
			}, cfg, ps...)
			var here sync.WaitGroup
			here.Add(100)
			grown := peak()
			atOnce(100, func(int) {
				resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
				here.Done()
				here.Wait()
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Error(resp, err)
					return
				}
				if n, err := io.Copy(io.Discard, resp.Body); n < int64(20*mb) || err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
				_ = resp.Body.Close()
			})
			check(t, grown)
			nothingIsLeft(t, r, func() []string { return nil })
		})
	}
	t.Run("a list without end", func(t *testing.T) {
		for _, ps := range [][]pool.Project{{keyed("a", "k-a").pool}, {keyed("a", "k-a").pool, keyed("b", "k-b").pool}} {
			r := routerOver(t, func(*http.Request) (*http.Response, error) {
				resp := answerOf(200, "")
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"files":[{"name":"files/a"}`), &items{}))
				return resp, nil
			}, cfg, ps...)
			grown := peak()
			atOnce(amount(4, 20), func(int) {
				req := gen(t.Context(), "files", "")
				req.Method, req.Body = http.MethodGet, nil
				resp, err := r.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.CopyN(io.Discard, resp.Body, int64(100*mb))
				_ = resp.Body.Close()
			})
			check(t, grown)
			nothingIsLeft(t, r, func() []string { return nil })
		}
	})
	t.Run("long names", func(t *testing.T) {
		r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(404, `{}`), nil }, cfg,
			keyed("a", "k-a").pool, keyed("b", "k-b").pool)
		long := strings.Repeat("x", 500_000)
		grown := peak()
		for i := range 1000 / scale {
			for _, path := range []string{"models/" + long + "%d:generateContent", "files/" + long + "%d", "models/x:" + long + "%d", long + "%d/x/y"} {
				resp, err := r.RoundTrip(gen(t.Context(), fmt.Sprintf(path, i), `{}`))
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
			}
		}
		check(t, grown)
	})
}

// items are the items of a list, without end.
type items struct {
	n    int
	rest string
}

func (l *items) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if l.rest == "" {
			l.n++
			l.rest = fmt.Sprintf(`,{"name":"files/%030d"}`, l.n)
		}
		c := copy(p[n:], l.rest)
		n, l.rest = n+c, l.rest[c:]
	}
	return n, nil
}

// okFor is a good answer in the dialect of a request's path.
func okFor(req *http.Request) *http.Response {
	if strings.Contains(req.URL.Path, "/openai/") {
		return answerOf(200, `{"object":"chat.completion","choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`)
	}
	return answerOf(200, okBody)
}
