package main

import "net/http"

// The sidecar's paths for operators.
const (
	slaPath     = "/spillway/sla"
	explainPath = "/spillway/explain"
	pausePath   = "/spillway/pause"
	resumePath  = "/spillway/resume"
)

// operators are what the sidecar does for operators, by path.
var operators = map[string]struct {
	method string
	serve  func(s *sidecar, w http.ResponseWriter, req *http.Request)
}{
	slaPath:     {http.MethodGet, (*sidecar).sla},
	explainPath: {http.MethodGet, (*sidecar).explain},
	pausePath:   {http.MethodPost, (*sidecar).pause},
	resumePath:  {http.MethodPost, (*sidecar).resume},
}

// operate serves a path for operators, and reports whether it is one.
func (s *sidecar) operate(w http.ResponseWriter, req *http.Request) bool {
	o, ok := operators[req.URL.Path]
	if !ok {
		return false
	}
	if req.Method != o.method && (req.Method != http.MethodHead || o.method != http.MethodGet) {
		w.Header().Set("Allow", o.method)
		refuse(w, http.StatusMethodNotAllowed, "UNIMPLEMENTED", req.URL.Path+" takes "+o.method)
		return true
	}
	o.serve(s, w, req)
	return true
}
