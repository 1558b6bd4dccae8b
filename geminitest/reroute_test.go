package geminitest_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// TestRetiredModelsAreAnsweredByOthersFromTheirDayOn crosses the first of December 2026 in
// California.
func TestRetiredModelsAreAnsweredByOthersFromTheirDayOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := pair()
		cfg.Reroutes = geminitest.AnnouncedReroutes()
		cfg.Projects[0].Limits = []geminitest.Limit{{Model: "gemini-3.8-flash", RPM: 2}}
		google := geminitest.New(cfg)
		answers := func(a ask) string {
			t.Helper()
			var out struct{ ModelVersion string }
			a.do(t.Context(), google).decode(t, &out)
			return out.ModelVersion
		}
		const pro, flash = "gemini-2.5-pro", "gemini-2.5-flash"
		time.Sleep(time.Until(time.Date(2026, time.December, 1, 7, 59, 59, 0, time.UTC)))
		if got := answers(ask{key: "key-a", model: pro}); got != pro {
			t.Errorf("the day before, %s answers", got)
		}
		time.Sleep(time.Second)
		for model, want := range map[string]string{pro: "gemini-3.8-flash", flash: "gemini-3.5-flash-lite", "gemini-2.5-flash-lite": "gemini-2.5-flash-lite"} {
			if got := answers(ask{key: "key-a", model: model}); got != want {
				t.Errorf("%s answers for %s, want %s", got, model, want)
			}
			if got := (ask{key: "key-b", model: model, method: "streamGenerateContent"}).do(t.Context(), google); !strings.Contains(got.body, `"modelVersion":"`+want+`"`) {
				t.Errorf("in a stream: %s", got.body)
			}
			if got := answers(ask{token: "token-a", project: "a", where: "eu", model: model}); got != model {
				t.Errorf("on Vertex AI %s answers for %s", got, model)
			}
		}
		if got := (ask{key: "key-a", model: "gemini-3.8-flash"}).do(t.Context(), google); got.status != 200 {
			t.Error(got.body)
		}
		if got := (ask{key: "key-a", model: pro}).do(t.Context(), google); got.status != 429 || !strings.Contains(got.body, "model: gemini-3.8-flash") {
			t.Errorf("quota is the other model's: %d %s", got.status, got.body)
		}
		if n := google.Count(geminitest.Match{Model: pro, Backend: "gemini"}); n != 4 {
			t.Errorf("%d calls are counted for the model that was asked, want 4", n)
		}
	})
}

func TestNewModelsAreInTheCatalog(t *testing.T) {
	for _, model := range []string{
		"gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash", "gemini-3.5-flash-lite", "gemini-4-argon", "gemini-4-neon", "gemini-embedding-2",
	} {
		if !slices.Contains(geminitest.DefaultModels(), model) {
			t.Errorf("%s is missing", model)
		}
	}
}

func TestVectorsComeInBatchesOnVertexToo(t *testing.T) {
	google := geminitest.New(pair())
	at := func(model, method, body string) reply {
		return ask{token: "token-a", project: "a", where: "eu", model: model, method: method, body: body}.do(t.Context(), google)
	}
	const content = `{"content":{"parts":[{"text":"a"},{"text":"b"}]}}`
	for _, model := range []string{"gemini-embedding-001", "gemini-embedding-2"} {
		var out struct{ Embeddings []struct{ Values []float64 } }
		at(model, "batchEmbedContents", `{"requests":[`+content+`,`+content+`,`+content+`]}`).decode(t, &out)
		if len(out.Embeddings) != 3 || len(out.Embeddings[2].Values) != 3072 {
			t.Errorf("%s: %d vectors", model, len(out.Embeddings))
		}
		var single struct{ Embedding struct{ Values []float64 } }
		at(model, "embedContent", content).decode(t, &single)
		if len(single.Embedding.Values) != 3072 {
			t.Errorf("%s: %d values", model, len(single.Embedding.Values))
		}
	}
	for model, want := range map[string]int{"gemini-embedding-2": 400, "gemini-embedding-001": 200, "text-embedding-005": 200} {
		if got := at(model, "predict", `{"instances":[{"content":"a"}]}`); got.status != want || want == 400 && got.problem(t).Error.Status != "FAILED_PRECONDITION" {
			t.Errorf("%s predicts: %d %s", model, got.status, got.body)
		}
	}
	if got := at("text-embedding-005", "batchEmbedContents", `{"requests":[`+content+`]}`); got.status != 400 {
		t.Errorf("an older model: %d %s", got.status, got.body)
	}
	if got := (ask{key: "key-a", model: "gemini-embedding-2", method: "batchEmbedContents", body: `{"requests":[` + content + `]}`}).do(t.Context(), google); got.status != 200 {
		t.Errorf("on the Developer API: %d %s", got.status, got.body)
	}
}
