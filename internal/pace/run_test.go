package pace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/internal/pace"
)

// server responds to requests in memory.
type server func(req *http.Request, body []byte) (status int, header http.Header, answer string)

func (s server) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	status, header, answer := s(req, body)
	if status == 0 {
		return nil, errors.New("the connection broke")
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(answer)), Request: req}, nil
}

const served = `{"candidates": [], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 1}}`

// requests returns a file of n lines.
func requests(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"key": "k%d", "model": "gemini-3.5-flash", "request": {"contents": [{"parts": [{"text": "%d"}]}]}}`+"\n", i+1, i)
	}
	return b.Bytes()
}

// job is a file of requests and its output.
type job struct {
	t    *testing.T
	in   []byte
	path string
}

func newJob(t *testing.T, in []byte) *job {
	t.Helper()
	return &job{t, in, filepath.Join(t.TempDir(), "out.jsonl")}
}

// run runs the job, or goes on with it.
func (j *job) run(ctx context.Context, again bool, cfg pace.Config) (pace.Summary, error) {
	j.t.Helper()
	in := bytes.NewReader(j.in)
	out, err := pace.Open(j.path, in, again)
	if err != nil {
		j.t.Fatal(err)
	}
	defer func() {
		if err := out.Close(); err != nil {
			j.t.Error(err)
		}
	}()
	cfg.Base = "http://localhost"
	return pace.Run(ctx, in, out, cfg)
}

// line is a line of the output.
type line struct {
	Line     int64
	Key      string
	CustomID string `json:"custom_id"`
	Label    string
	Response json.RawMessage
	Error    *struct {
		Code    int
		Message string
	}
}

// lines returns the output by number of line. Each is there once.
func (j *job) lines() map[int64]line {
	j.t.Helper()
	text, err := os.ReadFile(j.path)
	if err != nil {
		j.t.Fatal(err)
	}
	all := map[int64]line{}
	for one := range bytes.Lines(text) {
		var l line
		if err := json.Unmarshal(one, &l); err != nil {
			j.t.Fatalf("%v: %s", err, one)
		}
		if _, twice := all[l.Line]; twice {
			j.t.Errorf("line %d is there twice", l.Line)
		}
		all[l.Line] = l
	}
	return all
}

func TestEveryLineGetsOneLine(t *testing.T) {
	in := []byte(`
{"key": "1", "model": "gemini-3.5-flash", "request": {"contents": []}}

