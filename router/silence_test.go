package router_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// part is a piece of a response and the pause before it. A negative pause lasts until the request
// ends.
type part struct {
	pause time.Duration
	text  string
}

const untilTheEnd = -1

// pieces is a body that comes in parts.
type pieces struct {
	ctx   context.Context // the request's
	parts []part
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.parts) == 0 {
		return 0, io.EOF
	}
	next := &p.parts[0]
	var after <-chan time.Time
	if next.pause >= 0 {
		after = time.After(next.pause)
	}
	select {
	case <-p.ctx.Done():
		return 0, p.ctx.Err()
	case <-after:
	}
	next.pause = 0
	n := copy(b, next.text)
	if next.text = next.text[n:]; next.text == "" {
		p.parts = p.parts[1:]
	}
	return n, nil
}

func (p *pieces) Close() error { return nil }

// inParts is a response of a content type, the header at once and then the parts.
func inParts(req *http.Request, contentType string, parts ...part) *http.Response {
	resp := answerOf(200, "", "Content-Type", contentType)
	resp.Body = &pieces{req.Context(), slices.Clone(parts)}
	return resp
}

const (
	jsonType  = "application/json; charset=UTF-8"
	eventType = "text/event-stream"
	event     = "data: " + okBody + "\n\n"
	content   = `data: {"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}` + "\n\n"
	nothing   = `data: {"candidates":[],"usageMetadata":{"promptTokenCount":1}}` + "\n\n"

	streamPath = "models/" + flash + ":streamGenerateContent?alt=sse"
)

// afterPause is a good response that takes so long.
func afterPause(req *http.Request, d time.Duration) (*http.Response, error) {
	select {
	case <-time.After(d):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if strings.Contains(req.URL.Path, "stream") {
		return inParts(req, eventType, part{0, event}), nil
	}
	return answerOf(200, okBody), nil
}

// never is no response.
func never(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// load makes n calls over r, one each gap, each with a deadline if it is not zero. It returns how
// many failed.
func load(t *testing.T, r http.RoundTripper, path string, n int, gap, deadline time.Duration) int {
	t.Helper()
	var failed atomic.Int64
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			if err := once(t, r, path, deadline); err != nil {
				failed.Add(1)
				t.Logf("call %d: %v", i, err)
			}
		})
		time.Sleep(gap)
	}
	calls.Wait()
	return int(failed.Load())
}

// once makes a call and reads its response.
func once(t *testing.T, r http.RoundTripper, path string, deadline time.Duration) error {
	t.Helper()
	ctx := t.Context()
	if deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, deadline)
		defer cancel()
	}
	resp, err := r.RoundTrip(gen(ctx, path, `{}`))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK || strings.Contains(string(data), `"error"`):
		return errors.New(string(data))
	}
	return nil
}

// projectsAB is a router over projects a and b, each behind an address of its own, whose requests go
// to a transport of their own.
func projectsAB(t *testing.T, a, b transport, cfg router.Config) *router.Router {
	t.Helper()
	projects := []pool.Project{keyed("a", "k-a").pool, keyed("b", "k-b").pool}
	for i := range projects {
		projects[i].BaseURL = "https://" + projects[i].Name + ".example"
	}
	return routerOver(t, func(req *http.Request) (*http.Response, error) {
		if req.URL.Host == "a.example" {
			return a(req)
		}
		return b(req)
	}, cfg, projects...)
}

