package router_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	onStudio = "studio/global/on_demand"
	onProd   = "prod/global/on_demand"
)

// newMixed is a bed whose clients speak one dialect, over a project of either back end: studio is
// the Gemini API's, prod Vertex AI's. The first back end is preferred.
func newMixed(t *testing.T, dialect, first pool.Backend, google geminitest.Config, cfg router.Config) *bed {
	t.Helper()
	studio, prod := keyed("studio", "key-1"), vertexed("prod", "global")
	if first == pool.BackendGemini {
		prod.pool.Priority = 1
	} else {
		studio.pool.Priority = 1
	}
	cfg.Backend = dialect
	return setup{google: google, router: cfg}.bed(t, studio, prod)
}

// dialects are the two back ends, and the other of each.
var dialects = map[pool.Backend]pool.Backend{pool.BackendGemini: pool.BackendVertex, pool.BackendVertex: pool.BackendGemini}

// projectOf is the endpoint of a back end in newMixed.
func projectOf(b pool.Backend) string {
	if b == pool.BackendVertex {
		return onProd
	}
	return onStudio
}

// hear asks for an answer, whole or streamed, and returns its text and its first headers.
func hear(t *testing.T, c *genai.Client, stream bool, config *genai.GenerateContentConfig) (text string, h http.Header, err error) {
	t.Helper()
	if !stream {
		r, err := c.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), config)
		if err != nil {
			return "", nil, err
		}
		return r.Text(), r.SDKHTTPResponse.Headers, nil
	}
	for r, err := range c.Models.GenerateContentStream(t.Context(), flash, genai.Text("hi"), config) {
		if err != nil {
			return text, h, err
		}
		if h == nil {
			h = r.SDKHTTPResponse.Headers
		}
		text += r.Text()
	}
	return text, h, nil
}

func TestFailoverCrossesTheBackEndsThereAndBack(t *testing.T) {
	refusals := map[string]func(first pool.Backend) geminitest.Answer{
		"quota": func(first pool.Backend) geminitest.Answer {
			if first == pool.BackendVertex {
				return geminitest.Contention()
			}
			return geminitest.MinuteQuota(flash, 10, 20*time.Second)
		},
		"overloaded": func(pool.Backend) geminitest.Answer { return geminitest.Overloaded() },
		"in a 200":   func(pool.Backend) geminitest.Answer { return geminitest.Overloaded().AfterEvents(0) },
		"cut":        func(pool.Backend) geminitest.Answer { return geminitest.Answer{Truncate: 10} },
	}
	for dialect, other := range dialects {
		for _, first := range []pool.Backend{dialect, other} {
			for why, refusal := range refusals {
				for _, stream := range []bool{false, true} {
					if why == "in a 200" && !stream {
						continue
					}
					t.Run(fmt.Sprintf("%s to %s first, %s, stream %v", dialect, first, why, stream), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							b := newMixed(t, dialect, first, geminitest.Config{}, router.Config{})
							c := b.client(t)
							want, h, err := hear(t, c, stream, nil)
							if err != nil || want == "" || h.Get("Spillway-Endpoint") != projectOf(first) {
								t.Fatalf("%q, %v, %v", want, h, err)
							}
							b.Script(geminitest.Match{Backend: string(first)}, refusal(first))
							text, h, err := hear(t, c, stream, nil)
							if err != nil || text != want || h.Get("Spillway-Endpoint") != projectOf(dialects[first]) || h.Get("Spillway-Attempts") != "2" {
								t.Errorf("after the refusal: %q, %v, %v; want %q", text, h, err, want)
							}
							time.Sleep(2 * time.Minute)
							text, h, err = hear(t, c, stream, nil)
							if err != nil || text != want || h.Get("Spillway-Endpoint") != projectOf(first) {
								t.Errorf("later: %q, %v, %v; want %q", text, h, err, want)
							}
						})
					})
				}
			}
		}
	}
}

