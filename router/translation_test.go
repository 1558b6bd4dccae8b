package router_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// TestEmbeddingsAndCountsCrossTheBackEnds compares them with those of a client of the back end
// itself.
func TestEmbeddingsAndCountsCrossTheBackEnds(t *testing.T) {
	texts := []*genai.Content{genai.NewContentFromText("one", genai.RoleUser), genai.NewContentFromText("another one", genai.RoleUser), genai.NewContentFromText("“3”", genai.RoleUser)}
	google := geminitest.Config{Models: append(geminitest.DefaultModels(), "gemini-embedding-2")}
	for dialect, other := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			own, far := newMixed(t, dialect, dialect, google, router.Config{}), newMixed(t, dialect, other, google, router.Config{})
			for _, tt := range []struct {
				model    string
				contents []*genai.Content
			}{{"gemini-embedding-001", texts}, {"text-embedding-005", texts}, {"gemini-embedding-2", texts[:1]}} {
				var got [2][][]float32
				for i, b := range []*bed{own, far} {
					r, err := b.client(t).Models.EmbedContent(t.Context(), tt.model, tt.contents,
						&genai.EmbedContentConfig{OutputDimensionality: genai.Ptr[int32](8), TaskType: "RETRIEVAL_DOCUMENT", Title: "a title"})
					if err != nil {
						t.Fatalf("%s: %v", tt.model, err)
					}
					for _, e := range r.Embeddings {
						got[i] = append(got[i], e.Values)
					}
				}
				if diff := cmp.Diff(got[0], got[1]); diff != "" || len(got[0]) != len(tt.contents) || len(got[0][0]) != 8 {
					t.Errorf("%s: embeddings (-own +other back end):\n%s", tt.model, diff)
				}
			}
			var counts [2]int32
			for i, b := range []*bed{own, far} {
				r, err := b.client(t).Models.CountTokens(t.Context(), flash, texts, nil)
				if err != nil {
					t.Fatal(err)
				}
				counts[i] = r.TotalTokens
			}
			if counts[0] != counts[1] || counts[0] == 0 {
				t.Errorf("counted %d and %d tokens", counts[0], counts[1])
			}
			if n, m := own.Count(geminitest.Match{Backend: string(other)}), far.Count(geminitest.Match{Backend: string(dialect)}); n != 0 || m != 0 {
				t.Errorf("%d and %d calls went to the one that is not preferred", n, m)
			}
		})
	}
}

func TestOnlyVertexCountsTheTokensOfASystemInstruction(t *testing.T) {
	b := newMixed(t, pool.BackendVertex, pool.BackendGemini, geminitest.Config{}, router.Config{})
	r, err := b.client(t).Models.CountTokens(t.Context(), flash, genai.Text("hi"), &genai.CountTokensConfig{SystemInstruction: genai.NewContentFromText("be brief", genai.RoleUser)})
	if err != nil || r.TotalTokens != 3 || b.Count(geminitest.Match{Backend: "gemini"}) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestServiceTiersCrossTheBackEnds asks for a tier as one back end takes it, of the other one,
// which may give less.
func TestServiceTiersCrossTheBackEnds(t *testing.T) {
	const header = "X-Vertex-Ai-Llm-Shared-Request-Type"
	inHeader := func(tier string) *genai.GenerateContentConfig {
		return &genai.GenerateContentConfig{HTTPOptions: &genai.HTTPOptions{Headers: http.Header{"X-Vertex-AI-LLM-Shared-Request-Type": {tier}}}}
	}
	inBody := func(tier genai.ServiceTier) *genai.GenerateContentConfig {
		return &genai.GenerateContentConfig{ServiceTier: tier}
	}
	for _, tt := range []struct {
		name        string
		dialect, to pool.Backend
		location    string
		config      *genai.GenerateContentConfig
		served      string // tier that the Gemini API says
		asked       string // tier that Google was asked for
		traffic     string
	}{
		{"flex of Vertex AI", pool.BackendGemini, pool.BackendVertex, "global", inBody(genai.ServiceTierFlex), "", "flex", "on_demand_flex"},
		{"priority of Vertex AI", pool.BackendGemini, pool.BackendVertex, "us", inBody(genai.ServiceTierPriority), "", "priority", "on_demand_priority"},
		{"priority of a region, which gives standard", pool.BackendGemini, pool.BackendVertex, "us-central1", inBody(genai.ServiceTierPriority), "", "priority", "on_demand"},
		{"standard of Vertex AI", pool.BackendGemini, pool.BackendVertex, "global", inBody(genai.ServiceTierStandard), "", "", "on_demand"},
		{"flex of the Gemini API", pool.BackendVertex, pool.BackendGemini, "", inHeader("flex"), "flex", "flex", "on_demand_flex"},
		{"priority of the Gemini API", pool.BackendVertex, pool.BackendGemini, "", inHeader("priority"), "priority", "priority", "on_demand_priority"},
		{"priority of the Gemini API, which gives standard", pool.BackendVertex, pool.BackendGemini, "", inHeader("priority"), "standard", "priority", "on_demand"},
		{"flex of the own one", pool.BackendGemini, pool.BackendGemini, "", inBody(genai.ServiceTierFlex), "flex", "flex", "on_demand_flex"},
		{"nothing of the own one", pool.BackendGemini, pool.BackendGemini, "", nil, "", "", "on_demand"},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream %v", tt.name, stream), func(t *testing.T) {
				p := keyed("studio", "key-1")
				if tt.to == pool.BackendVertex {
					p = vertexed("prod", tt.location)
				}
				b := setup{google: geminitest.Config{Bodies: true}, router: router.Config{Backend: tt.dialect}}.bed(t, p)
				if tt.served != "" {
					b.Keep(geminitest.Match{}, geminitest.Answer{Header: http.Header{"X-Gemini-Service-Tier": {tt.served}}})
				}
				_, h, err := hear(t, b.client(t), stream, tt.config)
				if err != nil {
					t.Fatal(err)
				}
				if got := h.Get("Spillway-Traffic"); got != tt.traffic {
					t.Errorf("Spillway-Traffic is %q, want %q", got, tt.traffic)
				}
				r := b.Requests()[0]
				inHeader, inBody := r.Header.Get(header), string(r.Body)
				if tt.to == pool.BackendVertex {
					tier := map[string]string{"on_demand": "standard", "on_demand_flex": "flex", "on_demand_priority": "priority"}[tt.traffic]
					if inHeader != tt.asked || strings.Contains(inBody, "serviceTier") || h.Get("X-Gemini-Service-Tier") != tier {
						t.Errorf("Vertex AI was asked for %q, %s; the caller hears %q", inHeader, inBody, h.Get("X-Gemini-Service-Tier"))
					}
				} else if inHeader != "" || strings.Contains(inBody, `"serviceTier"`) != (tt.asked != "") || !strings.Contains(inBody, tt.asked) {
					t.Errorf("the Gemini API was asked for %q, %s", inHeader, inBody)
				}
			})
		}
	}
}

