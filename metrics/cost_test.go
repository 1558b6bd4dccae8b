package metrics_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/metrics"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// BenchmarkScrape scrapes a router with 100 endpoints that 100 models were asked for: what it takes
// to gather and to write it.
func BenchmarkScrape(b *testing.B) {
	const endpoints, models = 100, 100
	google, p := geminitest.Config{Log: -1}, pool.Config{Memory: 1 << 30}
	for i := range models {
		google.Models = append(google.Models, fmt.Sprintf("gemini-%d-flash", i))
	}
	for i := range endpoints {
		name, key := fmt.Sprintf("project-%d", i), fmt.Sprintf("key-of-project-%d", i)
		google.Projects = append(google.Projects, geminitest.Project{ID: name, Keys: []string{key}})
		p.Projects = append(p.Projects, pool.Project{
			Name: name, Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret(key)},
			Limits: []pool.Limit{{RPM: 1e6, TPM: 1e9}},
		})
	}
	bed := newBed(b, google, p)
	for range 300 { // so that most endpoints have something to show
		for _, model := range google.Models {
			bed.call(b, model)
		}
	}
	var page []byte
	for b.Loop() {
		page = bed.text(b)
	}
	b.ReportMetric(float64(len(page))/1e6, "MB")
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/1000, "s/scrape")
}

// canned answers at once: what is measured over it is the router.
type canned struct{}

func (canned) RoundTrip(req *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, req.Body)
	const answer = `{"candidates":[{"content":{"role":"model","parts":[{"text":"A dam keeps what you bought."}]},"finishReason":"STOP"}],` +
		`"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":14,"totalTokenCount":21}}`
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		ContentLength: int64(len(answer)), Body: io.NopCloser(strings.NewReader(answer)),
	}, nil
}

// BenchmarkCall makes a call of the SDK's without metrics and one with them, in turn. It reports the
// ratio of the median times. What it reports for an operation is both calls together.
func BenchmarkCall(b *testing.B) {
	client := func(opts ...router.Option) func() {
		_, p := studio()
		made, err := spillway.New(b.Context(), &config.Config{Pool: p}, append(opts, router.WithTransport(canned{}))...)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = made.Close() })
		return func() {
			if _, err := made.Models.GenerateContent(b.Context(), flash, genai.Text("What is a spillway?"), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	off, on := client(), client(router.WithTrace(metrics.New().Trace()))
	var offTimes, onTimes []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		t0 := time.Now()
		off()
		t1 := time.Now()
		on()
		offTimes, onTimes = append(offTimes, t1.Sub(t0)), append(onTimes, time.Since(t1))
	}
	slices.Sort(offTimes)
	slices.Sort(onTimes)
	b.ReportMetric(float64(onTimes[len(onTimes)/2])/float64(offTimes[len(offTimes)/2]), "ratio")
	b.ReportMetric(testing.AllocsPerRun(200, on)-testing.AllocsPerRun(200, off), "more-allocs")
}
