package metrics

import (
	"strings"

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
	attempts, tokens, inFlight, ready, breakerState, breakerOpens, pace,
	limit, limitUsed, limitRatio,
	orderCapacity, orderUsed, orderRatio, orderServed, orderRefused, orderBypassed, orderSpilled,
	queued, exhausted, rerouted, reroutedTo,
	cooldownActive, cooldownLeft,
	retries, retriesRefused, retryBudget, lookups,
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
	s.whole()
}

// send sends one value, with the values of the labels in the order of the description.
func (s snapshot) send(m metric, v float64, labels ...string) {
	if made, err := prometheus.NewConstMetric(m.desc, m.kind, v, labels...); err == nil {
		s.to <- made
	}
}

// place is an endpoint's project, location and traffic.
type place struct{ project, location, traffic string }

// placeOf takes an endpoint's name apart: "project/location/traffic".
func placeOf(endpoint string) (p place) {
	p.project = endpoint
	if i := strings.LastIndexByte(p.project, '/'); i >= 0 {
		p.project, p.traffic = p.project[:i], p.project[i+1:]
	}
	if i := strings.LastIndexByte(p.project, '/'); i >= 0 {
		p.project, p.location = p.project[:i], p.project[i+1:]
	}
	p.project = value(p.project)
	return p
}

// method names an account of methods. That of all which generates has no name of its own.
func method(account string) string {
	if account == "" {
		return "generate"
	}
	return value(account)
}

// value returns a text as the value of a label, which has to be UTF-8.
func value(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