// TestStallingProjectCostsFewCalls: project a is healthy, and then accepts and stalls; b is healthy
// all the time.
func TestStallingProjectCostsFewCalls(t *testing.T) {
	stalls := map[string]transport{
		"no header": never,
		"after header": func(q *http.Request) (*http.Response, error) {
			return inParts(q, typeOf(q), part{untilTheEnd, ""}), nil
		},
		"after the first byte": func(q *http.Request) (*http.Response, error) {
			return inParts(q, typeOf(q), part{0, "{"}, part{untilTheEnd, ""}), nil
		},
		"after nothing worth the name": func(q *http.Request) (*http.Response, error) {
			return inParts(q, typeOf(q), part{0, nothing}, part{untilTheEnd, ""}), nil
		},
		"trickle": func(q *http.Request) (*http.Response, error) {
			parts := make([]part, 1000)
			for i := range parts {
				parts[i] = part{100 * time.Millisecond, " "}
			}
			return inParts(q, typeOf(q), parts...), nil
		},
		"comments for ever": func(q *http.Request) (*http.Response, error) {
			parts := make([]part, 1000)
			for i := range parts {
				parts[i] = part{100 * time.Millisecond, ": ping\n\n"}
			}
			return inParts(q, typeOf(q), parts...), nil
		},
	}
	deadlines := map[time.Duration]int{2 * time.Second: 6, 4 * time.Second: 1, 30 * time.Second: 1, 0: 0}
	for name, stall := range stalls {
		for deadline, most := range deadlines {
			for _, path := range []string{genPath, streamPath} {
				t.Run(name+"/"+deadline.String()+"/"+path[len("models/"+flash)+1:], func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var bad atomic.Bool
						healthy := func(q *http.Request) (*http.Response, error) { return afterPause(q, 500*time.Millisecond) }
						r := projectsAB(t, func(q *http.Request) (*http.Response, error) {
							if bad.Load() {
								return stall(q)
							}
							return healthy(q)
						}, healthy, router.Config{})
						if failed := load(t, r, path, 60, 200*time.Millisecond, 0); failed > 0 {
							t.Fatalf("%d of 60 calls failed before anything was wrong", failed)
						}
						bad.Store(true)
						if failed := load(t, r, path, 305, 200*time.Millisecond, deadline); failed > most {
							t.Errorf("%d of 305 calls failed, want %d at most", failed, most)
						}
					})
				})
			}
		}
	}
}

// typeOf is the content type of the response to a request.
func typeOf(req *http.Request) string {
	if strings.Contains(req.URL.Path, "stream") {
		return eventType
	}
	return jsonType
}

// TestBlackHoleFromTheStartCostsNobody: nothing is known yet of how long responses take.
func TestBlackHoleFromTheStartCostsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := projectsAB(t, never, func(q *http.Request) (*http.Response, error) { return afterPause(q, 800*time.Millisecond) }, router.Config{})
		if failed := load(t, r, genPath, 305, 200*time.Millisecond, 4*time.Second); failed > 0 {
			t.Errorf("%d of 305 calls failed beside a healthy endpoint", failed)
		}
	})
}

// TestImpatientCallersHarmNobody: servers that take 800 ms are healthy, whatever callers with a
// deadline of 500 ms make of it. The deadline may be the context's or the header's.
func TestImpatientCallersHarmNobody(t *testing.T) {
	for _, known := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := vertexed("prod", "global")
			p.order(flash, "europe-west4", 100)
			b := setup{google: geminitest.Config{Latency: geminitest.Latency{FirstToken: 800 * time.Millisecond}}}.bed(t, p)
			c := b.client(t)
			if known {
				for range 30 {
					if _, err := ask(t.Context(), c, flash); err != nil {
						t.Fatal(err)
					}
				}
			}
			var calls sync.WaitGroup
			var elsewhere atomic.Int64
			for i := range 600 {
				calls.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
					defer cancel()
					_, _ = ask(ctx, c, flash)
				})
				if i > 100 {
					calls.Go(func() {
						resp, err := ask(t.Context(), c, flash)
						if err != nil || endpoint(resp) != "prod/europe-west4/provisioned" {
							elsewhere.Add(1)
						}
					})
				}
				time.Sleep(100 * time.Millisecond)
			}
			calls.Wait()
			if n := elsewhere.Load(); n > 0 {
				t.Errorf("known %v: the order lost %d of 499 patient calls", known, n)
			}
			for _, e := range b.router.Stat().Endpoints {
				if e.Breaker.OpenCount != 0 {
					t.Errorf("known %v: the breaker of %s opened", known, e.Endpoint)
				}
			}
		})
	}
}

