package otel

import (
	"go.opentelemetry.io/otel/metric"

	"github.com/spillway-go/spillway/router"
)

// caches are the metrics of the response cache, by the model and the namespace that its configuration
// has.
type caches struct {
	hits, misses          metric.Int64ObservableCounter
	entries, bytes, limit metric.Int64ObservableGauge
}

func (c *caches) all() []metric.Observable {
	return []metric.Observable{c.hits, c.misses, c.entries, c.bytes, c.limit}
}

func (c *caches) observe(to metric.Observer, all []router.CacheStat) {
	for i := range all {
		s := &all[i]
		of := attributes("gen_ai.request.model", s.Model, "spillway.namespace", s.Namespace)
		to.ObserveInt64(c.hits, s.HitCount, of)
		to.ObserveInt64(c.misses, s.MissCount, of)
		to.ObserveInt64(c.entries, int64(s.Entries), of)
		to.ObserveInt64(c.bytes, s.Bytes, of)
		to.ObserveInt64(c.limit, s.MaxBytes, of)
	}
}
