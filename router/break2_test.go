package router_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/router"
)

const cutError = `{"error":{"code":400,"message":"`

// TestErrorThatBreaksOffIsAskedForElsewhere: half an error is no answer. Its status alone does not
// say whether the call or the project is at fault.
func TestErrorThatBreaksOffIsAskedForElsewhere(t *testing.T) {
	for name, parts := range map[string][]part{
		"stalls": {{0, cutError}, {untilTheEnd, ""}}, "stalls before its body": {{untilTheEnd, ""}},
	} {
		for _, status := range []int{400, 401, 403, 404, 413} {
			synctest.Test(t, func(t *testing.T) {
				a := func(q *http.Request) (*http.Response, error) {
					resp := inParts(q, jsonType, parts...)
					resp.StatusCode = status
					return resp, nil
				}
				b := func(q *http.Request) (*http.Response, error) { return afterPause(q, 300*time.Millisecond) }
				r := projectsAB(t, a, b, router.Config{})
				if failed := load(t, r, genPath, 20, time.Second, 30*time.Second); failed > 0 {
					t.Errorf("%d that %s: %d of 20 calls failed", status, name, failed)
				}
			})
		}
	}
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

// TestGoodStatusOfAnyNumberIsNoAnswerWithoutOne: what a proxy says with 206 or 299 is no better than
// with 200. Nor is a list, or a stream of events, where one object was asked for.
func TestGoodStatusOfAnyNumberIsNoAnswerWithoutOne(t *testing.T) {
	count := "models/" + flash + ":countTokens"
	for _, tt := range []struct {
		path, good, body, kind string
		status                 int
	}{
		{genPath, okBody, "", jsonType, 206},
		{genPath, okBody, `{"status":"ok"}`, jsonType, 207},
		{genPath, okBody, "OK", "text/plain", 226},
		{count, `{"totalTokens":3}`, "<p>hi", jsonType, 299},
		{genPath, okBody, okBody[:20], jsonType, 201},
		{genPath, okBody, "[]", jsonType, 200},
		{count, `{"totalTokens":3}`, `[{"status":"ok"}]`, jsonType, 200},
		{count, `{"totalTokens":3}`, "data: {\"status\":\"ok\"}\n\n", eventType, 200},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := func(*http.Request) (*http.Response, error) {
				return answerOf(tt.status, tt.body, "Content-Type", tt.kind), nil
			}
			b := func(*http.Request) (*http.Response, error) { return answerOf(200, tt.good), nil }
			r := projectsAB(t, a, b, router.Config{})
			for range 10 {
				resp, err := r.RoundTrip(gen(t.Context(), tt.path, `{}`))
				if err != nil {
					t.Fatal(err)
				}
				if body, _ := io.ReadAll(resp.Body); string(body) != tt.good {
					t.Fatalf("%d %q was handed on", resp.StatusCode, body)
				}
			}
		})
	}
}

// TestWhatIsNoModelsInAStreamShowsNoKey: what follows the content need not have an error's shape.
func TestWhatIsNoModelsInAStreamShowsNoKey(t *testing.T) {
	const key = "AIzaSyCANARY/with+some=length-0123456789"
	first := `{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}`
	for _, after := range []string{
		"data: {\"code\":500,\"message\":\"KEY\",\"status\":\"INTERNAL\"}\n\n",
		"data: {\"err\\u006fr\":{\"message\":\"KEY\"}}\n\n", "data: {\"ERROR\":{\"message\":\"KEY\"}}\n\n",
		"event: failure\ndata: \"KEY\"\n\n", ": the key KEY is invalid\n\n", "the key KEY is invalid\n\n",
		"<html>the key KEY is invalid</html>",
	} {
		body := "data: " + first + "\n\n" + strings.ReplaceAll(after, "KEY", key)
		for _, size := range []int{7, len(body)} {
			synctest.Test(t, func(t *testing.T) {
				r := routerOver(t, func(*http.Request) (*http.Response, error) {
					resp := answerOf(200, "", "Content-Type", eventType)
					var pieces []string
					for left := body; left != ""; left = left[min(size, len(left)):] {
						pieces = append(pieces, left[:min(size, len(left))])
					}
					resp.Body = io.NopCloser(&inPieces{pieces, io.EOF})
					return resp, nil
				}, router.Config{}, keyed("a", key).pool)
				for _, path := range []string{streamPath, "openai/chat/completions"} {
					resp, err := r.RoundTrip(gen(t.Context(), path, `{"model":"`+flash+`","stream":true}`))
					if err != nil {
						t.Fatal(err)
					}
					if got, _ := io.ReadAll(resp.Body); strings.Contains(string(got), key) {
						t.Errorf("%s in pieces of %d: %s", path, size, got)
					}
				}
			})
		}
	}
	list := "[" + first + `,{"message":"` + key + `"}] ` + key
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, list), nil }, router.Config{}, keyed("a", key).pool)
	resp, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(resp.Body); strings.Contains(string(got), key) {
		t.Errorf("in a list: %s", got)
	}
}