// TestFallbackIsTranslatedForItsOwnModel: of the two models one embeds a content a call on Vertex
// AI, the other a batch.
func TestFallbackIsTranslatedForItsOwnModel(t *testing.T) {
	b := setup{router: router.Config{
		Backend: pool.BackendGemini, Fallbacks: []router.Fallback{{Model: "gemini-embedding-2", To: []string{"text-embedding-005"}}},
	}}.bed(t, vertexed("prod", "global"))
	r, err := b.client(t).Models.EmbedContent(t.Context(), "gemini-embedding-2",
		[]*genai.Content{genai.NewContentFromText("one", genai.RoleUser), genai.NewContentFromText("two", genai.RoleUser)}, nil)
	if err != nil || len(r.Embeddings) != 2 || b.Count(geminitest.Match{Method: "predict", Model: "text-embedding-005"}) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestAnswersAreTranslatedWholeStreamedAndLong: the name of the list of citations is what differs.
func TestAnswersAreTranslatedWholeStreamedAndLong(t *testing.T) {
	names := map[pool.Backend]string{pool.BackendGemini: "citationSources", pool.BackendVertex: "citations"}
	for dialect, other := range dialects {
		for _, size := range []int{1, 33 << 20} {
			for _, stream := range []bool{false, true} {
				if stream && size > 1 {
					continue
				}
				t.Run(fmt.Sprintf("%s, %d bytes, stream %v", dialect, size, stream), func(t *testing.T) {
					body := fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":"%s"}]},"finishReason":"STOP","citationMetadata":{"%s":[{"uri":"u"}]}}]}`,
						strings.Repeat("a", size), names[other])
					path, answer := "models/"+flash+":generateContent", answerOf(200, body)
					if stream {
						path, answer = "models/"+flash+":streamGenerateContent?alt=sse", answerOf(200, "data: "+body+"\r\n\r\n", "Content-Type", "text/event-stream")
					}
					p := keyed("studio", "key-1")
					req := gen(t.Context(), path, "{}")
					if other == pool.BackendVertex {
						p = vertexed("prod", "global")
					} else {
						req.URL.Host, req.URL.Path = "aiplatform.googleapis.com", strings.Replace(req.URL.Path, "/v1beta/", "/v1beta1/projects/x/locations/global/publishers/google/", 1)
					}
					r := routerOver(t, func(*http.Request) (*http.Response, error) { return answer, nil }, router.Config{Backend: dialect}, p.pool)
					resp, err := r.RoundTrip(req)
					if err != nil || resp.StatusCode != http.StatusOK {
						t.Fatalf("%+v, %v", resp, err)
					}
					got, err := io.ReadAll(resp.Body)
					if want := strings.Replace(body, names[other], names[dialect], 1); err != nil || !strings.Contains(string(got), want) {
						t.Errorf("%d bytes, of which the last are %q; %v", len(got), got[max(0, len(got)-200):], err)
					}
				})
			}
		}
	}
}

func TestBodyThatIsTooLongToBeKeptIsNotTranslated(t *testing.T) {
	p := vertexed("prod", "global")
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return nil, errors.New("it was sent") }, router.Config{Backend: pool.BackendGemini}, p.pool)
	req := gen(t.Context(), genPath, "")
	req.Body, req.GetBody, req.ContentLength = io.NopCloser(io.LimitReader(spaces{}, 65<<20)), nil, -1
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "too long to be kept is not translated") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// spaces is blank for ever.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
