package metrics_test

import (
	"fmt"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
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

// BenchmarkCall makes calls over the emulator with metrics.
func BenchmarkCall(b *testing.B) {
	google, p := studio()
	google.Log = -1
	bed := newBed(b, google, p)
	b.ReportAllocs()
	for b.Loop() {
		bed.call(b, flash)
	}
}
