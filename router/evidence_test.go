package router_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// stage is a Google in memory: every call is answered well but those that fault answers otherwise.
type stage struct {
	fault   func(project string, r *http.Request, body string) *http.Response // nil, or returning nil: a good answer
	latency time.Duration

	mu    sync.Mutex
	asked map[string]int // by project
}

func (s *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	project := strings.TrimPrefix(r.Header.Get("X-Goog-Api-Key"), "k-")
	if p, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token-of-"); ok {
		project = p
	}
	s.mu.Lock()
	if s.asked == nil {
		s.asked = make(map[string]int)
	}
	s.asked[project]++
	s.mu.Unlock()
	time.Sleep(s.latency)
	if s.fault != nil {
		if resp := s.fault(project, r, string(body)); resp != nil {
			return resp, nil
		}
	}
	if strings.Contains(r.URL.Path, ":streamGenerateContent") {
		return answerOf(200, "data: "+okBody+"\r\n\r\n", "Content-Type", "text/event-stream"), nil
	}
	return answerOf(200, okBody), nil
}

// count returns how many requests went to a project.
func (s *stage) count(project string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[project]
}

// over makes a router over the stage.
func (s *stage) over(t *testing.T, cfg router.Config, projects ...pool.Project) *router.Router {
	t.Helper()
	return newRouter(t, pool.Config{Projects: projects}, cfg, router.WithTransport(s))
}

// call sends a call and returns status and body of the answer; 0 and the error if there is none.
func call(ctx context.Context, r *router.Router, method, address, body string) (int, string) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	resp, err := r.RoundTrip(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// says is the body of a call that generates.
func says(text string) string {
	return fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":%q}]}]}`, text)
}

const (
	geminiURL = "https://generativelanguage.googleapis.com/v1beta/"
	vertexURL = "https://aiplatform.googleapis.com/v1beta1/projects/x/locations/global/publishers/google/"
)

// generateURL is the address of a call that generates, in the dialect of a back end.
func generateURL(b pool.Backend) string {
	if b == pool.BackendVertex {
		return vertexURL + "models/" + flash + ":generateContent"
	}
	return geminiURL + genPath
}

// pair is two projects a and b of a back end, a first or last in the file.
func pair(b pool.Backend, first bool) []pool.Project {
	var list []pool.Project
	for _, name := range []string{"a", "b"} {
		if b == pool.BackendVertex {
			list = append(list, vertexed(name, "global").pool)
		} else {
			list = append(list, keyed(name, "k-"+name).pool)
		}
	}
	if !first {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

// eachPair runs a test for both back ends and both orders of the file.
func eachPair(t *testing.T, test func(t *testing.T, b pool.Backend, projects []pool.Project)) {
	t.Helper()
	for _, b := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, a first: %v", b, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test(t, b, pair(b, first)) })
			})
		}
	}
}

