package main

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/spillway-go/spillway/calls"
)

const (
	// callsPath is where the sidecar tells of calls: /spillway/calls?id=ID or ?last=20.
	callsPath = "/spillway/calls"
	// keptCalls is how many calls it remembers, the last ones.
	keptCalls = 10_000
)

// tellCalls writes the record of one call, or those of the last calls, in the order of their ends.
func (s *sidecar) tellCalls(w *client, req *http.Request) {
	query := req.URL.Query()
	id, last := query.Get("id"), query.Get("last")
	switch {
	case id != "" && last == "":
		if r := s.calls.Find(id); r != nil {
			writeJSON(w, http.StatusOK, r)
			return
		}
		refuse(w, http.StatusNotFound, "NOT_FOUND", fmt.Sprintf(
			"no call %.40q is among the last %d of this sidecar; the call log may have it, if [log] names one", id, keptCalls))
	case last != "" && id == "":
		n, err := strconv.Atoi(last)
		if err != nil || n < 1 {
			refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "last is not a number above 0; write last=20")
			return
		}
		writeJSON(w, http.StatusOK, s.calls.Last(n))
	default:
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT",
			"write "+callsPath+"?id=ID for one call, whose response has it in Spillway-Call, or "+callsPath+"?last=20 for the last ones")
	}
}

// newCallRing returns the ring of a sidecar's calls.
func newCallRing() *calls.Ring { return calls.NewRing(keptCalls) }
