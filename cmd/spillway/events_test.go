package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

func TestEventKindsAreThoseOfThePool(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../pool/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "EventKind" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Error(err)
			}
			want = append(want, text)
		}
		return true
	})
	want = slices.DeleteFunc(want, func(kind string) bool { return kind == string(pool.CooldownExtended) }) // the log has none
	if !slices.Equal(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(eventKinds))) || len(want) < 10 {
		t.Errorf("the pool has the kinds %q, and events knows %q", want, eventKinds)
	}
}

// eventBench is a sidecar in a bubble whose events a test makes.
type eventBench struct {
	ring *ring
	stop context.CancelFunc // begins its end
}

func newEventBench(t *testing.T) *eventBench {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, testServe, log)
	inBubble(t, s)
	return &eventBench{s.events.ring, s.events.end}
}

// tell makes the sidecar tell of an event.
func (b *eventBench) tell(kind pool.EventKind, project string) {
	b.ring.observe(pool.Event{
		At: time.Now(), Kind: kind, Class: pool.ClassBilling, Since: time.Now().Add(-90 * time.Second),
		Subject: pool.Subject{Kind: "project", Project: project}, Message: "no \x1b[2J money",
	})
}

// shows runs "spillway events" for a time and returns the projects that it shows, in order.
func shows(t *testing.T, patience time.Duration, args ...string) (projects, stderr string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	var out, problems lockedBuilder
	if code := run(ctx, append([]string{"events"}, args...), &out, &problems); code != statusOK && problems.String() == "" {
		t.Errorf("%v ends with %d", args, code)
	}
	var shown strings.Builder
	for line := range strings.Lines(out.String()) {
		_, rest, _ := strings.Cut(line, "project:")
		shown.WriteString(rest[:min(1, len(rest))])
	}
	return shown.String(), problems.String()
}

func TestEventsShowsWhatTheLogShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newEventBench(t)
		var log bytes.Buffer
		write := pool.Log(slog.New(slog.NewTextHandler(&log, nil)))
		e := pool.Event{
			At: time.Now(), Kind: pool.CooldownEnded, Class: pool.ClassBilling, Since: time.Now().Add(-90 * time.Second),
			Subject: pool.Subject{Kind: "project", Project: "a"}, Message: "no \x1b[2J money",
		}
		for _, kind := range []pool.EventKind{pool.CooldownStarted, pool.CooldownEnded, pool.Reloaded, pool.UsageHigh, pool.CallsRefused} {
			e.Kind, e.Share, e.Calls, e.Of, e.Until = kind, 0.8, 3, 4, time.Now().Add(time.Minute)
			b.ring.observe(e)
			write(e)
		}
		var out lockedBuilder
		if code := run(t.Context(), []string{"events"}, &out, &out); code != statusOK {
			t.Fatal(out.String())
		}
		kindless := out.String()
		for _, kind := range eventKinds {
			kindless = strings.ReplaceAll(kindless, " kind="+kind, "")
		}
		if want := log.String(); kindless != want {
			t.Errorf("events shows\n%s\nand the log\n%s", kindless, want)
		}
		var objects lockedBuilder
		run(t.Context(), []string{"events", "--json", "--kind", "reloaded,usage-high"}, &objects, &objects)
		d := json.NewDecoder(strings.NewReader(objects.String()))
		var kinds []string
		for d.More() {
			var one struct{ Kind, Time string }
			if err := d.Decode(&one); err != nil || one.Time == "" {
				t.Fatal(err, objects.String())
			}
			kinds = append(kinds, one.Kind)
		}
		if !slices.Equal(kinds, []string{"reloaded", "usage_high"}) {
			t.Errorf("as JSON there are %q", kinds)
		}
	})
}

func TestEventsOfOneKindOrOfLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newEventBench(t)
		b.tell(pool.CooldownStarted, "a")
		time.Sleep(10 * time.Minute)
		b.tell(pool.CooldownStarted, "b")
		b.tell(pool.CooldownEnded, "c")
		b.tell(pool.CooldownExtended, "x") // not in the log
		for args, want := range map[string]string{
			"": "abc", "--kind cooldown_started": "ab", "--kind=cooldown-ended": "c", "--since 5m": "bc",
			"--since 2000-01-01T00:05:00Z": "bc", "--since 5m --kind cooldown_ended": "c",
		} {
			if got, said := shows(t, time.Minute, strings.Fields(args)...); got != want || said != "" {
				t.Errorf("%s shows %s, want %s %s", args, got, want, said)
			}
		}
	})
}

