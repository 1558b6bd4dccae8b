package router_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// everything is a cache of all models.
var everything = router.Config{Caches: []router.Cache{{TTL: 10 * time.Minute}}}

// slowly is an emulator whose answers take two seconds and more.
var slowly = geminitest.Config{Latency: geminitest.Latency{FirstToken: time.Second, PerToken: 50 * time.Millisecond}}

// send sends a call, reads its response, and returns what the cache did for it.
func (b *bed) send(t *testing.T, ctx context.Context, verb, body string, kv ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost,
		"https://generativelanguage.googleapis.com/v1beta/models/"+flash+":"+verb, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(kv); i += 2 {
		req.Header.Set(kv[i], kv[i+1])
	}
	resp, err := b.http.Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp, string(text)
}

// use is what the cache did for a call.
func use(resp *http.Response) string { return resp.Header.Get("Spillway-Cache") }

const saysHi = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`

func TestAThousandEqualCallsMakeOneRequest(t *testing.T) {
	for _, verb := range []string{"generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent", "countTokens"} {
		t.Run(verb, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup{google: slowly, router: everything}.bed(t, keyed("a", "key-a"))
				var texts sync.Map
				var uses [2]int
				var mu sync.Mutex
				var calls sync.WaitGroup
				for range 1000 {
					calls.Go(func() {
						resp, text := b.send(t, t.Context(), verb, saysHi)
						texts.Store(text, true)
						mu.Lock()
						defer mu.Unlock()
						switch {
						case resp.StatusCode != http.StatusOK:
							t.Errorf("status %d", resp.StatusCode)
						case use(resp) == "hit" && resp.Header.Get("Spillway-Attempts") == "0":
							uses[0]++
						case use(resp) == "miss" && resp.Header.Get("Spillway-Attempts") == "1":
							uses[1]++
						}
					})
				}
				calls.Wait()
				if n := b.Count(geminitest.Match{}); n != 1 {
					t.Errorf("Google was asked %d times, want once", n)
				}
				if uses != [2]int{999, 1} {
					t.Errorf("%d hits and %d misses, want 999 and 1", uses[0], uses[1])
				}
				different := 0
				texts.Range(func(any, any) bool { different++; return true })
				if different != 1 {
					t.Errorf("the calls got %d different responses", different)
				}
				want := []router.CacheStat{{Model: "*", HitCount: 999, MissCount: 1, Entries: 1, MaxBytes: 64 << 20}}
				got := b.router.Stat().Caches
				if got[0].Bytes <= 0 {
					t.Errorf("the response takes %d bytes", got[0].Bytes)
				}
				got[0].Bytes = 0
				if d := cmp.Diff(want, got); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// decode reads a stream with the SDK.
func decode(t *testing.T, c *genai.Client) (chunks []*genai.GenerateContentResponse, use string) {
	t.Helper()
	for chunk, err := range c.Models.GenerateContentStream(t.Context(), flash, genai.Text("hi"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		use = chunk.SDKHTTPResponse.Headers.Get("Spillway-Cache")
		chunk.SDKHTTPResponse = nil
		chunks = append(chunks, chunk)
	}
	return chunks, use
}

func TestACachedStreamDecodesEqualToTheOriginal(t *testing.T) {
	for _, p := range []project{keyed("a", "key-a"), vertexed("a", "global")} {
		synctest.Test(t, func(t *testing.T) {
			google := slowly
			google.Output = 200
			b := setup{google: google, router: everything}.bed(t, p)
			c := b.client(t)
			first, miss := decode(t, c)
			second, hit := decode(t, c)
			if miss != "miss" || hit != "hit" || len(first) < 3 {
				t.Fatalf("the first is a %s, the second a %s, of %d events", miss, hit, len(first))
			}
			if d := cmp.Diff(first, second); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestACachedStreamIsReadEventByEvent(t *testing.T) {
	for _, verb := range []string{"streamGenerateContent?alt=sse", "streamGenerateContent"} {
		synctest.Test(t, func(t *testing.T) {
			google := slowly
			google.Output = 100
			b := setup{google: google, router: everything}.bed(t, keyed("a", "key-a"))
			_, want := b.send(t, t.Context(), verb, saysHi)
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1beta/models/"+flash+":"+verb, strings.NewReader(saysHi))
			resp, err := b.router.RoundTrip(req)
			if err != nil || use(resp) != "hit" {
				t.Fatalf("%v, %v", resp, err)
			}
			var got, pieces []byte
			room := make([]byte, 64<<10)
			reads := 0
			for {
				n, err := resp.Body.Read(room)
				if err != nil {
					break
				}
				got, reads = append(got, room[:n]...), reads+1
				pieces = append(pieces, bytes.TrimRight(room[:n], "\r\n, ]")...)
				if last := pieces[len(pieces)-1]; last != '}' && n > 2 {
					t.Errorf("%s: a piece ends with %q", verb, room[:n])
				}
			}
			if string(got) != want || reads < 3 {
				t.Errorf("%s: %d reads gave %q, want %q", verb, reads, got, want)
			}
		})
	}
}

func TestTheLeadersEndFailsNoOther(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave func(ctx context.Context, b *bed, verb string)
	}{
		{"before the response", func(ctx context.Context, b *bed, verb string) {
			ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			defer cancel()
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1beta/models/"+flash+":"+verb, strings.NewReader(saysHi))
			_, _ = b.router.RoundTrip(req)
		}},
		{"while the response is read", func(ctx context.Context, b *bed, verb string) {
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1beta/models/"+flash+":"+verb, strings.NewReader(saysHi))
			if resp, err := b.router.RoundTrip(req); err == nil {
				_, _ = resp.Body.Read(make([]byte, 10))
				_ = resp.Body.Close()
			}
		}},
		{"never, without reading on", func(ctx context.Context, b *bed, verb string) {
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1beta/models/"+flash+":"+verb, strings.NewReader(saysHi))
			if resp, err := b.router.RoundTrip(req); err == nil {
				_, _ = resp.Body.Read(make([]byte, 10))
				<-ctx.Done()
				_ = resp.Body.Close()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := slowly
				google.Output = 100
				b := setup{google: google, router: everything}.bed(t, keyed("a", "key-a"))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go tt.leave(ctx, b, "streamGenerateContent?alt=sse")
				synctest.Wait()
				var followers sync.WaitGroup
				for range 20 {
					followers.Go(func() {
						if resp, text := b.send(t, ctx, "streamGenerateContent?alt=sse", saysHi); resp.StatusCode != http.StatusOK || !strings.Contains(text, "STOP") {
							t.Errorf("a follower got %d %s", resp.StatusCode, text)
						}
					})
				}
				followers.Wait()
				if n := b.Count(geminitest.Match{}); n != 2 {
					t.Errorf("Google was asked %d times", n)
				}
			})
		})
	}
}

func TestErrorsGoToThoseWhoWouldGetTheSame(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answer  geminitest.Answer
		times   int
		ok      int // calls that are served
		most    int // requests
		outcome int // status of the others
	}{
		{"a caller's fault", geminitest.InvalidArgument("no such field").Late(time.Second), 1, 0, 1, 400},
		{"one fault of the server", geminitest.Internal().Late(time.Second), 1, 99, 2, 500},
		{"faults without end", geminitest.Internal().Late(time.Second), 1000, 0, 100, 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := everything
				cfg.MaxAttempts = 1
				b := setup{google: slowly, router: cfg}.bed(t, keyed("a", "key-a"))
				b.Script(geminitest.Match{}, slices.Repeat([]geminitest.Answer{tt.answer}, tt.times)...)
				var calls sync.WaitGroup
				var mu sync.Mutex
				statuses := map[int]int{}
				for range 100 {
					calls.Go(func() {
						resp, _ := b.send(t, t.Context(), "generateContent", saysHi)
						mu.Lock()
						defer mu.Unlock()
						statuses[resp.StatusCode]++
					})
				}
				calls.Wait()
				if statuses[200] != tt.ok || statuses[tt.outcome] == 0 || b.Count(geminitest.Match{}) > tt.most {
					t.Errorf("%v after %d requests", statuses, b.Count(geminitest.Match{}))
				}
				if took := time.Since(b.began()); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// began is when the emulator's first request came.
func (b *bed) began() time.Time {
	if all := b.Requests(); len(all) > 0 {
		return all[0].Time
	}
	return time.Now()
}

func TestAnExhaustedPoolIsSaidToAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := everything
		cfg.MaxWait = 2 * time.Second
		var mu sync.Mutex
		refused := 0
		trace := &router.Trace{CallEnd: func(_ context.Context, e router.CallEnd) {
			mu.Lock()
			defer mu.Unlock()
			if e.Refused != nil {
				refused++
			}
		}}
		p := keyed("a", "key-a")
		p.pool.Limits = []pool.Limit{{Concurrency: 1}}
		google := slowly
		google.Latency.FirstToken = 30 * time.Second
		b := setup{google: google, router: cfg, opts: []router.Option{router.WithTrace(trace)}}.bed(t, p)
		var calls sync.WaitGroup
		calls.Go(func() { b.send(t, t.Context(), "generateContent", `{"contents":[{"parts":[{"text":"another"}]}]}`) })
		synctest.Wait()
		for range 100 {
			calls.Go(func() {
				resp, text := b.send(t, t.Context(), "generateContent", saysHi)
				if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(text, "POOL_EXHAUSTED") {
					t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
				}
			})
		}
		patient := make(chan int, 1)
		go func() {
			resp, _ := b.send(t, t.Context(), "generateContent", saysHi, "Spillway-Max-Wait", "2m")
			patient <- resp.StatusCode
		}()
		if status := <-patient; status != http.StatusOK {
			t.Errorf("who waits longer got %d", status)
		}
		calls.Wait()
		if refused != 100 {
			t.Errorf("%d calls count as refused, want 100", refused)
		}
		if n := b.router.Stat().Models[0].RefusedCount; n != 1 {
			t.Errorf("the pool was asked by %d calls that it refused, want one", n)
		}
	})
}

func TestNobodyWaitsForARequestThatMayQueueLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := keyed("a", "key-a")
		p.pool.Limits = []pool.Limit{{RPM: 1}}
		cfg := everything
		cfg.MaxWait = 2 * time.Minute
		b := setup{router: cfg}.bed(t, p)
		b.send(t, t.Context(), "generateContent", `{"contents":[{"parts":[{"text":"another"}]}]}`)
		var first sync.WaitGroup
		defer first.Wait()
		first.Go(func() { b.send(t, t.Context(), "generateContent", saysHi) })
		synctest.Wait()
		began := time.Now()
		resp, _ := b.send(t, t.Context(), "generateContent", saysHi, "Spillway-Max-Wait", "0s")
		if took := time.Since(began); resp.StatusCode != http.StatusTooManyRequests || took > 0 {
			t.Errorf("a call that never queues got %d after %v", resp.StatusCode, took)
		}
	})
}

func TestWhoSharesResponses(t *testing.T) {
	named := router.Config{Caches: []router.Cache{{Model: "gemini-2.5-*", Namespace: "all"}}}
	as := func(c router.Call) context.Context { return router.WithCall(context.Background(), c) }
	for _, tt := range []struct {
		name         string
		cfg          router.Config
		first, other router.Call
		shared       bool
	}{
		{"no label", everything, router.Call{}, router.Call{}, true},
		{"one label", everything, router.Call{Label: "a"}, router.Call{Label: "a"}, true},
		{"two labels", everything, router.Call{Label: "a"}, router.Call{Label: "b"}, false},
		{"a label and none", everything, router.Call{Label: "a"}, router.Call{}, false},
		{"two namespaces of one label", everything, router.Call{Label: "a", Namespace: "x"}, router.Call{Label: "a", Namespace: "y"}, false},
		{"one namespace of two labels", everything, router.Call{Label: "a", Namespace: "x"}, router.Call{Label: "b", Namespace: "x"}, true},
		{"a namespace and a label of one name", everything, router.Call{Namespace: "a"}, router.Call{Label: "a"}, false},
		{"a cache for all", named, router.Call{Label: "a"}, router.Call{Label: "b"}, true},
		{"other locations", everything, router.Call{Locations: []string{"global"}}, router.Call{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := setup{router: tt.cfg}.bed(t, keyed("a", "key-a"))
			if len(tt.first.Locations) > 0 {
				tt.cfg.Backend = pool.BackendGemini
				b = setup{router: tt.cfg}.bed(t, keyed("a", "key-a"), vertexed("v", "global", "eu"))
			}
			b.send(t, as(tt.first), "generateContent", saysHi)
			resp, _ := b.send(t, as(tt.other), "generateContent", saysHi)
			if got := use(resp) == "hit"; got != tt.shared {
				t.Errorf("the second call is a %s", use(resp))
			}
		})
	}
}

func TestAReloadKeepsWhatIsKept(t *testing.T) {
	b := setup{router: everything}.bed(t, keyed("a", "key-a"))
	b.send(t, t.Context(), "generateContent", saysHi)
	next := everything
	next.Caches = []router.Cache{{Model: "other-*"}, {TTL: time.Hour, MaxBytes: 1 << 20}}
	if err := b.router.Reload(poolOf(keyed("b", "key-a")), next); err != nil {
		t.Fatal(err)
	}
	if resp, _ := b.send(t, t.Context(), "generateContent", saysHi); use(resp) != "hit" {
		t.Errorf("after a reload the call is a %s", use(resp))
	}
	if got := b.router.Stat().Caches[1]; got.Entries != 1 || got.MaxBytes != 1<<20 {
		t.Errorf("the cache is %+v", got)
	}
	next.Caches = nil
	if err := b.router.Reload(poolOf(keyed("b", "key-a")), next); err != nil {
		t.Fatal(err)
	}
	if resp, _ := b.send(t, t.Context(), "generateContent", saysHi); use(resp) != "" {
		t.Errorf("without a cache the call is a %s", use(resp))
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	const bound = 256 << 10
	cfg := router.Config{Caches: []router.Cache{{MaxBytes: bound}}}
	b := setup{google: geminitest.Config{Output: 1000}, router: cfg}.bed(t, keyed("a", "key-a"))
	for i := range 100 {
		verb := "generateContent"
		if i%2 == 0 {
			verb = "streamGenerateContent?alt=sse"
		}
		b.send(t, t.Context(), verb, fmt.Sprintf(`{"contents":[{"parts":[{"text":"number %d"}]}]}`, i))
		if got := b.router.Stat().Caches[0]; got.Bytes > bound || got.Entries == 0 {
			t.Fatalf("after %d responses the cache has %d in %d bytes", i+1, got.Entries, got.Bytes)
		}
	}
	resp, _ := b.send(t, t.Context(), "generateContent", `{"contents":[{"parts":[{"text":"number 99"}]}]}`)
	if use(resp) != "hit" {
		t.Errorf("the last response was dropped")
	}
	if resp, _ = b.send(t, t.Context(), "generateContent", `{"contents":[{"parts":[{"text":"number 1"}]}]}`); use(resp) != "miss" {
		t.Errorf("the first response is still there")
	}
}

func TestTracesTellAHit(t *testing.T) {
	var uses []router.CacheUse
	attempts := 0
	trace := &router.Trace{
		AttemptEnd: func(context.Context, router.AttemptEnd) { attempts++ },
		CallEnd:    func(_ context.Context, e router.CallEnd) { uses = append(uses, e.Cache) },
	}
	b := setup{router: everything, opts: []router.Option{router.WithTrace(trace)}}.bed(t, keyed("a", "key-a"))
	for range 2 {
		for _, verb := range []string{"generateContent", "streamGenerateContent?alt=sse"} {
			if resp, _ := b.send(t, t.Context(), verb, saysHi); resp.Header.Get("Spillway-Call") == "" {
				t.Error("a response has no id")
			}
		}
	}
	b.send(t, t.Context(), "generateContent", saysHi, "Spillway-Cache", "off")
	want := []router.CacheUse{router.CacheMiss, router.CacheMiss, router.CacheHit, router.CacheHit, router.CacheOff}
	if !slices.Equal(uses, want) || attempts != 3 {
		t.Errorf("%v in %d attempts, want %v in 3", uses, attempts, want)
	}
}

func TestWhatAFallbackMayAnswerIsOnesOwn(t *testing.T) {
	cfg := router.Config{
		Caches:    []router.Cache{{Namespace: "all"}},
		Fallbacks: []router.Fallback{{Model: flash, To: []string{"gemini-3.5-flash"}}},
		MaxWait:   -1,
	}
	synctest.Test(t, func(t *testing.T) {
		b := setup{google: slowly, router: cfg}.bed(t, keyed("a", "key-a"))
		b.Keep(geminitest.Match{Model: flash}, geminitest.QuotaUnknown().Late(time.Second))
		var calls sync.WaitGroup
		for _, models := range [][]string{nil, {"gemini-2.5-*"}, nil, {"gemini-2.5-*"}, nil} {
			calls.Go(func() {
				ctx := router.WithCall(t.Context(), router.Call{Scope: router.Scope{Models: models}})
				resp, _ := b.send(t, ctx, "generateContent", saysHi)
				if by := resp.Header.Get("Spillway-Model"); (by != "") != (models == nil) {
					t.Errorf("a caller of %v got %d of %q", models, resp.StatusCode, by)
				}
			})
		}
		calls.Wait()
		if n := b.Count(geminitest.Match{Model: "gemini-3.5-flash"}); n != 1 {
			t.Errorf("the fallback was asked %d times, want once", n)
		}
	})
}

func TestAPanicOfTheTransportHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var mu sync.Mutex
		r := newRouter(t, poolOf(keyed("a", "key-a")), everything, router.WithTransport(transport(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			asked++
			first := asked == 1
			mu.Unlock()
			time.Sleep(time.Second)
			if first {
				panic("a fault of the transport")
			}
			return answerOf(http.StatusOK, okBody), nil
		})))
		var calls sync.WaitGroup
		panics, hits := 0, 0
		for range 10 {
			calls.Go(func() {
				defer func() {
					if recover() != nil {
						mu.Lock()
						panics++
						mu.Unlock()
					}
				}()
				req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1beta/models/"+flash+":generateContent", strings.NewReader(saysHi))
				resp, err := r.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				mu.Lock()
				defer mu.Unlock()
				if use(resp) == "hit" {
					hits++
				}
			})
		}
		calls.Wait()
		if panics != 1 || hits != 8 || asked != 2 {
			t.Errorf("%d panics and %d hits after %d requests, want 1, 8 and 2", panics, hits, asked)
		}
	})
}

func TestARefusalOfOneLabelIsNotAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := slowly
		google.Latency.FirstToken = time.Minute
		p := keyed("a", "key-a")
		p.pool.Limits = []pool.Limit{{Concurrency: 1}}
		b := setup{google: google, router: router.Config{Caches: []router.Cache{{Namespace: "all"}}, MaxWait: time.Second}}.bed(t, p)
		var calls sync.WaitGroup
		calls.Go(func() { b.send(t, t.Context(), "generateContent", `{"contents":[{"parts":[{"text":"another"}]}]}`) })
		synctest.Wait()
		for i := range 20 {
			calls.Go(func() {
				resp, _ := b.send(t, t.Context(), "generateContent", saysHi, "Spillway-Label", []string{"a", "b"}[i%2])
				if resp.StatusCode != http.StatusTooManyRequests {
					t.Errorf("status %d", resp.StatusCode)
				}
			})
		}
		calls.Wait()
		if n := b.router.Stat().Models[0].RefusedCount; n != 2 {
			t.Errorf("the pool refused %d calls, want one of each label", n)
		}
	})
}

// What Google says of one label's project is not another's.
func TestAnErrorOfOneLabelIsNotAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := keyed("a", "key-a"), keyed("b", "key-b")
		first.pool.Labels = []string{"a"}
		b := setup{router: router.Config{Caches: []router.Cache{{Namespace: "all"}}}}.bed(t, first, second)
		b.Keep(geminitest.Match{Project: "a"}, geminitest.ModelMissing(flash, "generateContent").Late(time.Second))
		var calls sync.WaitGroup
		defer calls.Wait()
		calls.Go(func() {
			if resp, _ := b.send(t, t.Context(), "generateContent", saysHi, "Spillway-Label", "a"); resp.StatusCode != http.StatusNotFound {
				t.Errorf("the label without the model got %d", resp.StatusCode)
			}
		})
		synctest.Wait()
		if resp, text := b.send(t, t.Context(), "generateContent", saysHi, "Spillway-Label", "b"); resp.StatusCode != http.StatusOK {
			t.Errorf("the other label got %d %s", resp.StatusCode, text)
		}
	})
}

// A call does not wait for a request that may use less of the pool.
func TestACallDoesNotJoinOneOfASmallerShare(t *testing.T) {
	for name, c := range map[string]struct {
		leader, other router.Call
	}{
		"share":  {router.Call{Share: 0.1, Priority: router.PriorityBatch}, router.Call{Priority: router.PriorityBatch}},
		"shares": {router.Call{Share: 0.1, Priority: router.PriorityBatch}, router.Call{Share: 0.9}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := keyed("a", "key-a")
				p.pool.Limits = []pool.Limit{{RPM: 10}}
				cfg := everything
				cfg.MaxWait = 2 * time.Minute
				b := setup{router: cfg}.bed(t, p)
				b.send(t, router.WithCall(t.Context(), router.Call{Share: 0.1}), "generateContent", `{"contents":[{"parts":[{"text":"another"}]}]}`)
				var calls sync.WaitGroup
				defer calls.Wait()
				calls.Go(func() { b.send(t, router.WithCall(t.Context(), c.leader), "generateContent", saysHi) })
				synctest.Wait()
				began := time.Now()
				resp, _ := b.send(t, router.WithCall(t.Context(), c.other), "generateContent", saysHi)
				if took := time.Since(began); resp.StatusCode != http.StatusOK || took > 10*time.Second {
					t.Errorf("status %d after %v", resp.StatusCode, took)
				}
			})
		})
	}
}
