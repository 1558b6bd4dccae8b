package router_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// openAIBase is where a back end serves OpenAI's dialect.
var openAIBase = map[pool.Backend]string{
	pool.BackendGemini: "https://generativelanguage.googleapis.com/v1beta/openai/",
	pool.BackendVertex: "https://aiplatform.googleapis.com/v1/projects/x/locations/global/endpoints/openapi/",
}

// named is the name of a model in OpenAI's dialect.
func named(b pool.Backend, model string) string {
	if b == pool.BackendVertex {
		return "google/" + model
	}
	return model
}

// chat is a chat in a back end's dialect. fields are members of its body, each with a comma after it.
func chat(ctx context.Context, b pool.Backend, fields string) *http.Request {
	body := `{` + fields + `"model":"` + named(b, flash) + `","messages":[{"role":"user","content":"hi"}]}`
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, openAIBase[b]+"chat/completions", strings.NewReader(body))
	return req
}

// said is the text of a chat's answer, whole or in events, and the model that it names.
func said(t *testing.T, body string) (text, model string) {
	t.Helper()
	if !strings.HasPrefix(body, "data: ") {
		body = "data: " + strings.ReplaceAll(body, "\n", " ") // a whole answer has several lines
	}
	var all strings.Builder
	for line := range strings.Lines(body) {
		payload, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok || payload == "[DONE]" {
			continue
		}
		var answer struct {
			Model   string
			Choices []struct{ Message, Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(payload), &answer); err != nil {
			t.Fatalf("%v: %s", err, payload)
		}
		for _, c := range answer.Choices {
			all.WriteString(c.Message.Content + c.Delta.Content)
		}
		model = answer.Model
	}
	return all.String(), model
}

// streaming are the members of a body that ask for a stream, or not.
var streaming = map[bool]string{false: "", true: `"stream":true,`}

func TestChatsFailOverAcrossTheBackEndsThereAndBack(t *testing.T) {
	refusals := map[string]geminitest.Answer{
		"overloaded": geminitest.Overloaded(), "contention": geminitest.Contention(),
		"in a 200": geminitest.Overloaded().AfterEvents(0), "cut": {Truncate: 10},
	}
	for dialect, other := range dialects {
		for _, first := range []pool.Backend{dialect, other} {
			for why, refusal := range refusals {
				for _, stream := range []bool{false, true} {
					if why == "in a 200" && !stream {
						continue
					}
					synctest.Test(t, func(t *testing.T) {
						b := newMixed(t, dialect, first, geminitest.Config{}, router.Config{})
						ask := func(from pool.Backend, attempts int) string {
							resp, err := b.router.RoundTrip(chat(t.Context(), dialect, streaming[stream]))
							status, body := read(t, resp, err)
							text, model := said(t, body)
							h := resp.Header
							if status != 200 || text == "" || model != named(dialect, flash) || h.Get("Spillway-Endpoint") != projectOf(from) ||
								h.Get("Spillway-Attempts") != strconv.Itoa(attempts) || strings.Contains(body, "rror") {
								t.Errorf("%s to %s first, %s, stream %v: %d %v %s", dialect, first, why, stream, status, h, body)
							}
							return text
						}
						want := ask(first, 1)
						b.Script(geminitest.Match{Backend: string(first)}, refusal)
						if got := ask(dialects[first], 2); got != want {
							t.Errorf("%q, and %q at first", got, want)
						}
						time.Sleep(2 * time.Minute)
						ask(first, 1)
					})
				}
			}
		}
	}
}

func TestEmbeddingsInOpenAIsDialectGoToEither(t *testing.T) {
	for dialect := range dialects {
		for _, first := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			synctest.Test(t, func(t *testing.T) {
				b := newMixed(t, dialect, first, geminitest.Config{}, router.Config{})
				const model = "gemini-embedding-001"
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, openAIBase[dialect]+"embeddings",
					strings.NewReader(`{"model":"`+named(dialect, model)+`","input":["a","b"],"encoding_format":"float"}`))
				resp, err := b.router.RoundTrip(req)
				status, body := read(t, resp, err)
				if status != 200 || strings.Count(body, `"embedding":`) != 2 || !strings.Contains(body, `"model": "`+named(dialect, model)+`"`) ||
					resp.Header.Get("Spillway-Endpoint") != projectOf(first) {
					t.Errorf("%s to %s: %d %v %s", dialect, first, status, resp.Header, body)
				}
			})
		}
	}
}

