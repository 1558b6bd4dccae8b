package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// Some clients send a body with every request. One that comes with a list says nothing.
func TestListWithABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, keyed("a", "k-a"), keyed("b", "k-b"))
		file := upload(t, b.client(t), context.Background(), []byte("x"))
		req := gen(t.Context(), "files", "{}")
		req.Method = http.MethodGet
		resp, err := b.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), file.Name) {
			t.Errorf("answered with %d %s", resp.StatusCode, body)
		}
		if n := b.Count(geminitest.Match{Method: "files.list"}); n == 0 {
			t.Error("nobody was asked")
		}
	})
}

// A list passes through empty homes, but not through all of a large pool in one call, and it ends
// with an error where it would never end.
func TestListLooksIntoABoundedNumberOfHomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const projects = 60
		asked := 0
		var ps []pool.Project
		for i := range projects {
			ps = append(ps, keyed(fmt.Sprintf("p%d", i), fmt.Sprintf("k-%d", i)).pool)
		}
		r := routerOver(t, func(req *http.Request) (*http.Response, error) {
			asked++
			if req.Header.Get("X-Goog-Api-Key") == fmt.Sprintf("k-%d", projects-1) {
				return answerOf(200, `{"files":[{"name":"files/last"}]}`), nil
			}
			return answerOf(200, `{}`), nil
		}, router.Config{}, ps...)
		var files []string
		for token, calls := "", 0; ; calls++ {
			asked = 0
			var page struct {
				Files         []struct{ Name string }
				NextPageToken string
			}
			listed(t, r, token, &page)
			if asked > 20 {
				t.Errorf("one call makes %d requests", asked)
			}
			for _, f := range page.Files {
				files = append(files, f.Name)
			}
			if token = page.NextPageToken; token == "" {
				break
			}
			if calls > projects {
				t.Fatal("the list does not end")
			}
		}
		if len(files) != 1 || files[0] != "files/last" {
			t.Errorf("listed %v", files)
		}
	})
}

// listed reads a page of files.
func listed(t *testing.T, r *router.Router, token string, into any) int {
	t.Helper()
	req := gen(t.Context(), "files?pageToken="+token, "")
	req.Method, req.Body = http.MethodGet, nil
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err != nil || json.Unmarshal(body, into) != nil {
		t.Fatalf("%v: %.200s", err, body)
	}
	return resp.StatusCode
}

func TestTheLastPageOfAListIsAsGoogleWroteIt(t *testing.T) {
	const written = "{\n  \"files\": [\n    {\n      \"name\": \"files/x\"\n    }\n  ]\n}\n"
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("X-Goog-Api-Key") == "k-a" {
				return answerOf(200, written), nil
			}
			return answerOf(200, `{}`), nil
		}, router.Config{}, keyed("a", "k-a").pool, keyed("b", "k-b").pool)
		req := gen(t.Context(), "files", "")
		req.Method, req.Body = http.MethodGet, nil
		resp, err := r.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != written {
			t.Errorf("got %q, %v, want %q", body, err, written)
		}
	})
}

func TestListThatNamesItsOwnPageNextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(*http.Request) (*http.Response, error) {
			return answerOf(200, `{"files":[{"name":"files/x"}],"nextPageToken":"same"}`), nil
		}, router.Config{}, keyed("a", "k-a").pool, keyed("b", "k-b").pool)
		token, status := "", 200
		for calls := 0; status == http.StatusOK; calls++ {
			var page struct{ NextPageToken string }
			status = listed(t, r, token, &page)
			if token = page.NextPageToken; calls > 10 {
				t.Fatal("the list does not end")
			}
		}
		if status != http.StatusBadGateway {
			t.Errorf("it ends with %d", status)
		}
	})
}

func TestPageWithoutEndOfALongListIsRefused(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) {
		resp := answerOf(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"files":[{"name":"files/a"}`), &items{}))
		return resp, nil
	}, router.Config{BodyMemory: 1 << 20}, keyed("a", "k-a").pool, keyed("b", "k-b").pool)
	var e struct{ Error struct{ Message string } }
	if status := listed(t, r, "", &e); status != http.StatusServiceUnavailable || !strings.Contains(e.Error.Message, "pageSize") {
		t.Errorf("%d %+v", status, e)
	}
	nothingIsLeft(t, r, func() []string { return nil })
}

// A body that comes with a call is given to what the call makes of it, and not read twice.
func TestSearchForACallWithABody(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPatch} {
		for _, said := range []int64{2, -1} {
			r := routerOver(t, func(req *http.Request) (*http.Response, error) {
				if req.Header.Get("X-Goog-Api-Key") != "k-b" {
					return answerOf(404, `{}`), nil
				}
				return answerOf(200, `{}`), nil
			}, router.Config{}, keyed("a", "k-a").pool, keyed("b", "k-b").pool)
			req := posted(t.Context(), "files/x", strings.NewReader("{}"), said)
			req.Method = method
			if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%s with a body of %d bytes: %v, %v", method, said, resp, err)
			}
		}
	}
}
