package router_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// manyProjects are n projects over a transport that has the files of found, in the project of the
// highest number, and counts what it is asked.
func manyProjects(t *testing.T, n int, found func(req *http.Request) bool) (*router.Router, *atomic.Int64) {
	t.Helper()
	asked := &atomic.Int64{}
	var ps []pool.Project
	for i := range n {
		ps = append(ps, keyed(fmt.Sprintf("p%d", i), fmt.Sprintf("k-%d", i)).pool)
	}
	last := fmt.Sprintf("k-%d", n-1)
	return routerOver(t, func(req *http.Request) (*http.Response, error) {
		asked.Add(1)
		time.Sleep(10 * time.Millisecond)
		if req.Header.Get("X-Goog-Api-Key") == last && found(req) {
			return answerOf(200, `{"name":"files/there"}`), nil
		}
		return answerOf(403, `{"error":{"code":403,"message":"You do not have permission to access the File or it may not exist.","status":"PERMISSION_DENIED"}}`), nil
	}, router.Config{MaxWait: -1}, ps...), asked
}

func nobody(*http.Request) bool { return false }

// get reads a resource, and returns the status.
func get(t *testing.T, r *router.Router, path string, header ...string) int {
	t.Helper()
	req := gen(t.Context(), path, "")
	req.Method, req.Body = http.MethodGet, nil
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestFloodOfUnknownNamesDoesNotMultiply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, asked := manyProjects(t, 50, func(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "there") })
		const flood = 2000
		var wg sync.WaitGroup
		var refused atomic.Int64
		for i := range flood {
			wg.Go(func() {
				switch status := get(t, r, fmt.Sprintf("files/unknown-%d", i)); status {
				case http.StatusTooManyRequests:
					refused.Add(1)
				case http.StatusNotFound:
				default:
					t.Errorf("answered with %d", status)
				}
			})
		}
		wg.Wait()
		// 32 searches may begin before the first has ended.
		if n := asked.Load(); n > 50*40 {
			t.Errorf("%d names that nobody has make %d requests", flood, n)
		}
		asked.Store(0)
		began := time.Now()
		for i := range 300 {
			get(t, r, fmt.Sprintf("files/more-%d", i))
			time.Sleep(time.Second)
		}
		if n, most := asked.Load(), int64(12*time.Since(began).Seconds()); n > most {
			t.Errorf("in %v, a name a second makes %d requests, want at most %d", time.Since(began), n, most)
		}
		time.Sleep(time.Minute)
		if status := get(t, r, "files/there"); status != http.StatusOK {
			t.Errorf("a file that is there: %d", status)
		}
		asked.Store(0)
		for range 100 {
			if status := get(t, r, "files/there"); status != http.StatusOK {
				t.Errorf("a file that is known: %d", status)
			}
		}
		if n := asked.Load(); n != 100 {
			t.Errorf("%d requests for 100 calls", n)
		}
	})
}

func TestSearchesThatFindSomethingAreFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := manyProjects(t, 20, func(*http.Request) bool { return true })
		for i := range 200 {
			if status := get(t, r, fmt.Sprintf("files/there-%d", i)); status != http.StatusOK {
				t.Fatalf("file %d: %d", i, status)
			}
		}
	})
}

func TestMissIsRememberedForEveryCallerAndExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, asked := manyProjects(t, 50, nobody)
		for _, call := range [][]string{
			{"files/x"}, {"files/x?fields=name"}, {"files/x?alt=json"}, {"files/x", "X-Anything", "else"}, {"files/x", "Spillway-Affinity", "me"},
			{"files/x", "Spillway-Locations", "global"}, {"files/x", "Spillway-Locations", "Global, global"},
		} {
			if status := get(t, r, call[0], call[1:]...); status != http.StatusNotFound {
				t.Errorf("%v: %d", call, status)
			}
		}
		if n := asked.Load(); n != 50 {
			t.Errorf("%d requests for one name, want one to each project", n)
		}
		time.Sleep(61 * time.Second)
		get(t, r, "files/x")
		if n := asked.Load(); n != 100 {
			t.Errorf("%d requests a minute later, want one more to each project", n)
		}
	})
}

