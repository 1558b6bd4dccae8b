package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spillway-go/spillway/internal/plain"
)

// reach is the URL of a running sidecar, as a command that asks it something has it.
type reach string

// reachOf returns the sidecar of a command's argument; empty is the default one.
func reachOf(address string) reach {
	if address == "" {
		address = defaultListen
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	return reach(strings.TrimSuffix(address, "/"))
}

const (
	// maxReply bounds what is read of a sidecar's response.
	maxReply = 64 << 20
	// maxSaid bounds what is shown of a response that is an error.
	maxSaid = 4 << 10
)

// ask sends one request, with a body as JSON unless it is nil, and returns the response's body. What
// the sidecar refuses is an error in its own words.
func (r reach) ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, string(r)+path, content) //nolint:gosec // the user of the command gives the address
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // as above
	if err != nil {
		return nil, fmt.Errorf("no sidecar responds: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("the response broke off: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return text, nil
	}
	var said struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &said) == nil && strings.HasPrefix(said.Error.Message, "spillway: ") {
		return nil, fmt.Errorf("%s", plain.Text(strings.TrimPrefix(said.Error.Message, "spillway: "), maxSaid))
	}
	return nil, fmt.Errorf("%s is not a sidecar: it responds with %s", r, plain.Text(resp.Status, maxSaid))
}

// read is ask for a response that is JSON, which it reads into v.
func (r reach) read(ctx context.Context, method, path string, body, v any) ([]byte, error) {
	text, err := r.ask(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("%s is not a sidecar: %w", r, err)
	}
	return text, nil
}

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