// TestErrorsOfTheOtherBackEndAreJudgedAsItsOwn sends a 429 whose body says nothing, after content:
// only the back end tells what it means.
func TestErrorsOfTheOtherBackEndAreJudgedAsItsOwn(t *testing.T) {
	for dialect, other := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			b := newMixed(t, dialect, other, geminitest.Config{}, router.Config{})
			b.Script(geminitest.Match{}, geminitest.Answer{Status: 429, Body: []byte(`{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}`)}.AfterEvents(1))
			text, h, err := hear(t, b.client(t), true, nil)
			if e := apiError(t, err); e.Code != 429 || e.Message != "x" || text == "" || h.Get("Spillway-Endpoint") != projectOf(other) {
				t.Errorf("%q, %v, %v", text, h, err)
			}
			want := map[pool.Backend]pool.Class{pool.BackendGemini: pool.ClassQuotaUnknown, pool.BackendVertex: pool.ClassContention}[other]
			if got := b.router.Stat().Endpoints[0].Cooldown.Class; got != want {
				t.Errorf("%s rests for %q, want %q", projectOf(other), got, want)
			}
		})
	}
}

func TestCutStreamOfTheOtherBackEndEndsWithAnErrorEvent(t *testing.T) {
	for dialect, other := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			b := newMixed(t, dialect, other, geminitest.Config{}, router.Config{})
			b.Script(geminitest.Match{}, geminitest.Answer{Err: io.ErrUnexpectedEOF, Event: true, After: 1})
			text, _, err := hear(t, b.client(t), true, nil)
			if e := apiError(t, err); e.Code != 503 || !strings.Contains(e.Message, projectOf(other)) || text == "" {
				t.Errorf("%q, %v", text, err)
			}
			if n := b.InFlight(); n != 0 || b.Count(geminitest.Match{}) != 1 {
				t.Errorf("%d in flight of %d", n, b.Count(geminitest.Match{}))
			}
		})
	}
}

// TestFieldsThatOneBackEndLacksKeepTheCallFromIt, whichever is preferred, and are named when the
// other one rests or is not there.
func TestFieldsThatOneBackEndLacksKeepTheCallFromIt(t *testing.T) {
	for _, tt := range []struct {
		name    string
		dialect pool.Backend
		config  genai.GenerateContentConfig
		part    *genai.Part
		reason  string
	}{
		{"safety method", pool.BackendVertex, genai.GenerateContentConfig{SafetySettings: []*genai.SafetySetting{
			{Category: genai.HarmCategoryHarassment, Threshold: genai.HarmBlockThresholdOff, Method: genai.HarmBlockMethodSeverity},
		}}, genai.NewPartFromText("hi"), "safetySettings.method is not taken by the Gemini API"},
		{"bucket", pool.BackendVertex, genai.GenerateContentConfig{}, genai.NewPartFromURI("gs://bucket/film", "video/mp4"),
			"contents.parts.fileData.fileUri in a bucket (gs://) is not taken by the Gemini API"},
		{"server side tools", pool.BackendGemini, genai.GenerateContentConfig{ToolConfig: &genai.ToolConfig{IncludeServerSideToolInvocations: new(true)}},
			genai.NewPartFromText("hi"), "toolConfig.includeServerSideToolInvocations is not taken by Vertex AI"},
		{"store", pool.BackendGemini, genai.GenerateContentConfig{Store: new(true)}, genai.NewPartFromText("hi"), "store is not taken by Vertex AI"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newMixed(t, tt.dialect, dialects[tt.dialect], geminitest.Config{}, router.Config{MaxWait: -1})
				c := b.client(t)
				call := func() (*genai.GenerateContentResponse, error) {
					return c.Models.GenerateContent(t.Context(), flash, []*genai.Content{genai.NewContentFromParts([]*genai.Part{tt.part}, genai.RoleUser)}, &tt.config)
				}
				for range 10 {
					if r, err := call(); err != nil || endpoint(r) != projectOf(tt.dialect) {
						t.Fatalf("%v, %v", r, err)
					}
				}
				b.Script(geminitest.Match{Backend: string(tt.dialect)}, geminitest.QuotaUnknown())
				for range 2 {
					_, err := call()
					e, ok := router.Exhausted(err)
					if !ok || len(e.Reasons) != 2 || !slices.Contains(e.Reasons, router.Reason{Endpoint: projectOf(dialects[tt.dialect]), Why: tt.reason}) {
						t.Errorf("while the only one rests: %v", err)
					}
				}
				if n := b.Count(geminitest.Match{Backend: string(dialects[tt.dialect])}); n != 0 {
					t.Errorf("the other back end was asked %d times", n)
				}
				if r, err := ask(t.Context(), c, flash); err != nil || endpoint(r) != projectOf(dialects[tt.dialect]) {
					t.Errorf("a call without the field: %v, %v", r, err)
				}
				p := keyed("studio", "key-1")
				if tt.dialect == pool.BackendGemini {
					p = vertexed("prod", "global")
				}
				b = setup{router: router.Config{Backend: tt.dialect}}.bed(t, p)
				c = b.client(t)
				_, err := call()
				if e := apiError(t, err); e.Code != 400 || e.Status != "FAILED_PRECONDITION" || !strings.Contains(fmt.Sprint(e.Details), tt.reason) || b.Count(geminitest.Match{}) != 0 {
					t.Errorf("without the only one: %v", err)
				}
			})
		})
	}
}

