package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

const (
	liveModel   = "gemini-3.1-flash-live-preview"
	geminiLive  = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
	vertexLive  = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
	geminiSetup = `{"setup":{"model":"models/` + liveModel + `","generationConfig":{"responseModalities":["TEXT"]}}}`
	vertexSetup = `{"setup":{"model":"projects/mine/locations/here/publishers/google/models/` + liveModel + `"}}`
	turn        = `{"clientContent":{"turns":[{"role":"user","parts":[{"text":"Hello"}]}],"turnComplete":true}}`
)

// liveProjects has a tight limit, which shows whether leases come back.
const liveProjects = `
[router]
max_wait = "0s"
[models]
voice = "` + liveModel + `"

[[project]]
name     = "main"
backend  = "gemini"
keys     = ["env:MAIN_KEY"]
base_url = "http://google"
[[project.limits]]
concurrency = 1
tpm         = 100_000

[[project]]
name     = "spare"
backend  = "gemini"
keys     = ["env:SPARE_KEY"]
base_url = "http://google"
priority = 1
[[project.limits]]
concurrency = 100
`

const liveVertex = `
[[project]]
name       = "cloud"
backend    = "vertex"
project_id = "cloud"
locations  = ["us-central1"]
keys       = ["env:CLOUD_KEY"]
base_url   = "http://google"
`

// liveBench is a sidecar in a bubble, before the emulator, which has a server there.
type liveBench struct {
	google  *geminitest.Emulator
	router  *router.Router
	sidecar *sidecar
	memory  *memory
	there   *memory // Google's
	log     *lockedBuilder
}

func newLiveBench(t *testing.T, file string, opts ...router.Option) *liveBench {
	t.Helper()
	cfg, err := config.Parse("test", []byte(file), config.WithEnv(func(name string) (string, bool) {
		return strings.ToLower(name), true
	}))
	if err != nil {
		t.Fatal(err)
	}
	b := &liveBench{memory: newMemory(), log: &lockedBuilder{}, google: geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main_key"}}, {ID: "spare", Keys: []string{"spare_key"}}, {ID: "cloud", Keys: []string{"cloud_key"}},
	}})}
	b.there = newMemory()
	server := &http.Server{Handler: b.google, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(b.there) }()
	transport := &http.Transport{DialContext: b.there.dial}
	log := slog.New(slog.NewTextHandler(b.log, nil))
	b.router, err = router.New(cfg.Pool, cfg.Router, append(opts, router.WithTransport(transport), router.WithLogger(log))...)
	if err != nil {
		t.Fatal(err)
	}
	b.sidecar = newSidecar(b.router, defaultListen, testServe, log)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serveUntil(ctx, b.memory, b.sidecar, time.Second, log) }()
	t.Cleanup(func() {
		b.sidecar.live.drain(0)
		stop()
		<-ended
		b.google.CloseLive(0, "")
		transport.CloseIdleConnections()
		_ = server.Close()
		_ = b.router.Close()
		if said := b.log.String(); strings.Contains(said, "_key") {
			t.Errorf("the log has a key: %s", said)
		}
	})
	return b
}

// liveClient is a client of the Live API.
type liveClient struct {
	*websocket.Conn

	t *testing.T
}

