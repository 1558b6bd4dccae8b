package main

import (
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/metrics"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// google answers everything at once.
type google struct{}

func (google) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := `{"candidates":[{"content":{"role":"model","parts":[{"text":"` + strings.Repeat("A dam keeps what you bought. ", 60) +
		`"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":14,"totalTokenCount":21}}`
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		ContentLength: int64(len(answer)), Body: io.NopCloser(strings.NewReader(answer)),
	}, nil
}

// BenchmarkEyes makes a call of the SDK's with nobody watching and one with all that serve has, in
// turn: events, the ring of calls, a call log and metrics. It reports the ratio of the median times.
func BenchmarkEyes(b *testing.B) {
	client := func(opts ...router.Option) func() {
		cfg := &config.Config{Pool: pool.Config{Projects: []pool.Project{
			{Name: "a", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key-of-a")}},
		}}}
		made, err := spillway.New(b.Context(), cfg, append(opts, router.WithTransport(google{}))...)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = made.Close() })
		prompt := genai.Text(strings.Repeat("What is a spillway? ", 50))
		return func() {
			if _, err := made.Models.GenerateContent(b.Context(), "gemini-3.5-flash", prompt, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	log := calls.OpenLog(filepath.Join(b.TempDir(), "calls.jsonl"), calls.FileConfig{}, slog.New(slog.DiscardHandler))
	defer func() { _ = log.Close() }()
	events := newRing()
	call := [2]func(){client(), client(router.WithTrace(calls.Trace(newCallRing(), log)),
		router.WithTrace(metrics.New().Trace()), router.WithEvents(events.observe))}
	var times [2][]time.Duration
	for b.Loop() {
		for i := range call {
			began := time.Now()
			call[i]()
			times[i] = append(times[i], time.Since(began))
		}
	}
	slices.Sort(times[0])
	slices.Sort(times[1])
	b.ReportMetric(float64(times[1][len(times[1])/2])/float64(times[0][len(times[0])/2]), "ratio")
}
