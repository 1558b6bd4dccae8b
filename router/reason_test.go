package router_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

func TestReasonsSayWhatIsOutUntilWhenAndWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{MaxWait: -1}}.bed(t, keyed("a", "k-a"), keyed("b", "k-b"))
		b.Keep(geminitest.Match{Project: "a"}, geminitest.MinuteQuota(flash, 10, 40*time.Second))
		b.Keep(geminitest.Match{Project: "b"}, geminitest.SpendRate())
		_, err := ask(t.Context(), b.client(t), flash)
		e, ok := router.Exhausted(err)
		if !ok || len(e.Reasons) != 2 {
			t.Fatalf("the error is %v", err)
		}
		for i, want := range []router.Reason{
			{Endpoint: "a/global/on_demand", Cause: "free_minute", Subject: "model:a/" + flash, Page: "https://aistudio.google.com/projects"},
			{Endpoint: "b/global/on_demand", Cause: "spend_rate", Subject: "project:b", Page: "https://ai.google.dev/gemini-api/docs/rate-limits"},
		} {
			got := e.Reasons[i]
			if left := time.Until(got.Until); left < 30*time.Second || left > 44*time.Second || got.Remedy == "" || got.Why == "" {
				t.Errorf("the reason is %+v", got)
			}
			got.Until, got.Remedy, got.Why = time.Time{}, "", ""
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		if !strings.Contains(apiError(t, err).Message, "free_minute of model:a/"+flash+" until ") {
			t.Errorf("the message does not say why: %s", apiError(t, err).Message)
		}
		if again, ok := router.Exhausted(err); !ok || !cmp.Equal(again.Reasons, e.Reasons) || !again.RetryAt.Equal(e.RetryAt) {
			t.Error("reading the error has changed it")
		}
	})
}

// TestRememberedRefusalsSayWhatToDo: of a key in the body, too; of the model the body is Google's.
func TestRememberedRefusalsSayWhatToDo(t *testing.T) {
	for name, tt := range map[string]struct {
		answer   geminitest.Answer
		why      string
		explains bool
	}{
		"a key":   {geminitest.KeyLeaked(), "key_leaked of key:a/", true},
		"a model": {geminitest.ModelMissing(flash, "generateContent"), "model_missing of model:a/global/" + flash, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup{router: router.Config{MaxWait: -1}}.bed(t, keyed("a", "k-a"))
				b.Keep(geminitest.Match{}, tt.answer)
				for range 2 {
					_, _ = ask(t.Context(), b.client(t), flash)
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
					"https://generativelanguage.googleapis.com/v1beta/models/"+flash+":generateContent", strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := b.http.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if why := resp.Header.Get("Spillway-Why"); resp.StatusCode != tt.answer.Status || !strings.HasPrefix(why, tt.why) ||
					!strings.Contains(why, " until a probe succeeds: ") {
					t.Errorf("the response is %s, and says %q", resp.Status, why)
				}
				_, err = ask(t.Context(), b.client(t), flash)
				explained := false
				for _, d := range apiError(t, err).Details {
					explained = explained || d["reason"] == "ENDPOINTS_OUT" && d["domain"] == "spillway"
				}
				if explained != tt.explains {
					t.Errorf("the body says what to do: %v, want %v: %v", explained, tt.explains, err)
				}
				if _, ok := router.Exhausted(err); ok {
					t.Error("what Google said is taken for exhausted")
				}
			})
		})
	}
}

func TestReasonsAreReadFromAnyMetadata(t *testing.T) {
	err := genai.APIError{Code: 429, Details: []map[string]any{{"reason": "POOL_EXHAUSTED", "domain": "spillway", "metadata": map[string]any{
		"retry_at": 5, "#cause": "x", "a#b/global/on_demand": "why", "a#b/global/on_demand#cause": "spend_rate",
		"c#until": "never", "d#remedy": nil, "e#page": []any{1},
	}}}}
	e, ok := router.Exhausted(err)
	want := []router.Reason{
		{Cause: "x"}, {Endpoint: "a#b/global/on_demand", Why: "why", Cause: "spend_rate"}, {Endpoint: "c"}, {Endpoint: "d"}, {Endpoint: "e"},
	}
	if !ok || !e.RetryAt.IsZero() || !cmp.Equal(e.Reasons, want) {
		t.Errorf("read %+v", e)
	}
}
