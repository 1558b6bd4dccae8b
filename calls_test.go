package spillway_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestClientWritesItsCallLog(t *testing.T) {
	setKeys(t)
	file := written(t, "[log]\ncalls = \"calls.jsonl\"\n"+geminiFile)
	var said strings.Builder
	client, err := spillway.Open(t.Context(), file, router.WithTransport(googleOf("studio")), router.WithLogger(slog.New(slog.NewTextHandler(&said, nil))))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for lines, told := range map[string]bool{
		"[log]\ncalls = \"calls.jsonl\"\nlevel = \"debug\"\n": false, "[log]\ncalls = \"other.jsonl\"\n": true,
	} {
		said.Reset()
		cfg, err := config.Parse("test", []byte(lines+geminiFile), config.WithDir(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Reload(cfg); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(said.String(), "call log under [log] has changed") != told {
			t.Errorf("after a reload with %q it says %q", lines, &said)
		}
	}
	for range 2 {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "calls.jsonl"))
	var r calls.Record
	if err := json.Unmarshal(text, &r); err != nil {
		t.Errorf("the log has %q: %v", text, err)
	}
	if err != nil || r.ID != resp.SDKHTTPResponse.Headers.Get("Spillway-Call") || r.Outcome != calls.OutcomeServed {
		t.Errorf("the log has %s (error %v)", text, err)
	}
}

// TestCallLogThatCannotBeWrittenStopsNothing opens a log in a folder that is not there.
func TestCallLogThatCannotBeWrittenStopsNothing(t *testing.T) {
	setKeys(t)
	var said strings.Builder
	client, err := spillway.Open(t.Context(), written(t, "[log]\ncalls = \"there/is/none.jsonl\"\n"+geminiFile),
		router.WithTransport(googleOf("studio")), router.WithLogger(slog.New(slog.NewTextHandler(&said, nil))))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := client.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), nil); err != nil {
			t.Error(err)
		}
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(said.String(), "the call log cannot be written"); n != 1 {
		t.Errorf("it says so %d times, want once: %s", n, &said)
	}
}

// recorded is a client over canned answers with a call log, or without one.
func recorded(tb testing.TB, log string) func() {
	tb.Helper()
	cfg := &config.Config{Log: config.Log{Calls: log}, Pool: pool.Config{Projects: []pool.Project{
		{Name: "a", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key-of-a")}},
	}}}
	client, err := spillway.New(context.Background(), cfg, router.WithTransport(canned{}))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	prompt := genai.Text(strings.Repeat("What is a spillway? ", 50))
	return func() {
		if _, err := client.Models.GenerateContent(context.Background(), "gemini-2.5-flash", prompt, nil); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkCallLog makes calls without a call log and with one in turn, and reports the ratio of
// their median times. What it reports for an operation is both calls together.
func BenchmarkCallLog(b *testing.B) {
	for name, path := range map[string]string{"file": filepath.Join(b.TempDir(), "calls.jsonl"), "full": "/dev/full"} {
		b.Run(name, func(b *testing.B) {
			without, with := recorded(b, ""), recorded(b, path)
			var times [2][]time.Duration
			for b.Loop() {
				for i, call := range []func(){without, with} {
					began := time.Now()
					call()
					times[i] = append(times[i], time.Since(began))
				}
			}
			for i := range times {
				slices.Sort(times[i])
			}
			off, on := times[0][len(times[0])/2], times[1][len(times[1])/2]
			b.ReportMetric(float64(off.Nanoseconds()), "off-ns")
			b.ReportMetric(float64(on)/float64(off), "ratio")
		})
	}
}

// TestCallLogAllocatesLittle holds what the log allocates for a call, and the header with its id,
// which the SDK copies.
func TestCallLogAllocatesLittle(t *testing.T) {
	without, with := recorded(t, ""), recorded(t, filepath.Join(t.TempDir(), "calls.jsonl"))
	more := math.Inf(1)
	for range 5 { // under the race detector pools forget some of what they have
		more = min(more, testing.AllocsPerRun(200, with)-testing.AllocsPerRun(200, without))
	}
	if more > 13 {
		t.Errorf("a call with a log allocates %.0f times more, want at most 13", more)
	}
}
