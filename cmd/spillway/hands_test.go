package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

const handsFile = `
[router]
max_wait = "0s"

[models]
fast = "gemini-2.5-flash"

[[fallback]]
model = "gemini-2.5-flash"
to    = ["gemini-2.5-pro"]

[[project]]
name      = "prod"
backend   = "vertex"
keys      = ["env:PROD_KEY"]
locations = ["global"]

[[project.provisioned]]
model    = "gemini-2.5-flash"
location = "global"
gsus     = 1

[[project]]
name    = "spare"
backend = "vertex"
keys    = ["env:SPARE_KEY"]
priority = 1
`

// operated is a sidecar on a real address of this machine.
type operated struct {
	*httptest.Server
	google  *geminitest.Emulator
	router  *router.Router
	sidecar *sidecar
	cfg     *config.Config
}

func startOperated(t *testing.T) *operated {
	t.Helper()
	return operate(t, handsFile)
}

// operate serves a file.
func operate(t *testing.T, file string) *operated {
	t.Helper()
	cfg, err := config.Parse("test", []byte(file), config.WithEnv(func(name string) (string, bool) { return "the-" + name, true }))
	if err != nil {
		t.Fatal(err)
	}
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "prod", Keys: []string{"the-PROD_KEY"}, Orders: []geminitest.Order{{Model: "gemini-2.5-flash", Location: "global", GSUs: 1}}},
		{ID: "spare", Keys: []string{"the-SPARE_KEY"}},
	}})
	r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(google))
	if err != nil {
		t.Fatal(err)
	}
	s := newSidecar(r, defaultListen, config.Serve{Origins: []string{"https://app.example.com"}}, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		_ = r.Close()
	})
	return &operated{server, google, r, s, cfg}
}

// call makes a call for a model, and returns the status and the endpoint.
func (o *operated) call(t *testing.T, model string) (status int, endpoint string) {
	t.Helper()
	resp := o.post(t, model)
	return resp.StatusCode, resp.Header.Get("Spillway-Endpoint")
}