func TestFilesKeepACallFromTheOtherBackEnd(t *testing.T) {
	b := newMixed(t, pool.BackendGemini, pool.BackendVertex, geminitest.Config{}, router.Config{})
	c := b.client(t)
	f, err := c.Files.Upload(t.Context(), strings.NewReader("a film"), &genai.UploadFileConfig{MIMEType: "video/mp4"})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		r, err := c.Models.GenerateContent(t.Context(), flash, []*genai.Content{genai.NewContentFromURI(f.URI, f.MIMEType, genai.RoleUser)}, nil)
		if err != nil || endpoint(r) != onStudio {
			t.Fatalf("%v, %v", r, err)
		}
	}
	if n := b.Count(geminitest.Match{Backend: "vertex"}); n != 0 {
		t.Errorf("Vertex AI was asked %d times", n)
	}
}

// TestOrdersServeTheGeminiDialectFirst, and what does not fit goes to the Gemini API. A caller's
// own request type is obeyed.
func TestOrdersServeTheGeminiDialectFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		studio, prod := keyed("studio", "key-1"), vertexed("prod", "global")
		prod.google.Orders = []geminitest.Order{{Model: flash, Location: "europe-west4", TokensPerSecond: 200, Window: 10 * time.Second}}
		prod.pool.Provisioned = []pool.Order{{Model: flash, Location: "europe-west4", TokensPerSecond: 200, Window: 10 * time.Second}}
		prod.pool.Priority = 1
		b := setup{router: router.Config{MaxWait: -1}}.bed(t, studio, prod)
		c := b.client(t)
		as := func(kind string) *genai.GenerateContentConfig {
			return &genai.GenerateContentConfig{HTTPOptions: &genai.HTTPOptions{Headers: http.Header{"X-Vertex-AI-LLM-Request-Type": {kind}}}}
		}
		if _, h, err := hear(t, c, false, as("shared")); err != nil || h.Get("Spillway-Endpoint") != onStudio {
			t.Errorf("shared: %v, %v", h, err)
		}
		served := map[string]int{}
		for i := range 40 {
			_, h, err := hear(t, c, i%2 == 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			served[h.Get("Spillway-Endpoint")+" "+h.Get("Spillway-Traffic")]++
			if i == 0 && h.Get("Spillway-Traffic") != "provisioned" {
				t.Errorf("the first call was served by %v", h)
			}
		}
		if len(served) != 2 || served["prod/europe-west4/provisioned provisioned"] < 5 || served[onStudio+" on_demand"] < 5 {
			t.Errorf("served by %v", served)
		}
		asked := b.Count(geminitest.Match{Backend: "gemini"})
		if _, _, err := hear(t, c, false, as("dedicated")); !strings.Contains(fmt.Sprint(err), "RESOURCE_EXHAUSTED") || b.Count(geminitest.Match{Backend: "gemini"}) != asked {
			t.Errorf("dedicated while the order is full: %v", err)
		}
		if n := b.Count(geminitest.Match{Traffic: "dedicated"}); n != b.Count(geminitest.Match{Backend: "vertex"}) {
			t.Errorf("%d of %d calls to Vertex AI were dedicated", n, b.Count(geminitest.Match{Backend: "vertex"}))
		}
	})
}