{"key": "2", "label": "team-a", "request": {"model": "models/gemini-embedding-001", "content": {}}}
{"custom_id": "3", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gemini-3.5-flash"}}
no JSON
{"key": "5", "request": {"contents": []}, "method": "countTokens"}
{"key": "6", "request": {"contents": []}, "method": "deleteAll", "model": "m"}
{"custom_id": "7", "url": "/v1/files", "body": {"model": "m"}}
{"key": "8", "model": "tunedModels/mine", "request": {"requests": []}}
{"key": "9"}
{"key": "10", "model": "a/../b c?d", "request": {}}`)
	for dialect, want := range map[pace.Dialect]map[string]string{
		pace.Gemini: {
			"1": "/v1beta/models/gemini-3.5-flash:generateContent", "2": "/v1beta/models/gemini-embedding-001:embedContent",
			"3": "/v1beta/openai/chat/completions", "5": "/v1beta/models/usual:countTokens",
			"8": "/v1beta/tunedModels/mine:batchEmbedContents", "10": "/v1beta/a/../b%20c%3Fd:generateContent",
		},
		pace.Vertex: {
			"1": "/v1beta1/projects/spillway/locations/global/publishers/google/models/gemini-3.5-flash:generateContent",
		},
	} {
		j := newJob(t, in)
		var lost atomic.Int64
		sum, err := j.run(t.Context(), false, pace.Config{
			Dialect: dialect, Model: "usual", Label: "nightly", Share: 0.25,
			Transport: server(func(req *http.Request, body []byte) (int, http.Header, string) {
				h := req.Header
				if h.Get("Spillway-Share") != "0.25" || h.Get("Spillway-Priority") != "batch" || h.Get("Spillway-Max-Wait") == "" || !json.Valid(body) {
					lost.Add(1)
				}
				text, _ := json.Marshal(map[string]any{"path": req.URL.EscapedPath(), "label": h.Get("Spillway-Label"), "body": json.RawMessage(body)})
				return http.StatusOK, nil, string(text)
			}),
		})
		if err != nil || lost.Load() > 0 || sum.Lines != 10 || sum.Served != 6 || sum.Failed != 4 || sum.Left != 0 {
			t.Errorf("%v, %d requests without their headers, %+v", err, lost.Load(), sum)
		}
		all := j.lines()
		if len(all) != 10 {
			t.Fatalf("%d lines of output", len(all))
		}
		for _, l := range all {
			var got struct {
				Path, Label string
				Body        struct {
					Path, Label string
					Body        map[string]any
				}
			}
			if l.Response != nil {
				if err := json.Unmarshal(l.Response, &got); err != nil {
					t.Fatal(err)
				}
			}
			if l.CustomID != "" { // OpenAI's lines have the status as well
				got.Path, got.Label = got.Body.Path, got.Body.Label
			}
			if path := want[l.Key+l.CustomID]; path != "" && got.Path != path {
				t.Errorf("%s went to %q, want %q", l.Key, got.Path, path)
			}
			if l.Line == 4 && (l.Label != "team-a" || got.Label != "team-a") || l.Line == 2 && (l.Label != "nightly" || got.Label != "nightly") {
				t.Errorf("line %d has the label %q, and was sent with %q", l.Line, l.Label, got.Label)
			}
			if fails := l.Error != nil; fails != (l.Line == 6 || l.Line == 8 || l.Line == 9 || l.Line == 11) {
				t.Errorf("line %d: %+v", l.Line, l)
			}
		}
	}
}

func TestWhatPassesIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, calls := newJob(t, requests(1)), 0
		answers := []struct {
			status int
			after  string
			wait   time.Duration // before it
		}{
			{429, "30", 0}, {503, "", 30 * time.Second}, {0, "", 0}, {429, "7200", 0}, {200, "", 10 * time.Minute},
		}
		last := time.Now()
		sum, err := j.run(t.Context(), false, pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
			a := answers[calls]
			if waited := time.Since(last); waited < a.wait || waited > a.wait+time.Minute {
				t.Errorf("try %d came after %v, want %v", calls, waited, a.wait)
			}
			last = time.Now()
			calls++
			return a.status, http.Header{"Retry-After": {a.after}}, served
		})})
		if err != nil || calls != 5 || sum.Served != 1 || sum.Retries["429"] != 2 || sum.Retries["503"] != 1 || sum.Retries["502"] != 1 {
			t.Errorf("%v, %d requests, %+v", err, calls, sum)
		}
		if sum.Input != 3 || sum.Output != 3 {
			t.Errorf("%d and %d tokens, want 3 and 3", sum.Input, sum.Output)
		}
	})
}

func TestFaultsAreNotRepeatedForEver(t *testing.T) {
	for _, status := range []int{500, 503, 504, 499, 408, 0} {
		synctest.Test(t, func(t *testing.T) {
			j, calls := newJob(t, requests(1)), 0
			sum, err := j.run(t.Context(), false, pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
				calls++
				return status, nil, `{"error": {"code": 1, "message": "no"}}`
			})})
			if err != nil || calls != 6 || sum.Failed != 1 || j.lines()[1].Error == nil {
				t.Errorf("status %d: %v, %d requests, %+v", status, err, calls, sum)
			}
		})
	}
}

func TestWrongRequestsAreSentOnce(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 413, 501} {
		j, calls := newJob(t, requests(1)), 0
		sum, err := j.run(t.Context(), false, pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
			calls++
			return status, nil, `<html>`
		})})
		if l := j.lines()[1]; err != nil || calls != 1 || sum.Failed != 1 || l.Error == nil || l.Error.Code != status {
			t.Errorf("status %d: %v, %d requests, %+v", status, err, calls, l)
		}
	}
}

// A wrong token must not make an error of every line.
func TestARunEndsWhereAllIsRefused(t *testing.T) {
	j, calls := newJob(t, requests(1000)), 0
	sum, err := j.run(t.Context(), false, pace.Config{Parallel: 1, Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
		calls++
		return 401, nil, `{"error": {"message": "no such token"}}`
	})})
	if !errors.Is(err, pace.ErrRefused) || !strings.Contains(err.Error(), "no such token") || calls != 20 || sum.Left != 980 {
		t.Errorf("%v after %d requests, %+v", err, calls, sum)
	}
}

// Google answers 400 with a key that is dead, and 402 where billing is off: that is not of the line.
func TestARunEndsWhereNoEndpointIsLeft(t *testing.T) {
	for _, status := range []int{400, 402} {
		for _, why := range []string{"key_revoked of key:mig/29cda1ec68659e3c until a probe succeeds", ""} {
			j, calls := newJob(t, requests(100)), 0
			sum, err := j.run(t.Context(), false, pace.Config{Parallel: 1, Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
				header := http.Header{}
				if calls++; why != "" {
					header.Set("Spillway-Why", why)
				}
				return status, header, `{"error": {"message": "API key not valid"}}`
			})})
			want := int64(80) // left
			if why == "" {
				want = 0
			}
			if errors.Is(err, pace.ErrRefused) != (want > 0) || sum.Left != want {
				t.Errorf("status %d for %q: %v after %d requests, %+v", status, why, err, calls, sum)
			}
		}
	}
}

// A stream is no line. It is not sent six times to find that out.
func TestALineThatAsksForAStreamIsNotSent(t *testing.T) {
	for stream, sent := range map[string]int{"true": 0, "false": 1, "null": 1, `"x"`: 1} {
		j, calls := newJob(t, []byte(`{"custom_id": "a", "url": "/v1/chat/completions", "body": {"model": "m", "stream": `+stream+`}}`+"\n")), 0
		sum, err := j.run(t.Context(), false, pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
			calls++
			return 200, nil, served
		})})
		if err != nil || calls != sent || sum.Failed != int64(1-sent) {
			t.Errorf("stream %s: %v, %d requests, %+v", stream, err, calls, sum)
		}
	}
}

// Whatever is left of a run, the next one brings every line, once.
func TestARunGoesOnAfterAnyEnd(t *testing.T) {
	const n = 200
	ok := server(func(*http.Request, []byte) (int, http.Header, string) { return 200, nil, served })
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		j := newJob(t, requests(n))
		var sent atomic.Int64
		ctx, kill := context.WithCancel(t.Context())
		at := 1 + rng.Int64N(n)
		_, err := j.run(ctx, false, pace.Config{Parallel: 8, Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
			if sent.Add(1) == at {
				kill()
			}
			return 200, nil, served
		})})
		if err != nil {
			t.Fatal(err)
		}
		// Killed, it may not have written its last lines, or not to their end.
		text, err := os.ReadFile(j.path)
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Count(text, []byte("\n"))
		cut := max(len(text)-rng.IntN(1000), 0)
		if err := os.WriteFile(j.path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		there := bytes.Count(text[:cut], []byte("\n"))
		sum, err := j.run(t.Context(), false, pace.Config{Transport: ok})
		if err != nil || len(j.lines()) != n || sum.Before != int64(there) || sum.Served != int64(n-there) {
			t.Fatalf("seed %d: %v, %d lines, %+v", seed, err, len(j.lines()), sum)
		}
		if lost := int64(before - there); sum.Twice < lost || sum.Twice > lost+8 {
			t.Errorf("seed %d: %d lines may be sent twice, want %d and those that were about to be sent", seed, sum.Twice, lost)
		}
		for i, l := range j.lines() {
			if l.Key != fmt.Sprint("k", i) {
				t.Errorf("line %d has the key %s", i, l.Key)
			}
		}
	}
}

func TestFailedLinesAreSentAgainIfAsked(t *testing.T) {
	j := newJob(t, requests(50))
	odd := server(func(_ *http.Request, body []byte) (int, http.Header, string) {
		if bytes.Contains(body, []byte(`7"`)) {
			return 400, nil, `{"error": {"code": 400, "message": "odd"}}`
		}
		return 200, nil, served
	})
	sum, err := j.run(t.Context(), false, pace.Config{Transport: odd})
	if err != nil || sum.Failed != 5 || sum.Failures["400 odd"] != 5 {
		t.Fatalf("%v, %+v", err, sum)
	}
	if sum, err = j.run(t.Context(), false, pace.Config{Transport: odd}); err != nil || sum.Served+sum.Failed != 0 {
		t.Fatalf("there was nothing to do: %v, %+v", err, sum)
	}
	well := server(func(*http.Request, []byte) (int, http.Header, string) { return 200, nil, served })
	sum, err = j.run(t.Context(), true, pace.Config{Transport: well})
	if err != nil || sum.Served != 5 || sum.Before != 45 || sum.Twice != 0 || len(j.lines()) != 50 {
		t.Errorf("%v, %d lines, %+v", err, len(j.lines()), sum)
	}
}

func TestARunIsSpreadOverItsTimeAndEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, start := newJob(t, requests(100)), time.Now()
		var mu sync.Mutex
		var at []time.Duration
		sum, err := j.run(t.Context(), false, pace.Config{Until: start.Add(time.Hour), Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			return 200, nil, served
		})})
		if err != nil || sum.Served != 100 || at[49] < 20*time.Minute || at[99] > time.Hour {
			t.Errorf("%v, half was sent after %v, the last after %v", err, at[49], at[99])
		}
	})
	synctest.Test(t, func(t *testing.T) { // few lines begin at once, too
		start := time.Now()
		sum, err := newJob(t, requests(2)).run(t.Context(), false, pace.Config{Until: start.Add(8 * time.Hour), Transport: server(func(_ *http.Request, body []byte) (int, http.Header, string) {
			if first, at := bytes.Contains(body, []byte(`"0"`)), time.Since(start); first && at > 0 || !first && (at < 2*time.Hour || at > 6*time.Hour) {
				t.Errorf("%s begins after %v", body, at)
			}
			return 200, nil, served
		})})
		if err != nil || sum.Served != 2 {
			t.Errorf("%v, %+v", err, sum)
		}
	})
	synctest.Test(t, func(t *testing.T) { // what waits is left, what is under way ends
		j, start := newJob(t, requests(100)), time.Now()
		var ends atomic.Int64
		sum, err := j.run(t.Context(), false, pace.Config{Parallel: 4, Until: start.Add(time.Hour), Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
			if time.Since(start) < 30*time.Minute {
				return 429, http.Header{"Retry-After": {"60"}}, `{}`
			}
			time.Sleep(20 * time.Minute)
			ends.Add(1)
			return 200, nil, served
		})})
		if err != nil || sum.Served == 0 || sum.Served != ends.Load() || sum.Left != 100-sum.Served || time.Since(start) > 81*time.Minute {
			t.Errorf("%v after %v, %d ended, %+v", err, time.Since(start), ends.Load(), sum)
		}
		if sum, err = j.run(t.Context(), false, pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) { return 200, nil, served })}); err != nil || len(j.lines()) != 100 {
			t.Errorf("%v, %+v", err, sum)
		}
	})
}