// dial makes a handshake, with credentials that are the client's own.
func (b *liveBench) dial(t *testing.T, path string) *liveClient {
	t.Helper()
	dialer := websocket.Dialer{NetDialContext: b.memory.dial}
	conn, resp, err := dialer.DialContext(t.Context(), "ws://sidecar"+path+"?key=mine", http.Header{
		"X-Goog-Api-Key": {"mine"}, "Authorization": {"Bearer mine"}, "Cookie": {"mine"}, "Spillway-Label": {"team"},
	})
	if err != nil {
		t.Fatalf("%v: %+v", err, resp)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &liveClient{conn, t}
}

// open opens a session.
func (b *liveBench) open(t *testing.T, path, setup string) *liveClient {
	t.Helper()
	c := b.dial(t, path)
	c.say(setup)
	if m := c.hear(); m["setupComplete"] == nil {
		t.Fatalf("the setup is answered with %v", m)
	}
	return c
}

func (c *liveClient) say(message string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *liveClient) hear() map[string]any {
	c.t.Helper()
	var m map[string]any
	_, text, err := c.ReadMessage()
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if strings.Contains(string(text), "_key") {
		c.t.Errorf("a message has a key: %s", text)
	}
	return m
}

// turn makes a turn, and returns the tokens that Google counted for it.
func (c *liveClient) turn() (tokens float64) {
	c.t.Helper()
	c.say(turn)
	for {
		m := c.hear()
		if usage, ok := m["usageMetadata"].(map[string]any); ok {
			return usage["promptTokenCount"].(float64)
		}
	}
}

// closed reads to the session's end, and returns the close.
func (c *liveClient) closed() *websocket.CloseError {
	c.t.Helper()
	for {
		_, text, err := c.ReadMessage()
		if err == nil {
			continue
		}
		closed, ok := errors.AsType[*websocket.CloseError](err)
		if !ok {
			c.t.Fatalf("the connection breaks with %v after %s", err, text)
		}
		if strings.Contains(closed.Text, "_key") {
			c.t.Errorf("a close has a key: %s", closed.Text)
		}
		return closed
	}
}

func (c *liveClient) close(code int, reason string) {
	c.t.Helper()
	if err := c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second)); err != nil {
		c.t.Fatal(err)
	}
}

// asked are the projects that were asked, in order.
func (b *liveBench) asked() string {
	var projects []string
	for _, r := range b.google.Requests() {
		projects = append(projects, r.Project)
	}
	return strings.Join(projects, " ")
}

func TestLiveSessionsAreRelayed(t *testing.T) {
	for _, tt := range []struct{ name, file, path, setup, key, model, asks string }{
		{"of the Developer API", liveProjects, geminiLive, geminiSetup, "main_key", liveModel, ""},
		{"a slash too many", liveProjects, "/" + geminiLive, geminiSetup, "main_key", liveModel, ""},
		{"an alias", liveProjects, geminiLive, `{"setup":{"model":"models/voice"}}`, "main_key", liveModel, ""},
		{"of Vertex AI", liveVertex, vertexLive, vertexSetup, "cloud_key", liveModel, "shared"},
		{"by a short name", liveVertex, vertexLive, `{"setup":{"model":"` + liveModel + `"}}`, "cloud_key", liveModel, "shared"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newLiveBench(t, tt.file)
				for range 2 { // main takes one at a time
					c := b.open(t, tt.path, tt.setup)
					if first, second := c.turn(), c.turn(); first <= 0 || second <= first {
						t.Errorf("turns of %g and %g tokens", first, second)
					}
					c.close(1000, "thanks")
					if closed := c.closed(); closed.Code != 1000 {
						t.Errorf("the session ends with %v", closed)
					}
					synctest.Wait()
				}
				if n := b.google.LiveSessions(); n != 0 {
					t.Errorf("%d sessions go on at Google", n)
				}
				for _, r := range b.google.Requests() {
					sent := fmt.Sprint(r.Header, r.URL)
					if r.Key != tt.key || r.KeyInURL || r.Model != tt.model || r.Traffic != tt.asks || strings.Contains(sent, "mine") || strings.Contains(sent, "team") {
						t.Errorf("Google was asked %v by %s with %s", r, r.Key, sent)
					}
				}
			})
		})
	}
}

func TestLiveSessionsGoElsewhereBeforeTheyBegin(t *testing.T) {
	for name, refusal := range map[string]geminitest.Answer{
		"a dead key":  geminitest.KeyInvalid(),
		"a quota":     geminitest.QuotaUnknown(),
		"no model":    geminitest.ModelMissing(liveModel, "bidiGenerateContent"),
		"a fault":     geminitest.Internal(),
		"an overload": geminitest.Overloaded(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newLiveBench(t, liveProjects)
				b.google.Keep(geminitest.Match{Project: "main"}, refusal)
				c := b.open(t, geminiLive, geminiSetup)
				c.turn()
				if asked := b.asked(); asked != "main spare" {
					t.Errorf("asked %s", asked)
				}
			})
		})
	}
}

func TestLiveClosesAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		for _, tt := range []struct {
			code         int
			reason, want string
			wantCode     int
		}{
			{1000, "", "", 1000},
			{1011, "Internal error encountered.", "Internal error encountered.", 1011},
			{1008, "Operation is not implemented, or supported, or enabled.", "Operation is not implemented, or supported, or enabled.", 1008},
			{1008, "main_key is odd", "[redacted] is odd", 1008},
			{0, "", "spillway: the connection to Google has broken", 1011},
		} {
			c := b.open(t, geminiLive, geminiSetup)
			c.turn()
			b.google.CloseLive(tt.code, tt.reason)
			if closed := c.closed(); closed.Code != tt.wantCode || closed.Text != tt.want {
				t.Errorf("a close with %d %q ends with %v", tt.code, tt.reason, closed)
			}
			synctest.Wait()
		}
		// A client that is gone without a word leaves nothing behind.
		c := b.open(t, geminiLive, geminiSetup)
		_ = c.UnderlyingConn().Close()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := b.google.LiveSessions(); n != 0 {
			t.Errorf("%d sessions go on at Google", n)
		}
		b.open(t, geminiLive, geminiSetup)
		if asked := b.asked(); strings.Contains(asked, "spare") {
			t.Errorf("a lease has not come back: asked %s", asked)
		}
	})
}

func TestLiveSessionsThatNobodyHasAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name, setup string
		refusal     geminitest.Answer
		code        int
		reason      string
	}{
		{"no setup", `{"clientContent":{}}`, geminitest.Answer{}, 1007, "spillway: the first message must be"},
		{"no JSON", `setup`, geminitest.Answer{}, 1007, "spillway: the first message must be"},
		{"a wrong setup", geminiSetup, geminitest.InvalidArgument("Request contains an invalid argument."), 1007, "Request contains an invalid argument."},
		{"no model", `{"setup":{"model":"models/gemini-none"}}`, geminitest.Answer{}, 1008, "models/gemini-none is not found"},
		{"nothing left", geminiSetup, geminitest.QuotaUnknown(), 1013, "spillway: try again at 00:00:01Z; quota_unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newLiveBench(t, liveProjects)
				if tt.refusal.Status != 0 {
					b.google.Keep(geminitest.Match{}, tt.refusal)
				}
				c := b.dial(t, geminiLive)
				c.say(tt.setup)
				if closed := c.closed(); closed.Code != tt.code || !strings.HasPrefix(closed.Text, tt.reason) {
					t.Errorf("the session ends with %v", closed)
				}
			})
		})
	}
}

func TestALiveClientThatSendsNoSetupIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		for _, half := range []bool{false, true} {
			began, c := time.Now(), b.dial(t, geminiLive)
			if half {
				w, err := c.NextWriter(websocket.TextMessage)
				if err == nil {
					_, err = w.Write(make([]byte, 8<<10))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if closed := c.closed(); closed.Code != 1008 || closed.Text != "spillway: no whole setup has come within 10s" || time.Since(began) != 10*time.Second {
				t.Errorf("half a setup %v: the session ends with %v after %s", half, closed, time.Since(began))
			}
		}
	})
}

func TestLargeSetupsAreHeldAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		var held []func()
		for range mostSetups { // as by sessions that are dialed
			end, err := b.sidecar.live.setups.take(t.Context(), time.NewTimer(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, end)
		}
		b.open(t, geminiLive, geminiSetup) // a small one waits for none
		large := strings.Replace(geminiSetup, `{"setup":{`, `{"setup":{"systemInstruction":{"parts":[{"text":"`+strings.Repeat("a", 1<<20)+`"}]},`, 1)
		began, c := time.Now(), b.dial(t, geminiLive)
		go func() { _ = c.WriteMessage(websocket.TextMessage, []byte(large)) }()
		time.AfterFunc(time.Minute, held[0])
		if m := c.hear(); m["setupComplete"] == nil || time.Since(began) != time.Minute {
			t.Errorf("after %s it is answered with %v", time.Since(began), m)
		}
		synctest.Wait()
		if n := len(b.sidecar.live.setups.free); n != mostSetups-1 {
			t.Errorf("%d are held when it is dialed", n)
		}
		for _, end := range held[1:] {
			end()
		}
	})
}

func TestAnEphemeralTokenIsToldWhereItBelongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		c := b.dial(t, geminiLive+"Constrained")
		if closed := c.closed(); closed.Code != 1008 || !strings.HasPrefix(closed.Text, "spillway: an ephemeral token is for Google's own address") || b.asked() != "" {
			t.Errorf("the session ends with %v, and Google was asked by %s", closed, b.asked())
		}
	})
}