// post makes a call for a model, and returns the response, which has been read.
func (o *operated) post(t *testing.T, model string) *http.Response {
	t.Helper()
	resp, err := http.Post(o.URL+"/v1beta1/projects/any/locations/global/publishers/google/models/"+model+":generateContent", "application/json", strings.NewReader(hello))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

// typed runs a command, and returns its exit status and what it printed.
func typed(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code = run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String() + stderr.String()
}

// still takes the moments out of a text, and the widths of columns that are theirs.
func still(text string) string {
	return spaces.ReplaceAllString(moment.ReplaceAllString(text, "(time)"), "  ")
}

var spaces = regexp.MustCompile(` {2,}`)

var moment = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z`)

func TestAnOperatorPausesAndResumes(t *testing.T) {
	o := startOperated(t)
	transcribe := func(want int, args ...string) string {
		t.Helper()
		code, text := typed(t, args...)
		if code != want {
			t.Errorf("%v exits with %d, want %d:\n%s", args, code, want, text)
		}
		return still(text)
	}
	if got := transcribe(statusFailed, "resume", "project:prod", "--url", o.URL); !strings.Contains(got, "spillway resume: nothing is paused\n") {
		t.Error(got)
	}
	got := transcribe(statusFailed, "pause", "project:prd", "--url", o.URL)
	if !strings.Contains(got, `"project:prd" is nothing that the pool has; did you mean project:prod?`) {
		t.Error(got)
	}
	got = transcribe(statusOK, "pause", "project:prod", "--for", "10m", "--why", "a drill", "--url", o.URL)
	if got != "PAUSED  SINCE  UNTIL  WHY\nproject:prod  (time)  (time)  a drill\n" {
		t.Error(got)
	}
	if status, at := o.call(t, "gemini-2.5-flash"); status != 200 || at != "spare/global/on_demand" {
		t.Errorf("a call goes to %q with %d", at, status)
	}
	got = transcribe(statusOK, "pause", "--json", "key:spare/"+o.router.Stat().Projects[1].Keys[0].Key.String(), "--url", o.URL)
	var list pausedList
	if err := json.Unmarshal([]byte(strings.ReplaceAll(got, "(time)", "2000-01-01T00:00:00Z")), &list); err != nil || len(list.Paused) != 2 {
		t.Errorf("%v: %s", err, got)
	}
	if status, _ := o.call(t, "gemini-2.5-flash"); status != 429 {
		t.Errorf("a call with all paused gets %d", status)
	}
	got = transcribe(statusOK, "status", o.URL)
	for _, want := range []string{
		"PAUSED  ", "project:prod ", "spillway resume key:spare/", "the operator says: a drill", "paused until (time)",
		"to do: An operator has taken it out. To bring it back: `spillway resume` with the subject",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("status does not show %q:\n%s", want, got)
		}
	}
	transcribe(statusOK, "resume", "project:prod", "--url", o.URL)
	got = transcribe(statusOK, "resume", list.Paused[0].Subject, "--url", o.URL)
	if got != "Nothing is paused.\n" {
		t.Error(got)
	}
	if status, at := o.call(t, "gemini-2.5-flash"); status != 200 || at != "prod/global/provisioned" {
		t.Errorf("resumed, a call goes to %q with %d", at, status)
	}
}

func TestWrongUseOfTheHands(t *testing.T) {
	for _, args := range [][]string{
		{"pause"}, {"pause", "a", "b"}, {"pause", "project:a", "--for", "0s"}, {"pause", "project:a", "--for", "-1m"}, {"pause", "project:a", "--for", "ten"},
		{"resume"}, {"resume", "a", "b"}, {"explain"}, {"explain", "a", "b", "c"}, {"sla", "a", "b"}, {"sla", "--csv", "--json"},
	} {
		if code, text := typed(t, args...); code != statusUsage || !strings.Contains(text, "see `spillway help "+args[0]+"`") {
			t.Errorf("%v exits with %d: %s", args, code, text)
		}
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, args := range [][]string{{"pause", "project:a", "--url", server.URL}, {"explain", "m", server.URL}, {"sla", server.URL}} {
		if code, text := typed(t, args...); code != statusFailed || !strings.Contains(text, "is not a sidecar: it responds with 404") {
			t.Errorf("%v exits with %d: %s", args, code, text)
		}
	}
}

// TestOnlyAnOperatorHerePauses sends what a web page, another machine and a proxy would.
func TestOnlyAnOperatorHerePauses(t *testing.T) {
	o := startOperated(t)
	const body = `{"subject":"project:prod","for":"10m","why":"x"}`
	for name, test := range map[string]struct {
		method, path, body, from string
		header                   map[string]string
		want                     int
	}{
		"an operator":                {body: body, want: 200},
		"over IPv6":                  {body: body, from: "[::1]:99", want: 200},
		"another machine":            {body: body, from: "10.1.2.3:99", want: 403},
		"no address":                 {body: body, from: "pipe", want: 403},
		"a page of another origin":   {body: body, header: map[string]string{"Origin": "https://evil.example"}, want: 403},
		"a page that may call":       {body: body, header: map[string]string{"Origin": "https://app.example.com"}, want: 403},
		"another name":               {body: body, header: map[string]string{"Host": "evil.example"}, want: 403},
		"a proxy":                    {body: body, header: map[string]string{"X-Forwarded-For": "10.1.2.3"}, want: 403},
		"a proxy that says so":       {body: body, header: map[string]string{"Via": "1.1 proxy"}, want: 403},
		"GET":                        {method: "GET", body: body, want: 405},
		"no JSON":                    {body: "subject=project:prod", want: 400},
		"an unknown field":           {body: `{"subject":"project:prod","form":"10m"}`, want: 400},
		"a number for a duration":    {body: `{"subject":"project:prod","for":10}`, want: 400},
		"a duration without a unit":  {body: `{"subject":"project:prod","for":"10"}`, want: 400},
		"a negative duration":        {body: `{"subject":"project:prod","for":"-10m"}`, want: 400},
		"no subject":                 {body: `{}`, want: 400},
		"too much":                   {body: `{"subject":"project:prod","why":"` + strings.Repeat("x", maxPauseAsk) + `"}`, want: 400},
		"a reason for resuming":      {path: resumePath, body: body, want: 400},
		"POST to what is to be read": {path: slaPath, body: body, want: 405},
		"no model":                   {method: "GET", path: explainPath, want: 400},
		"an unknown format":          {method: "GET", path: slaPath + "?format=xml", want: 400},
	} {
		t.Run(name, func(t *testing.T) {
			if test.method == "" {
				test.method = http.MethodPost
			}
			if test.path == "" {
				test.path = pausePath
			}
			req := httptest.NewRequestWithContext(t.Context(), test.method, "http://127.0.0.1:8080"+test.path, strings.NewReader(test.body))
			if req.RemoteAddr = test.from; test.from == "" {
				req.RemoteAddr = "127.0.0.1:99"
			}
			for k, v := range test.header {
				if k == "Host" {
					req.Host = v
				}
				req.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			o.sidecar.ServeHTTP(w, req)
			paused := len(o.router.Stat().Pauses) > 0
			if w.Code != test.want || paused != (test.want == 200) {
				t.Errorf("got %d and paused: %v, want %d: %s", w.Code, paused, test.want, w.Body)
			}
			if strings.Contains(w.Body.String(), "the-") {
				t.Errorf("a key is shown: %s", w.Body)
			}
			if paused {
				if err := o.router.Resume("project:prod"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestExplainShowsWhereACallWouldGo(t *testing.T) {
	o := startOperated(t)
	code, text := typed(t, "explain", "fast", o.URL)
	want := `fast at (time): a call would go to prod/global/provisioned

gemini-2.5-flash, for fast
  tier 1  prod/global/provisioned  next
  tier 2  prod/global/on_demand    ready
  tier 3  spare/global/on_demand   ready

gemini-2.5-pro, for fast
  tier 1  prod/global/on_demand   ready
  tier 2  spare/global/on_demand  ready
`
	if got := still(text); code != statusOK || got != still(want) {
		t.Errorf("exit %d, got\n%s\nwant\n%s", code, got, want)
	}
	if s := snapshotOf(o.router); len(s.Endpoints) > 0 {
		t.Errorf("explaining makes the pool remember %v", s.Endpoints)
	}
	o.call(t, "gemini-2.5-flash")
	for _, subject := range []string{"model:gemini-2.5-flash", "project:spare"} {
		if err := o.router.Pause(subject, time.Hour, "a drill"); err != nil {
			t.Fatal(err)
		}
	}
	code, text = typed(t, "explain", "gemini-2.5-flash", o.URL)
	want = `gemini-2.5-flash at (time): a call would go to prod/global/on_demand

gemini-2.5-flash
  tier 1  prod/global/provisioned  paused by an operator until (time): a drill
      about: model:gemini-2.5-flash
      to do: An operator has taken it out. To bring it back: ~spillway resume~ with the subject.
  tier 2  prod/global/on_demand    paused by an operator until (time): a drill
  tier 3  spare/global/on_demand   paused by an operator until (time): a drill
      about: project:spare
      to do: An operator has taken it out. To bring it back: ~spillway resume~ with the subject.

gemini-2.5-pro, for gemini-2.5-flash
  tier 1  prod/global/on_demand   next
  tier 2  spare/global/on_demand  paused by an operator until (time): a drill
`
	if got := still(text); code != statusOK || got != still(strings.ReplaceAll(want, "~", "`")) {
		t.Errorf("exit %d, got\n%s\nwant\n%s", code, got, want)
	}
	if _, text = typed(t, "explain", "gemini-2.5-flash", o.URL, "--batch"); !strings.Contains(text, ": a batch call would go to prod/") {
		t.Errorf("of a batch call explain says\n%s", text)
	}
	if err := o.router.Pause("backend:vertex", time.Hour, "a drill"); err != nil {
		t.Fatal(err)
	}
	code, text = typed(t, "explain", "gemini-2.5-flash", o.URL, "--json")
	var x explanation
	if err := json.Unmarshal([]byte(text), &x); err != nil || code != statusFailed || len(x.Plans) != 2 ||
		!strings.HasPrefix(x.Refused, "refused with 429; an endpoint may be asked again at ") || x.RetryAt.IsZero() {
		t.Errorf("exit %d, %v: %s", code, err, text)
	}
	if code, text = typed(t, "explain", "gemini\x1b[31m", o.URL); code != statusFailed || !strings.Contains(text, "would be refused with 400") || strings.Contains(text, "\x1b") {
		t.Errorf("exit %d: %q", code, text)
	}
}

