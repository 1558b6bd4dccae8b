package router_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// An attempt that is slow is given up for another one, and not for an error.
func TestSlowAttemptIsNotGivenUpWhileNothingElseIsReady(t *testing.T) {
	for name, test := range map[string]struct {
		limitB  int64 // requests a minute of project b
		maxWait time.Duration
		want    time.Duration
		by      string
	}{
		"another endpoint is ready":    {1000, -1, 10 * time.Second, "b/global/on_demand"},
		"none is, and no time to wait": {1, -1, 12 * time.Second, "a/global/on_demand"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow, fails := false, false
				a := func(req *http.Request) (*http.Response, error) {
					switch {
					case fails:
						return answerOf(http.StatusInternalServerError, ""), nil
					case slow:
						return afterPause(req, 12*time.Second)
					}
					return afterPause(req, time.Second)
				}
				b := func(req *http.Request) (*http.Response, error) { return afterPause(req, time.Second) }
				projects := []pool.Project{keyed("a", "k-a").pool, keyed("b", "k-b").pool}
				projects[0].BaseURL, projects[1].BaseURL = "https://a.example", "https://b.example"
				projects[1].Priority = 1
				projects[1].Limits = []pool.Limit{{RPM: test.limitB}}
				r := routerOver(t, func(req *http.Request) (*http.Response, error) {
					if req.URL.Host == "a.example" {
						return a(req)
					}
					return b(req)
				}, router.Config{MaxWait: test.maxWait}, projects...)
				path := "models/" + flash + ":generateContent"
				for range 25 { // which tell how long responses usually take
					if err := once(t, r, path, 0); err != nil {
						t.Fatal(err)
					}
				}
				fails = true // so that b serves one
				if err := once(t, r, path, 0); err != nil {
					t.Fatal(err)
				}
				slow, fails = true, false
				began := time.Now()
				resp, err := r.RoundTrip(gen(t.Context(), path, `{}`))
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				took := time.Since(began)
				if got := resp.Header.Get("Spillway-Endpoint"); resp.StatusCode != http.StatusOK || got != test.by {
					t.Errorf("%d by %q, want 200 by %q", resp.StatusCode, got, test.by)
				}
				if took > test.want {
					t.Errorf("it took %v, want at most %v", took, test.want)
				}
			})
		})
	}
}
