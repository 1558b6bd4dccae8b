package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

const adminSecret = "the-operators-own-token"

// operatorAsks serves a request on the listener for operators, as from this machine.
func operatorAsks(t *testing.T, cfg config.Serve, method, target, body string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, cfg, slog.New(slog.DiscardHandler))
	s.phase.Store(int32(phaseServing))
	local := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8081})
	req := httptest.NewRequestWithContext(local, method, target, strings.NewReader(body))
	req.RemoteAddr = "127.0.0.1:50000"
	maps.Copy(req.Header, header)
	w := httptest.NewRecorder()
	admin{s}.ServeHTTP(w, req)
	return w
}

const pauseSpare = `{"subject":"project:spare","for":"10m"}`

func TestOperatorsHaveAListenerOfTheirOwn(t *testing.T) {
	secret := config.Serve{Admin: config.Admin{Token: pool.NewSecret(adminSecret)}}
	shown := http.Header{"Authorization": {"Bearer " + adminSecret}}
	for name, tt := range map[string]struct {
		cfg                  config.Serve
		method, target, body string
		header               http.Header
		want                 int
	}{
		"health":                          {config.Serve{}, http.MethodGet, "/healthz", "", nil, 200},
		"readiness":                       {config.Serve{}, http.MethodGet, "/readyz", "", nil, 200},
		"the state":                       {config.Serve{}, http.MethodGet, "/status", "", nil, 200},
		"the state, by its long name":     {config.Serve{}, http.MethodGet, statusPath, "", nil, 200},
		"events":                          {config.Serve{}, http.MethodGet, "/events", "", nil, 200},
		"calls":                           {config.Serve{}, http.MethodGet, "/calls?last=1", "", nil, 200},
		"an explanation":                  {config.Serve{}, http.MethodGet, "/explain?model=gemini-3.5-flash", "", nil, 200},
		"orders":                          {config.Serve{}, http.MethodGet, "/sla", "", nil, 200},
		"a pause":                         {config.Serve{}, http.MethodPost, "/pause", pauseSpare, nil, 200},
		"a pause by GET":                  {config.Serve{}, http.MethodGet, "/pause", "", nil, 405},
		"a pause by the sidecar's page":   {config.Serve{}, http.MethodPost, "/pause", pauseSpare, http.Header{"Origin": {"http://localhost"}, "Sec-Fetch-Site": {"same-origin"}}, 200},
		"a pause by another page":         {config.Serve{}, http.MethodPost, "/pause", pauseSpare, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		"a pause by a page that may call": {config.Serve{Origins: []string{"https://app.example"}}, http.MethodPost, "/pause", pauseSpare, http.Header{"Origin": {"https://app.example"}}, 403},
		"a pause by an old browser":       {config.Serve{}, http.MethodPost, "/pause", pauseSpare, http.Header{"Origin": {"https://evil.example"}}, 403},
		"a pause through a proxy":         {config.Serve{}, http.MethodPost, "/pause", pauseSpare, http.Header{"X-Forwarded-For": {"10.0.0.1"}}, 403},
		"an image in a page":              {config.Serve{}, http.MethodGet, "/status", "", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		"a rebound name":                  {config.Serve{}, http.MethodGet, "http://evil.example:8081/status", "", nil, 403},
		"a rebound name's health":         {config.Serve{}, http.MethodGet, "http://evil.example:8081/healthz", "", nil, 403},
		"a name of hosts":                 {config.Serve{Hosts: []string{"*.internal"}}, http.MethodGet, "http://spillway.internal/status", "", nil, 200},
		"the Gemini API":                  {config.Serve{}, http.MethodPost, generatePath, hello, nil, 404},
		"no path":                         {config.Serve{}, http.MethodGet, "/nothing", "", nil, 404},
		"profiles":                        {config.Serve{}, http.MethodGet, "/debug/pprof/", "", nil, 404},
		"profiles that are asked for":     {config.Serve{Admin: config.Admin{Profiles: true}}, http.MethodGet, "/debug/pprof/goroutine?debug=1", "", nil, 200},
		"a preflight":                     {config.Serve{}, http.MethodOptions, "/status", "", nil, 204},
		"no token":                        {secret, http.MethodGet, "/status", "", nil, 401},
		"no token, no path":               {secret, http.MethodGet, "/nothing", "", nil, 401},
		"a wrong token":                   {secret, http.MethodGet, "/status", "", http.Header{"Authorization": {"Bearer " + adminSecret + "x"}}, 401},
		"the token":                       {secret, http.MethodGet, "/status", "", shown, 200},
		"no token for readiness":          {secret, http.MethodGet, "/readyz", "", nil, 200},
		"profiles without a token":        {config.Serve{Admin: config.Admin{Token: pool.NewSecret(adminSecret), Profiles: true}}, http.MethodGet, "/debug/pprof/", "", nil, 401},
		"a pause with the token, by way of a proxy": {secret, http.MethodPost, "/pause", pauseSpare, http.Header{
			"Authorization": shown["Authorization"], "X-Forwarded-For": {"10.0.0.1"},
		}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			target := tt.target
			if strings.HasPrefix(target, "/") {
				target = "http://localhost" + target
			}
			w := operatorAsks(t, tt.cfg, tt.method, target, tt.body, tt.header)
			if w.Code != tt.want {
				t.Errorf("it gets %d %s, want %d", w.Code, w.Body, tt.want)
			}
			if strings.Contains(w.Body.String(), adminSecret) || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("it gets %v %s", w.Header(), w.Body)
			}
		})
	}
}

