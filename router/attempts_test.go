package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// manyKeyed are projects of the Gemini back end, the sick ones first in the file.
func manyKeyed(sick, healthy int) []pool.Project {
	var all []pool.Project
	for i := range sick + healthy {
		name := fmt.Sprintf("sick-%d", i)
		if i >= sick {
			name = fmt.Sprintf("well-%d", i)
		}
		all = append(all, keyed(name, "k-"+name).pool)
	}
	return all
}

func TestRefusalsThatCostNothingUseUpNoAttempts(t *testing.T) {
	for name, refusal := range map[string]func() *http.Response{
		"dead keys": func() *http.Response {
			return errorOf(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
		},
		"no money": func() *http.Response {
			return errorOf(402, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.")
		},
		"day quotas": func() *http.Response {
			return answerOf(429, `{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":`+
				`"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]}}`)
		},
	} {
		for _, projects := range [][]pool.Project{manyKeyed(24, 3), manyKeyed(6, 1)} {
			t.Run(fmt.Sprintf("%s, %d projects", name, len(projects)), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &stage{fault: func(project string, _ *http.Request, _ string) *http.Response {
						if strings.HasPrefix(project, "sick") {
							return refusal()
						}
						return nil
					}}
					r := s.over(t, router.Config{MaxWait: -1, MaxAttempts: 2}, projects...)
					for i := range 600 {
						if status, text := call(t.Context(), r, "POST", geminiURL+genPath, says("hello")); status != 200 {
							t.Fatalf("call %d got %d %s", i, status, text)
						}
						time.Sleep(20 * time.Millisecond)
					}
				})
			})
		}
	}
}

// outcomes makes calls, ten a second, and returns how long each took and how many failed.
func outcomes(t *testing.T, r *router.Router, calls int, deadline time.Duration, model string) (took []time.Duration, failed int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			ctx, began := t.Context(), time.Now()
			if deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, deadline)
				defer cancel()
			}
			status, _ := call(ctx, r, "POST", geminiURL+"models/"+model+":generateContent", says("hello"))
			mu.Lock()
			defer mu.Unlock()
			if took = append(took, time.Since(began)); status != 200 {
				failed++
			}
		})
		time.Sleep(100 * time.Millisecond)
	}
	wg.Wait()
	slices.Sort(took)
	return took, failed
}

// outOf returns a fault of one model: a status or, with status 0, a reset.
func outOf(model string, status int) func(string, *http.Request, string) *http.Response {
	return func(_ string, r *http.Request, _ string) *http.Response {
		switch {
		case !strings.Contains(r.URL.Path, model+":"):
			return nil
		case status == 0:
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: brokenBody{}}
		default:
			return errorOf(status, "UNAVAILABLE", "The model is overloaded. Please try again later.")
		}
	}
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }
func (brokenBody) Close() error             { return nil }

func TestNobodyWaitsForServersThatAreOut(t *testing.T) {
	for _, status := range []int{503, 500, 0} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{fault: outOf(flash, status)}
			r := s.over(t, router.Config{}, pair(pool.BackendGemini, true)...)
			took, failed := outcomes(t, r, 120, 0, flash)
			if failed != 120 {
				t.Fatalf("%d of 120 calls failed", failed)
			}
			if p50, most := took[60], took[119]; p50 > 500*time.Millisecond || most > 8*time.Second {
				t.Errorf("status %d: half of the calls took %v or more, one took %v", status, p50, most)
			}
		})
	}
}

func TestAStandInAnswersWithinAboutASecond(t *testing.T) {
	for _, status := range []int{503, 500, 0} {
		for _, deadline := range []time.Duration{2 * time.Second, 5 * time.Second, 15 * time.Second, 0} {
			synctest.Test(t, func(t *testing.T) {
				s := &stage{fault: outOf(pro, status), latency: 100 * time.Millisecond}
				cfg := router.Config{Fallbacks: []router.Fallback{{Model: pro, To: []string{flash}}}}
				r := s.over(t, cfg, pair(pool.BackendGemini, true)...)
				took, failed := outcomes(t, r, 120, deadline, pro)
				if failed > 0 {
					t.Errorf("status %d, deadline %v: %d of 120 calls failed", status, deadline, failed)
				}
				if p95 := took[113]; p95 > 1500*time.Millisecond {
					t.Errorf("status %d, deadline %v: p95 is %v", status, deadline, p95)
				}
			})
		}
	}
}

func TestTheFirstRetryGoesElsewhereAtOnce(t *testing.T) {
	for _, wait := range []time.Duration{-1, time.Second, 10 * time.Second} {
		eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
			n := 0
			s := &stage{fault: func(project string, _ *http.Request, _ string) *http.Response {
				if n++; project == "a" && n%20 == 0 {
					return errorOf(503, "UNAVAILABLE", "The service is currently unavailable.")
				}
				return nil
			}}
			r := s.over(t, router.Config{MaxWait: wait}, projects...)
			for i := range 580 {
				began := time.Now()
				status, text := call(t.Context(), r, "POST", generateURL(b), says("hello"))
				if took := time.Since(began); status != 200 || took > 0 {
					t.Fatalf("call %d got %d after %v: %s", i, status, took, text)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}

// latent gives no token before a moment.
type latent struct{ from time.Time }

func (l latent) Token(context.Context) (*auth.Token, error) {
	if time.Now().Before(l.from) {
		return nil, dialled(errors.New("connection refused"))
	}
	return &auth.Token{Value: "token-of-a"}, nil
}

func TestCallsGoOnSoonAfterTokensAreBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vertexed("a", "global").pool
		p.Credentials = latent{time.Now().Add(3 * time.Second)}
		s := &stage{}
		r := s.over(t, router.Config{}, p)
		start := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				status, text := call(t.Context(), r, "POST", generateURL(pool.BackendVertex), says("hello"))
				if late := time.Since(start) - 3*time.Second; status != 200 || late > 4*time.Second {
					t.Errorf("a call got %d %v after tokens were back: %s", status, late, text)
				}
			})
			time.Sleep(100 * time.Millisecond)
		}
		wg.Wait()
	})
}
