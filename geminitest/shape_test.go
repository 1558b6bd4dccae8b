package geminitest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

// outline is what each event of a stream is: "text", "empty", "role" or "none" for its candidates,
// "[]" for an empty list of them, with a dot where it has a finishReason, and whether it counts.
func outline(t *testing.T, body string) (events []string, counted bool) {
	t.Helper()
	for text := range strings.SplitSeq(body, "data: ") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		var event struct {
			Candidates *[]struct {
				Content      struct{ Parts []struct{ Text string } }
				FinishReason string
			}
			UsageMetadata struct{ PromptTokenCount int }
		}
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			t.Fatal(err, text)
		}
		what := "text"
		switch {
		case event.Candidates == nil:
			what = "none"
		case len(*event.Candidates) == 0:
			what = "[]"
		case len((*event.Candidates)[0].Content.Parts) == 0:
			what = "role"
		case (*event.Candidates)[0].Content.Parts[0].Text == "":
			what = "empty"
		}
		if what != "none" && what != "[]" && (*event.Candidates)[0].FinishReason != "" {
			what += "."
		}
		events, counted = append(events, what), event.UsageMetadata.PromptTokenCount > 0
	}
	return events, counted
}

func TestAnswersHaveOddShapes(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		for shape, want := range map[geminitest.Shape][2][]string{
			"":                              {{"text", "text", "text."}, {"text."}},
			geminitest.ShapeStopEverywhere:  {{"text.", "text.", "text."}, {"text."}},
			geminitest.ShapeStopEarly:       {{"text.", "text", "text."}, {"text."}},
			geminitest.ShapeRoleFirst:       {{"role", "text", "text", "text."}, {"text."}},
			geminitest.ShapeTextlessFirst:   {{"empty", "text", "text", "text."}, {"text."}},
			geminitest.ShapeNoCandidates:    {{"none"}, {"none"}},
			geminitest.ShapeEmptyCandidates: {{"[]"}, {"[]"}},
		} {
			for backend, a := range sides() {
				remove := google.Keep(geminitest.Match{Project: "a", Backend: backend}, geminitest.Answer{}.Shaped(shape))
				for i, method := range []string{"streamGenerateContent", "generateContent"} {
					a.method = method
					got := a.do(t.Context(), rt)
					events, counted := outline(t, got.body)
					if got.status != 200 || !slices.Equal(events, want[i]) || !counted {
						t.Errorf("%q of %s, %s: %v, counted %v, want %v: %d %s", shape, backend, method, events, counted, want[i], got.status, got.body)
					}
				}
				remove()
			}
		}
	})
}

// TestAnIntermediateFinishAfterATool is Google's habit: the stream goes on after it.
func TestAnIntermediateFinishAfterATool(t *testing.T) {
	google := geminitest.New(pair())
	google.Keep(geminitest.Match{Tool: "codeExecution"}, geminitest.Answer{}.Shaped(geminitest.ShapeStopEarly))
	for _, a := range sides() {
		a.method = "streamGenerateContent"
		if events, _ := outline(t, a.do(t.Context(), google).body); slices.Contains(events[:2], "text.") {
			t.Errorf("a plain call: %v", events)
		}
		a.body = tooled("codeExecution")
		if events, _ := outline(t, a.do(t.Context(), google).body); !slices.Equal(events, []string{"text.", "text", "text."}) {
			t.Errorf("a call with the tool: %v", events)
		}
	}
}

func TestShapesBreakLikeAnyStream(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		for _, shape := range []geminitest.Shape{geminitest.ShapeStopEverywhere, geminitest.ShapeStopEarly} {
			google.Script(geminitest.Match{}, geminitest.ConnectionReset().AfterEvents(2).Shaped(shape))
			got := ask{key: "key-a", method: "streamGenerateContent"}.do(t.Context(), rt)
			events, _ := outline(t, got.body)
			if got.readErr == nil || len(events) != 2 || events[0] != "text." {
				t.Errorf("%q: %v, then %v", shape, events, got.readErr)
			}
		}
		google.Script(geminitest.Match{}, geminitest.Overloaded().AfterEvents(1).Shaped(geminitest.ShapeRoleFirst))
		got := ask{key: "key-a", method: "streamGenerateContent"}.do(t.Context(), rt)
		if first, rest, _ := strings.Cut(got.body, "\r\n\r\n"); strings.Contains(first, "text") || !strings.Contains(rest, `"code": 503`) {
			t.Errorf("got %s", got.body)
		}
	})
}
