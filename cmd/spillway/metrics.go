package main

import (
	"log"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/spillway-go/spillway/metrics"
	"github.com/spillway-go/spillway/router"
)

// mostScrapes bounds the scrapes under way: one of a large pool takes a second.
const mostScrapes = 3

// metricsHandler serves the metrics of a router and of this process to a Prometheus.
func metricsHandler(m *metrics.Metrics, r *router.Router, problems *log.Logger) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		m.Collector(r), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: problems, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: mostScrapes,
	}), nil
}