func TestAnOutputIsOfOneFileAndOneRun(t *testing.T) {
	j := newJob(t, requests(10))
	open := func(in []byte) error {
		out, err := pace.Open(j.path, bytes.NewReader(in), false)
		if err == nil {
			_ = out.Close()
		}
		return err
	}
	if err := os.WriteFile(j.path, []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(j.in); err == nil || !strings.Contains(err.Error(), "another --out") {
		t.Errorf("a file of the user's: %v", err)
	}
	if err := os.Remove(j.path); err != nil {
		t.Fatal(err)
	}
	if _, err := j.run(t.Context(), false, pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) { return 200, nil, served })}); err != nil {
		t.Fatal(err)
	}
	if err := open(requests(9)); err == nil || !strings.Contains(err.Error(), "other requests") {
		t.Errorf("other requests: %v", err)
	}
	for _, device := range []string{"/dev/full", "/dev/zero", t.TempDir()} {
		if _, err := pace.Open(device, bytes.NewReader(j.in), false); err == nil || !strings.Contains(err.Error(), "another --out") {
			t.Errorf("%s is taken: %v", device, err)
		}
	}
	if err := open(requests(11)); err != nil {
		t.Errorf("the file has grown: %v", err)
	}
	if err := open(j.in); err == nil || !strings.Contains(err.Error(), "other requests") {
		t.Errorf("lines have gone: %v", err)
	}
	j.in = requests(11)
	out, err := pace.Open(j.path, bytes.NewReader(j.in), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(j.in); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("two at once: %v", err)
	}
	_ = out.Close()
	for _, broken := range []string{"{}\n", `{"line": 99999999999}` + "\n", "[]\n"} {
		if err := os.WriteFile(j.path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := open(j.in); err == nil {
			t.Errorf("a broken output %q is taken", broken)
		}
	}
}