// TestCallersOwnServerTimeoutIsHis: Google's 504 when the caller's X-Server-Timeout passes goes to
// the caller, once. One that comes at another time, or unasked, is the server's fault.
func TestCallersOwnServerTimeoutIsHis(t *testing.T) {
	const timedOut = `{"error":{"code":504,"status":"DEADLINE_EXCEEDED","message":"Deadline expired before operation could complete."}}`
	for _, tt := range []struct {
		name, timeout string
		took          time.Duration
		class         pool.Class
	}{
		{"his", "1", time.Second, pool.ClassCallerFault},
		{"his, on the way back", "5", 5200 * time.Millisecond, pool.ClassCallerFault},
		{"at once", "10", 100 * time.Millisecond, pool.ClassServerFault},
		{"long after", "1", 30 * time.Second, pool.ClassServerFault},
		{"unasked", "", time.Second, pool.ClassServerFault},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var classes []pool.Class
				sent := 0
				r := newRouter(t, poolOf(keyed("a", "k-a"), keyed("b", "k-b")), router.Config{MaxAttempts: 2},
					router.WithTransport(transport(func(*http.Request) (*http.Response, error) {
						sent++
						time.Sleep(tt.took)
						return answerOf(504, timedOut), nil
					})), router.WithTrace(&router.Trace{AttemptEnd: func(_ context.Context, a router.AttemptEnd) {
						classes = append(classes, a.Outcome.Class)
					}}))
				req := gen(t.Context(), genPath, `{}`)
				if tt.timeout != "" {
					req.Header.Set("X-Server-Timeout", tt.timeout)
				}
				resp, err := r.RoundTrip(req)
				if err != nil || resp.StatusCode != http.StatusGatewayTimeout {
					t.Fatalf("got %v, %v; want Google's 504", resp, err)
				}
				if classes[0] != tt.class || (sent == 1) != (tt.class == pool.ClassCallerFault) {
					t.Errorf("%d attempts of class %v, want %v", sent, classes, tt.class)
				}
			})
		})
	}
}

// TestSlowDayIsNoSilence: every endpoint takes five times as long as usual. No call fails, and none
// is sent more than twice.
func TestSlowDayIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		var sent atomic.Int64
		serve := func(q *http.Request) (*http.Response, error) {
			sent.Add(1)
			if slow.Load() {
				return afterPause(q, 5*time.Second)
			}
			return afterPause(q, time.Second)
		}
		r := projectsAB(t, serve, serve, router.Config{})
		load(t, r, genPath, 60, 200*time.Millisecond, 0)
		slow.Store(true)
		sent.Store(0)
		if failed := load(t, r, genPath, 200, 200*time.Millisecond, 0); failed > 0 {
			t.Errorf("%d of 200 calls failed", failed)
		}
		if n := sent.Load(); n > 240 {
			t.Errorf("200 calls were sent %d times", n)
		}
	})
}

// TestEndpointThatAnswersOthersIsNotSilent: one call takes a minute while its endpoint serves
// others in half a second.
func TestEndpointThatAnswersOthersIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		serve := func(q *http.Request) (*http.Response, error) {
			if q.Header.Get("X-Slow") == "" {
				return afterPause(q, 500*time.Millisecond)
			}
			sent.Add(1)
			return afterPause(q, time.Minute)
		}
		r := routerOver(t, serve, router.Config{})
		load(t, r, genPath, 40, 200*time.Millisecond, 0)
		done := make(chan error)
		go func() {
			req := gen(t.Context(), genPath, `{}`)
			req.Header.Set("X-Slow", "1")
			resp, err := r.RoundTrip(req)
			if err == nil && resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
			done <- err
		}()
		load(t, r, genPath, 80, time.Second, 0)
		if err := <-done; err != nil || sent.Load() != 1 {
			t.Errorf("the slow call was sent %d times and got %v", sent.Load(), err)
		}
	})
}

// TestLargeCallsHaveMoreTime: what may think or write more than usual is not suspected as soon.
func TestLargeCallsHaveMoreTime(t *testing.T) {
	for body, times := range map[string]int64{
		`{"generationConfig":{"maxOutputTokens":8192}}`:                       2,
		`{"generationConfig":{"maxOutputTokens":30000}}`:                      1,
		`{"generationConfig":{"thinkingConfig":{"thinkingBudget":24576}}}`:    1,
		`{"generationConfig":{"thinkingConfig":{"thinkingBudget":1024}}}`:     2,
		`{"generation_config":{"max_output_tokens":65536,"temperature":0.1}}`: 1,
	} {
		synctest.Test(t, func(t *testing.T) {
			var large atomic.Int64
			serve := func(q *http.Request) (*http.Response, error) {
				if q.ContentLength > 2 {
					large.Add(1)
					return afterPause(q, 6*time.Second)
				}
				return afterPause(q, time.Second)
			}
			r := projectsAB(t, serve, serve, router.Config{})
			load(t, r, genPath, 40, 200*time.Millisecond, 0)
			time.Sleep(10 * time.Second)
			resp, err := r.RoundTrip(gen(t.Context(), genPath, body))
			if err != nil || resp.StatusCode != http.StatusOK || large.Load() != times {
				t.Errorf("%s: sent %d times, want %d; %v, %v", body, large.Load(), times, resp, err)
			}
		})
	}
}

