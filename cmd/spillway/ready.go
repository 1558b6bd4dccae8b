package main

import "net/http"

// readiness is the body of /readyz.
type readiness struct {
	Status string `json:"status"`
}

// ready says whether the sidecar is to get more calls.
func (s *sidecar) ready(c *client, _ *http.Request) {
	code, status := http.StatusServiceUnavailable, "ready"
	switch {
	case s.phase.Load() == int32(phaseStarting):
		status = "starting"
	case s.phase.Load() == int32(phaseDraining):
		status = "draining"
	case !snapshotOf(s.router).serves(""):
		status = "every endpoint refuses calls"
	default:
		code = http.StatusOK
	}
	writeJSON(c, code, readiness{status})
}