// A byte order mark, as Windows writes it, belongs to no line.
func TestAByteOrderMarkIsNoPartOfTheFirstLine(t *testing.T) {
	j := newJob(t, append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(requests(2), []byte("\n"), []byte("\r\n"))...))
	sum, err := j.run(t.Context(), false, pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) { return 200, nil, served })})
	if err != nil || sum.Served != 2 || j.lines()[1].Key != "k1" {
		t.Errorf("%v, %+v", err, sum)
	}
}

// What cannot be sent at all is wrong at once, and the line still has its key.
func TestAWrongLabelOrTypeIsToldAtOnceWithTheKey(t *testing.T) {
	for _, wrong := range []string{`"label": 5`, `"label": "a\nb"`, `"model": 7`, `"method": []`} {
		synctest.Test(t, func(t *testing.T) {
			j := newJob(t, []byte(`{"key": "mine", `+wrong+`, "request": {"model": "models/m", "contents": []}}`+"\n"))
			began := time.Now()
			sum, err := j.run(t.Context(), false, pace.Config{Transport: http.DefaultTransport})
			l := j.lines()[1]
			if err != nil || sum.Failed != 1 || l.Key != "mine" || l.Error == nil || l.Error.Code != 400 || time.Since(began) > 0 {
				t.Errorf("%s: %v, %+v, %+v after %v", wrong, err, sum, l, time.Since(began))
			}
		})
	}
}

// A token that is revoked in the middle must not make an error of all that is left, in this run or in
// one that goes on.
func TestARunEndsWhereATokenIsRevoked(t *testing.T) {
	j, calls := newJob(t, requests(1000)), 0
	cfg := pace.Config{Parallel: 1, Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
		if calls++; calls <= 100 {
			return 200, nil, served
		}
		return 401, nil, `{"error": {"message": "no such token"}}`
	})}
	sum, err := j.run(t.Context(), false, cfg)
	if !errors.Is(err, pace.ErrRefused) || calls != 120 || sum.Left != 880 {
		t.Errorf("%v after %d requests, %+v", err, calls, sum)
	}
	sum, err = j.run(t.Context(), false, cfg)
	if !errors.Is(err, pace.ErrRefused) || calls != 140 || sum.Left != 860 {
		t.Errorf("the next run: %v after %d requests, %+v", err, calls, sum)
	}
}

// A sidecar that is away for a while is waited for: no request has failed.
func TestASidecarThatRestartsIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, back := newJob(t, requests(50)), time.Now().Add(10*time.Minute)
		sum, err := j.run(t.Context(), false, pace.Config{Transport: away(func() bool { return time.Now().Before(back) })})
		if err != nil || sum.Served != 50 || sum.Failed != 0 {
			t.Errorf("%v, %+v", err, sum)
		}
	})
}

// away refuses connections while it is so.
type away func() bool

func (a away) RoundTrip(req *http.Request) (*http.Response, error) {
	if a() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(served)), Request: req}, nil
}