func errorOf(code int, status, message string) *http.Response {
	return answerOf(code, fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":%q}}`, code, message, status))
}

// TestWrongCallsOfOneCallerCloseNothingForOthers sends wrong calls of every kind between good ones.
func TestWrongCallsOfOneCallerCloseNothingForOthers(t *testing.T) {
	const notFound = "models/" + flash + " is not found for API version v1, or is not supported for generateContent."
	page := "<!DOCTYPE html><html><title>Error 404 (Not Found)!!1</title><p>The requested URL was not found on this server."
	fault := func(_ string, r *http.Request, body string) *http.Response {
		switch path := r.URL.Path; {
		case strings.Contains(body, "gs://private"):
			return errorOf(403, "PERMISSION_DENIED", "Permission 'storage.objects.get' denied on resource (or it may not exist): gs://private")
		case strings.Contains(body, "https://private"):
			return errorOf(403, "PERMISSION_DENIED", "The caller does not have permission")
		case strings.Contains(body, "poison"):
			return errorOf(403, "PERMISSION_DENIED", "The caller does not have permission")
		case strings.Contains(body, "gone"):
			return errorOf(404, "NOT_FOUND", "Requested entity was not found.")
		case strings.Contains(body, "crash"):
			return errorOf(500, "INTERNAL", "An internal error has occurred.")
		case strings.Contains(body, "precondition"):
			return errorOf(400, "FAILED_PRECONDITION", "Precondition check failed.")
		case strings.HasPrefix(path, "/v1/"):
			return errorOf(404, "NOT_FOUND", notFound)
		case strings.HasPrefix(path, "/v2/"):
			return answerOf(404, page, "Content-Type", "text/html")
		case r.Method != http.MethodPost, !strings.Contains(path, "enerateContent"):
			return errorOf(404, "NOT_FOUND", strings.Replace(notFound, "for generateContent", "for it", 1))
		}
		return nil
	}
	link := func(uri string) string {
		return `{"contents":[{"role":"user","parts":[{"fileData":{"mimeType":"text/plain","fileUri":"` + uri + `"}}]}]}`
	}
	wrong := []struct{ name, method, path, body string }{
		{"a method that the model lacks", "POST", "v1beta/models/" + flash + ":embedContent", `{"content":{"parts":[{"text":"%d"}]}}`},
		{"another back end's method", "POST", "v1beta/models/" + flash + ":predict", `{"instances":["%d"]}`},
		{"an unknown method", "POST", "v1beta/models/" + flash + ":doIt%d", `{}`},
		{"a GET", "GET", "v1beta/models/" + flash + ":generateContent", ""},
		{"another version", "POST", "v1/models/" + flash + ":generateContent", says("%d")},
		{"a version that there is not", "POST", "v2/models/" + flash + ":generateContent", says("%d")},
		{"a bucket", "POST", "v1beta/" + genPath, link("gs://private/%d")},
		{"a link", "POST", "v1beta/" + genPath, link("https://private/%d")},
		{"no permission", "POST", "v1beta/" + genPath, says("poison %d")},
		{"an entity that there is not", "POST", "v1beta/" + genPath, says("gone %d")},
		{"a body that crashes a server", "POST", "v1beta/" + genPath, says("crash %d")},
		{"a precondition", "POST", "v1beta/" + genPath, says("precondition %d")},
	}
	for _, w := range wrong {
		for _, differ := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, different: %v", w.name, differ), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &stage{fault: fault, latency: 100 * time.Millisecond}
					r := s.over(t, router.Config{MaxWait: -1}, pair(pool.BackendGemini, true)...)
					good := func() {
						t.Helper()
						began := time.Now()
						status, text := call(t.Context(), r, "POST", geminiURL+genPath, says("hello"))
						if took := time.Since(began); status != 200 || took > s.latency {
							t.Fatalf("a good call got %d after %v: %s", status, took, text)
						}
					}
					for range 10 {
						good()
					}
					n := 0
					for range amount(30, 100) {
						for range 10 {
							n++
							k := 0
							if differ {
								k = n
							}
							fill := func(text string) string { return strings.ReplaceAll(text, "%d", strconv.Itoa(k)) }
							call(t.Context(), r, w.method, "https://generativelanguage.googleapis.com/"+fill(w.path), fill(w.body))
						}
						good()
					}
				})
			})
		}
	}
}

// TestUnknownMethodsCloseNothingForEachOther: the pool counts together what the router does not know.
func TestUnknownMethodsCloseNothingForEachOther(t *testing.T) {
	for _, paths := range [][2]string{
		{"v1beta/models/" + flash + ":wrong%d", "v1beta/models/" + flash + ":newerThanTheRouter"},
		{"v1beta/openai/wrong%d", "v1beta/openai/files"},
		{"v99/models/" + flash + ":generateContent?%d", "v2/models/" + flash + ":generateContent"},
	} {
		t.Run(paths[1], func(t *testing.T) {
			eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
				s := &stage{fault: func(_ string, r *http.Request, _ string) *http.Response {
					if strings.Contains(r.URL.Path, "wrong") || strings.Contains(r.URL.Path, "v99") {
						return errorOf(404, "NOT_FOUND", "The requested URL was not found on this server: "+r.URL.String())
					}
					return nil
				}}
				if b == pool.BackendVertex {
					t.Skip("its paths are others")
				}
				r := s.over(t, router.Config{MaxWait: -1}, projects...)
				for i := range 20 {
					wrong := strings.ReplaceAll(paths[0], "%d", strconv.Itoa(i))
					body := strings.Replace(says("hello"), "{", `{"n":`+strconv.Itoa(i)+",", 1)
					status, text := call(t.Context(), r, "POST", "https://x/"+wrong, body)
					if status != 404 || !strings.Contains(text, wrong) {
						t.Fatalf("%s got %d %s", wrong, status, text)
					}
				}
				if status, text := call(t.Context(), r, "POST", "https://x/"+paths[1], says("hello")); strings.Contains(text, "The requested URL") {
					t.Errorf("a good call got %d %s", status, text)
				}
			})
		})
	}
}