// TestEmbeddingsArePackedIfTheirCallerAsksForThat has an emulator that does not heed it.
func TestEmbeddingsArePackedIfTheirCallerAsksForThat(t *testing.T) {
	for dialect := range dialects {
		for _, first := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			synctest.Test(t, func(t *testing.T) {
				b := newMixed(t, dialect, first, geminitest.Config{}, router.Config{})
				vectors := func(format string, into any) {
					req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, openAIBase[dialect]+"embeddings",
						strings.NewReader(`{"model":"`+named(dialect, "gemini-embedding-001")+`","input":["a","b"],"encoding_format":"`+format+`"}`))
					resp, err := b.router.RoundTrip(req)
					_, body := read(t, resp, err)
					if err := json.Unmarshal([]byte(body), into); err != nil || resp.Header.Get("Spillway-Endpoint") != projectOf(first) {
						t.Errorf("%s to %s: %v %v %.200s", dialect, first, err, resp.Header, body)
					}
				}
				var plain struct {
					Data []struct{ Embedding []float32 }
				}
				var packed struct{ Data []struct{ Embedding []byte } }
				vectors("float", &plain)
				vectors("base64", &packed)
				for i, d := range plain.Data {
					want, _ := binary.Append(nil, binary.LittleEndian, d.Embedding)
					if len(packed.Data) != 2 || len(want) != 4*3072 || !bytes.Equal(packed.Data[i].Embedding, want) {
						t.Errorf("%s to %s: vector %d of %d is another", dialect, first, i, len(packed.Data))
					}
				}
			})
		}
	}
}

// heardOutcomes collects how attempts end.
type heardOutcomes struct {
	mu  sync.Mutex
	all []pool.Outcome
}

func (o *heardOutcomes) trace() *router.Trace {
	return &router.Trace{AttemptEnd: func(_ context.Context, a router.AttemptEnd) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.all = append(o.all, a.Outcome)
	}}
}

// TestUsageOfChatsIsCountedUnseen compares each response with the one that Google gives without the
// router, byte for byte.
func TestUsageOfChatsIsCountedUnseen(t *testing.T) {
	thinking := `"extra_body":{"google":{"thinking_config":{"thinking_budget":9}}},`
	bodies := map[string]string{
		"whole": "", "stream": `"stream":true,`,
		"stream, usage asked":      `"stream":true,"stream_options":{"include_usage":true},`,
		"stream, usage not wanted": `"stream":true,"stream_options":{"include_usage":false},`,
		"stream, no options":       `"stream":true,"stream_options":null,`,
		"stream, long":             `"stream":true,"user":"` + strings.Repeat("x", 2<<20) + `",`,
		"embedded options":         `"stream":true,"metadata":{"include_usage":true},`,
	}
	for dialect := range dialects {
		for name, fields := range bodies {
			for _, lf := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					p := keyed("studio", "key-1")
					if dialect == pool.BackendVertex {
						p = vertexed("prod", "global")
					}
					cfg := geminitest.Config{Thoughts: 7, Seed: 1, LF: lf}
					var got heardOutcomes
					b := setup{google: cfg, opts: []router.Option{router.WithTrace(got.trace())}}.bed(t, p)
					direct := chat(t.Context(), dialect, thinking+fields)
					direct.URL.Path = strings.Replace(direct.URL.Path, "projects/x", "projects/"+p.pool.Name, 1)
					direct.Header.Set("Authorization", "Bearer "+map[pool.Backend]string{pool.BackendGemini: "key-1", pool.BackendVertex: "token-of-prod"}[dialect])
					resp, err := googleOf(cfg, p).RoundTrip(direct)
					_, want := read(t, resp, err)
					resp, err = b.router.RoundTrip(chat(t.Context(), dialect, thinking+fields))
					if status, body := read(t, resp, err); status != 200 || body != want {
						t.Errorf("%s, %s:\ngot  %d %s\nwant %s", dialect, name, status, body, want)
					}
					if len(got.all) != 1 {
						t.Fatalf("%d attempts", len(got.all))
					}
					o := got.all[0]
					if !o.Counted || o.Usage.Output != 27 || o.Thoughts != 7 || o.Usage.Input == 0 {
						t.Errorf("%s, %s: %+v", dialect, name, o)
					}
					if dialect == pool.BackendVertex && o.Traffic != "ON_DEMAND" {
						t.Errorf("%s, %s: traffic %q", dialect, name, o.Traffic)
					}
				})
			}
		}
	}
}

