package router_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	pro  = "gemini-2.5-pro"
	lite = "gemini-2.5-flash-lite"
)

// chain is the fallbacks of pro.
func chain(to ...string) router.Config {
	return router.Config{Models: map[string]string{"best": pro}, Fallbacks: []router.Fallback{{Model: pro, To: to}}}
}

// oneProject is a bed over one Gemini project.
func oneProject(t *testing.T, cfg router.Config) *bed {
	t.Helper()
	return setup{router: cfg}.bed(t, keyed("a", "key-a"))
}

func of(model string) geminitest.Match { return geminitest.Match{Model: model} }

// useUp makes a model's quota of the day used up.
func (b *bed) useUp(models ...string) {
	for _, m := range models {
		b.Keep(of(m), geminitest.DayQuota(m, 20, 0))
	}
}

func TestChainOfFallbacksIsTriedInOrder(t *testing.T) {
	for name, asked := range map[string]string{"by its name": pro, "by an alias": "best", "by its path": "models/" + pro} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := oneProject(t, chain(flash, lite))
				b.useUp(pro, flash)
				resp, err := ask(t.Context(), b.client(t), asked)
				if err != nil {
					t.Fatal(err)
				}
				h := resp.SDKHTTPResponse.Headers
				if h.Get("Spillway-Model") != lite || resp.ModelVersion != lite || h.Get("Spillway-Attempts") != "3" {
					t.Errorf("answered by %q in place of %q after %s attempts, want %q after 3", resp.ModelVersion, h.Get("Spillway-Model"), h.Get("Spillway-Attempts"), lite)
				}
				var order []string
				for _, r := range b.Requests() {
					order = append(order, r.Model)
				}
				if got, want := strings.Join(order, " "), pro+" "+flash+" "+lite; got != want {
					t.Errorf("asked %s, want %s", got, want)
				}
			})
		})
	}
}

func TestModelThatAnswersItselfIsNotNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneProject(t, chain(flash))
		for _, model := range []string{pro, "best", flash} {
			resp, err := ask(t.Context(), b.client(t), model)
			if err != nil {
				t.Fatal(err)
			}
			if got, named := resp.SDKHTTPResponse.Headers["Spillway-Model"]; named {
				t.Errorf("%s: Spillway-Model is %q, though the model itself answered", model, got)
			}
		}
	})
}

func TestModelIsWaitedForBeforeAnotherStandsIn(t *testing.T) {
	for _, tt := range []struct {
		name      string
		rest      time.Duration
		asked     router.Call
		deadline  time.Duration
		want      string
		takesLess time.Duration
	}{
		{"within fallback_after", 1050 * time.Millisecond, router.Call{}, 0, flash, 1100 * time.Millisecond},
		{"within max_wait", 5 * time.Second, router.Call{}, 0, flash, 1100 * time.Millisecond},
		{"longer than max_wait", 30 * time.Second, router.Call{}, 0, flash, time.Second},
		{"longer than the call's own max_wait", 5 * time.Second, router.Call{MaxWait: 2 * time.Second}, 0, flash, time.Second},
		{"no waiting at all", 5 * time.Second, router.Call{MaxWait: -1}, 0, flash, time.Second},
		{"longer than the caller's deadline", 5 * time.Second, router.Call{}, 3 * time.Second, flash, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := oneProject(t, chain(flash))
				b.Script(of(pro), geminitest.MinuteQuota(pro, 5, tt.rest))
				c, ctx, start := b.client(t), router.WithCall(t.Context(), tt.asked), time.Now()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				resp, err := ask(ctx, c, pro)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); resp.ModelVersion != tt.want || took > tt.takesLess {
					t.Errorf("%s answered after %v, want %s within %v", resp.ModelVersion, took, tt.want, tt.takesLess)
				}
			})
		})
	}
}