// TestANotFoundOfEveryEndpointIsNoLackOfRoom: an endpoint that has the model in another version of
// the API is no reason to come back later.
func TestANotFoundOfEveryEndpointIsNoLackOfRoom(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
				good := generateURL(b)
				if method == "GET" {
					good = strings.TrimSuffix(good, ":generateContent")
				}
				wrong := strings.Replace(good, "/v1beta", "/v99beta", 1)
				s := &stage{fault: func(_ string, r *http.Request, _ string) *http.Response {
					if strings.HasPrefix(r.URL.Path, "/v99") {
						return errorOf(404, "NOT_FOUND", "not found")
					}
					return nil
				}}
				r := s.over(t, router.Config{MaxWait: -1}, projects...)
				for i := range 10 {
					if status, text := call(t.Context(), r, method, good, says("hello")); status != 200 {
						t.Fatalf("call %d: a good call got %d %s", i, status, text)
					}
					if status, text := call(t.Context(), r, method, wrong, says("hello")); status != 404 {
						t.Fatalf("call %d: Google's 404 became %d %s", i, status, text)
					}
				}
			})
		})
	}
}

// TestGooglesNotFoundIsNoRefusalInTheLog: an operator has nothing to do about a wrong call.
func TestGooglesNotFoundIsNoRefusalInTheLog(t *testing.T) {
	eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
		var log bytes.Buffer
		s := &stage{fault: func(string, *http.Request, string) *http.Response { return errorOf(404, "NOT_FOUND", "not found") }}
		r := newRouter(t, pool.Config{Projects: projects}, router.Config{MaxWait: -1}, router.WithTransport(s),
			router.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		wrong := strings.Replace(generateURL(b), "/v1beta", "/v99beta", 1)
		if status, text := call(t.Context(), r, "POST", wrong, says("hello")); status != 404 {
			t.Fatalf("a wrong call got %d %s", status, text)
		}
		synctest.Wait()
		if strings.Contains(log.String(), "refused") {
			t.Errorf("the log says %s", &log)
		}
	})
}

// TestWhatOneCallerIsToldIsShownToNoOther checks it of things that only one caller named.
func TestWhatOneCallerIsToldIsShownToNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{fault: func(_ string, _ *http.Request, body string) *http.Response {
			if strings.Contains(body, "secret-bucket") {
				return errorOf(404, "NOT_FOUND", "No such object: secret-bucket/file")
			}
			return nil
		}}
		r := s.over(t, router.Config{}, pair(pool.BackendGemini, true)...)
		for range 5 {
			status, text := call(t.Context(), r, "POST", geminiURL+genPath, says("read secret-bucket/file"))
			if status != 404 || !strings.Contains(text, "secret-bucket") {
				t.Errorf("its caller got %d %s", status, text)
			}
			if status, text := call(t.Context(), r, "POST", geminiURL+genPath, says("hello")); status != 200 {
				t.Errorf("another caller got %d %s", status, text)
			}
		}
		if n := s.count("a") + s.count("b"); n != 10 {
			t.Errorf("ten calls cost %d requests", n)
		}
	})
}

func TestQuotaOfAToolRestsForCallsThatUseIt(t *testing.T) {
	eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
		s := &stage{fault: func(project string, _ *http.Request, body string) *http.Response {
			if project == "a" && strings.Contains(body, "googleSearch") {
				return answerOf(429, `{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.",`+
					`"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help","links":[]}]}}`)
			}
			return nil
		}}
		r := s.over(t, router.Config{MaxWait: -1}, projects...)
		grounded := strings.Replace(says("news?"), "{", `{"tools":[{"googleSearch":{}}],`, 1)
		toA := 0
		for i := range 400 {
			body := says("hello")
			if i%4 == 0 {
				body = grounded
			}
			before := s.count("a")
			if status, text := call(t.Context(), r, "POST", generateURL(b), body); status != 200 {
				t.Fatalf("call %d got %d %s", i, status, text)
			}
			if i%4 != 0 {
				toA += s.count("a") - before
			}
			time.Sleep(100 * time.Millisecond)
		}
		if toA < 100 {
			t.Errorf("of 300 plain calls %d went to a, which serves them", toA)
		}
	})
}

func TestQuotaOfAMethodRestsForThatMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{fault: func(_ string, r *http.Request, _ string) *http.Response {
			if strings.Contains(r.URL.Path, ":batchGenerateContent") {
				return errorOf(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).")
			}
			return nil
		}}
		r := s.over(t, router.Config{MaxWait: -1}, keyed("a", "k-a").pool)
		for range 120 {
			call(t.Context(), r, "POST", geminiURL+"models/"+flash+":batchGenerateContent", `{"batch":{"inputConfig":{"requests":{"requests":[]}}}}`)
			if status, text := call(t.Context(), r, "POST", geminiURL+genPath, says("hello")); status != 200 {
				t.Fatalf("a call that generates got %d %s", status, text)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestQuotaOfALocationRestsInThatLocation(t *testing.T) {
	bodies := map[string]string{
		"in words": `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded for quota metric 'R' and limit 'Requests per minute per ` +
			`project per base model per minute per region per base_model' of service 'aiplatform.googleapis.com' for consumer 'project_number:1'."}}`,
		"as a dimension": `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure",` +
			`"violations":[{"quotaId":"RequestsPerMinutePerProject","quotaDimensions":{"location":"us-central1"}}]}]}}`,
		"as metadata": `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",` +
			`"reason":"RATE_LIMIT_EXCEEDED","metadata":{"quota_limit":"RequestsPerMinute","quota_limit_value":"5","quota_location":"us-central1"}}]}}`,
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stage{fault: func(_ string, r *http.Request, _ string) *http.Response {
					if strings.HasPrefix(r.URL.Host, "us-central1-") {
						return answerOf(429, body)
					}
					return nil
				}}
				r := s.over(t, router.Config{MaxWait: -1}, vertexed("a", "us-central1", "asia-northeast3").pool)
				for i := range 60 {
					if status, text := call(t.Context(), r, "POST", generateURL(pool.BackendVertex), says("hello")); status != 200 {
						t.Fatalf("call %d got %d %s", i, status, text)
					}
					time.Sleep(time.Second)
				}
			})
		})
	}
}

func TestAProjectThatAlwaysFailsLeavesTheOther(t *testing.T) {
	for _, code := range []int{500, 502, 503, 504} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
				s := &stage{fault: func(project string, _ *http.Request, _ string) *http.Response {
					if project == "a" {
						return errorOf(code, "INTERNAL", "An internal error has occurred.")
					}
					return nil
				}}
				r := s.over(t, router.Config{MaxWait: -1}, projects...)
				for i := range 600 {
					if status, text := call(t.Context(), r, "POST", generateURL(b), says("hello")); status != 200 {
						t.Fatalf("call %d got %d %s", i, status, text)
					}
					time.Sleep(200 * time.Millisecond)
				}
				if n := s.count("a"); n > 30 {
					t.Errorf("%d of 600 calls went to a", n)
				}
			})
		})
	}
}

func TestOneRefusedKeyOfTwoLeavesTheOther(t *testing.T) {
	for _, tt := range []struct {
		code         int
		reason, says string
	}{
		{401, "ACCESS_TOKEN_TYPE_UNSUPPORTED", "Request had invalid authentication credentials."},
		{401, "ACCOUNT_STATE_INVALID", "The account is disabled."},
		{401, "CREDENTIALS_MISSING", "Request is missing required authentication credential."},
		{401, "", "Unauthorized"},
		{403, "CONSUMER_SUSPENDED", "Permission denied: Consumer 'api_key:k-dead' has been suspended."},
		{403, "API_KEY_SERVICE_BLOCKED", "Requests to this API are blocked."},
		{400, "API_KEY_INVALID", "API key not valid."},
	} {
		for _, b := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			t.Run(tt.reason+string(b), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &stage{fault: func(project string, _ *http.Request, _ string) *http.Response {
						if project != "dead" {
							return nil
						}
						return answerOf(tt.code, fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":"X","details":[{"@type":`+
							`"type.googleapis.com/google.rpc.ErrorInfo","reason":%q,"metadata":{"consumer":"projects/7"}}]}}`, tt.code, tt.says, tt.reason))
					}}
					p := pool.Project{Name: "p", Backend: b, Keys: []pool.Secret{pool.NewSecret("k-dead"), pool.NewSecret("k-good")}}
					r := s.over(t, router.Config{}, p)
					for i := range 300 {
						if status, text := call(t.Context(), r, "POST", generateURL(b), says("hello")); status != 200 {
							t.Fatalf("call %d got %d %s", i, status, text)
						}
						time.Sleep(15 * time.Second)
					}
					if n := s.count("dead"); n > 12 {
						t.Errorf("the dead key was asked %d times", n)
					}
				})
			})
		}
	}
}

