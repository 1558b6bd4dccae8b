package main

import "net/http"

// The sidecar's paths for operators.
const (
	healthPath = "/healthz"
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
}

// operators are all of them, by path.
var operators = withDashboard(map[string]operator{
	healthPath:     {http.MethodGet, (*sidecar).health},
	statusPath:     {http.MethodGet, (*sidecar).status},
	eventsPath:     {http.MethodGet, (*sidecar).tellEvents},
	callsPath:      {http.MethodGet, (*sidecar).tellCalls},
	metricsPath:    {http.MethodGet, (*sidecar).measure},
	ownMetricsPath: {http.MethodGet, (*sidecar).measure},
	slaPath:        {http.MethodGet, (*sidecar).sla},
	explainPath:    {http.MethodGet, (*sidecar).explain},
	pausePath:      {http.MethodPost, (*sidecar).pause},
	resumePath:     {http.MethodPost, (*sidecar).resume},
	livePath:       {http.MethodGet, (*sidecar).tellLive},
})

// operate serves a path for operators, and reports whether it is one.
func (s *sidecar) operate(c *client, req *http.Request) bool {
	o, ok := operators[req.URL.Path]
	if !ok {
		return false
	}
	if req.Method != o.method && (req.Method != http.MethodHead || o.method != http.MethodGet) {
		c.Header().Set("Allow", o.method)
		refuse(c, http.StatusMethodNotAllowed, "UNIMPLEMENTED", req.URL.Path+" takes "+o.method)
		return true
	}
	o.serve(s, c, req)
	return true
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