func TestSLAShowsWhatAnOrderFailedToServe(t *testing.T) {
	o := startOperated(t)
	if code, text := typed(t, "sla", o.URL); code != statusOK || text != "No order has answered with 5XX.\n" {
		t.Errorf("exit %d: %s", code, text)
	}
	o.google.Keep(geminitest.Match{Project: "prod", Traffic: "dedicated"}, geminitest.Unavailable())
	for range 2 {
		if status, at := o.call(t, "gemini-2.5-flash"); status != 200 || at != "prod/global/on_demand" {
			t.Fatalf("a call goes to %q with %d", at, status)
		}
	}
	code, text := typed(t, "sla", o.URL)
	want := `ORDER                               5XX BELOW THE PURCHASE  LAST    ABOVE IT  SINCE
order:prod/global/gemini-2.5-flash  2                       (time)  0         (time)

to do: keep the answers (spillway sla --csv > sla.csv), and claim those below the purchase:
  https://cloud.google.com/vertex-ai/generative-ai/sla
`
	if got := still(text); code != statusOK || got != still(want) {
		t.Errorf("exit %d, got\n%s", code, got)
	}
	code, text = typed(t, "sla", o.URL, "--csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || code != statusOK || len(rows) != 3 || len(rows[0]) != 9 {
		t.Fatalf("exit %d, %v:\n%s", code, err, text)
	}
	row := rows[1]
	if _, err := time.Parse(time.RFC3339, row[1]); err != nil || row[0] != "order:prod/global/gemini-2.5-flash" || row[2] != "503" ||
		row[3] != "gemini-2.5-flash" || row[6] != "true" || row[7] != "false" {
		t.Errorf("%v: %q", err, row)
	}
	resp, err := http.Get(o.URL + slaPath)
	if err != nil {
		t.Fatal(err)
	}
	served, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(served) != text || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("served is\n%s\nprinted\n%s", served, text)
	}
	code, text = typed(t, "sla", "--json", o.URL)
	var list []faultSnapshot
	if err := json.Unmarshal([]byte(text), &list); err != nil || code != statusOK || len(list) != 2 || !list[1].BelowPurchase || list[1].Use <= 0 {
		t.Errorf("exit %d, %v: %s", code, err, text)
	}
	if code, text = typed(t, "status", o.URL); code != statusOK || !strings.Contains(text, "2 failed with 5XX within the purchase, the last at ") {
		t.Errorf("exit %d: %s", code, text)
	}
}

