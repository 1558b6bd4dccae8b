package otel_test

import (
	"context"
	"fmt"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/otel"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// A program sets its providers up as it always does.
func Example() {
	ctx := context.Background()
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"a-key"}}}})
	cfg := &config.Config{Pool: pool.Config{Projects: []pool.Project{{
		Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("a-key")},
	}}}}
	spans := tracetest.NewInMemoryExporter()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	mp := sdkmetric.NewMeterProvider()

	client, err := spillway.New(ctx, cfg, router.WithTransport(google), router.WithTrace(otel.Trace(tp, mp)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	if _, err := otel.Observe(mp, client.Router); err != nil {
		fmt.Println(err)
		return
	}

	if _, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", genai.Text("hi"), nil); err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range spans.GetSpans() {
		fmt.Println(s.Name)
	}
	// Output:
	// spillway.attempt
	// generate_content gemini-3.5-flash
}