func TestModelIsAskedEverywhereBeforeAnotherStandsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pa, pb := keyed("a", "key-a"), keyed("b", "key-b")
		pb.pool.Priority = 1
		b := setup{router: chain(flash)}.bed(t, pa, pb)
		b.Keep(geminitest.Match{Project: "a", Model: pro}, geminitest.DayQuota(pro, 20, 0))
		resp, err := ask(t.Context(), b.client(t), pro)
		if err != nil || resp.ModelVersion != pro || endpoint(resp) != "b/global/on_demand" {
			t.Errorf("the call got %v, %v; want %s from project b", resp, err, pro)
		}
	})
}

func TestEveryModelOfAChainHasMaxAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := chain(flash, lite)
		cfg.MaxAttempts = 1
		b := oneProject(t, cfg)
		b.Keep(of(pro), geminitest.Overloaded())
		b.Keep(of(flash), geminitest.Internal())
		resp, err := ask(t.Context(), b.client(t), pro)
		if err != nil || resp.ModelVersion != lite || resp.SDKHTTPResponse.Headers.Get("Spillway-Attempts") != "3" {
			t.Errorf("the call got %v, %v; want %s at the third attempt", resp, err, lite)
		}
	})
}

func TestRefusalsForQuotaCostNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := chain(flash, lite)
		cfg.MaxAttempts = 1
		b := oneProject(t, cfg)
		b.useUp(pro, flash)
		resp, err := ask(t.Context(), b.client(t), pro)
		if err != nil || resp.ModelVersion != lite {
			t.Errorf("the call got %v, %v; want %s", resp, err, lite)
		}
	})
}

func TestStreamFallsBackBeforeItsFirstContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneProject(t, chain(flash, lite))
		b.useUp(pro)
		b.Keep(of(flash), geminitest.DayQuota(flash, 20, 0).AfterEvents(0))
		text, model := "", ""
		for r, err := range b.client(t).Models.GenerateContentStream(t.Context(), pro, genai.Text("hi"), nil) {
			if err != nil {
				t.Fatal(err)
			}
			text, model = text+r.Text(), r.ModelVersion
		}
		if text == "" || model != lite {
			t.Errorf("got %q of %q, want some text of %q", text, model, lite)
		}
	})
}

func TestExhaustedChainSpeaksOfTheModelThatWasAsked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script func(b *bed)
		code   int
		says   string
		retry  time.Duration // from now, or 0 where there is none
	}{
		{"all of them are exhausted: the first that is back", func(b *bed) {
			b.Keep(of(pro), geminitest.MinuteQuota(pro, 5, 50*time.Second))
			b.Keep(of(flash), geminitest.MinuteQuota(flash, 5, 20*time.Second))
			b.Keep(of(lite), geminitest.MinuteQuota(lite, 5, 40*time.Second))
		}, 429, pro, 20 * time.Second},
		{"what stands in is not there", func(b *bed) {
			b.Keep(of(pro), geminitest.MinuteQuota(pro, 5, 50*time.Second))
			b.Keep(of(flash), geminitest.ModelMissing(flash, "generateContent"))
			b.Keep(of(lite), geminitest.ModelMissing(lite, "generateContent"))
		}, 429, pro, 50 * time.Second},
		{"the model is not there, but what stands in will be free", func(b *bed) {
			b.Keep(of(pro), geminitest.ModelMissing(pro, "generateContent"))
			b.Keep(of(flash), geminitest.MinuteQuota(flash, 5, 20*time.Second))
			b.Keep(of(lite), geminitest.ModelMissing(lite, "generateContent"))
		}, 429, pro, 20 * time.Second},
		{"none of them is there", func(b *bed) {
			for _, m := range []string{pro, flash, lite} {
				b.Keep(of(m), geminitest.ModelMissing(m, "generateContent"))
			}
		}, 404, "models/" + pro + " is not found", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := oneProject(t, chain(flash, lite))
				tt.script(b)
				c := b.client(t)
				for range 3 { // what is remembered says the same as what was just heard
					now := time.Now()
					_, err := ask(t.Context(), c, pro)
					if e := apiError(t, err); e.Code != tt.code || !strings.Contains(e.Message, tt.says) {
						t.Fatalf("the call got %v, want %d about %q", err, tt.code, tt.says)
					}
					e, ok := router.Exhausted(err)
					if ok != (tt.retry > 0) {
						t.Fatalf("the call got %v", err)
					}
					if ok && (e.RetryAt.Sub(now) < tt.retry || e.RetryAt.Sub(now) > tt.retry*11/10) {
						t.Errorf("come back in %v, want %v and some jitter", e.RetryAt.Sub(now), tt.retry)
					}
				}
				if n := b.Count(geminitest.Match{}); n != 3 {
					t.Errorf("Google was asked %d times, want once of each model", n)
				}
			})
		})
	}
}

