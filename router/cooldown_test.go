package router_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// TestNothingIsSentToWhatRests keeps up a fault of each class under steady traffic from many
// callers, and looks at what the emulator was asked: after an answer that makes something rest,
// nothing goes there before the rest is over, but the probes of classes that have them.
func TestNothingIsSentToWhatRests(t *testing.T) {
	const minute, hour = time.Minute, time.Hour
	seldom := amount(30*time.Second, 10*time.Second)
	project, key := geminitest.Match{Project: "a"}, geminitest.Match{Key: "key-a1"}
	place, order := geminitest.Match{Project: "a", Location: "global"}, geminitest.Match{Traffic: "dedicated"}
	for _, tt := range []struct {
		name   string
		scope  geminitest.Match
		answer geminitest.Answer
		rest   time.Duration // at least so long after each answer
		lasts  time.Duration // the fault
		every  time.Duration // a call
		most   int           // requests to the scope, if there is a bound
	}{
		{name: "minute quota", scope: project, answer: geminitest.PaidMinuteQuota(flash, 10, 30*time.Second), rest: 30 * time.Second, lasts: 5 * minute, every: 50 * time.Millisecond},
		{name: "minute quota with a hint of nothing", scope: project, answer: geminitest.PaidMinuteQuota(flash, 10, 0), rest: time.Second, lasts: minute, every: 20 * time.Millisecond},
		{name: "minute quota with a hint beyond a minute", scope: project, answer: geminitest.PaidMinuteQuota(flash, 10, hour), rest: 65 * time.Second, lasts: 5 * minute, every: 100 * time.Millisecond},
		{name: "unknown quota", scope: project, answer: geminitest.Answer{Status: 429, Body: []byte(`{"error":{"code":429,"message":"Quota exceeded","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"SomethingNewPerProject"}]}]}}`)}, rest: time.Second, lasts: hour, every: 500 * time.Millisecond, most: 13},
		{name: "contention", scope: place, answer: geminitest.Contention(), rest: 400 * time.Millisecond, lasts: amount(15*time.Second, minute), every: 5 * time.Millisecond},
		{name: "order full", scope: order, answer: geminitest.ProvisionedFull(), rest: 25 * time.Millisecond, lasts: amount(minute, 10*minute), every: 20 * time.Millisecond, most: amount(20, 40)},
		{name: "day quota", scope: project, answer: geminitest.PaidDayQuota(flash, 10, 20*time.Second), rest: 20 * time.Second, lasts: 10 * hour, every: seldom, most: 5},
		{name: "no quota", scope: project, answer: geminitest.NoQuota(flash), rest: hour, lasts: 10 * hour, every: seldom, most: 11},
		{name: "model missing", scope: place, answer: geminitest.PublisherModelMissing("a", "global", flash), rest: hour, lasts: 10 * hour, every: seldom, most: 11},
		{name: "model forbidden", scope: project, answer: geminitest.Answer{Status: 403, Body: []byte(`{"error":{"code":403,"message":"Project is not allowed to use Publisher Model","status":"PERMISSION_DENIED"}}`)}, rest: hour, lasts: 10 * hour, every: seldom, most: 11},
		{name: "billing", scope: project, answer: geminitest.PrepayDepleted(402), rest: minute, lasts: 10 * hour, every: seldom, most: 17},
		{name: "project misconfigured", scope: project, answer: geminitest.ServiceDisabled("a"), rest: minute, lasts: 10 * hour, every: seldom, most: 17},
		{name: "key dead", scope: key, answer: geminitest.KeyInvalid(), rest: minute, lasts: 10 * hour, every: seldom, most: 17},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(8 * hour) // midnight in Los Angeles; the fault does not last until the next
				watched := &watch{scope: tt.scope, rest: tt.rest}
				b := restBed(t, watched)
				b.Keep(tt.scope, tt.answer)
				var wg sync.WaitGroup
				for start := time.Now(); time.Since(start) < tt.lasts; time.Sleep(tt.every) {
					wg.Go(func() {
						resp, err := b.http.Do(generate(t))
						if err != nil || resp.StatusCode != http.StatusOK {
							t.Errorf("the call got %v, %v", resp, err)
							return
						}
						_ = resp.Body.Close()
					})
				}
				wg.Wait()
				if watched.early > 0 {
					t.Errorf("%d of %d requests went to what rested", watched.early, watched.requests)
				}
				if watched.requests < 2 {
					t.Errorf("%d requests: what rested was never tried again", watched.requests)
				}
				if tt.most > 0 && watched.requests > tt.most {
					t.Errorf("%d requests to what is out, want at most %d", watched.requests, tt.most)
				}
			})
		})
	}
}

// watch is a transport that looks at requests to one scope: after each answer that refuses, none
// may come for the time of its rest.
type watch struct {
	google *geminitest.Emulator
	scope  geminitest.Match
	rest   time.Duration

	mu       sync.Mutex
	refused  time.Time // when the last answer came
	requests int
	early    int
}

func (w *watch) RoundTrip(req *http.Request) (*http.Response, error) {
	path := req.URL.Path
	inside := (w.scope.Project == "" || strings.Contains(path, "/projects/"+w.scope.Project+"/")) &&
		(w.scope.Location == "" || strings.Contains(path, "/locations/"+w.scope.Location+"/")) &&
		(w.scope.Key == "" || req.Header.Get("X-Goog-Api-Key") == w.scope.Key) &&
		(w.scope.Traffic == "" || req.Header.Get("X-Vertex-Ai-Llm-Request-Type") == w.scope.Traffic)
	if !inside {
		return w.google.RoundTrip(req)
	}
	now := time.Now()
	w.mu.Lock()
	w.requests++
	if now.After(w.refused) && now.Before(w.refused.Add(w.rest)) {
		w.early++
	}
	w.mu.Unlock()
	resp, err := w.google.RoundTrip(req)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = time.Now()
	return resp, err
}

// restBed is project a, with two keys and an order where that is watched, and project b, which
// takes what a cannot.
func restBed(t *testing.T, w *watch) *bed {
	t.Helper()
	pa := keyed("a", "key-a1", "key-a2")
	pa.pool.Backend, pa.pool.Locations = pool.BackendVertex, []string{"global"}
	if w.scope.Traffic != "" {
		pa.order(flash, "europe-west4", 10)
	}
	pb := vertexed("b", "global", "us-central1")
	pb.pool.Priority = 1
	b := setup{google: geminitest.Config{Log: -1}, opts: []router.Option{router.WithTransport(w)}}.bed(t, pa, pb)
	w.google = b.Emulator
	return b
}

// generate is a small request.
func generate(t *testing.T) *http.Request {
	t.Helper()
	req, err := toVertex(t.Context(), ":generateContent")
	if err != nil {
		t.Fatal(err)
	}
	return req
}