func TestASuspendedProjectIsNotTriedKeyAfterKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{fault: func(project string, _ *http.Request, _ string) *http.Response {
			if strings.HasPrefix(project, "a") {
				return answerOf(403, `{"error":{"code":403,"message":"Permission denied: Consumer 'projects/7' has been suspended.","status":"PERMISSION_DENIED",`+
					`"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONSUMER_SUSPENDED",`+
					`"metadata":{"consumer":"projects/7","containerInfo":"projects/7"}}]}}`)
			}
			return nil
		}}
		r := s.over(t, router.Config{}, keyed("a", "k-a1", "k-a2", "k-a3").pool, keyed("b", "k-b").pool)
		for range 20 {
			if status, text := call(t.Context(), r, "POST", geminiURL+genPath, says("hello")); status != 200 {
				t.Fatalf("got %d %s", status, text)
			}
		}
		if n := s.count("a1") + s.count("a2") + s.count("a3"); n != 1 {
			t.Errorf("the project was asked %d times, want once", n)
		}
	})
}

func TestAPreconditionOfTheProjectIsTakenElsewhere(t *testing.T) {
	for _, message := range []string{
		"Service agents are being provisioned (https://cloud.google.com/x). Service agents are needed to read the Cloud Storage file provided.",
		"Project `x` is not allowed to use Publisher Model `y`",
		"Constraint constraints/gcp.resourceLocations violated for projects/x attempting to use the location.",
		"Imagen API is only accessible to billed users at this time.",
		"Precondition check failed.",
		"Something that nobody has heard of.",
	} {
		t.Run(message[:20], func(t *testing.T) {
			eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
				s := &stage{fault: func(project string, _ *http.Request, _ string) *http.Response {
					if project == "a" {
						return errorOf(400, "FAILED_PRECONDITION", message)
					}
					return nil
				}}
				r := s.over(t, router.Config{MaxWait: -1}, projects...)
				for i := range 200 {
					if status, text := call(t.Context(), r, "POST", generateURL(b), says(fmt.Sprint("hello ", i%7))); status != 200 {
						t.Fatalf("call %d got %d %s", i, status, text)
					}
					time.Sleep(200 * time.Millisecond)
				}
				if n := s.count("a"); n > 10 {
					t.Errorf("%d of 200 calls went to a", n)
				}
			})
		})
	}
}

func TestAPreconditionOfTheCallIsReturnedAfterTwoProjects(t *testing.T) {
	for message, want := range map[string]int{
		"Precondition check failed.": 2,
		"The File files/x is not in an ACTIVE state and usage is not allowed.":      1,
		"Cannot delete non-empty FileSearchStore.":                                  1,
		"A cachedContent must be in the same location as the model that it is for.": 1,
	} {
		t.Run(message[:20], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stage{fault: func(string, *http.Request, string) *http.Response {
					return errorOf(400, "FAILED_PRECONDITION", message)
				}}
				projects := append(pair(pool.BackendGemini, true), keyed("c", "k-c").pool, keyed("d", "k-d").pool)
				r := s.over(t, router.Config{}, projects...)
				for range 5 {
					start := time.Now()
					status, text := call(t.Context(), r, "POST", geminiURL+genPath, says("the same"))
					if status != 400 || !strings.Contains(text, message) || time.Since(start) > 0 {
						t.Errorf("after %v the caller got %d %s", time.Since(start), status, text)
					}
				}
				n := s.count("a") + s.count("b") + s.count("c") + s.count("d")
				if n != 5*want {
					t.Errorf("five calls cost %d requests, want %d each", n, want)
				}
			})
		})
	}
}

