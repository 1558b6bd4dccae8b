package main

import (
	"bufio"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
	"github.com/spillway-go/spillway/store"
)

const sharedFile = `
[[project]]
name    = "main"
backend = "gemini"
keys    = ["env:MAIN_KEY"]

[[project.limits]]
rpm         = 600
tpm         = 1_000_000
concurrency = 8
`

func TestStatusShowsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Parse("test", []byte(sharedFile), config.WithEnv(func(string) (string, bool) { return "the-key", true }))
		if err != nil {
			t.Fatal(err)
		}
		google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "main", Keys: []string{"the-key"}}}})
		m := store.NewMemory(time.Millisecond)
		newReplica := func() *router.Router {
			r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(google), router.WithStore(m))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		call := func(r *router.Router) {
			t.Helper()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1beta/models/gemini-3.5-flash:generateContent", strings.NewReader(hello))
			resp, err := r.RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatal(resp, err)
			}
			_ = resp.Body.Close()
		}
		want := func(r *router.Router, texts ...string) {
			t.Helper()
			said := printed(t, r)
			for _, text := range texts {
				if !strings.Contains(said, text) {
					t.Errorf("status says\n%s\nwant %q in it", said, text)
				}
			}
		}
		r, other := newReplica(), newReplica()
		defer r.Close()
		time.Sleep(3 * time.Second)
		want(r, "store: answers since 2000-01-01 00:00:00Z in 1ms; 2 members; 0 limits shared\n")
		for range 10 {
			call(r)
			call(other)
			time.Sleep(100 * time.Millisecond)
		}
		want(r, "2 members; 1 limit shared\n", "rpm 2", " of 600, tpm ", " of 8, shared, ", " in hand with ", " tokens, ", " slot")
		_ = other.Close()
		time.Sleep(2 * time.Second)
		want(r, "1 member; 1 limit shared\n")
		m.SetFault(store.Fault{Err: errors.New("connection refused\x1b[2J")})
		time.Sleep(2 * time.Second)
		want(r, "store: does not answer since 2000-01-01 00:00:", "; this replica keeps to its part of the limits; connection refused")
		call(r)
	})
}

func TestServeWithAStoreThatIsAway(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{{ID: "main", Keys: []string{"main-key"}}}})
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("REDIS_URL", "redis://user:the-password@127.0.0.1:1/0")
	file := "[store]\nredis = \"env:REDIS_URL\"\n" + strings.Replace(sharedFile, "\nkeys", "\nbase_url = \""+google.URL+"\"\nkeys", 1)
	url, stderr, end := startServe(t, file, "--listen", "127.0.0.1:0")
	resp, err := http.Post(url+"/v1beta/models/gemini-3.5-flash:generateContent", "application/json", strings.NewReader(hello))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("a call: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	code, said := transcript(t.Context(), "status", url)
	if code != 0 || !strings.Contains(said, "answer") || strings.Contains(said, "store: answers") {
		t.Errorf("status says %s", said)
	}
	if code := end(); code != 0 {
		t.Errorf("serve ended with %d: %s", code, stderr)
	}
	if strings.Contains(said+stderr.String(), "the-password") {
		t.Error("the password is shown")
	}
}

// startRedis starts a server on a free port, if one is installed, and returns its URL.
func startRedis(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed on this machine")
	}
	socket := t.TempDir() + "/s"
	server := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "")
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			return "unix://" + socket
		}
	}
	t.Fatal("redis-server does not start")
	return ""
}

// waitForShared waits until a sidecar's store knows what all have used.
func waitForShared(t *testing.T, url string) {
	t.Helper()
	said := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if _, said = transcript(t.Context(), "status", url); strings.Contains(said, "limits shared") {
			return
		}
		<-time.After(20 * time.Millisecond) // the server is a real one
	}
	t.Fatalf("status says %s", said)
}

func TestSidecarsShareLimitsThroughRedis(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{{ID: "main", Keys: []string{"main-key"}}}})
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("REDIS_URL", startRedis(t))
	const limit = 20
	file := "[router]\nmax_wait = \"4s\"\n[store]\nredis = \"env:REDIS_URL\"\ntimeout = \"2s\"\n[[project]]\nname = \"main\"\nbackend = \"gemini\"\nkeys = [\"env:MAIN_KEY\"]\n" +
		"base_url = \"" + google.URL + "\"\n[[project.limits]]\nrpm = " + strconv.Itoa(limit) + "\n"
	served := 0
	for range 2 {
		url, stderr, end := startServe(t, file, "--listen", "127.0.0.1:0")
		waitForShared(t, url)
		defer func() {
			if code := end(); code != 0 {
				t.Errorf("serve ended with %d: %s", code, stderr)
			}
		}()
		for range 15 {
			resp, err := http.Post(url+"/v1beta/models/gemini-3.5-flash:generateContent", "application/json", strings.NewReader(hello))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				served++
			} else {
				break
			}
		}
		if _, said := transcript(t.Context(), "status", url); !strings.Contains(said, "1 limit shared") {
			t.Errorf("status says %s", said)
		}
	}
	if got := google.CountStatus(geminitest.Match{}, http.StatusOK); served != limit || got != limit {
		t.Errorf("two sidecars were served %d calls, and Google served %d, want %d", served, got, limit)
	}
}

func TestReloadSaysThatAnotherStoreTakesARestart(t *testing.T) {
	var said strings.Builder
	r := newRouter(t, newGoogle(geminitest.Latency{}))
	s := newSidecar(r, defaultListen, config.Serve{}, slog.New(slog.NewTextHandler(&said, nil)))
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	read := func(lines string) *config.Config {
		t.Helper()
		cfg, err := config.Parse("test", []byte("[store]\n"+lines+"\n"+twoProjects))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	s.first = read(`redis = "redis://a"`)
	for _, tt := range []struct {
		lines string
		want  bool
	}{{`redis = "redis://a"`, false}, {`redis = "redis://u:the-password@b"`, true}, {"", true}} {
		said.Reset()
		if err := s.reload(read(tt.lines)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(said.String(), "[store] has changed") != tt.want || strings.Contains(said.String(), "the-password") {
			t.Errorf("after %s it said %s", tt.lines, &said)
		}
	}
}