func TestNothingStandsInForWhatBelongsToAProjectOrAsksAboutAModel(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, c *genai.Client, f *genai.File) error{
		"a file": func(ctx context.Context, c *genai.Client, f *genai.File) error {
			_, err := c.Models.GenerateContent(ctx, pro, []*genai.Content{genai.NewContentFromURI(f.URI, f.MIMEType, genai.RoleUser)}, nil)
			return err
		},
		"a cached content to be made": func(ctx context.Context, c *genai.Client, _ *genai.File) error {
			_, err := c.Caches.Create(ctx, pro, &genai.CreateCachedContentConfig{Contents: genai.Text(strings.Repeat("hi ", 5000))})
			return err
		},
		"a count of tokens": func(ctx context.Context, c *genai.Client, _ *genai.File) error {
			_, err := c.Models.CountTokens(ctx, pro, genai.Text("hi"), nil)
			return err
		},
		"a look at the model": func(ctx context.Context, c *genai.Client, _ *genai.File) error {
			_, err := c.Models.Get(ctx, pro, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := oneProject(t, chain(flash))
				c := b.client(t)
				f, err := c.Files.Upload(t.Context(), strings.NewReader("hello"), &genai.UploadFileConfig{MIMEType: "text/plain"})
				if err != nil {
					t.Fatal(err)
				}
				b.useUp(pro)
				_ = call(t.Context(), c, f)
				if _, err = ask(t.Context(), c, pro); err != nil { // pro is exhausted by now
					t.Fatal(err)
				}
				b.Reset()
				err = call(t.Context(), c, f)
				if n := b.Count(of(flash)); n != 0 || err == nil {
					t.Errorf("%d requests for %s, and %v: nothing can stand in", n, flash, err)
				}
			})
		})
	}
}

func TestFallbackStaysWithinTheCallsLocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: chain(flash)}.bed(t, vertexed("a", "global", "eu"))
		b.Keep(geminitest.Match{Model: pro, Location: "eu"}, geminitest.PublisherModelMissing("a", "eu", pro))
		resp, err := ask(router.WithCall(t.Context(), router.Call{Locations: []string{"eu"}}), b.client(t), pro)
		if err != nil || resp.ModelVersion != flash || endpoint(resp) != "a/eu/on_demand" {
			t.Errorf("the call got %v, %v; want %s in eu", resp, err, flash)
		}
		if n := b.Count(geminitest.Match{Location: "global"}); n != 0 {
			t.Errorf("%d requests went to global", n)
		}
	})
}

func TestFallbackOnTheOtherBackEndAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pa, pb := keyed("studio", "key-a"), vertexed("cloud", "global")
		pa.pool.Models, pb.pool.Models = []string{pro}, []string{flash}
		b := setup{router: chain(flash)}.bed(t, pa, pb)
		b.useUp(pro)
		for range 2 {
			resp, err := ask(t.Context(), b.client(t), pro)
			if err != nil || resp.ModelVersion != flash || endpoint(resp) != "cloud/global/on_demand" {
				t.Errorf("the call got %v, %v; want %s of project cloud", resp, err, flash)
			}
		}
		if n := b.Count(of(pro)); n != 1 {
			t.Errorf("the exhausted model was asked %d times, want once", n)
		}
	})
}