func TestALiveClientIsToldWhyItsBackEndIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLiveBench(t, liveVertex).dial(t, geminiLive)
		c.say(geminiSetup)
		const want = "spillway: no endpoint may serve " + liveModel + ": bidiGenerateContent has no counterpart on Vertex AI"
		if closed := c.closed(); closed.Code != 1007 || closed.Text != want {
			t.Errorf("the session ends with %v", closed)
		}
	})
}

func TestLiveSessionsAreResumedWhereTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		busy := b.open(t, geminiLive, geminiSetup) // main takes no other
		setup := strings.Replace(geminiSetup, `{"setup":{`, `{"setup":{"sessionResumption":{"handle":%q},`, 1)
		c := b.open(t, geminiLive, fmt.Sprintf(setup, ""))
		c.turn()
		update, _ := c.hear()["sessionResumptionUpdate"].(map[string]any)
		handle, _ := update["newHandle"].(string)
		if handle == "" {
			t.Fatal("there is no handle")
		}
		for _, session := range []*liveClient{c, busy} {
			session.close(1000, "")
			session.closed()
		}
		synctest.Wait()
		b.open(t, geminiLive, fmt.Sprintf(setup, handle)).turn()
		if asked := b.asked(); asked != "main"+strings.Repeat(" spare", 2) {
			t.Errorf("asked %s", asked)
		}
		for _, s := range []string{b.log.String(), fmt.Sprintf("%+v", b.router.Stat())} {
			if strings.Contains(s, handle) {
				t.Error("a handle shows")
			}
		}
	})
}

// TestLiveSessionsOfBeforeAreResumedWhereTheyWere has a handle that the sidecar has not seen: it was
// given through another replica, or before a restart.
func TestLiveSessionsOfBeforeAreResumedWhereTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		setup := strings.Replace(geminiSetup, `{"setup":{`, `{"setup":{"sessionResumption":{"handle":%q},`, 1)
		dialer := websocket.Dialer{NetDialContext: b.there.dial}
		conn, _, err := dialer.DialContext(t.Context(), "ws://google"+geminiLive, http.Header{"X-Goog-Api-Key": {"spare_key"}})
		if err != nil {
			t.Fatal(err)
		}
		before := &liveClient{conn, t}
		before.say(fmt.Sprintf(setup, ""))
		before.hear()
		before.turn()
		update, _ := before.hear()["sessionResumptionUpdate"].(map[string]any)
		handle, _ := update["newHandle"].(string)
		_ = conn.Close()
		for range 2 { // the second time it is known
			c := b.open(t, geminiLive, fmt.Sprintf(setup, handle))
			c.turn()
			c.close(1000, "")
			c.closed()
			synctest.Wait()
		}
		if asked := b.asked(); asked != "spare main"+strings.Repeat(" spare", 2) {
			t.Errorf("asked %s", asked)
		}
		for range 3 { // what one client has lost puts nothing on cooldown
			c := b.dial(t, geminiLive)
			c.say(fmt.Sprintf(setup, "lost"))
			if closed := c.closed(); closed.Code != 1008 || closed.Text != "BidiGenerateContent session not found" {
				t.Errorf("a handle that nobody has ends with %v", closed)
			}
			time.Sleep(time.Second)
		}
		b.google.Requests()
		b.open(t, geminiLive, geminiSetup)
		if asked := b.asked(); !strings.HasSuffix(asked, "spare main spare main spare main spare main") {
			t.Errorf("asked %s", asked)
		}
	})
}

func TestLiveTokensAreCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var counted []int64
		var methods []string
		b := newLiveBench(t, liveProjects, router.WithTrace(&router.Trace{
			CallStart: func(ctx context.Context, c router.CallStart) context.Context {
				mu.Lock()
				defer mu.Unlock()
				methods = append(methods, c.Method+" "+c.Label)
				return ctx
			},
			AttemptEnd: func(_ context.Context, a router.AttemptEnd) {
				mu.Lock()
				defer mu.Unlock()
				counted = append(counted, a.Outcome.Usage.Input, a.Outcome.Usage.Output)
			},
		}))
		c := b.open(t, geminiLive, geminiSetup)
		all := int64(c.turn() + c.turn() + c.turn())
		c.close(1000, "")
		c.closed()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []int64{all, 60}; !slices.Equal(counted, want) || !slices.Equal(methods, []string{"bidiGenerateContent team"}) {
			t.Errorf("counted %v of %v, want %v", counted, methods, want)
		}
	})
}

