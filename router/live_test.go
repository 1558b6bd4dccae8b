package router_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/auth"
	"github.com/gorilla/websocket"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const liveModel = "gemini-live-2.5-flash"

// liveServer stands in for Google's Live API on loopback.
type liveServer struct {
	*httptest.Server
	// refuse says with what the session of a credential, or of a request type, is closed in place of setupComplete; an error of
	// code 0 refuses the handshake.
	refuse map[string]*websocket.CloseError
	hang   bool                             // nothing comes after the handshake
	later  map[string]*websocket.CloseError // ends the session after its first turn

	mu    sync.Mutex
	dials []dial
}

// dial is one handshake, with the first message that followed.
type dial struct{ path, credential, requestType, model string }

func newLiveServer(t *testing.T) *liveServer {
	t.Helper()
	s := &liveServer{refuse: map[string]*websocket.CloseError{}, later: map[string]*websocket.CloseError{}}
	done := make(chan struct{})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		d := dial{path: r.URL.Path, credential: h.Get("X-Goog-Api-Key") + strings.TrimPrefix(h.Get("Authorization"), "Bearer "), requestType: h.Get("X-Vertex-Ai-Llm-Request-Type")}
		refusal := cmp.Or(s.refuse[d.credential], s.refuse[d.requestType])
		if refusal != nil && refusal.Code == 0 {
			s.note(d)
			http.Error(w, refusal.Text, http.StatusServiceUnavailable)
			return
		}
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		var first struct{ Setup struct{ Model string } }
		if err := conn.ReadJSON(&first); err != nil {
			return
		}
		d.model = first.Setup.Model
		s.note(d)
		end := func(e *websocket.CloseError) {
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(e.Code, e.Text), time.Now().Add(time.Minute))
		}
		switch {
		case refusal != nil:
			end(refusal)
			return
		case s.hang:
			<-done
			return
		}
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"setupComplete":{}}`))
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
			if e := s.later[d.credential]; e != nil {
				end(e)
				return
			}
			_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"serverContent":{"turnComplete":true}}`))
		}
	}))
	t.Cleanup(func() { close(done); s.Close() })
	return s
}

func (s *liveServer) note(d dial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, d)
}

// credentials are those that were shown, in order, since the last time.
func (s *liveServer) credentials() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var shown []string
	for _, d := range s.dials {
		shown = append(shown, d.credential)
	}
	s.dials = nil
	return strings.Join(shown, " ")
}

// studio is a project of the Gemini back end at the server, with a key of the same name.
func (s *liveServer) studio(name string, priority int) pool.Project {
	p := keyed(name, "key-"+name).pool
	p.BaseURL, p.Priority = s.URL, priority
	return p
}

// cloud is one of Vertex AI.
func (s *liveServer) cloud(name string, locations ...string) pool.Project {
	p := vertexed(name, locations...).pool
	p.BaseURL = s.URL + "/proxy"
	return p
}

func liveRouter(t *testing.T, cfg router.Config, ps ...pool.Project) *router.Router {
	t.Helper()
	return newRouter(t, pool.Config{Projects: ps}, cfg)
}

// turnOf makes one turn.
func turnOf(s *router.LiveSession) error {
	if _, err := s.Receive(); err != nil { // setupComplete
		return err
	}
	if err := s.SendClientContent(genai.LiveClientContentInput{Turns: genai.Text("hi")}); err != nil {
		return err
	}
	_, err := s.Receive()
	return err
}