func TestAPageInPlaceOfGooglesAnswerIsTheWayThere(t *testing.T) {
	for _, code := range []int{200, 403, 429, 401, 404} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			eachPair(t, func(t *testing.T, b pool.Backend, projects []pool.Project) {
				if code == 200 {
					t.Skip("judged where answers of 200 are read")
				}
				blocked := true
				s := &stage{fault: func(string, *http.Request, string) *http.Response {
					if blocked {
						return answerOf(code, "<html><head><title>Sorry...</title></head><body>your computer or network may be sending automated queries",
							"Content-Type", "text/html")
					}
					return nil
				}}
				r := s.over(t, router.Config{MaxWait: -1}, projects...)
				for range 600 { // two minutes
					call(t.Context(), r, "POST", generateURL(b), says("hello"))
					time.Sleep(200 * time.Millisecond)
				}
				if n := s.count("a") + s.count("b"); n > 100 {
					t.Errorf("%d requests went to a blocked host", n)
				}
				blocked = false
				time.Sleep(4 * time.Minute)
				if status, text := call(t.Context(), r, "POST", generateURL(b), says("hello")); status != 200 {
					t.Errorf("four minutes after the block a call got %d %s", status, text)
				}
				for _, p := range r.Stat().Projects {
					if p.Cooldown.Class != "" || len(p.Keys) > 0 && p.Keys[0].Cooldown.Class != "" {
						t.Errorf("project %s is on cooldown: %v %v", p.Name, p.Cooldown, p.Keys)
					}
				}
			})
		})
	}
}

func TestOnlyWhatWasRefusedProvesItselfWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{fault: func(project string, r *http.Request, _ string) *http.Response {
			if project == "a" && strings.Contains(r.URL.Path, "enerateContent") {
				return errorOf(402, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.")
			}
			if strings.HasSuffix(r.URL.Path, "/files") {
				return answerOf(200, `{"files":[]}`)
			}
			return nil
		}}
		var logged bytes.Buffer
		r := newRouter(t, pool.Config{Projects: pair(pool.BackendGemini, true)}, router.Config{MaxWait: -1}, router.WithTransport(s),
			router.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
		for range 100 {
			if status, text := call(t.Context(), r, "POST", geminiURL+genPath, says("hello")); status != 200 {
				t.Fatalf("a call got %d %s", status, text)
			}
			if status, text := call(t.Context(), r, "GET", geminiURL+"files", ""); status != 200 {
				t.Fatalf("a list got %d %s", status, text)
			}
			time.Sleep(6 * time.Second)
		}
		if n := strings.Count(logged.String(), "cooldown ended"); n != 0 {
			t.Errorf("the cooldown for billing ended %d times:\n%s", n, logged.String())
		}
	})
}

func TestTheOtherBackEndsWordsForContentionSlowDownToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{fault: func(string, *http.Request, string) *http.Response {
			return errorOf(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.")
		}}
		var logged bytes.Buffer
		r := newRouter(t, pool.Config{Projects: pair(pool.BackendGemini, true)}, router.Config{MaxWait: -1}, router.WithTransport(s),
			router.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
		const calls = 24 * 60
		for range calls {
			call(t.Context(), r, "POST", geminiURL+genPath, says("hello"))
			time.Sleep(time.Minute)
		}
		if n := s.count("a") + s.count("b"); n > calls/8 {
			t.Errorf("%d calls of a day cost %d requests", calls, n)
		}
		if !strings.Contains(logged.String(), "quota_unknown") {
			t.Errorf("the log does not say so:\n%s", logged.String())
		}
	})
}

