package router_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

func TestErrorInAGoodStatusGetsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, e := range []string{`{"error":{"code":503,"status":"UNAVAILABLE","message":"x"}}`, `{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"x"}}`,
			`{"error":{"code":404,"status":"NOT_FOUND","message":"models/gemini-2.5-flash is not found for API version v1beta"}}`} {
			r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, e), nil }, router.Config{})
			for range 2 {
				resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
				if err == nil && resp.StatusCode == http.StatusOK {
					b, _ := io.ReadAll(resp.Body)
					t.Errorf("failure given as HTTP 200: %s", b)
				}
			}
		}
	})
}

func TestPartialContentIsNotTakenForCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(q *http.Request) (*http.Response, error) { return answerOf(206, `{"a": 1, "b`), nil }, router.Config{})
		req, _ := http.NewRequest(http.MethodGet, "https://generativelanguage.googleapis.com/v1beta/files/x:download?alt=media", nil)
		req.Header.Set("Range", "bytes=0-10")
		if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusPartialContent {
			t.Errorf("%v, %v", resp, err)
		}
	})
}

func TestCutUnaryAnswerIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := regions(t, geminitest.Config{})
		b.Script(geminitest.Match{Location: "global"}, geminitest.Answer{Truncate: 100})
		resp, err := ask(t.Context(), b.client(t), flash)
		if err != nil || endpoint(resp) != "prod/europe-west4/on_demand" {
			t.Errorf("%v, %v", resp, err)
		}
	})
}
