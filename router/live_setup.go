package router

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/pool"
)

// liveSetup is the first message of a client of the Live API. Its model is the endpoint's to name;
// everything else goes to Google as it came.
type liveSetup struct {
	text     []byte
	from, to int // where the model's name is in the text, with its quotes
	model    string
	handle   string // of the session to be resumed; empty: it is a new one
}

var (
	errSetup  = errors.New(`the first message must be {"setup": {"model": "models/NAME"}}`)
	errModels = errors.New("the setup names two models; name one") // which one Google takes is its own matter
)

func readSetup(message []byte) (s liveSetup, err error) {
	if !json.Valid(message) {
		return s, errSetup
	}
	s.text = message
	setups := 0
	for c := jsonscan.Object(message); c.Member(); {
		if string(c.Key) == "setup" {
			setups++
			err = cmp.Or(s.read(&c), err)
		}
	}
	switch {
	case err != nil:
		return s, err
	case setups > 1:
		return s, errModels
	case s.model == "":
		return s, errSetup
	}
	return s, nil
}

// read reads the value of the setup, which comes next.
func (s *liveSetup) read(c *jsonscan.Scanner) error {
	if !c.Enter('{') {
		return errSetup
	}
	for models := 0; c.Member(); {
		switch string(c.Key) {
		case "model":
			if models++; models > 1 {
				return errModels
			}
			s.from = c.Pos
			name := c.Raw()
			s.to = s.from + len(name)
			if jsonscan.IsString(name) {
				s.model = jsonscan.Unquote(name[1 : len(name)-1])
			}
		case "sessionResumption", "session_resumption":
			for inner := jsonscan.Object(c.Raw()); inner.Member(); {
				if value := inner.Raw(); string(inner.Key) == "handle" && jsonscan.IsString(value) {
					s.handle = jsonscan.Unquote(value[1 : len(value)-1])
				}
			}
		}
	}
	return nil
}

// message returns the message with the name that the model has at an endpoint.
func (s *liveSetup) message(model string) []byte {
	name, _ := json.Marshal(model) // a text
	return slices.Concat(s.text[:s.from], name, s.text[s.to:])
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
