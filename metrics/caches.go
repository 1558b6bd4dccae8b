package metrics

import "github.com/spillway-go/spillway/internal/observed"

// The metrics of the response cache, by the model and the namespace that its configuration has.
var (
	cacheHits    = counter("cache_hits_total", "Calls that the response cache served.", "model", "namespace")
	cacheMisses  = counter("cache_misses_total", "Calls of the response cache that made a request.", "model", "namespace")
	cacheEntries = gauge("cache_entries", "Responses that are kept.", "model", "namespace")
	cacheBytes   = gauge("cache_bytes", "Memory of the responses that are kept.", "model", "namespace")
	cacheLimit   = gauge("cache_limit_bytes", "Bound of that memory.", "model", "namespace")
)

func (s snapshot) caches() {
	for i := range s.stat.Caches {
		c := &s.stat.Caches[i]
		for _, m := range []struct {
			metric
			value int64
		}{
			{cacheHits, c.HitCount}, {cacheMisses, c.MissCount}, {cacheEntries, int64(c.Entries)},
			{cacheBytes, c.Bytes}, {cacheLimit, c.MaxBytes},
		} {
			s.send(m.metric, float64(m.value), observed.Text(c.Model), observed.Text(c.Namespace))
		}
	}
}
