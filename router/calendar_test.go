package router_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A caller that wants an order alone hears when it begins, and that it has ended. Other calls go on
// demand, at once.
func TestCallsForAnOrderOutsideOfItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vertexed("a", "eu")
		p.order(flash, "eu", 5)
		start := time.Now()
		p.pool.Provisioned[0].From, p.pool.Provisioned[0].Until = start.Add(time.Hour), start.Add(2*time.Hour)
		b := setup{}.bed(t, p)
		call := func(traffic string) (status int, why, retry, body string) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
				"https://aiplatform.googleapis.com/v1/projects/spillway/locations/global/publishers/google/models/"+flash+":generateContent",
				strings.NewReader(`{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}`))
			if err != nil {
				t.Fatal(err)
			}
			if traffic != "" {
				req.Header.Set("X-Vertex-Ai-Llm-Request-Type", traffic)
			}
			began := time.Now()
			resp, err := b.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(began); waited > 5*time.Second {
				t.Errorf("a call took %v", waited)
			}
			return resp.StatusCode, resp.Header.Get("Spillway-Why"), resp.Header.Get("Retry-After"), string(text)
		}
		for _, step := range []struct {
			at          time.Duration
			status      int
			why, says   string
			retry       string
			provisioned int // calls that the order was asked for by now
		}{
			{0, 429, "order_not_begun of order:a/eu/gemini-2.5-flash until 2000-01-01T01:00:00.000Z", "the order begins in 1h, at 2000-01-01T01:00:00.000Z", "3600", 0},
			{time.Hour, 200, "", "", "", 2},
			{2 * time.Hour, 429, "order_ended of order:a/eu/gemini-2.5-flash, the order ended 0s ago, at 2000-01-01T02:00:00.000Z: ", "the order ended 0s ago", "", 2},
			{48 * time.Hour, 429, "the order ended 1d ago, at 2000-01-01T02:00:00.000Z: ", "the order ended 1d ago", "", 2},
		} {
			time.Sleep(time.Until(start.Add(step.at)))
			status, why, retry, body := call("dedicated")
			if status != step.status || !strings.Contains(why, step.why) || !strings.Contains(body, step.says) {
				t.Errorf("after %v: %d, %q, %s", step.at, status, why, body)
			}
			if step.status == 429 && retry != step.retry {
				t.Errorf("after %v: come back after %q s, want %q", step.at, retry, step.retry)
			}
			if status, _, _, body := call(""); status != 200 {
				t.Errorf("after %v: a call that may go on demand gets %d: %s", step.at, status, body)
			}
			asked := 0
			for _, r := range b.Requests() {
				if r.Header.Get("X-Vertex-Ai-Llm-Request-Type") == "dedicated" {
					asked++
				}
			}
			if asked != step.provisioned {
				t.Errorf("after %v: the order was asked %d times, want %d", step.at, asked, step.provisioned)
			}
		}
	})
}
