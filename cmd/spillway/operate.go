package main

import (
	"net/http"
	"slices"
)

// The sidecar's paths for operators.
const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
	// ownPrefix begins the paths that only a sidecar has.
	ownPrefix  = "/spillway"
	statusPath = "/spillway/status"
	eventsPath = "/spillway/events"
	// metricsPath is where a Prometheus looks; ownMetricsPath is the same.
	metricsPath    = "/metrics"
	ownMetricsPath = "/spillway/metrics"
	slaPath        = "/spillway/sla"
	explainPath    = "/spillway/explain"
	pausePath      = "/spillway/pause"
	resumePath     = "/spillway/resume"
)

// health is the body of /healthz.
type health struct {
	Status  string `json:"status"`
	Backend string `json:"backend"`
}

// operator is what the sidecar does for operators on one path.
type operator struct {
	method string
	serve  func(s *sidecar, c *client, req *http.Request)
	public bool // for everyone who reaches an address: it says a word and no more
	static bool // for everyone who reaches the operators' address: it is a part of the program
}

// operators are what the sidecar does for operators, by path.
var operators = withDashboard(map[string]operator{
	healthPath:     {http.MethodGet, (*sidecar).health, true, false},
	readyPath:      {http.MethodGet, (*sidecar).ready, true, false},
	statusPath:     {http.MethodGet, (*sidecar).status, false, false},
	eventsPath:     {http.MethodGet, (*sidecar).tellEvents, false, false},
	callsPath:      {http.MethodGet, (*sidecar).tellCalls, false, false},
	metricsPath:    {http.MethodGet, (*sidecar).measure, false, false},
	ownMetricsPath: {http.MethodGet, (*sidecar).measure, false, false},
	slaPath:        {http.MethodGet, (*sidecar).sla, false, false},
	explainPath:    {http.MethodGet, (*sidecar).explain, false, false},
	pausePath:      {http.MethodPost, (*sidecar).pause, false, false},
	resumePath:     {http.MethodPost, (*sidecar).resume, false, false},
	loginPath:      {http.MethodGet, (*sidecar).signedIn, false, false},
	feedPath:       {http.MethodGet, (*sidecar).tellFeed, false, false},
})

// relayed reports whether a request says that it comes through a proxy, and so perhaps from another
// machine.
func relayed(req *http.Request) bool {
	return slices.ContainsFunc([]string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"}, func(name string) bool {
		return len(req.Header.Values(name)) > 0
	})
}

// operate serves a path for operators on an address for clients, and reports whether it is one. An
// address for clients has these paths for requests of this machine alone, not for what a proxy passes on,
// and not for a page that may call models.
func (s *sidecar) operate(c *client, req *http.Request) bool {
	o, ok := operators[req.URL.Path]
	if !ok {
		return false
	}
	if !o.public && c.page != "" {
		refuse(c, http.StatusForbidden, "PERMISSION_DENIED", req.URL.Path+" is for operators, and not for a web page of origins in [serve]")
		return true
	}
	if at := connectedTo(req); !o.public && at != nil && (!isLocal(at) || relayed(req)) {
		refuse(c, http.StatusForbidden, "PERMISSION_DENIED", req.URL.Path+" is for operators; ask at 127.0.0.1 on the "+
			"machine itself, or at the address that [serve] admin names")
		return true
	}
	s.run(o, c, req)
	return true
}

// run does what an operator asks.
func (s *sidecar) run(o operator, c *client, req *http.Request) {
	if req.Method != o.method && (req.Method != http.MethodHead || o.method != http.MethodGet) {
		c.Header().Set("Allow", o.method)
		refuse(c, http.StatusMethodNotAllowed, "UNIMPLEMENTED", req.URL.Path+" takes "+o.method)
		return
	}
	o.serve(s, c, req)
}

func (s *sidecar) health(c *client, _ *http.Request) {
	writeJSON(c, http.StatusOK, health{"serving", string(s.router.Backend())})
}

func (s *sidecar) status(c *client, _ *http.Request) {
	writeJSON(c, http.StatusOK, snapshotOf(s.router))
}

func (s *sidecar) tellEvents(c *client, req *http.Request) { s.events.serve(c, req) }

func (s *sidecar) measure(c *client, req *http.Request) {
	if s.metrics == nil {
		refuse(c, http.StatusNotFound, "NOT_FOUND", "this sidecar counts nothing for Prometheus")
		return
	}
	s.metrics.ServeHTTP(c, req)
}