func TestEventsRefusesWhatMakesNoSense(t *testing.T) {
	for args, want := range map[string]string{
		"--kind cooldown_strated": "did you mean cooldown_started?", "--kind x": "there are cooldown_started",
		"--since yesterday": "how long ago", "--since -5m": "how long ago", "a b": "one URL", "--folow": "did you mean --follow?",
	} {
		if code, said := transcript(t.Context(), append([]string{"events"}, strings.Fields(args)...)...); code != statusUsage || !strings.Contains(said, want) {
			t.Errorf("%s ends with %d and says %s", args, code, said)
		}
	}
	for query, want := range map[string]string{
		"follow=maybe": "write 1", "kind=cooldown_strated": "did you mean", "since=x": "how long ago", "knid=x": "is no parameter", "%zz": "cannot be read",
	} {
		w := respond(t, newGoogle(geminitest.Latency{}), http.MethodGet, eventsPath+"?"+query, nil)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s gets %d %s", query, w.Code, w.Body)
		}
	}
}

func TestEventsFollowShowsThemAsTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newEventBench(t)
		b.tell(pool.CooldownStarted, "a")
		go func() {
			for _, project := range []string{"b", "c", "d"} {
				time.Sleep(time.Minute) // heartbeats keep the connection
				b.tell(pool.CooldownStarted, project)
			}
		}()
		if got, said := shows(t, 4*time.Minute, "--follow"); got != "abcd" || said != "" {
			t.Errorf("it shows %s, and says %s", got, said)
		}
	})
}

// cuttable breaks its connections off, and refuses others, while it is away.
type cuttable struct {
	http.Handler

	mu   sync.Mutex
	away context.Context // ends when the connections break off
	lost int             // connections
}

// begin lets connections in, until leave is called.
func (c *cuttable) begin() (leave context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away, leave = context.WithCancel(context.Background())
	return leave
}

func (c *cuttable) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	c.mu.Lock()
	away := c.away
	c.lost++
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	defer context.AfterFunc(away, cancel)()
	if away.Err() == nil {
		c.Handler.ServeHTTP(w, req.WithContext(ctx))
	}
	panic(http.ErrAbortHandler)
}

func TestEventsFollowMissesNothingWhileTheConnectionIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, testServe, slog.New(slog.DiscardHandler))
		c := &cuttable{Handler: s}
		leave := c.begin()
		inBubble(t, c)
		b := &eventBench{s.events.ring, s.events.end}
		b.tell(pool.CooldownStarted, "a")
		go func() {
			time.Sleep(10 * time.Second)
			leave()
			time.Sleep(time.Minute)
			b.tell(pool.CooldownStarted, "b")
			b.tell(pool.CooldownStarted, "c")
			leave = c.begin()
			time.Sleep(time.Minute)
			b.tell(pool.CooldownStarted, "d")
		}()
		got, said := shows(t, 3*time.Minute, "--follow", "--since", "1h")
		leave()
		if got != "abcd" || strings.Count(said, "the connection was lost") != 1 || c.lost < 5 {
			t.Errorf("it shows %s after %d connections, and says %s", got, c.lost, said)
		}
	})
}

func TestEventsOfASidecarThatStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newRing()
		for range 3 {
			before.observe(pool.Event{At: time.Now(), Kind: pool.Reloaded})
		}
		time.Sleep(time.Second)
		after := newRing()
		after.observe(pool.Event{At: time.Now(), Kind: pool.Reloaded})
		if events, _, _, _ := after.after(before.next - 1); len(events) != 1 {
			t.Errorf("who has seen all of the process before gets %d events, want 1", len(events))
		}
		if events, _, _, _ := after.after(after.next + 5); len(events) != 1 {
			t.Errorf("who has an id of another clock gets %d events, want 1", len(events))
		}
	})
}

func TestARingKeepsTheLastEvents(t *testing.T) {
	r := newRing()
	for i := range maxEvents + 10 {
		r.observe(pool.Event{At: time.Now(), Kind: pool.ModelRerouted, Served: strconv.Itoa(i)})
	}
	events, _, whole, _ := r.after(r.first - 5)
	if len(events) != maxEvents || whole {
		t.Errorf("%d events are kept, whole %t", len(events), whole)
	}
	if !bytes.Contains(events[0].line, []byte(`"served":"10"`)) || !bytes.Contains(events[maxEvents-1].line, []byte(`"served":"1009"`)) {
		t.Errorf("the first is %s, the last %s", events[0].line, events[maxEvents-1].line)
	}
	if events, _, whole, _ = r.after(r.next - 3); len(events) != 2 || !whole {
		t.Errorf("after the last but two come %d", len(events))
	}
	r.observe(pool.Event{At: time.Now(), Kind: pool.CooldownStarted, Class: pool.ClassContention, Until: time.Now()})
	if after, _, _, _ := r.after(r.next - 1); len(after) != 0 {
		t.Error("contention is kept")
	}
}