// TestSendingIsNoSilence: a prompt of 20 MB takes half a minute to send, and then the server its
// usual time.
func TestSendingIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		serve := func(q *http.Request) (*http.Response, error) {
			if q.ContentLength > 1000 {
				sent.Add(1)
			}
			for piece := make([]byte, 256<<10); ; time.Sleep(400 * time.Millisecond) {
				if n, err := q.Body.Read(piece); err != nil || n < len(piece) {
					break
				}
			}
			return afterPause(q, 500*time.Millisecond)
		}
		r := projectsAB(t, serve, serve, router.Config{})
		load(t, r, genPath, 40, 200*time.Millisecond, 0)
		body := `{"contents":[{"parts":[{"text":"` + strings.Repeat("x", 20<<20) + `"}]}]}`
		resp, err := r.RoundTrip(gen(t.Context(), genPath, body))
		if err != nil || resp.StatusCode != http.StatusOK || sent.Load() != 1 {
			t.Errorf("sent %d times: %v, %v", sent.Load(), resp, err)
		}
	})
}

// TestSilenceFromTheStartIsHeldAgainstEndpoints: nobody was ever answered, and every caller's
// deadline passes. There is nothing to compare with, but it is not nothing.
func TestSilenceFromTheStartIsHeldAgainstEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := projectsAB(t, never, never, router.Config{MaxWait: -1})
		load(t, r, genPath, 60, 200*time.Millisecond, 5*time.Second)
		for _, e := range r.Stat().Endpoints {
			if e.Breaker.OpenCount == 0 {
				t.Errorf("the breaker of %s has not opened", e.Endpoint)
			}
		}
	})
}

const cutError = `{"error":{"code":400,"message":"`

// TestErrorThatBreaksOffIsAskedForElsewhere: half an error is no answer. Its status alone does not
// say whether the call or the project is at fault.
func TestErrorThatBreaksOffIsAskedForElsewhere(t *testing.T) {
	for name, parts := range map[string][]part{
		"stalls": {{0, cutError}, {untilTheEnd, ""}}, "stalls before its body": {{untilTheEnd, ""}},
	} {
		for _, status := range []int{400, 401, 403, 404, 413} {
			synctest.Test(t, func(t *testing.T) {
				a := func(q *http.Request) (*http.Response, error) {
					resp := inParts(q, jsonType, parts...)
					resp.StatusCode = status
					return resp, nil
				}
				b := func(q *http.Request) (*http.Response, error) { return afterPause(q, 300*time.Millisecond) }
				r := projectsAB(t, a, b, router.Config{})
				if failed := load(t, r, genPath, 20, time.Second, 30*time.Second); failed > 0 {
					t.Errorf("%d that %s: %d of 20 calls failed", status, name, failed)
				}
			})
		}
	}
}

// TestErrorWhoseBodyStallsIsSilence: what came before the endpoint was suspected is no answer to
// others who wait there, and the retry is paid for once.
func TestErrorWhoseBodyStallsIsSilence(t *testing.T) {
	for path, whole := range map[string]string{genPath: okBody, streamPath: event} {
		for _, deadline := range []time.Duration{4 * time.Second, 30 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				var bad atomic.Bool
				google := func(q *http.Request) (*http.Response, error) {
					if backendOf(q) == "vertex" && bad.Load() {
						resp := inParts(q, jsonType, part{untilTheEnd, ""})
						resp.StatusCode = http.StatusServiceUnavailable
						return resp, nil
					}
					return inParts(q, typeOf(q), part{300 * time.Millisecond, whole}), nil
				}
				r := routerOver(t, google, router.Config{}, vertexed("v", "global").pool, keyed("g", "k").pool)
				load(t, r, path, 40, 100*time.Millisecond, 0)
				bad.Store(true)
				if failed := load(t, r, path, 40, 500*time.Millisecond, deadline); failed > 0 {
					t.Errorf("%s, %v: %d of 40 calls failed beside a healthy project", path, deadline, failed)
				}
			})
		}
	}
}
