package metrics_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/metrics"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// A program has a registry of its own, and serves it with promhttp.
func Example() {
	ctx := context.Background()
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"a-key"}}}})
	cfg := &config.Config{Pool: pool.Config{Projects: []pool.Project{{
		Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("a-key")},
	}}}}
	registry := prometheus.NewRegistry()

	m := metrics.New()
	client, err := spillway.New(ctx, cfg, router.WithTransport(google), router.WithTrace(m.Trace()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	registry.MustRegister(m.Collector(client.Router))

	if _, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", genai.Text("hi"), nil); err != nil {
		fmt.Println(err)
		return
	}
	families, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range families {
		if f.GetName() == "spillway_calls_total" {
			fmt.Println(f.GetName(), f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	// Output: spillway_calls_total 1
}