// On an address that other machines reach, clients have no business with the operators' paths.
func TestOtherMachinesGetNoOperatorsPathsWithTheClients(t *testing.T) {
	for address, local := range map[string]bool{"127.0.0.1": true, "::1": true, "10.1.2.3": false} {
		for path, o := range operators {
			at := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP(address), Port: 8080})
			req := httptest.NewRequestWithContext(at, o.method, "http://localhost"+path+"?once=1", strings.NewReader("{}"))
			req.RemoteAddr = net.JoinHostPort(address, "50000")
			w := ask(t, newGoogle(geminitest.Latency{}), "0.0.0.0:8080", config.Serve{Open: true}, req)
			if refused := w.Code == http.StatusForbidden; refused == (local || o.public) {
				t.Errorf("%s at %s gets %d %s", path, address, w.Code, w.Body)
			}
		}
	}
}

// A proxy on the same machine passes on what comes from others.
func TestAProxyPassesNoOperatorsPathsOnToTheClients(t *testing.T) {
	for path, o := range operators {
		for _, header := range []string{"X-Forwarded-For", "Forwarded", "Via"} {
			at := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
			req := httptest.NewRequestWithContext(at, o.method, "http://localhost"+path+"?once=1", strings.NewReader("{}"))
			req.RemoteAddr = "127.0.0.1:50000"
			req.Header.Set(header, "10.0.0.1")
			w := ask(t, newGoogle(geminitest.Latency{}), defaultListen, config.Serve{Open: true}, req)
			if refused := w.Code == http.StatusForbidden; refused == o.public {
				t.Errorf("%s with %s gets %d %s", path, header, w.Code, w.Body)
			}
		}
	}
}

// A page that may call models learns nothing of the pool.
func TestAPageOfAnotherOriginGetsNoOperatorsPaths(t *testing.T) {
	for path, o := range operators {
		at := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
		req := httptest.NewRequestWithContext(at, o.method, "http://localhost"+path+"?once=1", strings.NewReader("{}"))
		req.RemoteAddr = "127.0.0.1:50000"
		req.Header.Set("Origin", "https://app.example")
		w := ask(t, newGoogle(geminitest.Latency{}), defaultListen, config.Serve{Origins: []string{"https://app.example"}}, req)
		if refused := w.Code == http.StatusForbidden; refused == o.public {
			t.Errorf("%s gets %d %s", path, w.Code, w.Body)
		}
	}
}

func TestReadinessFollowsTheSidecarsLife(t *testing.T) {
	google := newGoogle(geminitest.Latency{})
	s := newSidecar(newRouter(t, google), defaultListen, testServe, slog.New(slog.DiscardHandler))
	look := func() (int, string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://sidecar"+readyPath, nil))
		var r readiness
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		return w.Code, r.Status
	}
	want := func(code int, status string) {
		t.Helper()
		if gotCode, got := look(); gotCode != code || got != status {
			t.Errorf("it is %d %q, want %d %q", gotCode, got, code, status)
		}
	}
	want(503, "starting")
	s.phase.Store(int32(phaseServing))
	want(200, "ready")
	google.Revoke("main_key")
	google.Revoke("spare_key")
	respondAs := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+generatePath, strings.NewReader(hello))
	s.ServeHTTP(httptest.NewRecorder(), respondAs)
	want(503, "every endpoint refuses calls")
	s.phase.Store(int32(phaseDraining))
	want(503, "draining")
}

