package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/pace"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// paceRequests writes a file of n requests, a third of which have a label.
func paceRequests(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "requests.jsonl")
	var b bytes.Buffer
	for i := range n {
		label := ""
		if i%3 == 0 {
			label = `"label": "migration", `
		}
		fmt.Fprintf(&b, `{"key": "%d", %s"model": "gemini-3.5-flash", "request": {"contents": [{"parts": [{"text": "Hi"}]}]}}`+"\n", i+1, label)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPaceGoesOnAfterKill kills the command in the middle, and runs it again.
func TestPaceGoesOnAfterKill(t *testing.T) {
	n := 600
	if os.Getenv("SPILLWAY_LONG") == "1" {
		n = 20_000
	}
	google := geminitest.NewServer(t, geminitest.Config{
		Log: -1, Latency: geminitest.Latency{FirstToken: 5 * time.Millisecond}, Projects: []geminitest.Project{
			{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
		},
	})
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	file := strings.ReplaceAll(twoProjects, "\nkeys", "\nbase_url = \""+google.URL+"\"\nkeys")
	file = strings.Replace(file, "\nkeys", "\nlabels = [\"migration\"]\nkeys", 1)
	url, _, end := startServe(t, file, "--listen", "127.0.0.1:0")
	defer end()
	in, out := paceRequests(t, n), filepath.Join(t.TempDir(), "responses.jsonl")
	args := []string{"pace", in, "--out", out, "--url", url, "--json", "--share", "1"}

	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), "SPILLWAY_TEST_COMMAND=1")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := 0; begun < n/3; time.Sleep(time.Millisecond) {
		text, _ := os.ReadFile(out) // it is there after a moment
		begun = bytes.Count(text, []byte("\n"))
		if t.Context().Err() != nil {
			t.Fatal("nothing is written")
		}
	}
	_ = command.Process.Kill() // SIGKILL
	_ = command.Wait()

	code, said := transcript(t.Context(), args...)
	var sum pace.Summary
	if i := strings.IndexByte(said, '{'); i < 0 || json.NewDecoder(strings.NewReader(said[i:])).Decode(&sum) != nil {
		t.Fatalf("it printed %s", said)
	}
	if code != statusOK || sum.Lines != int64(n) || sum.Before < int64(n/3) || sum.Before == int64(n) || sum.Before+sum.Served != int64(n) {
		t.Errorf("status %d, %+v", code, sum)
	}
	if sum.Twice > 33 {
		t.Errorf("%d lines may have been sent twice; 32 were under way", sum.Twice)
	}
	seen := make([]bool, n+1)
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l struct {
			Line     int
			Key      string
			Response *struct{ ModelVersion string }
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Key != strconv.Itoa(l.Line) || l.Response == nil || seen[l.Line] {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		seen[l.Line] = true
	}
	if i := slices.Index(seen[1:], false); i >= 0 {
		t.Errorf("line %d has no response", i+1)
	}
	requests := google.Count(geminitest.Match{Project: "main"})
	if want := (n + 2) / 3; requests < want || requests > want+int(sum.Twice) {
		t.Errorf("the project of the label got %d requests, want %d", requests, want)
	}
	if code, said := transcript(t.Context(), args...); code != statusOK || !strings.Contains(said, `"served":0`) {
		t.Errorf("there was nothing left to do: %d, %s", code, said)
	}
}

// TestPaceIsNotFeltByOthers measures interactive calls with and without a job beside them.
func TestPaceIsNotFeltByOthers(t *testing.T) {
	for name, limits := range map[string]geminitest.Project{
		"limits": {Limits: []geminitest.Limit{{RPM: 600, TPM: 60_000, Paid: true}}},
		"order":  {Orders: []geminitest.Order{{Model: "gemini-3.5-flash", Location: "global", GSUs: 1, TokensPerSecond: 5_000, Window: 30 * time.Second}}},
	} {
		t.Run(name, func(t *testing.T) {
			alone := interactiveP95(t, limits, 0)
			beside := interactiveP95(t, limits, 500)
			t.Logf("the 95th percentile is %v alone, and %v beside a job", alone, beside)
			if beside > alone*105/100 {
				t.Errorf("the 95th percentile is %v beside a job, %v alone", beside, alone)
			}
		})
	}
}

// interactiveP95 returns the 95th percentile of interactive calls that take 60 % of what there is,
// beside a job of some lines.
func interactiveP95(t *testing.T, project geminitest.Project, lines int) (p95 time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		project.ID, project.Keys, project.Tokens = "main", []string{"main-key"}, []string{"main-token"}
		google := geminitest.New(geminitest.Config{
			Seed: 1, Projects: []geminitest.Project{project}, Latency: geminitest.Latency{FirstToken: 400 * time.Millisecond, Jitter: 0.5},
		})
		cfg := pool.Project{Name: "main", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("main-key")}}
		dialect := pace.Gemini
		for _, l := range project.Limits {
			cfg.Limits = append(cfg.Limits, pool.Limit{RPM: int64(l.RPM), TPM: int64(l.TPM)})
		}
		for _, o := range project.Orders {
			cfg.Backend, dialect = pool.BackendVertex, pace.Vertex
			cfg.Provisioned = append(cfg.Provisioned, pool.Order{Model: o.Model, Location: o.Location, TokensPerSecond: o.TokensPerSecond})
		}
		r, err := router.New(pool.Config{Projects: []pool.Project{cfg}}, router.Config{MaxWait: 30 * time.Second}, router.WithTransport(google))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		ctx, stop := context.WithCancel(t.Context())
		var job, calls sync.WaitGroup
		if lines > 0 {
			job.Go(func() { runJob(ctx, t, r, dialect, lines) })
		}
		var mu sync.Mutex
		var took []time.Duration
		rng := rand.New(rand.NewPCG(3, 3))
		for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); {
			time.Sleep(time.Duration(rng.ExpFloat64() / 6 * float64(time.Second)))
			calls.Go(func() {
				began := time.Now()
				if !interactive(t, r, dialect) {
					t.Error("an interactive call failed")
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(began))
			})
		}
		calls.Wait()
		stop()
		job.Wait()
		slices.Sort(took)
		p95 = took[len(took)*95/100]
	})
	return p95
}