// A session that lasts for minutes takes of a minute's tokens what it uses in that minute.
func TestLiveTokensCountInTheirMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := strings.NewReplacer("concurrency = 1\n", "", "100_000", "140").Replace(liveProjects)
		b := newLiveBench(t, file)
		c := b.open(t, geminiLive, geminiSetup)
		time.Sleep(5 * time.Minute)
		if used := c.turn() + c.turn(); used < 140 {
			t.Fatalf("the turns take %g tokens, too few for the test", used)
		}
		synctest.Wait()
		b.open(t, geminiLive, geminiSetup)
		time.Sleep(61 * time.Second)
		b.open(t, geminiLive, geminiSetup)
		if asked := b.asked(); asked != "main spare main" {
			t.Errorf("asked %s", asked)
		}
	})
}

func TestLiveSessionsAreToldOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		leaves, stays := b.open(t, geminiLive, geminiSetup), b.open(t, geminiLive, geminiSetup)
		began := time.Now()
		drained := make(chan time.Duration, 1)
		go func() {
			b.sidecar.live.drain(30 * time.Second)
			drained <- time.Since(began)
		}()
		for _, c := range []*liveClient{leaves, stays} {
			if told := fmt.Sprint(c.hear()); told != "map[goAway:map[timeLeft:24s]]" {
				t.Errorf("it hears %s", told)
			}
			c.turn() // and goes on
		}
		leaves.close(1000, "")
		leaves.closed()
		if closed := stays.closed(); closed.Code != 1001 || time.Since(began) != 24*time.Second {
			t.Errorf("it is closed with %v after %s", closed, time.Since(began))
		}
		if closed := b.dial(t, geminiLive).closed(); closed.Code != 1001 {
			t.Errorf("a new session is refused with %v", closed)
		}
		if took := <-drained; took != 24*time.Second {
			t.Errorf("the end takes %s", took)
		}
		if n := b.google.LiveSessions(); n != 0 {
			t.Errorf("%d sessions go on at Google", n)
		}
	})
}

func TestTheSidecarHasNotEndedBeforeItsLiveSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		c := b.open(t, geminiLive, geminiSetup)
		ended := make(chan error, 1)
		go func() {
			ended <- b.sidecar.shutDown(t.Context(), nil, &http.Server{ReadHeaderTimeout: time.Minute}, 30*time.Second)
		}()
		c.hear() // goAway
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if said := b.log.String(); strings.Contains(said, "ended; every call was answered") {
			t.Errorf("a session goes on, and the log says %s", said)
		}
		c.closed()
		if err := <-ended; err != nil || !strings.Contains(b.log.String(), "ended; every call was answered") {
			t.Errorf("%v, %s", err, b.log.String())
		}
	})
}

func TestLiveClientsThatDoNotReadLoseTheirSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		c := b.open(t, geminiLive, geminiSetup)
		c.say(turn) // the pipe holds nothing
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		if n := b.google.LiveSessions(); n != 1 {
			t.Errorf("%d sessions after less than a minute", n)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := b.google.LiveSessions(); n != 0 {
			t.Errorf("%d sessions after more than a minute", n)
		}
	})
}

func TestLargeLiveMessagesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		c := b.open(t, geminiLive, geminiSetup)
		for _, size := range []int{0, livePieceTest - 60, livePieceTest, 3*livePieceTest + 1, 4 << 20} {
			c.say(`{"realtimeInput":{"audio":{"data":"` + strings.Repeat("A", size) + `"}}}`)
		}
		before := b.google.LiveSessions()
		if tokens := c.turn(); tokens < 1<<20 || before != 1 {
			t.Errorf("%g tokens have come in %d sessions", tokens, before)
		}
		// More than the sidecar takes ends the session with the code for that.
		go func() { _ = c.WriteMessage(websocket.TextMessage, make([]byte, maxLiveMessage+1)) }()
		if closed := c.closed(); closed.Code != 1009 {
			t.Errorf("a message without end is answered with %v", closed)
		}
	})
}

