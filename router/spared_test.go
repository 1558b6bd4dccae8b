package router_test

import (
	"fmt"
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

// crew is n projects of a back end, p0 and so on.
func crew(b pool.Backend, n int) []pool.Project {
	var all []pool.Project
	for i := range n {
		name := fmt.Sprint("p", i)
		if b == pool.BackendVertex {
			all = append(all, vertexed(name, "global").pool)
		} else {
			all = append(all, keyed(name, "k-"+name).pool)
		}
	}
	return all
}

// TestPagesBeforeMostProjectsLeaveTheOneThatAnswers lets two projects of three get what is not
// Google's answer.
func TestPagesBeforeMostProjectsLeaveTheOneThatAnswers(t *testing.T) {
	pages := map[string]func() *http.Response{
		"a login page": func() *http.Response {
			return answerOf(200, "<html><title>Login</title>", "Content-Type", "text/html")
		},
		"a guard": func() *http.Response {
			return answerOf(403, "<html><title>Sorry...</title>", "Content-Type", "text/html")
		},
		"nothing":    func() *http.Response { return answerOf(200, "") },
		"no content": func() *http.Response { return answerOf(204, "") },
		"a proxy":    func() *http.Response { return answerOf(407, "") },
	}
	for name, page := range pages {
		for _, b := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			for _, healthy := range []string{"p0", "p1", "p2"} {
				t.Run(fmt.Sprint(name, " ", b, " ", healthy), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := &stage{latency: 100 * time.Millisecond, fault: func(p string, _ *http.Request, _ string) *http.Response {
							if p != healthy {
								return page()
							}
							return nil
						}}
						const calls = 300
						failed, bodies := 0, []string{says("hello"), says("world")}
						r := s.over(t, router.Config{MaxWait: -1}, crew(b, 3)...)
						for i := range calls {
							if status, _ := call(t.Context(), r, "POST", generateURL(b), bodies[i%2]); status != 200 {
								failed++
							}
							time.Sleep(200 * time.Millisecond)
						}
						if failed > 0 {
							t.Errorf("%d of %d calls failed beside a healthy project", failed, calls)
						}
						if n := calls - failed; s.count(healthy) < n {
							t.Errorf("%d calls were answered, %d by %s", n, s.count(healthy), healthy)
						}
					})
				})
			}
		}
	}
}

// TestPagesForOneCallersBodiesCloseNoHost lets a guard refuse one caller's bodies in a large pool.
func TestPagesForOneCallersBodiesCloseNoHost(t *testing.T) {
	for _, b := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{latency: 100 * time.Millisecond, fault: func(_ string, _ *http.Request, body string) *http.Response {
				if strings.Contains(body, "guarded") {
					return answerOf(403, "<html><title>Forbidden</title>", "Content-Type", "text/html")
				}
				return nil
			}}
			r := s.over(t, router.Config{MaxWait: -1}, crew(b, 27)...)
			for i := range 100 {
				if status, text := call(t.Context(), r, "POST", generateURL(b), says("hello")); status != 200 {
					t.Fatalf("%s: good call %d got %d %s", b, i, status, text)
				}
				call(t.Context(), r, "POST", generateURL(b), says(fmt.Sprint("guarded ", i)))
				time.Sleep(time.Second)
			}
			if slices.ContainsFunc(r.Stat().Endpoints, func(e pool.EndpointStat) bool { return e.Calls > 0 }) {
				t.Error("calls are left in flight")
			}
		})
	}
}

// TestAStandInAnswersWhereAModelGetsPages lets what is not an answer come for one model alone, with
// its stand-in at the same host.
func TestAStandInAnswersWhereAModelGetsPages(t *testing.T) {
	const standIn = "gemini-3.5-flash"
	for _, b := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
		for _, status := range []int{200, 204, 407, 429} {
			synctest.Test(t, func(t *testing.T) {
				s := &stage{latency: 100 * time.Millisecond, fault: func(_ string, r *http.Request, _ string) *http.Response {
					if strings.Contains(r.URL.Path, flash) {
						return answerOf(status, "<html><title>Sorry...</title>", "Content-Type", "text/html")
					}
					return nil
				}}
				cfg := router.Config{Fallbacks: []router.Fallback{{Model: flash, To: []string{standIn}}}}
				r := s.over(t, cfg, crew(b, 2)...)
				failed := 0
				var all sync.WaitGroup
				var mu sync.Mutex
				for range 150 {
					all.Go(func() {
						code, _ := call(t.Context(), r, "POST", generateURL(b), says("hello"))
						mu.Lock()
						defer mu.Unlock()
						if code != 200 {
							failed++
						}
					})
					time.Sleep(200 * time.Millisecond)
				}
				all.Wait()
				if failed > 0 {
					t.Errorf("%s, %d: %d of 150 calls failed beside a healthy stand-in", b, status, failed)
				}
			})
		}
	}
}