// An input that is edited between two runs, anywhere, is another one: its lines have other numbers.
func TestAnInputThatWasEditedFarBehindItsBeginningIsRefused(t *testing.T) {
	j := newJob(t, requests(20_000)) // over 1 MB
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := j.run(ctx, false, pace.Config{}); err != nil {
		t.Fatal(err)
	}
	grown := append(bytes.Clone(j.in), requests(1)...)
	for _, in := range [][]byte{grown, grown} {
		out, err := pace.Open(j.path, bytes.NewReader(in), false)
		if err != nil {
			t.Fatalf("a file that has grown: %v", err)
		}
		_ = out.Close()
	}
	for _, at := range []int{len(j.in) - 20, len(grown) - 20} {
		edited := bytes.Clone(grown)
		edited[at] ^= 1
		if out, err := pace.Open(j.path, bytes.NewReader(edited), false); err == nil {
			_ = out.Close()
			t.Errorf("byte %d of %d was edited, and the output is taken", at, len(edited))
		}
	}
}

// An error without a word is one still.
func TestAnErrorWithoutAWordIsSentAgainIfAsked(t *testing.T) {
	j, status := newJob(t, append(requests(1), `{"custom_id": "2", "url": "/v1/embeddings", "body": {"model": "m"}}`...)), 404
	cfg := pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) { return status, nil, "null" })}
	if sum, err := j.run(t.Context(), false, cfg); err != nil || sum.Failed != 2 {
		t.Errorf("%v, %+v", err, sum)
	}
	status = 200
	if sum, err := j.run(t.Context(), true, cfg); err != nil || sum.Served != 2 {
		t.Errorf("again: %v, %+v", err, sum)
	}
}

// growing is a file of requests that gets one more after it was counted.
type growing struct {
	*bytes.Reader
	grown []byte
}

func (g *growing) Seek(at int64, whence int) (int64, error) {
	n, err := g.Reader.Seek(at, whence)
	if g.grown != nil && whence == io.SeekStart {
		g.Reader, g.grown = bytes.NewReader(g.grown), nil
	}
	return n, err
}

func TestLinesThatComeDuringARunAreForTheNext(t *testing.T) {
	j := newJob(t, requests(3))
	out, err := pace.Open(j.path, bytes.NewReader(j.in), false)
	if err != nil {
		t.Fatal(err)
	}
	in := &growing{bytes.NewReader(j.in), append(requests(3), requests(1)...)}
	sum, err := pace.Run(t.Context(), in, out, pace.Config{
		Base: "http://localhost", Transport: server(func(*http.Request, []byte) (int, http.Header, string) { return 200, nil, served }),
	})
	_ = out.Close()
	if err != nil || sum.Left != 0 || sum.Served != 3 || sum.Lines != 3 {
		t.Errorf("%v, %+v", err, sum)
	}
}

// A model that is missing from the first line on is missing for all, also in the run after the one that
// has found out.
func TestAMissingModelEndsEveryRun(t *testing.T) {
	j := newJob(t, requests(1000))
	for i := range int64(3) {
		sum, err := j.run(t.Context(), false, pace.Config{Parallel: 1, Transport: server(func(*http.Request, []byte) (int, http.Header, string) {
			return 404, nil, `{"error": {"message": "no such model"}}`
		})})
		if !errors.Is(err, pace.ErrRefused) || sum.Failed > 21 || sum.FailedBefore != sum.Before || sum.Before < 20*i {
			t.Errorf("run %d: %v, %+v", i, err, sum)
		}
	}
}

func TestLabelsAreBounded(t *testing.T) {
	var in bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&in, `{"label": "l%d", "model": "m", "request": {}}`+"\n", i)
	}
	sum, err := newJob(t, in.Bytes()).run(t.Context(), false, pace.Config{Transport: server(func(*http.Request, []byte) (int, http.Header, string) { return 200, nil, served })})
	if err != nil || sum.Served != 3000 || len(sum.Labels) > 1001 || sum.Labels["other"] < 1999 {
		t.Errorf("%v, %d labels, %d served, %d of others", err, len(sum.Labels), sum.Served, sum.Labels["other"])
	}
}