// interactive makes one call, and reports whether it was served.
func interactive(t *testing.T, r *router.Router, dialect pace.Dialect) bool {
	path := "/v1beta/models/gemini-3.5-flash:generateContent"
	if dialect == pace.Vertex {
		path = "/v1beta1/projects/any/locations/global/publishers/google/models/gemini-3.5-flash:generateContent"
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost"+path, strings.NewReader(`{"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}`))
	if err != nil {
		t.Error(err)
		return false
	}
	resp, err := r.RoundTrip(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// runJob sends lines until they or ctx end.
func runJob(ctx context.Context, t *testing.T, r *router.Router, dialect pace.Dialect, lines int) {
	in, err := os.Open(paceRequests(t, lines))
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = in.Close() }()
	out, err := pace.Open(filepath.Join(t.TempDir(), "out.jsonl"), in, false)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = out.Close() }()
	sum, err := pace.Run(ctx, in, out, pace.Config{Transport: r, Base: "http://localhost", Dialect: dialect, Share: 0.3})
	if err != nil || sum.Served < int64(lines)/2 || sum.Failed > 0 {
		t.Errorf("%v, the job: %+v", err, sum)
	}
}

func TestPaceSaysWhatIsWrong(t *testing.T) {
	in, dir := paceRequests(t, 1), t.TempDir()
	out := filepath.Join(dir, "out.jsonl")
	asState, asNew, config := filepath.Join(dir, "a.state"), filepath.Join(dir, "b.new"), filepath.Join(dir, "spillway.toml")
	for file, text := range map[string]string{asState: "", asNew: "", config: "[[project]]\nname = \"p\"\nbackend = \"vertex\"\ncredentials = \"none\"\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{}, statusUsage, "it needs one FILE"},
		{[]string{in}, statusUsage, "it needs --out"},
		{[]string{in, "--out", in}, statusUsage, "--out is the file of requests"},
		{[]string{asState, "--out", strings.TrimSuffix(asState, ".state")}, statusUsage, "a file beside it is"},
		{[]string{asNew, "--out", strings.TrimSuffix(asNew, ".new"), "--retry-failed"}, statusUsage, "a file beside it is"},
		{[]string{dir, "--out", out, "--config", config}, statusFailed, "is a directory"},
		{[]string{os.DevNull, "--out", out, "--config", config}, statusFailed, "write its lines to a file first"},
		{[]string{"-", "--out", out, "--config", config}, statusFailed, "standard input is not taken"},
		{[]string{in, "--out", dir, "--config", config}, statusFailed, "is not a file; write another --out"},
		{[]string{in, "--out", filepath.Join(dir, "none", "out"), "--config", config}, statusFailed, "no such file"},
		{[]string{in, "--out", out, "--share", "30"}, statusUsage, "--share is not a part"},
		{[]string{in, "--out", out, "--share", "NaN"}, statusUsage, "--share is not a part"},
		{[]string{in, "--out", out, "--until", "6"}, statusUsage, "--until is no time to come"},
		{[]string{in, "--out", out, "--until", "2001-01-01T00:00:00Z"}, statusUsage, "--until is no time to come"},
		{[]string{in, "--out", out, "--label", "a\nb"}, statusUsage, "--label has control characters"},
		{[]string{in, "--out", out, "--parallel", "0"}, statusUsage, "--parallel"},
		{[]string{in, "--out", out, "--url", "http://127.0.0.1:1", "--config", "x"}, statusUsage, "--url or --config"},
		{[]string{in, "--out", out, "--url", "http://127.0.0.1:1"}, statusFailed, "start `spillway serve FILE`, say where it is by --url"},
		{[]string{in + "x", "--out", out, "--config", "nowhere.toml"}, statusFailed, "nowhere.toml"},
	} {
		code, said := transcript(t.Context(), append([]string{"pace"}, tt.args...)...)
		if code != tt.code || !strings.Contains(said, tt.want) {
			t.Errorf("%q: %d, %s, want %q", tt.args, code, said, tt.want)
		}
	}
}

// A line that has failed is no success the next time, when nothing is left to send.
func TestPaceFailsAsLongAsALineHasFailed(t *testing.T) {
	dir := t.TempDir()
	in, out, config := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl"), filepath.Join(dir, "spillway.toml")
	for file, text := range map[string]string{in: "[1]\n", config: "[[project]]\nname = \"p\"\nbackend = \"vertex\"\ncredentials = \"none\"\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"failed 400 the line is not a JSON object", "1 before, of which 1 failed"} {
		code, said := transcript(t.Context(), "pace", in, "--out", out, "--config", config)
		if code != statusFailed || !strings.Contains(said, want) || !strings.Contains(said, "--retry-failed sends the failed ones again") {
			t.Errorf("run %d: %d, %s", i, code, said)
		}
	}
}

func TestPaceEstimatesNoTimeThatItCannotKnow(t *testing.T) {
	for _, s := range []pace.Summary{{Lines: 1e6, Left: 1e6}, {Lines: 1e6, Left: 1e6 - 1, Served: 1, PerMinute: 1e-5}, {Lines: 1, Served: 1, PerMinute: 9}} {
		if text := progressOf(&s, time.Time{}); strings.Contains(text, "left") {
			t.Error(text)
		}
	}
	ten := pace.Summary{Lines: 100, Left: 90, Served: 10, PerMinute: 60}
	if text := progressOf(&ten, time.Time{}); !strings.Contains(text, "about 1m30s left") {
		t.Error(text)
	}
	until := time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC)
	if text := progressOf(&ten, until); !strings.HasSuffix(text, "60 a minute, spread until 2026-11-27 06:00") {
		t.Error(text)
	}
}

func TestPacePrintsTheMostFrequentLabels(t *testing.T) {
	sum := pace.Summary{Lines: 1, Labels: map[string]int64{"": 9}}
	for i := range 50 {
		sum.Labels["label-"+strconv.Itoa(i)] = int64(i + 1)
	}
	var b strings.Builder
	printPace(&b, &paceFlags{out: "out"}, &sum)
	if text := b.String(); !strings.Contains(text, "label-49: 50\n") || strings.Contains(text, "label-29:") || !strings.Contains(text, "and 30 more") {
		t.Error(text)
	}
}

func TestPaceTellsThatARunEnds(t *testing.T) {
	var stderr strings.Builder
	ctx, stop := context.WithCancel(t.Context())
	tell := paceProgress(ctx, &stderr, time.Time{})
	tell(pace.Summary{Lines: 2, Left: 2})
	stop()
	for range 3 {
		tell(pace.Summary{Lines: 2, Left: 1})
	}
	if said := stderr.String(); strings.Count(said, "Interrupt it again") != 1 || strings.Count(said, "\n") != 2 {
		t.Errorf("it said %s", said)
	}
}

func TestPaceEndsAtTheNextTimeOfDay(t *testing.T) {
	now := time.Date(2026, 11, 26, 23, 0, 0, 0, time.FixedZone("", 3600))
	for text, want := range map[string]time.Time{
		"06:00": time.Date(2026, 11, 27, 6, 0, 0, 0, now.Location()),
		"23:30": time.Date(2026, 11, 26, 23, 30, 0, 0, now.Location()),
		"23:00": time.Date(2026, 11, 27, 23, 0, 0, 0, now.Location()),
		"24:00": time.Date(2026, 11, 27, 0, 0, 0, 0, now.Location()),
		"90m":   now.Add(90 * time.Minute),
		"":      {},

		"2027-01-31T06:00:00Z": time.Date(2027, 1, 31, 6, 0, 0, 0, time.UTC),
	} {
		f := paceFlags{until: text}
		if got, ok := f.end(now); !ok || !got.Equal(want) {
			t.Errorf("%q ends at %v, want %v", text, got, want)
		}
	}
}

// A time of day may come twice or never on the day on which clocks change.
func TestPaceEndsInTimeWhereClocksChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		now, until      string
		soonest, latest time.Duration
	}{
		{"2026-10-24 23:00", "06:00", 8 * time.Hour, 8 * time.Hour},
		{"2027-03-27 23:00", "06:00", 6 * time.Hour, 6 * time.Hour},
		{"2026-10-25 01:30", "02:30", time.Hour, 2 * time.Hour},           // comes twice
		{"2027-03-28 01:00", "02:30", 30 * time.Minute, 90 * time.Minute}, // does not come
		{"2027-03-28 04:00", "02:30", 22 * time.Hour, 23 * time.Hour},
	} {
		now, err := time.ParseInLocation("2006-01-02 15:04", tt.now, berlin)
		if err != nil {
			t.Fatal(err)
		}
		f := paceFlags{until: tt.until}
		end, ok := f.end(now)
		if d := end.Sub(now); !ok || d < tt.soonest || d > tt.latest {
			t.Errorf("from %s until %s it runs for %v", tt.now, tt.until, d)
		}
	}
}

// A pool of the command's own needs no sidecar.
func TestPaceHasAPoolOfItsOwn(t *testing.T) {
	for _, backend := range []string{"gemini", "vertex"} {
		google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{
			{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
		}})
		t.Setenv("MAIN_KEY", "main-key")
		t.Setenv("SPARE_KEY", "spare-key")
		file := strings.ReplaceAll(twoProjects, `"gemini"`, `"`+backend+`"`)
		file = strings.ReplaceAll(file, "\nkeys", "\nbase_url = \""+google.URL+"\"\nkeys")
		path := filepath.Join(t.TempDir(), "spillway.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out.jsonl")
		code, said := transcript(t.Context(), "pace", paceRequests(t, 20), "--out", out, "--config", path)
		if code != statusOK || !regexp.MustCompile(`20 of 20 lines served in .*; \d+ input and 400 output tokens`).MatchString(said) {
			t.Errorf("%s: %d, %s", backend, code, said)
		}
	}
}