// A client that does not read must not keep the router waiting, and loses its connection.
func TestAClientThatDoesNotReadItsEventsIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemory()
		s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, testServe, slog.New(slog.DiscardHandler))
		server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(l) }()
		defer server.Close()
		conn, err := l.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET "+eventsPath+"?follow=1 HTTP/1.1\r\nHost: sidecar\r\n\r\n")
		synctest.Wait()
		began := time.Now()
		b := &eventBench{s.events.ring, s.events.end}
		for range 3 * maxEvents {
			b.tell(pool.CooldownStarted, "a")
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("events waited %s for a client", took)
		}
		if n := s.events.followers.Load(); n != 1 {
			t.Errorf("%d clients follow, want 1", n)
		}
		time.Sleep(testWrite + time.Second)
		synctest.Wait()
		if n := s.events.followers.Load(); n != 0 {
			t.Errorf("%d clients follow, want none", n)
		}
	})
}

func TestOnlySoManyFollowTheEvents(t *testing.T) {
	w := httptest.NewRecorder()
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, testServe, slog.New(slog.DiscardHandler))
	s.events.followers.Store(maxFollowers)
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, eventsPath+"?follow=1", nil))
	if w.Code != http.StatusServiceUnavailable || s.events.followers.Load() != maxFollowers {
		t.Errorf("the response is %d %s", w.Code, w.Body)
	}
}

// TestServeTellsItsEventsAndEndsWithThem runs the command itself.
func TestServeTellsItsEventsAndEndsWithThem(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
	}})
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	google.Revoke("main-key")
	url, problems, end := startServe(t, strings.ReplaceAll(twoProjects, "\nkeys", "\nbase_url = \""+google.URL+"\"\nkeys"), "--listen", "127.0.0.1:0")
	following := make(chan string, 1)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	resp, err := remote(url).open(ctx, eventsPath+"?follow=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		all, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		following <- fmt.Sprint(string(all), err)
	}()
	call, err := http.NewRequestWithContext(ctx, http.MethodPost, url+generatePath, strings.NewReader(hello))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(call)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	_ = answer.Body.Close()
	code, said := transcript(ctx, "events", url)
	if code != statusOK || !strings.Contains(said, `msg="spillway: cooldown started" kind=cooldown_started subject=key:main/`) ||
		strings.Contains(said, "main-key") {
		t.Errorf("it ends with %d and says %s", code, said)
	}
	began := time.Now()
	if code := end(); code != statusOK || time.Since(began) > 4*time.Second {
		t.Errorf("serve ends with %d after %s, while someone follows: %s", code, time.Since(began), problems)
	}
	if got := <-following; !strings.Contains(got, `"kind":"cooldown_started"`) || !strings.HasSuffix(got, "\n\n<nil>") {
		t.Errorf("who follows gets %q", got)
	}
}

func TestEventsFollowOfAHostileSidecar(t *testing.T) {
	stream := func(texts ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, text := range texts {
				_, _ = io.WriteString(w, text)
			}
			_ = http.NewResponseController(w).Flush()
			<-req.Context().Done()
		}
	}
	good := `{"time":"2026-11-26T11:00:00Z","level":"WARN","msg":"x","project":"project:a","evil":"\u001b[2J` + "\u009b" + `","deep":{"a":["\r"]}}`
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		code int
		want string
	}{
		"no event":           {stream("data: hello\n\n"), statusFailed, "is not a sidecar: it sends what is no event"},
		"half an event":      {stream("data: {\"time\":\n\n"), statusFailed, "is not a sidecar"},
		"without its time":   {stream("data: {\"msg\":\"x\"}\n\n"), statusFailed, "without its time"},
		"a line without end": {stream("data: ", strings.Repeat("x", 1<<20)), statusFailed, "larger than any event"},
		"an evil event":      {stream("id: \x1b[2J\ndata: " + good + "\n\n"), statusOK, "level=WARN msg=x"},
		"silence":            {stream(":\n\n"), statusOK, "the connection was lost (it was silent for 1m0s); trying again"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inBubble(t, tt.h)
				ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
				defer stop()
				code, said := transcript(ctx, "events", "--follow")
				if code != tt.code || !strings.Contains(said, tt.want) || strings.ContainsAny(said, "\x1b\u009b\r") || len(said) > 1000 {
					t.Errorf("it ends with %d and says %.1000q", code, said)
				}
			})
		})
	}
}

func FuzzLogLine(f *testing.F) {
	for _, line := range []string{
		`{"time":"2026-11-26T11:00:00Z","level":"WARN","msg":"x","id":1,"kind":"reloaded","until":"2026-11-26T11:00:00.5Z","calls":3}`,
		`{"time":"9999-99-99","msg":1}`, `{"time":"2026-11-26T11:00:00Z","msg":"x","level":"WARN+99999999999999999999","":{"a":[]}}`,
		`[]`, `{`, `{"a"`, `{"a":`, `null`, ``, "\x00", `{"time":"2026-11-26T11:00:00Z","msg":"\u0000\ud800","msg":"y"}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		text, err := logLine(line)
		if err == nil && (!strings.HasSuffix(text, "\n") || strings.Count(text, "\n") != 1) {
			t.Errorf("%q becomes %q", line, text)
		}
	})
}