func TestErrorWithinAChatHasOpenAIsShape(t *testing.T) {
	for dialect := range dialects {
		synctest.Test(t, func(t *testing.T) {
			var got heardOutcomes
			p := keyed("studio", "key-1")
			if dialect == pool.BackendVertex {
				p = vertexed("prod", "global")
			}
			b := setup{opts: []router.Option{router.WithTrace(got.trace())}}.bed(t, p)
			b.Script(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 20*time.Second).AfterEvents(1))
			resp, err := b.router.RoundTrip(chat(t.Context(), dialect, `"stream":true,`))
			status, body := read(t, resp, err)
			last := body[strings.LastIndex(body, "data: ")+len("data: "):]
			var failure struct {
				Error struct {
					Message, Type, Code, Status string
					Param                       *string
				}
			}
			if err := json.Unmarshal([]byte(last), &failure); err != nil || status != 200 || failure.Error.Type != "rate_limit_error" ||
				failure.Error.Code != "rate_limit_exceeded" || failure.Error.Message == "" {
				t.Errorf("%s: %v: %d %s", dialect, err, status, body)
			}
			if o := got.all[0]; o.Class != pool.ClassMinuteQuota || o.Hint != 20*time.Second {
				t.Errorf("%s: the error is taken for %+v", dialect, o)
			}
		})
	}
}

func TestTheRoutersOwnErrorsHaveOpenAIsShape(t *testing.T) {
	type failure struct {
		Error struct {
			Message, Type, Code string
			Details             []map[string]any
		}
	}
	ask := func(t *testing.T, b *bed, req *http.Request) (*http.Response, failure) {
		t.Helper()
		resp, err := b.router.RoundTrip(req)
		_, body := read(t, resp, err)
		var f failure
		if err := json.Unmarshal([]byte(body), &f); err != nil || !strings.Contains(body, `"param":null`) {
			t.Errorf("%v: %s", err, body)
		}
		return resp, f
	}
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{MaxWait: -1}}.bed(t, keyed("studio", "key-1"))
		b.Script(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 20*time.Second))
		resp, err := b.router.RoundTrip(chat(t.Context(), pool.BackendGemini, ""))
		_, _ = read(t, resp, err)
		resp, f := ask(t, b, chat(t.Context(), pool.BackendGemini, ""))
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Spillway-Why") == "" ||
			f.Error.Type != "rate_limit_error" || f.Error.Code != "rate_limit_exceeded" || len(f.Error.Details) == 0 {
			t.Errorf("exhausted: %d %v %+v", resp.StatusCode, resp.Header, f)
		}
		wrong := chat(t.Context(), pool.BackendGemini, "")
		wrong.Header.Set("Spillway-Location", "eu")
		if resp, f = ask(t, b, wrong); resp.StatusCode != http.StatusBadRequest || f.Error.Type != "invalid_request_error" || f.Error.Code != "invalid_argument" {
			t.Errorf("misspelt: %d %+v", resp.StatusCode, f)
		}
		ofOpenAI, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://h/v1/chat/completions", strings.NewReader(`{}`))
		if resp, f = ask(t, b, ofOpenAI); resp.StatusCode != http.StatusNotFound || !strings.Contains(f.Error.Message, "/openai/v1") {
			t.Errorf("OpenAI's own path: %d %+v", resp.StatusCode, f)
		}
	})
}

// TestChatsStayWhereTheyCanGo has what only one back end takes.
func TestChatsStayWhereTheyCanGo(t *testing.T) {
	for name, tt := range map[string]struct {
		dialect pool.Backend
		fields  string
	}{
		"a field that only one documents":   {pool.BackendGemini, `"store":false,`},
		"a setting of Google's":             {pool.BackendVertex, `"extra_body":{"google":{"thought_tag_marker":"think"}},`},
		"a file in a bucket":                {pool.BackendVertex, `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"gs://b/o"}}]}],"x":1,`},
		"an extension that is not Google's": {pool.BackendGemini, `"extra_body":{"x":1},`},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newMixed(t, tt.dialect, dialects[tt.dialect], geminitest.Config{}, router.Config{})
			resp, err := b.router.RoundTrip(chat(t.Context(), tt.dialect, tt.fields))
			if status, body := read(t, resp, err); status != 200 || resp.Header.Get("Spillway-Endpoint") != projectOf(tt.dialect) {
				t.Errorf("%s: %d %v %s", name, status, resp.Header, body)
			}
		})
	}
}