// TestMissingModelIsSaidToBeMissingWhileAKeyIsDead: the answer that speaks of the model is the
// caller's, the one about a key is not.
func TestMissingModelIsSaidToBeMissingWhileAKeyIsDead(t *testing.T) {
	for name, first := range map[string]int{"the key's project first": 0, "the key's project last": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pa, pb := keyed("main", "key-main"), keyed("spare", "key-spare")
				pa.pool.Priority, pb.pool.Priority = first, 1-first
				b := setup{}.bed(t, pa, pb)
				b.Revoke("key-main")
				c := b.client(t)
				for range 3 {
					_, err := ask(t.Context(), c, "gemini-9-typo")
					if e := apiError(t, err); e.Code != http.StatusNotFound || !strings.Contains(e.Message, "gemini-9-typo is not found") {
						t.Errorf("the call got %v, want the answer that the model is not found", err)
					}
				}
			})
		})
	}
}

func TestNamesOfOneModelAreOneModel(t *testing.T) {
	for dialect, names := range map[string][]string{
		"gemini": {flash, "models/" + flash, "fast"},
		"vertex": {flash, "models/" + flash, "google/" + flash, "publishers/google/models/" + flash, "fast",
			"projects/elsewhere/locations/us-central1/publishers/google/models/" + flash},
	} {
		for _, name := range names {
			t.Run(dialect+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := keyed("a", "key-a")
					if dialect == "vertex" {
						p = vertexed("a", "europe-west4")
					}
					p.pool.Limits = []pool.Limit{{Model: flash, RPM: 2}}
					b := setup{router: router.Config{Models: map[string]string{"fast": flash}, MaxWait: -1}}.bed(t, p)
					c := b.client(t)
					for range 2 {
						resp, err := ask(t.Context(), c, name)
						if err != nil || resp.ModelVersion != flash {
							t.Fatalf("the call got %v, %v", resp, err)
						}
					}
					if _, err := ask(t.Context(), c, flash); apiError(t, err).Code != http.StatusTooManyRequests {
						t.Errorf("a third call got %v: the names do not share the limit", err)
					}
					for _, r := range b.Requests() {
						if r.Project != "a" || r.Model != flash || dialect == "vertex" && r.Location != "europe-west4" {
							t.Errorf("asked %v", r)
						}
					}
				})
			})
		}
	}
}

// TestPartnersModelsAreRoutedLikeAnyOther sends what the SDKs of partners send, which this library
// does not read.
func TestPartnersModelsAreRoutedLikeAnyOther(t *testing.T) {
	const body = `{"anthropic_version":"vertex-2023-10-16","messages":[{"role":"user","content":"hi"}],"max_tokens":64}`
	for _, tt := range []struct {
		name, path, answer, kind string
	}{
		{"whole", "v1/projects/x/locations/global/publishers/anthropic/models/claude-sonnet@1:rawPredict", `{"type":"message","content":[{"type":"text","text":"hello"}]}`, "application/json"},
		{"streamed", "v1/projects/x/locations/global/publishers/anthropic/models/claude-sonnet@1:streamRawPredict", "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: message_stop\ndata: {}\n\n", "text/event-stream"},
		{"of another publisher", "v1beta1/projects/x/locations/global/publishers/mistralai/models/mistral-large:rawPredict", `{"choices":[]}`, "application/json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pa, pb := vertexed("a", "us-east5"), vertexed("b", "europe-west1")
				pb.pool.Priority = 1
				var asked []string
				r := routerOver(t, func(req *http.Request) (*http.Response, error) {
					sent, _ := io.ReadAll(req.Body)
					if string(sent) != body {
						t.Errorf("sent %s", sent)
					}
					asked = append(asked, req.URL.String()+" "+req.Header.Get("Authorization"))
					if strings.Contains(req.URL.Path, "/projects/a/") {
						return answerOf(429, string(geminitest.Contention().Body)), nil
					}
					resp := answerOf(200, tt.answer)
					resp.Header.Set("Content-Type", tt.kind)
					return resp, nil
				}, router.Config{}, pa.pool, pb.pool)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://aiplatform.googleapis.com/"+tt.path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := r.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || string(got) != tt.answer || resp.Header.Get("Spillway-Endpoint") != "b/europe-west1/on_demand" {
					t.Errorf("got %s of %s, %v; want %s", got, resp.Header.Get("Spillway-Endpoint"), err, tt.answer)
				}
				want := func(host, project, location string) string {
					path := strings.NewReplacer("projects/x", "projects/"+project, "locations/global", "locations/"+location).Replace(tt.path)
					return "https://" + host + "-aiplatform.googleapis.com/" + path + " Bearer token-of-" + project
				}
				if len(asked) != 2 || asked[0] != want("us-east5", "a", "us-east5") || asked[1] != want("europe-west1", "b", "europe-west1") {
					t.Errorf("asked %q", asked)
				}
			})
		})
	}
}

