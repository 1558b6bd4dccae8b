package router_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// rarely are the faults of one request in fifty, which come as soon as an answer would.
var rarely = map[string]func() *http.Response{
	"503": func() *http.Response { return errorOf(503, "UNAVAILABLE", "The service is currently unavailable.") },
	"reset": func() *http.Response {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: brokenBody{},
		}
	},
	"in the stream": func() *http.Response {
		return answerOf(200, `data: {"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}`+"\r\n\r\n",
			"Content-Type", "text/event-stream")
	},
}

// TestRareFaultsAreNotFelt: one request in fifty fails, at one of two projects or at both. An answer
// takes 200 ms and callers have a second.
func TestRareFaultsAreNotFelt(t *testing.T) {
	const latency = 200 * time.Millisecond
	calls := amount(300, 1000)
	for name, fault := range rarely {
		for _, wait := range []time.Duration{-1, time.Second, 10 * time.Second} {
			for _, everybody := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, max_wait %v, everybody %v", name, wait, everybody), func(t *testing.T) {
					eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
						var mu sync.Mutex
						random := rand.New(rand.NewPCG(1, 2))
						s := &stage{latency: latency, fault: func(project string, _ *http.Request, _ string) *http.Response {
							mu.Lock()
							defer mu.Unlock()
							if (everybody || project == "a") && random.IntN(50) == 0 {
								return fault()
							}
							return nil
						}}
						address := generateURL(b)
						if name == "in the stream" {
							address = strings.Replace(address, ":generateContent", ":streamGenerateContent?alt=sse", 1)
						}
						took, failed := timed(t, s.over(t, router.Config{MaxWait: wait}, projects...), address, calls)
						most := 0
						if everybody {
							most = calls / 1000
						}
						if failed > most {
							t.Errorf("%s: %d of %d calls failed", b, failed, calls)
						}
						retried := took[slices.IndexFunc(took, func(d time.Duration) bool { return d > latency }):]
						if p50 := retried[len(retried)/2]; p50 > 2*latency+20*time.Millisecond {
							t.Errorf("%s: half of the calls that were repeated took %v, and a fault %v", b, p50, latency)
						}
					})
				})
			}
		}
	}
}

// timed makes calls, ten a second, each with a second. It returns how long the calls took that were
// answered well, the longest last, and how many were not.
func timed(t *testing.T, r *router.Router, address string, calls int) (took []time.Duration, failed int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			status, text := call(ctx, r, "POST", address, says(fmt.Sprint("hello ", i)))
			mu.Lock()
			defer mu.Unlock()
			if status != 200 || strings.Contains(text, `"error"`) {
				failed++
				return
			}
			took = append(took, time.Since(began))
		})
		time.Sleep(100 * time.Millisecond)
	}
	all.Wait()
	slices.Sort(took)
	return took, failed
}

// TestAStandInAnswersWhereAModelIsSilent within fallback_after and the time of suspicion, which is
// four times the usual one.
func TestAStandInAnswersWhereAModelIsSilent(t *testing.T) {
	const latency = 200 * time.Millisecond
	for _, deadline := range []time.Duration{5 * time.Second, 15 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var silent bool
			s := &stage{latency: latency}
			google := func(r *http.Request) (*http.Response, error) {
				if silent && strings.Contains(r.URL.Path, pro+":") {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				return s.RoundTrip(r)
			}
			cfg := router.Config{Fallbacks: []router.Fallback{{Model: pro, To: []string{flash}}}}
			r := newRouter(t, pool.Config{Projects: pair(pool.BackendGemini, true)}, cfg,
				router.WithTransport(transport(google)))
			if _, failed := outcomes(t, r, 60, deadline, pro); failed > 0 {
				t.Fatalf("%d calls failed while all was well", failed)
			}
			synctest.Wait()
			silent = true
			took, failed := outcomes(t, r, 120, deadline, pro)
			if failed > 0 {
				t.Errorf("deadline %v: %d of 120 calls failed", deadline, failed)
			}
			if p95, most := took[113], time.Second+4*latency+latency; p95 > most {
				t.Errorf("deadline %v: p95 is %v, more than fallback_after and suspicion, %v", deadline, p95, most)
			}
		})
	}
}
