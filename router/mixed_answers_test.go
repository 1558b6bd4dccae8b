package router_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// varied is a request of one of many kinds, always the same of one number.
type varied struct {
	stream   bool
	contents []*genai.Content
	config   *genai.GenerateContentConfig
}

func newVaried(number int) varied {
	rng := rand.New(rand.NewPCG(77, uint64(number)))
	maybe := func() bool { return rng.IntN(3) == 0 }
	words := func(n int) string {
		var b strings.Builder
		for range 1 + rng.IntN(n) {
			_, _ = fmt.Fprintf(&b, "word-%d ", rng.IntN(1000))
		}
		return b.String() + "“é” <&> \\ \" \n\u2028"
	}
	v := varied{stream: rng.IntN(2) == 0, config: &genai.GenerateContentConfig{}}
	turn := func(role genai.Role, parts ...*genai.Part) {
		v.contents = append(v.contents, genai.NewContentFromParts(parts, role))
	}
	if maybe() {
		turn(genai.RoleUser, genai.NewPartFromText(words(30)))
		turn(genai.RoleModel, genai.NewPartFromText(words(30)))
	}
	tools := maybe()
	if tools {
		v.config.Tools = []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
			Name: "weather", Description: words(5),
			Parameters: &genai.Schema{Type: genai.TypeObject, Properties: map[string]*genai.Schema{
				"place": {Type: genai.TypeString, Enum: []string{"here", "there"}}, "store": {Type: genai.TypeNumber},
			}, Required: []string{"place"}},
		}}}}
		if maybe() {
			v.config.ToolConfig = &genai.ToolConfig{FunctionCallingConfig: &genai.FunctionCallingConfig{
				Mode: genai.FunctionCallingConfigModeAny, AllowedFunctionNames: []string{"weather"},
			}}
		}
		turn(genai.RoleUser, genai.NewPartFromText(words(5)))
		turn(genai.RoleModel, genai.NewPartFromFunctionCall("weather", map[string]any{"place": words(2), "toolCall": rng.Float64()}))
		turn(genai.RoleUser, genai.NewPartFromFunctionResponse("weather", map[string]any{"output": words(10)}))
	} else {
		parts := []*genai.Part{genai.NewPartFromText(words(100))}
		if maybe() {
			parts = append(parts, genai.NewPartFromBytes([]byte(words(50)), []string{"image/png", "audio/wav"}[rng.IntN(2)]))
		}
		if maybe() {
			parts = append(parts, genai.NewPartFromURI(fmt.Sprintf("https://www.youtube.com/watch?v=%d", rng.Int()), "video/mp4"))
		}
		turn(genai.RoleUser, parts...)
	}
	if !tools && maybe() {
		v.config.Tools = []*genai.Tool{{GoogleSearch: &genai.GoogleSearch{}}, {URLContext: &genai.URLContext{}}}
	} else if !tools && maybe() {
		v.config.Tools = []*genai.Tool{{CodeExecution: &genai.ToolCodeExecution{}}}
	}
	if maybe() {
		v.config.SystemInstruction = genai.NewContentFromText(words(20), genai.RoleUser)
	}
	if maybe() {
		v.config.ResponseMIMEType = "application/json"
		if v.config.ResponseSchema = (&genai.Schema{Type: genai.TypeArray, Items: &genai.Schema{Type: genai.TypeInteger}}); maybe() {
			v.config.ResponseSchema, v.config.ResponseJsonSchema = nil, map[string]any{"type": "object", "properties": map[string]any{"store": map[string]any{"type": "string"}}}
		}
	}
	if maybe() {
		v.config.ThinkingConfig = &genai.ThinkingConfig{IncludeThoughts: true, ThinkingBudget: new(rng.Int32N(30))}
	}
	if maybe() {
		v.config.SafetySettings = []*genai.SafetySetting{
			{Category: genai.HarmCategoryHarassment, Threshold: genai.HarmBlockThresholdBlockOnlyHigh},
			{Category: genai.HarmCategoryHateSpeech, Threshold: genai.HarmBlockThresholdOff},
		}
	}
	if maybe() {
		v.config.Temperature, v.config.TopP, v.config.Seed = new(rng.Float32()), new(rng.Float32()), new(rng.Int32())
	}
	if maybe() {
		v.config.CandidateCount = 1 + rng.Int32N(3)
	}
	if maybe() {
		v.config.MaxOutputTokens = 1 + rng.Int32N(40)
	}
	if maybe() {
		v.config.StopSequences = []string{words(2)}
	}
	if maybe() {
		v.config.ServiceTier = []genai.ServiceTier{genai.ServiceTierFlex, genai.ServiceTierPriority, genai.ServiceTierStandard}[rng.IntN(3)]
	}
	return v
}

