package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway-go/spillway/router"
)

const prefix = "spillway_"

// metric is the description of one that comes from a snapshot.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc(prefix+name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc(prefix+name, help, labels, nil), prometheus.CounterValue}
}

// described are all of them.
var described = []metric{
	attempts, tokens, inFlight, ready, breakerState, breakerOpens, downgraded, pace,
	limit, limitUsed, limitRatio,
	orderCapacity, orderUsed, orderRatio, orderServed, orderRefused, orderBypassed, orderFailed, orderSpilled,
	queued, exhausted, rerouted, reroutedTo,
	cooldownActive, cooldownLeft,
	retries, retriesRefused, retryBudget, lookups,
	cacheHits, cacheMisses, cacheEntries, cacheBytes, cacheLimit,
	storeUp, storeMembers, storeLapsed, storeLag, build,
}

// snapshot sends the metrics of one snapshot of a router.
type snapshot struct {
	stat *router.Stat
	to   chan<- prometheus.Metric
}

func (s snapshot) collect() {
	s.endpoints()
	s.limits()
	s.orders()
	s.models()
	s.cooldowns()
	s.caches()
	s.whole()
}

// send sends one value, with the values of the labels in the order of the description.
func (s snapshot) send(m metric, v float64, labels ...string) {
	if made, err := prometheus.NewConstMetric(m.desc, m.kind, v, labels...); err == nil {
		s.to <- made
	}
}
