package router

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"

	"github.com/spillway-go/spillway/pool"
)

// liveSetup is the first message of a client of the Live API. Its model is the endpoint's to name;
// everything else goes to Google as it came.
type liveSetup struct {
	outer, inner map[string]json.RawMessage
	name         string // of the message, in the client's spelling
	model        string
	handle       string // of the session to be resumed; empty: it is a new one
}

var errSetup = errors.New(`the first message must be {"setup": {"model": "models/NAME"}}`)

func readSetup(message []byte) (s liveSetup, err error) {
	if json.Unmarshal(message, &s.outer) != nil {
		return s, errSetup
	}
	s.name = "setup"
	if json.Unmarshal(s.outer[s.name], &s.inner) != nil ||
		json.Unmarshal(s.inner["model"], &s.model) != nil || s.model == "" {
		return s, errSetup
	}
	for _, spelling := range []string{"sessionResumption", "session_resumption"} {
		var resumption struct {
			Handle string `json:"handle"`
		}
		if json.Unmarshal(s.inner[spelling], &resumption) == nil && resumption.Handle != "" {
			s.handle = resumption.Handle
		}
	}
	return s, nil
}

// message returns the message with the name that the model has at an endpoint.
func (s *liveSetup) message(model string) ([]byte, error) {
	inner, outer := maps.Clone(s.inner), maps.Clone(s.outer)
	var err error
	if inner["model"], err = json.Marshal(model); err != nil {
		return nil, err
	}
	if outer[s.name], err = json.Marshal(inner); err != nil {
		return nil, err
	}
	return json.Marshal(outer)
}

// nameFor returns the name that the model has at an attempt's endpoint.
func (s *liveSetup) nameFor(a *attempt) string {
	x, e := a.exchange, a.endpoint
	switch {
	case x.payload.pinned():
		return x.model
	case e.Backend == pool.BackendGemini:
		return "models/" + x.request.Model
	default:
		return "projects/" + e.ProjectID + "/locations/" + e.Location + "/publishers/google/models/" + x.request.Model
	}
}

// handleName is the name under which the pool remembers the home of a session. A handle is as good
// as a password for the session, so that only its hash is kept.
func handleName(handle string) string {
	sum := sha256.Sum256([]byte(handle))
	return "liveSessions/" + hex.EncodeToString(sum[:])
}