// What one caller asks wrongly must not hide a file from the others.
func TestSearchAsksNothingOfItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := manyProjects(t, 3, func(req *http.Request) bool {
			return req.URL.RawQuery == "" && req.Header.Get("X-Wrong") == "" && req.URL.Path == "/v1beta/files/there"
		})
		for _, call := range [][]string{{"files/there?fields=nonsense"}, {"files/there", "X-Wrong", "yes"}} {
			if status := get(t, r, call[0], call[1:]...); status == http.StatusNotFound {
				t.Errorf("%v: %d, want what Google says of it", call, status)
			}
		}
		if status := get(t, r, "files/there"); status != http.StatusOK {
			t.Errorf("for another caller: %d", status)
		}
	})
}

// A file that is made while a search for it runs is known, whatever the search finds.
func TestSearchDoesNotHideWhatIsMadeMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Bool
		r := routerOver(t, func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost {
				return answerOf(200, `{"file":{"name":"files/new"}}`), nil
			}
			if made.Load() && req.Header.Get("X-Goog-Api-Key") == "k-a" {
				return answerOf(200, `{"name":"files/new"}`), nil
			}
			time.Sleep(time.Second)
			return answerOf(404, `{"error":{"code":404,"status":"NOT_FOUND"}}`), nil
		}, router.Config{}, keyed("a", "k-a").pool, keyed("b", "k-b").pool)
		var wg sync.WaitGroup
		wg.Go(func() { get(t, r, "files/new") })
		time.Sleep(1500 * time.Millisecond)
		resp, err := r.RoundTrip(gen(t.Context(), "files", `{}`))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		made.Store(true)
		wg.Wait()
		if status := get(t, r, "files/new"); status != http.StatusOK {
			t.Errorf("a file that was made during a search: %d", status)
		}
	})
}

func TestSearchesAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		r := routerOver(t, func(req *http.Request) (*http.Response, error) {
			now.Add(1)
			time.Sleep(100 * time.Millisecond)
			now.Add(-1)
			return answerOf(200, `{}`), nil
		}, router.Config{}, keyed("a", "k-a").pool, keyed("b", "k-b").pool)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				req := gen(t.Context(), genPath, fmt.Sprintf(`{"cachedContent":"cachedContents/%d"}`, i))
				req.Header.Set("Spillway-Max-Wait", "1m")
				if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusOK {
					t.Error(resp, err)
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
		if n := now.Load(); n == 0 || n > 32 {
			t.Errorf("%d projects are asked at once", n)
		}
		wg.Wait()
	})
}

// TestSilentProjectDoesNotHideWhatAnotherHas: a is a black hole; the file is b's.
func TestSilentProjectDoesNotHideWhatAnotherHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := func(*http.Request) (*http.Response, error) { return answerOf(200, `{"name":"files/abc"}`), nil }
		r := projectsAB(t, never, b, router.Config{})
		for _, path := range []string{"files/abc", "files/def", "cachedContents/1"} {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			req := gen(ctx, path, "")
			req.Method, req.Body, req.ContentLength = http.MethodGet, nil, 0
			resp, err := r.RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %v, %v", path, resp, err)
			}
			cancel()
		}
	})
}

// TestSilentProjectHoldsNoSearchForLong: searches at once are bounded, so one that waits for ever
// would hold up those for what another project has.
func TestSilentProjectHoldsNoSearchForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := func(*http.Request) (*http.Response, error) {
			return answerOf(404, `{"error":{"code":404,"status":"NOT_FOUND"}}`), nil
		}
		r := projectsAB(t, never, b, router.Config{})
		began := time.Now()
		req := gen(t.Context(), "files/abc", "")
		req.Method, req.Body, req.ContentLength = http.MethodGet, nil, 0
		resp, err := r.RoundTrip(req)
		if status, body := read(t, resp, err); status != 503 || time.Since(began) > time.Minute {
			t.Errorf("after %v: %d %s", time.Since(began), status, body)
		}
	})
}