func TestPartnersModelIsNotAskedOfTheOtherBackEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pa, pb := keyed("studio", "key-a"), vertexed("cloud", "global")
		pb.pool.Models = []string{"gemini-*"}
		b := setup{router: router.Config{Backend: pool.BackendVertex}}.bed(t, pa, pb)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"https://aiplatform.googleapis.com/v1/projects/x/locations/global/publishers/anthropic/models/claude-x:rawPredict", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || len(b.Requests()) != 0 {
			t.Errorf("got %d %s after %v; want a refusal without a request", resp.StatusCode, text, b.Requests())
		}
	})
}

// TestTunedEndpointIsAskedWhereItIs: an endpoint lives in one project and location, whatever else
// could serve a call.
func TestTunedEndpointIsAskedWhereItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pa, pb := vertexed("a", "global", "us-central1"), vertexed("b", "global", "europe-west4")
		var asked []string
		r := routerOver(t, func(req *http.Request) (*http.Response, error) {
			asked = append(asked, req.Method+" "+req.URL.String())
			if !strings.Contains(req.URL.Path, "/projects/b/locations/europe-west4/endpoints/123") {
				return answerOf(404, `{"error":{"code":404,"message":"The Endpoint was not found","status":"NOT_FOUND"}}`), nil
			}
			return answerOf(200, okBody), nil
		}, router.Config{Fallbacks: []router.Fallback{{Model: "endpoints/123", To: []string{flash}}}}, pa.pool, pb.pool)
		c := clientOver(t, pool.BackendVertex, r)
		for _, name := range []string{"projects/b/locations/europe-west4/endpoints/123", "projects/placeholder/locations/global/endpoints/123"} {
			asked = nil
			resp, err := ask(t.Context(), c, name)
			if err != nil || endpoint(resp) != "b/europe-west4/on_demand" {
				t.Errorf("%s: got %v, %v after %q", name, resp, err, asked)
			}
			if n := len(asked); n == 0 || asked[n-1] != "POST https://europe-west4-aiplatform.googleapis.com/v1beta1/projects/b/locations/europe-west4/endpoints/123:generateContent" {
				t.Errorf("%s: asked %q", name, asked)
			}
		}
	})
}

func TestRenamingLeavesTheCallersContentAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := ""
		r := routerOver(t, func(q *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(q.Body)
			sent = string(b)
			return answerOf(200, okBody), nil
		}, router.Config{Models: map[string]string{"gemini-2.0-flash": flash}})
		body := `{"contents":[{"parts":[{"functionResponse":{"name":"list","response":{"m":"models/gemini-2.0-flash"}}}]}]}`
		_, _ = r.RoundTrip(gen(t.Context(), "models/gemini-2.0-flash:generateContent", body))
		if sent != body {
			t.Errorf("the caller's content was changed: %s", sent)
		}
	})
}

func TestAliasInABodyIsRenamed(t *testing.T) {
	for _, c := range [][2]string{{"interactions", `{"model":"fast","input":"hi"}`}, {"interactions", `{"model":"models/fast","input":"hi"}`}, {"openai/chat/completions", `{"model":"fast"}`}, {"cachedContents", `{"model":"models/fast"}`}} {
		r := routerOver(t, func(q *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(q.Body)
			if !strings.Contains(string(b), flash) {
				t.Errorf("%s %s sent", q.URL, b)
			}
			return answerOf(200, `{}`), nil
		}, router.Config{Models: map[string]string{"fast": flash}})
		if resp, err := r.RoundTrip(gen(t.Context(), c[0], c[1])); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", c[0], resp, err)
		}
	}
}