func TestLiveSessionConnectsWithTheEndpointsCredential(t *testing.T) {
	const geminiPath = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
	const vertexPath = "/proxy/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
	vertexModel := "projects/a/locations/%s/publishers/google/models/" + liveModel
	for _, tt := range []struct {
		name     string
		project  func(s *liveServer) pool.Project
		model    string
		endpoint string
		want     dial
	}{
		{"an API key", func(s *liveServer) pool.Project { return s.studio("a", 0) }, liveModel, "a/global/on_demand",
			dial{geminiPath, "key-a", "", "models/" + liveModel}},
		{"a path for a name", func(s *liveServer) pool.Project { return s.studio("a", 0) }, "models/" + liveModel, "a/global/on_demand",
			dial{geminiPath, "key-a", "", "models/" + liveModel}},
		{"an alias", func(s *liveServer) pool.Project { return s.studio("a", 0) }, "voice", "a/global/on_demand",
			dial{geminiPath, "key-a", "", "models/" + liveModel}},
		{"an access token", func(s *liveServer) pool.Project { return s.cloud("a", "eu") }, liveModel, "a/eu/on_demand",
			dial{vertexPath, "token-of-a", "shared", fmt.Sprintf(vertexModel, "eu")}},
		{"a full name", func(s *liveServer) pool.Project { return s.cloud("a", "eu") }, "publishers/google/models/" + liveModel, "a/eu/on_demand",
			dial{vertexPath, "token-of-a", "shared", fmt.Sprintf(vertexModel, "eu")}},
		{"a key of Vertex AI", func(s *liveServer) pool.Project {
			p := s.cloud("a", "us-central1")
			p.Credentials, p.Keys = nil, []pool.Secret{pool.NewSecret("key-a")}
			return p
		}, liveModel, "a/us-central1/on_demand", dial{vertexPath, "key-a", "shared", fmt.Sprintf(vertexModel, "us-central1")}},
		{"an order", func(s *liveServer) pool.Project {
			p := s.cloud("a", "eu")
			p.Provisioned = []pool.Order{{Model: liveModel, Location: "europe-west4", TokensPerSecond: 1620}}
			return p
		}, liveModel, "a/europe-west4/provisioned", dial{vertexPath, "token-of-a", "dedicated", fmt.Sprintf(vertexModel, "europe-west4")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			google := newLiveServer(t)
			r := liveRouter(t, router.Config{Models: map[string]string{"voice": liveModel}}, tt.project(google))
			s, err := r.ConnectLive(t.Context(), tt.model, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if s.Endpoint != tt.endpoint || s.Model != liveModel {
				t.Errorf("a session with %s of %s, want %s", s.Model, s.Endpoint, tt.endpoint)
			}
			if len(google.dials) != 1 || google.dials[0] != tt.want {
				t.Errorf("dialed %+v\nwant %+v", google.dials, tt.want)
			}
			if err := turnOf(s); err != nil {
				t.Errorf("a turn: %v", err)
			}
		})
	}
}

func TestLiveSessionThatAnOrderRefusesIsServedOnDemand(t *testing.T) {
	for name, refusal := range map[string]*websocket.CloseError{
		"the handshake": {Text: "Too many requests. Exceeded the Provisioned Throughput."},
		"the setup":     {Code: 1011, Text: "Too many requests. Exceeded the Provisioned Throughput."},
	} {
		t.Run(name, func(t *testing.T) {
			google := newLiveServer(t)
			google.refuse["dedicated"] = refusal
			p := google.cloud("a", "europe-west4")
			p.Provisioned = []pool.Order{{Model: liveModel, Location: "europe-west4", TokensPerSecond: 1620}}
			r := liveRouter(t, router.Config{MaxWait: -1}, p)
			for range 2 {
				s, err := r.ConnectLive(t.Context(), liveModel, nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = s.Close()
				if s.Endpoint != "a/europe-west4/on_demand" {
					t.Errorf("a session of %s", s.Endpoint)
				}
			}
			var asked []string
			for _, d := range google.dials {
				asked = append(asked, d.requestType)
			}
			if !slices.Equal(asked, []string{"dedicated", "shared", "shared"}) {
				t.Errorf("asked for %q", asked)
			}
		})
	}
}

func TestLiveSessionHoldsItsPlaceUntilItIsClosed(t *testing.T) {
	google := newLiveServer(t)
	p := google.studio("a", 0)
	p.Limits = []pool.Limit{{Concurrency: 1}}
	r := liveRouter(t, router.Config{MaxWait: -1}, p)
	s, err := r.ConnectLive(t.Context(), liveModel, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.ConnectLive(t.Context(), liveModel, nil)
	var full *router.ExhaustedError
	if !errors.As(err, &full) || apiError(t, err).Code != http.StatusTooManyRequests || len(full.Reasons) != 1 {
		t.Errorf("a second session got %v, want that the pool is exhausted", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_ = s.Close()
	for range 2 { // and not more than one place came back
		if s, err = r.ConnectLive(t.Context(), liveModel, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := r.ConnectLive(t.Context(), liveModel, nil); err == nil {
			t.Error("two sessions at once, want one")
		}
		_ = s.Close()
	}
}

func TestLiveSessionGoesElsewhere(t *testing.T) {
	for name, tt := range map[string]struct {
		refusal *websocket.CloseError
		rests   bool // the first project is not asked again
	}{
		"a dead key":              {&websocket.CloseError{Code: 1007, Text: "API key not valid. Please pass a valid API key."}, true},
		"a quota that is used up": {&websocket.CloseError{Code: 1011, Text: "You exceeded your current quota, please check your plan and billing details."}, true},
		"a model that is not there": {&websocket.CloseError{Code: 1008,
			Text: "models/" + liveModel + " is not found for API version v1beta, or is not supported for bidiGenerateContent."}, true},
		"a fault of Google's":      {&websocket.CloseError{Code: 1011, Text: "Internal error encountered."}, false},
		"a refused handshake":      {&websocket.CloseError{Text: "no"}, true},
		"a connection that breaks": {},
	} {
		t.Run(name, func(t *testing.T) {
			google := newLiveServer(t)
			first, second := google.studio("a", 0), google.studio("b", 1)
			second.BaseURL += "/elsewhere" // other servers, which do not fail together with the first
			if tt.refusal != nil {
				google.refuse["key-a"] = tt.refusal
			} else {
				first.BaseURL = closedPort(t)
			}
			r := liveRouter(t, router.Config{MaxWait: -1}, first, second)
			for i := range 2 {
				s, err := r.ConnectLive(t.Context(), liveModel, nil)
				if err != nil {
					t.Fatal(err)
				}
				if s.Endpoint != "b/global/on_demand" {
					t.Errorf("a session with %s", s.Endpoint)
				}
				want := "key-a key-b"
				if tt.refusal == nil || i > 0 && tt.rests {
					want = "key-b"
				}
				if got := google.credentials(); got != want {
					t.Errorf("session %d: asked %s, want %s", i, got, want)
				}
				_ = s.Close()
			}
		})
	}
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

func TestQuotaThatEndsALiveSessionRests(t *testing.T) {
	google := newLiveServer(t)
	google.later["key-a"] = &websocket.CloseError{Code: 1011, Text: "You exceeded your current quota, please check your plan and billing details."}
	r := liveRouter(t, router.Config{MaxWait: -1}, google.studio("a", 0), google.studio("b", 1))
	s, err := r.ConnectLive(t.Context(), liveModel, nil)
	if err != nil {
		t.Fatal(err)
	}
	var closed *websocket.CloseError
	if err := turnOf(s); !errors.As(err, &closed) || closed.Code != 1011 {
		t.Errorf("the session ended with %v, want Google's close", err)
	}
	_ = s.Close()
	s, err = r.ConnectLive(t.Context(), liveModel, nil)
	if err != nil || s.Endpoint != "b/global/on_demand" {
		t.Fatalf("the next session is with %v, %v; want project b", s, err)
	}
	_ = s.Close()
}

func TestEndOfALiveSessionRestsNothing(t *testing.T) {
	for _, code := range []int{1000, 1001, 1007, 1011} {
		google := newLiveServer(t)
		google.later["key-a"] = &websocket.CloseError{Code: code, Text: "Some end."}
		other := google.studio("b", 1)
		other.BaseURL += "/elsewhere"
		r := liveRouter(t, router.Config{MaxWait: -1}, google.studio("a", 0), other)
		for range 15 { // enough for a circuit breaker
			s, err := r.ConnectLive(t.Context(), liveModel, nil)
			if err != nil || s.Endpoint != "a/global/on_demand" {
				t.Fatalf("code %d: the next session is with %v, %v; want project a", code, s, err)
			}
			if err := turnOf(s); err == nil {
				t.Errorf("code %d: the session did not end", code)
			}
			_ = s.Close()
		}
	}
}

func TestLiveConfigThatTheBackEndDoesNotTakeIsTheCallersFault(t *testing.T) {
	google := newLiveServer(t)
	r := liveRouter(t, router.Config{}, google.studio("a", 0), google.studio("b", 1))
	_, err := r.ConnectLive(t.Context(), liveModel, &genai.LiveConnectConfig{HTTPOptions: &genai.HTTPOptions{APIVersion: "v1"}})
	if err == nil || !strings.Contains(err.Error(), "httpOptions") || google.credentials() != "" {
		t.Errorf("got %v, want the SDK's refusal and nobody asked", err)
	}
	s, err := r.ConnectLive(t.Context(), liveModel, nil)
	if err != nil || s.Endpoint != "a/global/on_demand" {
		t.Fatalf("the next session is with %v, %v", s, err)
	}
	_ = s.Close()
}

func TestLiveSessionStaysInItsLocations(t *testing.T) {
	google := newLiveServer(t)
	google.refuse["token-of-a"] = &websocket.CloseError{Code: 1011, Text: "Internal error encountered."}
	b := google.cloud("b", "global", "us")
	b.BaseURL = closedPort(t) + "/must/not/be/asked"
	r := liveRouter(t, router.Config{MaxWait: -1}, google.cloud("a", "eu", "global"), b)
	ctx := router.WithCall(t.Context(), router.Call{Locations: []string{"eu"}})
	if _, err := r.ConnectLive(ctx, liveModel, nil); err == nil {
		t.Error("connected, though the only place allowed fails")
	}
	for _, d := range google.dials {
		if !strings.Contains(d.model, "/locations/eu/") {
			t.Errorf("asked for %s", d.model)
		}
	}
	if len(google.dials) == 0 {
		t.Error("nobody was asked")
	}
	_, err := r.ConnectLive(router.WithCall(t.Context(), router.Call{Locations: []string{"me-west1"}}), liveModel, nil)
	if e := apiError(t, err); e.Code != http.StatusBadRequest {
		t.Errorf("a session for nowhere got %v, want that there is no such endpoint", err)
	}
}

func TestCancelEndsConnectingALiveSession(t *testing.T) {
	google := newLiveServer(t)
	google.hang = true
	p := google.studio("a", 0)
	p.Limits = []pool.Limit{{Concurrency: 1}}
	r := liveRouter(t, router.Config{MaxWait: -1}, p)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := r.ConnectLive(ctx, liveModel, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	live, err := r.LiveConfig(t.Context(), liveModel)
	if err != nil {
		t.Fatalf("the place did not come back: %v", err)
	}
	live.Release(nil)
}

func TestLiveFallsBackToAnotherModel(t *testing.T) {
	google := newLiveServer(t)
	google.refuse["key-a"] = &websocket.CloseError{Code: 1011, Text: "You exceeded your current quota, please check your plan and billing details."}
	a, b := google.studio("a", 0), google.studio("b", 1)
	b.Models = []string{"gemini-live-other"}
	r := liveRouter(t, router.Config{MaxWait: -1, Fallbacks: []router.Fallback{{Model: liveModel, To: []string{"gemini-live-other"}}}}, a, b)
	s, err := r.ConnectLive(t.Context(), liveModel, nil)
	if err != nil || s.Model != "gemini-live-other" || s.Endpoint != "b/global/on_demand" {
		t.Fatalf("a session with %+v, %v", s, err)
	}
	_ = s.Close()
}

func TestLiveShowsNoKey(t *testing.T) {
	google := newLiveServer(t)
	google.refuse["key-secret"] = &websocket.CloseError{Code: 1008, Text: "Consumer api_key:key-secret has been suspended."}
	r := liveRouter(t, router.Config{MaxWait: -1}, google.studio("secret", 0))
	live, err := r.LiveConfig(t.Context(), liveModel)
	if err != nil {
		t.Fatal(err)
	}
	if live.Config().APIKey != "key-secret" {
		t.Error("the config lacks the key")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, live); strings.Contains(text, "key-secret") {
			t.Errorf("%s shows the key: %s", verb, text)
		}
	}
	live.Release(nil)
	for range 2 {
		if _, err := r.ConnectLive(t.Context(), liveModel, nil); err == nil || strings.Contains(fmt.Sprintf("%+v", err), "key-secret") {
			t.Errorf("got %v", err)
		}
	}
}

// TestPlaceOfALiveSessionThatIsNotReleasedComesBack: and a release that comes later gives back
// nothing that is another's.
func TestPlaceOfALiveSessionThatIsNotReleasedComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := liveRouter(t, router.Config{MaxWait: -1}, limited("a", pool.Limit{Concurrency: 1}))
		forgotten, err := r.LiveConfig(t.Context(), liveModel)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Minute)
		live, err := r.LiveConfig(t.Context(), liveModel)
		if err != nil {
			t.Fatalf("after an hour: %v", err)
		}
		forgotten.Release(nil)
		forgotten.Release(errors.New("Connect to x failed"))
		if _, err := r.LiveConfig(t.Context(), liveModel); err == nil {
			t.Error("the late release gave back a place that is another session's")
		}
		live.Release(nil)
		if live, err = r.LiveConfig(t.Context(), liveModel); err != nil {
			t.Fatalf("after its release: %v", err)
		}
		live.Release(nil)
		live.Release(nil)
	})
}

func TestLiveWaitsForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := liveRouter(t, router.Config{}, limited("a", pool.Limit{Concurrency: 1}))
		first, err := r.LiveConfig(t.Context(), liveModel)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		time.AfterFunc(3*time.Second, func() { first.Release(nil) })
		second, err := r.LiveConfig(t.Context(), liveModel)
		if err != nil || time.Since(start) != 3*time.Second {
			t.Fatalf("got %v after %v, want a place after 3 s", err, time.Since(start))
		}
		second.Release(nil)
		_ = r.Close()
		if _, err := r.LiveConfig(t.Context(), liveModel); !errors.Is(err, router.ErrClosed) {
			t.Errorf("a closed router gives %v", err)
		}
	})
}