// TestAProjectThatCancelsEveryCallLeavesTheOthers lets servers say 499 to callers that are there.
func TestAProjectThatCancelsEveryCallLeavesTheOthers(t *testing.T) {
	for _, b := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{latency: 100 * time.Millisecond, fault: func(p string, _ *http.Request, _ string) *http.Response {
				if p != "p2" {
					return errorOf(499, "CANCELLED", "The operation was cancelled.")
				}
				return nil
			}}
			r := s.over(t, router.Config{MaxWait: -1}, crew(b, 3)...)
			for i := range 300 {
				if status, text := call(t.Context(), r, "POST", generateURL(b), says(fmt.Sprint("hello ", i%5))); status != 200 {
					t.Fatalf("%s: call %d got %d %s", b, i, status, text)
				}
				time.Sleep(100 * time.Millisecond)
			}
			if n := s.count("p0") + s.count("p1"); n > 30 {
				t.Errorf("%s: %d requests went to what cancels them", b, n)
			}
		})
	}
}

func TestAPlaceThatDoesNotServeTheModelLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{fault: func(_ string, r *http.Request, _ string) *http.Response {
			for _, place := range []string{"us-central1", "us-east4", "us-west1"} {
				if strings.HasPrefix(r.URL.Host, place+"-") {
					return errorOf(400, "FAILED_PRECONDITION", "Publisher Model `publishers/google/models/"+flash+"` is not servable in region "+place+".")
				}
			}
			return nil
		}}
		r := s.over(t, router.Config{MaxWait: -1}, vertexed("p0", "us-central1", "us-east4", "us-west1", "europe-west4").pool)
		for i := range 60 {
			if status, text := call(t.Context(), r, "POST", generateURL(pool.BackendVertex), says(fmt.Sprint("hello ", i))); status != 200 {
				t.Fatalf("call %d got %d %s", i, status, text)
			}
			time.Sleep(time.Second)
		}
		if n := s.count("p0"); n > 63 {
			t.Errorf("60 calls cost %d requests", n)
		}
	})
}

// TestACallAsksEveryProjectBeforeItComesBack lets projects rest for less time than it takes to ask
// them all.
func TestACallAsksEveryProjectBeforeItComesBack(t *testing.T) {
	minute := `{"error":{"code":429,"message":"Quota exceeded.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/` +
		`google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel","quotaValue":"10"}]}]}}`
	for name, refusal := range map[string]func() *http.Response{
		"bare": func() *http.Response { return answerOf(429, "") },
		"exhausted": func() *http.Response {
			return errorOf(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).")
		},
		"contention": func() *http.Response {
			return errorOf(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.")
		},
		"minute": func() *http.Response { return answerOf(429, minute) },
	} {
		for _, b := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			for range 5 {
				synctest.Test(t, func(t *testing.T) {
					s := &stage{latency: 200 * time.Millisecond, fault: func(p string, _ *http.Request, _ string) *http.Response {
						if p != "p26" {
							return refusal()
						}
						return nil
					}}
					r := s.over(t, router.Config{MaxWait: -1}, crew(b, 27)...)
					status, text := call(t.Context(), r, "POST", generateURL(b), says("hello"))
					if status != 200 {
						t.Fatalf("%s, %s: got %d %.200s", name, b, status, text)
					}
					for i := range 27 {
						if n := s.count(fmt.Sprint("p", i)); n > 1 {
							t.Errorf("%s, %s: p%d was asked %d times by one call", name, b, i, n)
						}
					}
				})
			}
		}
	}
}