func TestExplainSaysWhyOneCallWentWhereItWent(t *testing.T) {
	o := startOperated(t)
	o.google.Revoke("the-PROD_KEY")
	r, err := router.New(o.cfg.Pool, o.cfg.Router, router.WithTransport(o.google), router.WithTrace(calls.Trace(o.sidecar.calls)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	o.sidecar.router = r
	resp := o.post(t, "gemini-2.5-flash")
	id := resp.Header.Get("Spillway-Call")
	code, text := typed(t, "explain", strings.ToUpper(id), o.URL)
	for _, want := range []string{"generateContent of gemini-2.5-flash", "attempt 1: prod/global/provisioned", "key_dead", "attempt 2: spare/global/on_demand"} {
		if code != statusOK || !strings.Contains(text, want) {
			t.Errorf("exit status %d, without %q:\n%s", code, want, text)
		}
	}
	var record calls.Record
	if code, text = typed(t, "explain", id, o.URL, "--json"); code != statusOK || json.Unmarshal([]byte(text), &record) != nil || record.ID != id {
		t.Errorf("exit status %d: %s", code, text)
	}
	if code, text = typed(t, "explain", "0123456789abcdef", o.URL); code != statusFailed || !strings.Contains(text, "no call \"0123456789abcdef\" is among the last") {
		t.Errorf("exit status %d: %s", code, text)
	}
}