// TestFieldsOfOpenAIsGoWhereThePoolIs has a base URL that is no back end's own, and no project of the
// Developer API: Vertex AI ignores what it does not know.
func TestFieldsOfOpenAIsGoWhereThePoolIs(t *testing.T) {
	for path, want := range map[string]int{"/openai/v1/chat/completions": 200, "/v1beta/openai/chat/completions": 400} {
		synctest.Test(t, func(t *testing.T) {
			b := setup{}.bed(t, vertexed("prod", "global"))
			req := chat(t.Context(), pool.BackendGemini, `"store":false,"parallel_tool_calls":true,"extra_body":{"x":1},`)
			req.URL.Path = path
			resp, err := b.router.RoundTrip(req)
			status, body := read(t, resp, err)
			if status != want || want == 200 && !strings.Contains(body, `"model": "`+flash+`"`) {
				t.Errorf("%s: %d %s", path, status, body)
			}
		})
	}
}

func TestAnOrderTakesChatsOfEitherDialect(t *testing.T) {
	for dialect := range dialects {
		for stream := range streaming {
			synctest.Test(t, func(t *testing.T) {
				studio, prod := keyed("studio", "key-1"), vertexed("prod", "global")
				prod.order(flash, "europe-west4", 10)
				b := setup{router: router.Config{Backend: dialect}}.bed(t, studio, prod)
				for range 5 {
					resp, err := b.router.RoundTrip(chat(t.Context(), dialect, streaming[stream]))
					if status, body := read(t, resp, err); status != 200 || resp.Header.Get("Spillway-Traffic") != "provisioned" {
						t.Errorf("%s: %d %v %s", dialect, status, resp.Header, body)
					}
				}
				if n := b.Count(geminitest.Match{Traffic: "dedicated"}); n != 5 {
					t.Errorf("%s: %d calls were sent dedicated, want 5", dialect, n)
				}
			})
		}
	}
}

// TestSignedToolCallsGoOnElsewhere has the back end that signed a call of a tool fail.
func TestSignedToolCallsGoOnElsewhere(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"tide"}}],"tool_choice":"required",`
	for dialect := range dialects {
		for stream := range streaming {
			synctest.Test(t, func(t *testing.T) {
				b := newMixed(t, dialect, dialect, geminitest.Config{}, router.Config{})
				resp, err := b.router.RoundTrip(chat(t.Context(), dialect, tools+streaming[stream]))
				_, body := read(t, resp, err)
				_, after, _ := strings.Cut(body, `"thought_signature":`)
				_, after, _ = strings.Cut(after, `"`)
				signature, _, _ := strings.Cut(after, `"`)
				if signature == "" {
					t.Fatalf("no signature in %s", body)
				}
				b.Script(geminitest.Match{Backend: string(dialect)}, geminitest.Overloaded())
				next := chat(t.Context(), dialect, "")
				next.Body = io.NopCloser(strings.NewReader(`{` + tools + streaming[stream] + `"model":"` + named(dialect, flash) + `","messages":[{"role":"user","content":"hi"},` +
					`{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"tide","arguments":"{}"},"extra_content":{"google":{"thought_signature":"` + signature + `"}}}]},` +
					`{"role":"tool","tool_call_id":"1","content":"high"}]}`))
				next.GetBody, next.ContentLength = nil, -1
				resp, err = b.router.RoundTrip(next)
				if status, body := read(t, resp, err); status != 200 || resp.Header.Get("Spillway-Endpoint") != projectOf(dialects[dialect]) {
					t.Errorf("%s: %d %v %s", dialect, status, resp.Header, body)
				}
			})
		}
	}
}