// ask makes the request, and returns what a caller sees of the answer, but for what tells one
// answer, or one back end, from another.
func (v varied) ask(t *testing.T, c *genai.Client) []*genai.GenerateContentResponse {
	t.Helper()
	var events []*genai.GenerateContentResponse
	if v.stream {
		for event, err := range c.Models.GenerateContentStream(t.Context(), flash, v.contents, v.config) {
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, event)
		}
	} else {
		answer, err := c.Models.GenerateContent(t.Context(), flash, v.contents, v.config)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, answer)
	}
	for i, e := range events {
		e.SDKHTTPResponse, e.ResponseID, e.CreateTime = nil, "", time.Time{}
		for _, candidate := range e.Candidates { // each back end signs its own
			for _, part := range candidate.Content.Parts {
				part.ThoughtSignature = nil
			}
		}
		switch u := e.UsageMetadata; {
		case i < len(events)-1: // Vertex AI counts in the last event only
			e.UsageMetadata = nil
		case u != nil: // and it alone says these
			u.TrafficType, u.CandidatesTokensDetails = "", nil
		}
	}
	return events
}

// sent are the requests that Google saw, in words that can be compared. Where the tier is named is
// for TestServiceTiersCrossTheBackEnds.
func sent(t *testing.T, b *bed) []string {
	t.Helper()
	var all []string
	for _, r := range b.Requests() {
		var body map[string]any
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatalf("%s: %v", r, err)
		}
		tier := r.Header.Get("X-Vertex-Ai-Llm-Shared-Request-Type")
		if named, _ := body["serviceTier"].(string); named != "" && named != "standard" {
			tier = named
		}
		delete(body, "serviceTier")
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s\n%s/%s\n%s", r.HTTPMethod, r.URL, r.Header.Get("X-Vertex-Ai-Llm-Request-Type"), tier, text))
	}
	return all
}

// TestMixedPoolsAnswerAsPoolsOfOneBackEndDo asks the same 200 requests of pools of either back end
// and of both, in either dialect. What a back end is sent does not depend on the dialect either.
func TestMixedPoolsAnswerAsPoolsOfOneBackEndDo(t *testing.T) {
	const requests = 200
	studio, prod := keyed("studio", "key-1"), vertexed("prod", "global")
	pools := []struct {
		name           string
		projects       []project
		gemini, vertex bool
	}{
		{"gemini only", []project{studio}, true, false},
		{"vertex only", []project{prod}, false, true},
		{"mixed", []project{studio, prod}, true, true},
	}
	var want [][]*genai.GenerateContentResponse
	seen := map[string][]string{} // by the requests of a pool of one back end
	for _, dialect := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
		for _, p := range pools {
			t.Run(string(dialect)+" to "+p.name, func(t *testing.T) {
				b := setup{router: router.Config{Backend: dialect}}.over(t, googleOf(geminitest.Config{Bodies: true}, studio, prod), p.projects...)
				c := b.client(t)
				for i := range requests {
					got := newVaried(i).ask(t, c)
					if len(want) == i {
						want = append(want, got)
					}
					if diff := cmp.Diff(want[i], got); diff != "" {
						t.Fatalf("request %d (-first pool +this pool):\n%s", i, diff)
					}
				}
				gemini, vertex := b.Count(geminitest.Match{Backend: "gemini"}), b.Count(geminitest.Match{Backend: "vertex"})
				if gemini+vertex != requests || (gemini > requests/5) != p.gemini || (vertex > requests/5) != p.vertex {
					t.Errorf("the Gemini API was asked %d times, Vertex AI %d times", gemini, vertex)
				}
				if p.gemini && p.vertex {
					return
				}
				if got := sent(t, b); seen[p.name] == nil {
					seen[p.name] = got
				} else if diff := cmp.Diff(seen[p.name], got); diff != "" {
					t.Errorf("sent (-in one dialect +in the other):\n%s", diff)
				}
			})
		}
	}
}
