package router_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/sdktour"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// allModels is an emulator as the tour knows it.
var allModels = sdktour.Google{Models: geminitest.DefaultModels()}

// remembered are the calls of the tour that the router answers without asking Google again, as
// Google answered the last call for the same: a model that is not there is not asked for in vain.
// The answer speaks of the method of that call.
var remembered = map[string]string{"POST gemini-none:streamGenerateContent": "POST gemini-none:generateContent"}

// recorder keeps what a client is answered, in order.
type recorder struct {
	base http.RoundTripper

	mu      sync.Mutex
	answers []recorded
}

// recorded is one answer, as the SDK decodes it.
type recorded struct {
	Asked  string // method and path, for whoever reads a difference
	Status int
	Header http.Header
	Body   string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	h := resp.Header.Clone()
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, "Spillway-") })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, recorded{req.Method + " " + lastOf(req.URL.Path), resp.StatusCode, h, string(body)})
	return resp, nil
}

// lastOf is the end of a path, which does not depend on the project that the client believes in.
func lastOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// bearer adds an access token, as the transport of Google's auth library does.
type bearer struct {
	base  http.RoundTripper
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.base.RoundTrip(r)
}

// tourist is a client of a dialect over rt: with a router there, of a placeholder.
func tourist(t *testing.T, dialect pool.Backend, rt http.RoundTripper, key, project string) *genai.Client {
	t.Helper()
	cc := &genai.ClientConfig{Backend: genai.BackendGeminiAPI, APIKey: key, HTTPClient: &http.Client{Transport: rt}}
	if dialect == pool.BackendVertex {
		cc = &genai.ClientConfig{Backend: genai.BackendVertexAI, Project: project, Location: "europe-west4", HTTPClient: &http.Client{Transport: rt}}
	}
	c, err := genai.NewClient(context.Background(), cc)
	if err != nil {
		t.Fatal("NewClient failed")
	}
	return c
}

// homesOf are n projects of a back end, with two keys each or with one location.
func homesOf(b pool.Backend, n int) (all []project) {
	for i := range n {
		name := fmt.Sprintf("%s-%d", b, i)
		p := keyed(name, name+"-first", name+"-second")
		if b == pool.BackendVertex {
			p = vertexed(name, "europe-west4")
		}
		all = append(all, p)
	}
	return all
}

// TestEveryMethodOfTheSDKIsAnsweredAsWithoutRouter takes the tour twice, with Google at the same
// moment in the same state: by the SDK alone, and by the SDK through a router. What the SDK gets to
// decode is the same, answer by answer: status, headers and bytes.
func TestEveryMethodOfTheSDKIsAnsweredAsWithoutRouter(t *testing.T) {
	for dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			projects := homesOf(dialect, 1)
			var bare, routed []recorded
			synctest.Test(t, func(t *testing.T) {
				rec := &recorder{base: bearer{googleOf(geminitest.Config{}, projects...), "token-of-vertex-0"}}
				if dialect == pool.BackendGemini {
					rec.base = rec.base.(bearer).base
				}
				sdktour.Everything(t, tourist(t, dialect, rec, "gemini-0-first", "vertex-0"), allModels)
				bare = slices.DeleteFunc(rec.answers, func(a recorded) bool {
					return a.Status == http.StatusFound // the router follows redirects itself
				})
			})
			synctest.Test(t, func(t *testing.T) {
				b := setup{router: router.Config{Backend: dialect}}.bed(t, projects...)
				rec := &recorder{base: b.router}
				sdktour.Everything(t, tourist(t, dialect, rec, "placeholder", "placeholder"), allModels)
				routed = rec.answers
			})
			if len(bare) != len(routed) {
				t.Errorf("%d answers through the router, %d without", len(routed), len(bare))
			}
			said := map[string]recorded{}
			for i := range min(len(bare), len(routed)) {
				said[bare[i].Asked] = bare[i]
				if before := remembered[bare[i].Asked]; before != "" {
					want := said[before]
					want.Asked, want.Header = bare[i].Asked, http.Header{"Content-Type": want.Header["Content-Type"]}
					bare[i] = want
				}
				if diff := cmp.Diff(bare[i], routed[i]); diff != "" {
					t.Errorf("answer %d (%s) differs (-SDK alone +through the router):\n%s", i, bare[i].Asked, diff)
				}
			}
		})
	}
}

// TestEveryMethodOfTheSDKIsAnsweredOverManyProjects takes the tour over pools in which what was
// made in one project must be found again.
func TestEveryMethodOfTheSDKIsAnsweredOverManyProjects(t *testing.T) {
	for dialect, other := range dialects {
		for name, others := range map[string]int{"of one back end": 0, "of both": 3} {
			t.Run(string(dialect)+", projects "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := manyHomes(t, dialect, other, others, router.Config{})
					sdktour.Everything(t, tourist(t, dialect, b.router, "placeholder", "placeholder"), sdktour.Google{Models: geminitest.DefaultModels(), Mixed: others > 0})
					if n := b.CountWrongOwner(geminitest.Match{}); n != 0 {
						t.Errorf("%d requests went to a project that does not have what they name", n)
					}
				})
			})
		}
	}
}

// manyHomes is a bed of three projects of the dialect's back end, and some of the other one.
func manyHomes(t *testing.T, dialect, other pool.Backend, others int, cfg router.Config, opts ...router.Option) *bed {
	t.Helper()
	cfg.Backend = dialect
	return setup{router: cfg, opts: opts}.bed(t, append(homesOf(dialect, 3), homesOf(other, others)...)...)
}