func TestALiveSessionDoesNotWaitForATokenServerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := pool.Project{Name: "h", Backend: pool.BackendVertex, Credentials: hangingToken{}}
		works := pool.Project{Name: "w", Backend: pool.BackendVertex, Credentials: token("t"), Priority: 1}
		r := newRouter(t, pool.Config{Projects: []pool.Project{hangs, works}}, router.Config{FirstByteTimeout: 5 * time.Second})
		began := time.Now()
		l, err := r.LiveConfig(t.Context(), flash)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release(nil)
		if d := time.Since(began); l.Endpoint != "w/global/on_demand" || d > 10*time.Second {
			t.Errorf("leases %s after %v", l.Endpoint, d)
		}
	})
}

type hangingToken struct{}

func (hangingToken) Token(ctx context.Context) (*auth.Token, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestALeaseComesBackWhenATokenProviderPanics(t *testing.T) {
	p := pool.Project{
		Name: "a", Backend: pool.BackendVertex, Credentials: panickyToken{},
		Limits: []pool.Limit{{Concurrency: 2}},
	}
	r := newRouter(t, pool.Config{Projects: []pool.Project{p}}, router.Config{})
	req, err := toVertex(t.Context(), ":generateContent")
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(){
		"live": func() { _, _ = r.LiveConfig(t.Context(), flash) },
		"call": func() { _, _ = r.RoundTrip(req) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the panic is swallowed", name)
				}
			}()
			call()
		}()
		if n := r.Stat().Endpoints[0].Calls; n != 0 {
			t.Errorf("%s: %d calls are under way", name, n)
		}
	}
}

type panickyToken struct{}

func (panickyToken) Token(context.Context) (*auth.Token, error) { panic("somebody else's") }