// TestOpenAIsOwnBaseServesBothBackEnds has a client that knows only the address.
func TestOpenAIsOwnBaseServesBothBackEnds(t *testing.T) {
	for _, p := range []project{keyed("studio", "key-1"), vertexed("prod", "global")} {
		synctest.Test(t, func(t *testing.T) {
			b := setup{}.bed(t, p)
			req := chat(t.Context(), pool.BackendGemini, "")
			req.URL.Path = "/openai/v1/chat/completions"
			resp, err := b.router.RoundTrip(req)
			if status, body := read(t, resp, err); status != 200 {
				t.Errorf("%s: %d %s", p.pool.Name, status, body)
			}
			paths := []string{}
			for _, r := range b.Requests() {
				paths = append(paths, r.Method)
			}
			if !slices.Equal(paths, []string{"openai.chat"}) {
				t.Errorf("%s: Google got %v", p.pool.Name, paths)
			}
		})
	}
}

// TestAliasesAndStandInsOfChatsAreNamedAsEachBackEndDoes has a stand-in on the other back end alone.
func TestAliasesAndStandInsOfChatsAreNamedAsEachBackEndDoes(t *testing.T) {
	for dialect, other := range dialects {
		for stream := range streaming {
			synctest.Test(t, func(t *testing.T) {
				b := newMixed(t, dialect, other, geminitest.Config{}, router.Config{
					MaxWait: -1, Models: map[string]string{"fast": flash}, Fallbacks: []router.Fallback{{Model: flash, To: []string{pro}}},
				})
				b.Script(geminitest.Match{Model: flash, Backend: string(dialect)}, geminitest.Overloaded(), geminitest.Overloaded())
				b.Script(geminitest.Match{Model: flash, Backend: string(other)}, geminitest.Contention(), geminitest.Contention())
				req := chat(t.Context(), dialect, streaming[stream])
				body := `{` + streaming[stream] + `"model":"` + named(dialect, "fast") + `","messages":[{"role":"user","content":"hi"}]}`
				req.Body, req.GetBody, req.ContentLength = io.NopCloser(strings.NewReader(body)), nil, -1
				resp, err := b.router.RoundTrip(req)
				status, got := read(t, resp, err)
				if _, model := said(t, got); status != 200 || model != named(dialect, pro) || resp.Header.Get("Spillway-Model") != pro {
					t.Errorf("%s, stream %v: %d %v %s", dialect, stream, status, resp.Header, got)
				}
			})
		}
	}
}

// TestAChatTooLongToBeReadIsCountedByItsEnd passes through as it comes.
func TestAChatTooLongToBeReadIsCountedByItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := `{"object":"chat.completion","choices":[{"message":{"content":"` + strings.Repeat("x", 33<<20) +
			`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":15}}`
		var got heardOutcomes
		b := setup{opts: []router.Option{router.WithTrace(got.trace()), router.WithTransport(transport(func(*http.Request) (*http.Response, error) {
			return answerOf(200, whole), nil
		}))}}.bed(t, keyed("studio", "key-1"))
		resp, err := b.router.RoundTrip(chat(t.Context(), pool.BackendGemini, ""))
		if status, body := read(t, resp, err); status != 200 || body != whole {
			t.Errorf("%d and %d bytes", status, len(body))
		}
		if o := got.all[0]; !o.Counted || o.Usage.Input != 3 || o.Usage.Output != 12 || o.Thoughts != 7 {
			t.Errorf("%+v", o)
		}
	})
}

func TestTheIDOfACallIsWhereOpenAIsClientsLookForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{MaxWait: -1}, opts: []router.Option{router.WithTrace(&router.Trace{})}}.bed(t, keyed("studio", "key-1"))
		b.Script(geminitest.Match{}, geminitest.InvalidArgument("no"), geminitest.MinuteQuota(flash, 10, 20*time.Second))
		for _, want := range []int{400, 429, 429} {
			resp, err := b.router.RoundTrip(chat(t.Context(), pool.BackendGemini, ""))
			status, _ := read(t, resp, err)
			if id := resp.Header.Get("X-Request-ID"); status != want || id == "" || id != resp.Header.Get("Spillway-Call") {
				t.Errorf("%d: %v", status, resp.Header)
			}
		}
		resp, err := b.router.RoundTrip(gen(t.Context(), genPath, "{}"))
		if _, _ = read(t, resp, err); resp.Header.Get("X-Request-ID") != "" {
			t.Errorf("a call of Google's own: %v", resp.Header)
		}
	})
}