// hazard stands between a router and Google, and lets the first request of each of the client's
// fail.
type hazard struct {
	google *geminitest.Emulator
	fault  geminitest.Answer
	router http.RoundTripper
	spare  func(*http.Request) bool // of the client's, those that meet no fault

	mu    sync.Mutex
	armed bool
	met   int
}

func (z *hazard) arm(on bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.armed = on
}

// fires reports whether this request fails.
func (z *hazard) fires() bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	fires := z.armed
	if z.armed = false; fires {
		z.met++
	}
	return fires
}

// front is where the client asks.
type front struct{ *hazard }

func (f front) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(10 * time.Second) // what rests after the call before is ready again: what belongs together is made in the same place
	f.arm(!f.spare(req))
	return f.router.RoundTrip(req)
}

// RoundTrip is where the router asks.
func (z *hazard) RoundTrip(req *http.Request) (*http.Response, error) {
	if !z.fires() {
		return z.google.RoundTrip(req)
	}
	if req.Body != nil {
		_ = req.Body.Close()
	}
	if z.fault.Err != nil {
		return nil, z.fault.Err
	}
	return &http.Response{
		Status: http.StatusText(z.fault.Status), StatusCode: z.fault.Status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(z.fault.Body)), ContentLength: int64(len(z.fault.Body)), Request: req,
	}, nil
}

// notRepeated are the calls that make something each time that they are sent. After a failure that
// may have come too late they are not sent again: the caller gets the failure, and knows best how
// to find out.
var notRepeated = regexp.MustCompile("^POST (" + strings.Join([]string{
	".*:batchGenerateContent", ".*:asyncBatchEmbedContent", ".*:predictLongRunning", ".*:importFile", ".*:rotateSigningSecret", "files:register",
	"cachedContents", "batchPredictionJobs", "tunedModels", "tuningJobs", "fileSearchStores", "auth_tokens", "agents", "voices", "credentials",
	"webhooks", "environments",
}, "|") + ")$")

// TestEveryMethodOfTheSDKIsAnsweredAfterAFault takes the tour while the first request of each call
// fails, whichever endpoint gets it.
func TestEveryMethodOfTheSDKIsAnsweredAfterAFault(t *testing.T) {
	for why, fault := range map[string]geminitest.Answer{
		"quota":      geminitest.MinuteQuota(flash, 10, 2*time.Second),
		"overloaded": geminitest.Overloaded(),
		"reset":      geminitest.ConnectionReset(),
	} {
		for dialect, other := range dialects {
			t.Run(string(dialect)+", "+why, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					z := &hazard{fault: fault, spare: func(r *http.Request) bool {
						return fault.Status != http.StatusTooManyRequests && notRepeated.MatchString(r.Method+" "+lastOf(r.URL.Path)) && r.Header.Get("X-Goog-Upload-Command") == ""
					}}
					b := manyHomes(t, dialect, other, 3, router.Config{MaxWait: 5 * time.Minute, Retry: router.Retry{Budget: 1}}, router.WithTransport(z))
					z.google, z.router = b.Emulator, b.router
					sdktour.Everything(t, tourist(t, dialect, front{z}, "placeholder", "placeholder"), sdktour.Google{Models: geminitest.DefaultModels(), Mixed: true})
					if z.met < 50 {
						t.Errorf("only %d requests failed", z.met)
					}
					for _, r := range b.Requests() {
						if r.WrongOwner {
							t.Errorf("%s %s went to a project that does not have what it names: %v", r.HTTPMethod, r.URL.Path, r.Resources)
						}
					}
				})
			})
		}
	}
}

// TestWhatMakesSomethingIsNotSentAgain lets calls that make something fail in every way: what may
// have been made is not made twice.
func TestWhatMakesSomethingIsNotSentAgain(t *testing.T) {
	src := &genai.BatchJobSource{InlinedRequests: []*genai.InlinedRequest{{Contents: genai.Text("hi")}}}
	unreachable := geminitest.Answer{Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
	for name, tt := range map[string]struct {
		fault  geminitest.Answer
		status int // that the caller gets; 0: an error; 200: what was asked for
	}{
		"overloaded":     {geminitest.Overloaded(), 503},
		"internal":       {geminitest.Internal(), 500},
		"reset":          {geminitest.ConnectionReset(), 0},
		"cut":            {geminitest.Answer{Truncate: 20}, 0},
		"quota":          {geminitest.MinuteQuota(flash, 10, 2*time.Second), 200},
		"no connection":  {unreachable, 200},
		"key is revoked": {geminitest.KeyInvalid(), 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := manyHomes(t, pool.BackendGemini, pool.BackendVertex, 0, router.Config{})
				batches := geminitest.Match{Method: "batches.create"}
				b.Script(geminitest.Match{}, tt.fault)
				_, err := b.client(t).Batches.Create(t.Context(), flash, src, nil)
				requests, api := 1, genai.APIError{}
				switch {
				case tt.status == 200:
					if requests = 2; err != nil {
						t.Errorf("error is %v, want the batch of another endpoint", err)
					}
				case tt.status == 0 && (err == nil || errors.As(err, &api)):
					t.Errorf("error is %v, want that of the transport", err)
				case tt.status != 0 && apiError(t, err).Code != tt.status:
					t.Errorf("error is %v, want Google's %d", err, tt.status)
				}
				if n := b.Count(geminitest.Match{}); n != requests {
					t.Errorf("Google was asked %d times, want %d; batches %d", n, requests, b.Count(batches))
				}
			})
		})
	}
}