func TestAnOrderThatRefusesInOtherWordsRestsWithDoubling(t *testing.T) {
	bodies := map[string]*struct{ kind, body string }{
		"bare":             {"application/json", ""},
		"empty object":     {"application/json", "{}"},
		"contention":       {"application/json", `{"error":{"code":429,"message":"Resource exhausted. Please try again later.","status":"RESOURCE_EXHAUSTED"}}`},
		"unheard of":       {"application/json", `{"error":{"code":429,"message":"No.","status":"RESOURCE_EXHAUSTED"}}`},
		"a page":           {"text/html", "<html>Too many requests</html>"},
		"your quota":       {"application/json", `{"error":{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED"}}`},
		"the usual words":  {"application/json", `{"error":{"code":429,"message":"Too many requests. Exceeded the provisioned throughput.","status":"RESOURCE_EXHAUSTED"}}`},
		"an empty message": {"application/json", `{"error":{"code":429}}`},
	}
	for name, tt := range bodies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dedicated := 0
				s := &stage{fault: func(_ string, r *http.Request, _ string) *http.Response {
					if r.Header.Get("X-Vertex-Ai-Llm-Request-Type") == "dedicated" {
						dedicated++
						return answerOf(429, tt.body, "Content-Type", tt.kind)
					}
					return nil
				}}
				p := vertexed("a", "global")
				p.order(flash, "global", 100)
				r := s.over(t, router.Config{}, p.pool)
				for i := range 1200 { // four minutes
					if status, text := call(t.Context(), r, "POST", generateURL(pool.BackendVertex), says("hello")); status != 200 {
						t.Fatalf("call %d got %d %s", i, status, text)
					}
					time.Sleep(200 * time.Millisecond)
				}
				if dedicated > 30 {
					t.Errorf("the order was asked by %d of 1200 calls", dedicated)
				}
			})
		})
	}
}

// TestTheSameCallOfTwoCallersIsTwoCalls: two callers of one program that are refused alike prove
// more than one.
func TestTheSameCallOfTwoCallersIsTwoCalls(t *testing.T) {
	for name, who := range map[string]func(*http.Request, string){
		"by their addresses": func(r *http.Request, caller string) { r.RemoteAddr = "10.0.0." + caller + ":4000" },
		"by their keys":      func(r *http.Request, caller string) { r.Header.Set("X-Goog-Api-Key", "of-"+caller) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stage{fault: func(project string, _ *http.Request, _ string) *http.Response {
					if project == "a" {
						return errorOf(403, "PERMISSION_DENIED", "The caller does not have permission")
					}
					return nil
				}}
				projects := pair(pool.BackendGemini, true)
				projects[1].Priority = 1
				r := s.over(t, router.Config{MaxWait: -1}, projects...)
				for i, caller := range []string{"1", "1", "2", "1", "2", "3"} {
					req := gen(t.Context(), genPath, says("hello"))
					who(req, caller)
					resp, err := r.RoundTrip(req)
					if err != nil || resp.StatusCode != http.StatusOK {
						t.Fatalf("call %d got %v, %v", i, resp, err)
					}
					_ = resp.Body.Close()
				}
				if n := s.count("a"); n != 3 {
					t.Errorf("a was asked %d times, want until two callers were refused: three", n)
				}
			})
		})
	}
}

// TestAWrongCallCostsFewRequestsOfALargePool: where every project answers others, one that is
// refused by several of them is wrong.
func TestAWrongCallCostsFewRequestsOfALargePool(t *testing.T) {
	for name, refusal := range map[string]*http.Response{
		"403": errorOf(403, "PERMISSION_DENIED", "The caller does not have permission"),
		"404": errorOf(404, "NOT_FOUND", "Requested entity was not found."),
		"501": errorOf(501, "UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body, _ := io.ReadAll(refusal.Body)
				s := &stage{fault: func(_ string, _ *http.Request, text string) *http.Response {
					if strings.Contains(text, "wrong") {
						return answerOf(refusal.StatusCode, string(body))
					}
					return nil
				}}
				r := s.over(t, router.Config{Policy: router.PolicyRoundRobin}, manyKeyed(0, 27)...)
				for range 54 {
					if status, text := call(t.Context(), r, "POST", geminiURL+genPath, says("hello")); status != 200 {
						t.Fatalf("a good call got %d %s", status, text)
					}
				}
				total := func() (n int) {
					for i := range 27 {
						n += s.count(fmt.Sprintf("well-%d", i))
					}
					return n
				}
				for i := range 10 {
					before := total()
					status, text := call(t.Context(), r, "POST", geminiURL+genPath, says(fmt.Sprint("wrong ", i)))
					if n := total() - before; status != refusal.StatusCode || n > 4 {
						t.Errorf("a wrong call got %d %s after %d requests", status, text, n)
					}
				}
			})
		})
	}
}