// After SIGTERM the sidecar is not ready first; then it accepts no more, and answers what it has.
func TestTheEndUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay, latency = 5 * time.Second, 3 * time.Second
		cfg := testServe
		cfg.DrainDelay = delay
		l := newMemory()
		s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{FirstToken: latency})), defaultListen, cfg, slog.New(slog.DiscardHandler))
		ctx, signal := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.serveOn(ctx, []door{{Listener: l}}, time.Minute) }()
		type outcome struct {
			began time.Time
			err   error
			code  int
		}
		var all []chan outcome
		start := time.Now()
		for i := range amount(200, 2000) { // one each 50 ms, 10 s long; the signal comes in the middle
			done := make(chan outcome, 1)
			all = append(all, done)
			go func() {
				time.Sleep(time.Duration(i%200) * 50 * time.Millisecond)
				transport := &http.Transport{DialContext: l.dial}
				defer transport.CloseIdleConnections()
				began := time.Now()
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+generatePath, strings.NewReader(hello))
				resp, err := transport.RoundTrip(req)
				o := outcome{began: began, err: err}
				if err == nil {
					_, o.err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					o.code = resp.StatusCode
				}
				done <- o
			}()
		}
		time.Sleep(2500*time.Millisecond + time.Millisecond)
		signal()
		synctest.Wait()
		resp, err := (&http.Client{Transport: &http.Transport{DialContext: l.dial}}).Get("http://sidecar" + readyPath)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || !resp.Close {
			t.Fatalf("after the signal it is ready, or keeps the connection: %v %v", resp, err)
		}
		_ = resp.Body.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		closed := start.Add(2501*time.Millisecond + delay)
		answered := 0
		for _, done := range all {
			switch o := <-done; {
			case o.began.Before(closed) && (o.err != nil || o.code != http.StatusOK):
				t.Errorf("a call %v after the start ends with %d, %v", o.began.Sub(start), o.code, o.err)
			case o.began.After(closed) && o.err == nil:
				t.Errorf("a call %v after the start was accepted", o.began.Sub(start))
			case o.err == nil:
				answered++
			}
		}
		if answered < 100 || answered == len(all) {
			t.Errorf("%d of %d calls were answered", answered, len(all))
		}
	})
}

func TestTheAdminAddress(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	path := filepath.Join(t.TempDir(), "spillway.toml")
	replace(t, path, []byte("[serve]\nlisten = \"127.0.0.1:0\"\nadmin = \""+taken.Addr().String()+"\"\n"+twoProjects))
	code, said := transcript(t.Context(), "serve", path)
	if code != statusFailed || !strings.Contains(said, "admin: ") || !strings.Contains(said, "write another address as admin in [serve]") {
		t.Errorf("it ends with %d: %s", code, said)
	}

	socket := filepath.Join(t.TempDir(), "admin.sock")
	t.Setenv("THE_TOKEN", adminSecret)
	file := "[serve]\nadmin = \"unix:" + socket + "\"\nadmin_token = \"env:THE_TOKEN\"\n" + twoProjects
	_, stderr, end := startServe(t, file, "--listen", "127.0.0.1:0")
	for token, want := range map[string]string{"": "this address asks for admin_token", "another": "what came is not this address's admin_token"} {
		t.Setenv(adminTokenVariable, token)
		if code, said := transcript(t.Context(), "status", "unix:"+socket); code != statusFailed ||
			!strings.Contains(said, want) || !strings.Contains(said, adminTokenVariable+" in the environment") {
			t.Errorf("with the token %q, status ends with %d: %s", token, code, said)
		}
	}
	t.Setenv(adminTokenVariable, adminSecret)
	for _, args := range [][]string{
		{"status", "unix:" + socket}, {"events", "unix:" + socket}, {"pause", "project:spare", "--url", "unix:" + socket}, {"resume", "project:spare", "--url", "unix:" + socket},
	} {
		if code, said := transcript(t.Context(), args...); code != statusOK {
			t.Errorf("%v ends with %d: %s", args, code, said)
		}
	}
	if code := end(); code != statusOK || strings.Contains(stderr.String(), adminSecret) {
		t.Errorf("serve ends with %d: %s", code, stderr)
	}
}

// Two sidecars on one machine: the second has no address of its own for operators, and says so.
func TestTheDefaultAdminAddressMayBeTaken(t *testing.T) {
	first, err := new(net.ListenConfig).Listen(t.Context(), "tcp", defaultAdmin)
	if err == nil { // else another program has it
		defer func() { _ = first.Close() }()
	}
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	url, stderr, end := startServe(t, twoProjects, "--listen", "127.0.0.1:0")
	if code, said := transcript(t.Context(), "status", url); code != statusOK {
		t.Errorf("status ends with %d: %s", code, said)
	}
	if code := end(); code != statusOK || !strings.Contains(stderr.String(), `write admin = \"127.0.0.1:8082\" or another into [serve]`) {
		t.Errorf("serve ends with %d: %s", code, stderr)
	}
}