// livePieceTest is the size of the pieces in which the router sends a message.
const livePieceTest = 32 << 10

func TestHundredLiveSessionsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, strings.Replace(liveProjects, "concurrency = 1\n", "", 1))
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				c := b.dial(t, geminiLive)
				for step, message := range []string{geminiSetup, turn, turn, turn} {
					_ = c.WriteMessage(websocket.TextMessage, []byte(message))
					for ended := false; !ended; {
						_, text, err := c.ReadMessage()
						if err != nil {
							t.Errorf("session %d, step %d: %v", i, step, err)
							return
						}
						ended = strings.Contains(string(text), "omplete\":true") && !strings.Contains(string(text), "generationC") ||
							strings.Contains(string(text), "setupComplete")
					}
				}
				c.close(1000, "")
				c.closed()
			})
		}
		all.Wait()
		synctest.Wait()
		if n, asked := b.google.LiveSessions(), len(b.google.Requests()); n != 0 || asked != 100 {
			t.Errorf("%d of %d sessions go on", n, asked)
		}
	})
}

func TestWebPagesOpenLiveSessionsOnlyIfTheyMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLiveBench(t, liveProjects)
		dialer := websocket.Dialer{NetDialContext: b.memory.dial}
		ask := func(url, origin string) int {
			conn, resp, err := dialer.DialContext(t.Context(), url+geminiLive, http.Header{"Origin": {origin}})
			if err == nil {
				_ = conn.Close()
			}
			return resp.StatusCode
		}
		if got := ask("ws://sidecar", "https://evil.example"); got != http.StatusForbidden {
			t.Errorf("a page of another origin gets %d", got)
		}
		if got := ask("ws://rebound.example", "http://rebound.example"); got != http.StatusForbidden {
			t.Errorf("a page under a name of its own gets %d", got)
		}
		allowed := testServe
		allowed.Origins = []string{"https://app.example"}
		b.sidecar.configure(allowed)
		if got := ask("ws://sidecar", "https://app.example"); got != http.StatusSwitchingProtocols {
			t.Errorf("a page that may gets %d", got)
		}
	})
}

// TestGosOwnLiveGoesThroughTheSidecar takes sockets, because the SDK's dialer knows nothing else. In
// the middle of it the sidecar is stopped.
func TestGosOwnLiveGoesThroughTheSidecar(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main_key"}}, {ID: "spare", Keys: []string{"spare_key"}},
	}})
	google.Revoke("main_key")
	t.Setenv("MAIN_KEY", "main_key")
	t.Setenv("SPARE_KEY", "spare_key")
	file := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(liveProjects, "http://google", google.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, out := io.Pipe()
	problems, ended := &lockedBuilder{}, make(chan int, 1)
	go func() { ended <- serveFile(ctx, file, "127.0.0.1:0", 2*time.Second, out, problems) }()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(line, "http://")
	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		Backend: genai.BackendGeminiAPI, APIKey: "mine", HTTPOptions: genai.HTTPOptions{BaseURL: "ws://" + strings.TrimSpace(address)},
	})
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.Live.Connect(ctx, liveModel, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	if _, err := session.Receive(); err != nil { // setupComplete
		t.Fatal(err)
	}
	if err := session.SendClientContent(genai.LiveClientContentInput{Turns: genai.Text("Hello")}); err != nil {
		t.Fatal(err)
	}
	var said []string
	for done := false; !done; {
		m, err := session.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if m.ServerContent != nil && m.ServerContent.ModelTurn != nil {
			said = append(said, m.ServerContent.ModelTurn.Parts[0].Text)
		}
		done = m.UsageMetadata != nil
	}
	if strings.Join(said, "") == "" {
		t.Error("the model has said nothing")
	}
	stop()
	if m, err := session.Receive(); err != nil || m.GoAway == nil || m.GoAway.TimeLeft != 1600*time.Millisecond {
		t.Errorf("before the end comes %+v, %v", m, err)
	}
	if _, err := session.Receive(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("the session ends with %v", err)
	}
	if code := <-ended; code != statusOK || strings.Contains(problems.String(), "_key") {
		t.Errorf("serve ends with %d and says %s", code, problems)
	}
}