// TestPartOfAPathThatIsTooLongIsRefused, whatever it names.
func TestPartOfAPathThatIsTooLongIsRefused(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return answerOf(404, `{}`), nil
	}, router.Config{}, vertexed("v", "global").pool, keyed("a", "k-a").pool)
	for _, address := range []string{
		"https://generativelanguage.googleapis.com/v1beta/openai/models/NAME",
		"https://generativelanguage.googleapis.com/v1beta/fileSearchStores/x/documents/NAME",
		"https://generativelanguage.googleapis.com/NAME/models/x:generateContent",
		"https://aiplatform.googleapis.com/v1/projects/NAME/locations/global/publishers/google/models/x:generateContent",
		"https://aiplatform.googleapis.com/v1/projects/x/locations/NAME/publishers/google/models/x:generateContent",
		"https://aiplatform.googleapis.com/v1/projects/x/locations/global/publishers/NAME/models/x:generateContent",
	} {
		for _, n := range []int{1025, 500_000} {
			req, err := http.NewRequest(http.MethodPost, strings.ReplaceAll(address, "NAME", strings.Repeat("a", n)), strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s of %d bytes: %v, %v", address, n, resp.StatusCode, err)
			}
		}
	}
}

// TestShortBodyIsNotSentAsIfWholeHoweverLong: the caller promised one byte more than is ever kept,
// and gave one less.
func TestShortBodyIsNotSentAsIfWholeHoweverLong(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return answerOf(200, okBody), nil
	}, router.Config{BodyMemory: 128 << 20})
	req := gen(t.Context(), genPath, "")
	req.Body, req.GetBody = io.NopCloser(io.LimitReader(blanks{}, 64<<20)), nil
	req.ContentLength = 64<<20 + 1
	if resp, err := r.RoundTrip(req); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, %v", resp, err)
	}
}

// blanks gives blanks without end.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestHeaderOfOursInAnySpellingIsRefused: who bounds a call's locations by a header that is nearly
// ours has to be told, and nothing of it goes to Google.
func TestHeaderOfOursInAnySpellingIsRefused(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return answerOf(200, okBody), nil
	}, router.Config{})
	for _, name := range []string{"Spillway_Locations", "spillway_location", "X-Spillway-Locations", "x-spillway-location"} {
		req := gen(t.Context(), genPath, `{}`)
		req.Header[name] = []string{"global"}
		resp, err := r.RoundTrip(req)
		if status, body := read(t, resp, err); status != 400 || !strings.Contains(body, "did you mean Spillway-Locations?") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// TestCallersCredentialInAnySpellingOfItsParameterStays behind.
func TestCallersCredentialInAnySpellingOfItsParameterStays(t *testing.T) {
	r := routerOver(t, func(q *http.Request) (*http.Response, error) {
		if q.URL.RawQuery != "" {
			t.Errorf("%s travels", q.URL.RawQuery)
		}
		return answerOf(200, okBody), nil
	}, router.Config{})
	for _, name := range []string{
		"key", "%6bey", "apiKey", "accessToken", "oauthToken", "bearerToken", "$accessToken", "%24userProject",
	} {
		req := gen(t.Context(), genPath, `{}`)
		req.URL.RawQuery = name + "=S3CRET"
		if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
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

// TestErrorWhoseBodyStallsIsSilence: what came before the endpoint was suspected is no answer to
// others who wait there, and the retry is paid for once.
func TestErrorWhoseBodyStallsIsSilence(t *testing.T) {
	for path, whole := range map[string]string{genPath: okBody, streamPath: event} {
		for _, deadline := range []time.Duration{4 * time.Second, 30 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				var bad atomic.Bool
				google := func(q *http.Request) (*http.Response, error) {
					if backendOf(q) == "vertex" && bad.Load() {
						resp := inParts(q, jsonType, part{untilTheEnd, ""})
						resp.StatusCode = http.StatusServiceUnavailable
						return resp, nil
					}
					return inParts(q, typeOf(q), part{300 * time.Millisecond, whole}), nil
				}
				r := routerOver(t, google, router.Config{}, vertexed("v", "global").pool, keyed("g", "k").pool)
				load(t, r, path, 40, 100*time.Millisecond, 0)
				bad.Store(true)
				if failed := load(t, r, path, 40, 500*time.Millisecond, deadline); failed > 0 {
					t.Errorf("%s, %v: %d of 40 calls failed beside a healthy project", path, deadline, failed)
				}
			})
		}
	}
}