func TestLocationsBindTheOtherBackEndToo(t *testing.T) {
	studio, prod := keyed("studio", "key-1"), vertexed("prod", "global", "eu")
	b := setup{router: router.Config{MaxWait: -1}}.bed(t, studio, prod)
	ctx := router.WithCall(t.Context(), router.Call{Locations: []string{"eu"}})
	for range 10 {
		if r, err := ask(ctx, b.client(t), flash); err != nil || endpoint(r) != "prod/eu/on_demand" {
			t.Fatalf("%v, %v", r, err)
		}
	}
	b.Keep(geminitest.Match{Location: "eu"}, geminitest.Contention())
	if r, err := ask(ctx, b.client(t), flash); err == nil {
		t.Errorf("answered by %s", endpoint(r))
	}
	if n := b.Count(geminitest.Match{}) - b.Count(geminitest.Match{Backend: "vertex", Location: "eu"}); n != 0 {
		t.Errorf("%d calls went elsewhere", n)
	}
}

// TestCallsThatOneBackEndLacksDoNotHoldUpTheOthers: a call that only the busy Gemini API can take
// stands in line, and one that Vertex AI takes as well, or only that, goes at once.
func TestCallsThatOneBackEndLacksDoNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		studio, prod := keyed("studio", "key-1"), vertexed("prod", "global")
		studio.pool.Limits = []pool.Limit{{Concurrency: 1}}
		prod.pool.Priority = 1
		google := geminitest.Config{Latency: geminitest.Latency{FirstToken: 3 * time.Second}}
		b := setup{google: google, router: router.Config{MaxWait: time.Minute}}.bed(t, studio, prod)
		c, start := b.client(t), time.Now()
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				_, h, err := hear(t, c, false, &genai.GenerateContentConfig{Store: new(true)})
				if err != nil || h.Get("Spillway-Endpoint") != onStudio {
					t.Errorf("store %d: %v, %v", i, h, err)
				}
			})
			synctest.Wait()
		}
		for range 3 {
			wg.Go(func() {
				_, h, err := hear(t, c, false, nil)
				if err != nil || h.Get("Spillway-Endpoint") != onProd || time.Since(start) != 3*time.Second {
					t.Errorf("either: %v, %v after %v", h, err, time.Since(start))
				}
			})
		}
		wg.Go(func() {
			req, err := toVertex(t.Context(), ":generateContent")
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := b.router.RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusOK || time.Since(start) != 3*time.Second {
				t.Errorf("the other dialect: %v, %v after %v", resp, err, time.Since(start))
			}
		})
		wg.Wait()
		if d := time.Since(start); d != 9*time.Second {
			t.Errorf("the calls for the Gemini API alone took %v, want 9 s, one after the other", d)
		}
	})
}

func TestCallsThatWaitGoToTheOtherBackEndThatAReloadBrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		studio, prod := keyed("studio", "key-1"), vertexed("prod", "global")
		studio.pool.Limits = []pool.Limit{{RPM: 1}}
		cfg := router.Config{Backend: pool.BackendGemini, MaxWait: 10 * time.Minute}
		b := setup{router: cfg}.over(t, googleOf(geminitest.Config{}, studio, prod), studio)
		c, start := b.client(t), time.Now()
		if _, err := ask(t.Context(), c, flash); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if r, err := ask(t.Context(), c, flash); err != nil || endpoint(r) != onProd {
					t.Errorf("%v, %v", r, err)
				}
			})
		}
		wg.Go(func() { // a batch call asks what the calls that wait could have
			ctx := router.WithCall(t.Context(), router.Call{Priority: router.PriorityBatch})
			if _, err := ask(ctx, c, flash); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Second)
		if err := b.router.Reload(poolOf(studio, prod), cfg); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}
