package geminitest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// The Live API, https://ai.google.dev/api/live: a WebSocket whose first message is the setup.

const bidiGenerateContent = "bidiGenerateContent"

// livePaths are those of the two back ends, as the SDKs dial them.
var livePaths = map[string]*regexp.Regexp{
	gemini: regexp.MustCompile(`/ws/google\.ai\.generativelanguage\.(v1alpha|v1beta|v1)\.GenerativeService\.BidiGenerateContent$`),
	vertex: regexp.MustCompile(`/ws/google\.cloud\.aiplatform\.(v1beta1|v1)\.LlmBidiService/BidiGenerateContent$`),
}

// isLive reports whether a model holds sessions: the names of those tell.
func isLive(model string) bool {
	return strings.Contains(model, "live") || strings.Contains(model, "native-audio")
}

// maxSetup bounds a client's message.
const maxSetup = 16 << 20

// lives are the sessions that are open, and the handles by which closed ones can be resumed.
type lives struct {
	mu      sync.Mutex
	open    map[*live]bool
	handles map[string]string // the project that has issued it
}

// live is one session.
type live struct {
	*Emulator

	call  call
	grant grant
	conn  *websocket.Conn

	mu      sync.Mutex // of writing
	resumes bool       // the client asks for handles
	tokens  int        // of the session's context so far
	output  int
	digest  uint64
}

// LiveSessions returns how many sessions of the Live API are open.
func (e *Emulator) LiveSessions() int {
	e.lives.mu.Lock()
	defer e.lives.mu.Unlock()
	return len(e.lives.open)
}

// GoAway tells every open session how much time it has left, as Google does before a server stops.
func (e *Emulator) GoAway(left time.Duration) {
	for _, s := range e.sessions() {
		s.send(map[string]any{"goAway": map[string]any{"timeLeft": fmt.Sprintf("%gs", left.Seconds())}})
	}
}

// CloseLive closes every open session with a code and a reason of RFC 6455. Code 0 breaks the
// connections without a close.
func (e *Emulator) CloseLive(code int, reason string) {
	for _, s := range e.sessions() {
		if code == 0 {
			_ = s.conn.Close()
			continue
		}
		s.close(code, reason)
	}
}

func (e *Emulator) sessions() []*live {
	e.lives.mu.Lock()
	defer e.lives.mu.Unlock()
	var all []*live
	for s := range e.lives.open {
		all = append(all, s)
	}
	return all
}

// liveCall returns the call that a handshake makes; ok is false for all other requests.
func liveCall(r *http.Request) (c call, ok bool) {
	for backend, path := range livePaths {
		found := path.FindStringSubmatch(r.URL.Path)
		if found == nil || !websocket.IsWebSocketUpgrade(r) {
			continue
		}
		return call{
			route:      route{backend: backend, version: found[1], method: bidiGenerateContent},
			credential: credentialOf(r), header: r.Header, query: r.URL.Query(), base: baseOf(r), path: r.URL.Path,
		}, true
	}
	return call{}, false
}

// serveLive serves one session. What a script arranges for it comes as the close that Google would
// send: the text is that of the error.
func (e *Emulator) serveLive(w http.ResponseWriter, r *http.Request, c call) {
	if c.owner = e.keys[c.secret]; c.bearer {
		c.owner = e.tokens[c.secret]
	}
	address := *r.URL
	c.entry = e.journal.add(Match{Backend: c.backend, Key: c.secret, Traffic: c.traffic(), Method: c.method, Version: c.version}, Request{
		Time: time.Now(), HTTPMethod: r.Method, Host: r.Host, URL: &address, Header: r.Header.Clone(),
		Backend: c.backend, Key: c.secret, KeyInURL: c.inURL, Traffic: c.traffic(), Method: c.method,
	})
	defer e.journal.done()
	if c.backend == vertex { // which looks at the credential first
		if refused := e.authorize(&c); refused != nil {
			newReply(w, r, Answer{}, false, func(status int) { e.journal.answered(c.entry, status) }).refuse(*refused)
			return
		}
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		e.journal.answered(c.entry, http.StatusInternalServerError)
		return
	}
	defer func() { _ = conn.Close() }()
	conn.SetReadLimit(maxSetup)
	s := &live{Emulator: e, call: c, conn: conn}
	// The server's end is the end of its sessions.
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-r.Context().Done():
			_ = conn.Close()
		case <-done:
		}
	}()
	s.run()
}

func (s *live) run() {
	refused := s.setUp()
	if refused != nil {
		status, _, message := refused.problem()
		s.journal.answered(s.call.entry, status)
		s.close(closeCode(status), message)
		_, _, _ = s.conn.ReadMessage() // the other side's close
		return
	}
	s.journal.answered(s.call.entry, http.StatusSwitchingProtocols)
	s.lives.mu.Lock()
	s.lives.open[s] = true
	s.lives.mu.Unlock()
	defer func() {
		s.lives.mu.Lock()
		delete(s.lives.open, s)
		s.lives.mu.Unlock()
		if s.grant.reservation != nil {
			s.grant.reservation.settle(time.Now(), s.output)
		}
	}()
	s.send(map[string]any{"setupComplete": map[string]any{}})
	for {
		_, message, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		root, refused := readObject(message)
		if refused != nil {
			s.close(websocket.CloseInvalidFramePayloadData, "Request contains an invalid argument.")
			return
		}
		s.hear(root, message)
	}
}

// closeCode is the code with which Google closes a session for an error.
func closeCode(status int) int {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized:
		return websocket.CloseInvalidFramePayloadData
	case http.StatusForbidden, http.StatusNotFound:
		return websocket.ClosePolicyViolation
	default:
		return websocket.CloseInternalServerErr
	}
}

// liveFullName matches the name of a model in a setup of Vertex AI's.
var liveFullName = regexp.MustCompile(`^projects/([^/]+)/locations/([^/]+)/publishers/google/models/([^/]+)$`)

// setUp reads the setup, and returns what refuses it.
func (s *live) setUp() *Answer {
	_, message, err := s.conn.ReadMessage()
	if err != nil {
		return new(InvalidArgument("Request contains an invalid argument."))
	}
	c := &s.call
	root, refused := readObject(message)
	setup := root.object("setup")
	name, _ := setup["model"].(string)
	full := liveFullName.FindStringSubmatch(name)
	switch {
	case refused != nil || setup == nil || name == "":
		return new(InvalidArgument("Request contains an invalid argument."))
	case c.backend == gemini:
		c.model = strings.TrimPrefix(name, "models/")
	case full == nil:
		return new(InvalidArgument("Invalid resource field value in the request."))
	default:
		c.project, c.location, c.model = s.projectID(full[1]), full[2], full[3]
	}
	s.journal.isOf(c.entry, c.model, "", "")
	s.journal.set(c.entry, func(n *Request) {
		if n.Project, n.Location = c.project, c.location; n.Project == "" && c.owner != nil {
			n.Project = c.owner.ID
		}
	})
	if refused := s.authorize(c); refused != nil {
		return refused
	}
	answer := s.stage.next(Match{
		Backend: c.backend, Key: c.secret, Project: c.owner.ID, Location: c.location, Traffic: c.traffic(), Model: c.model,
		Method: c.method, Version: c.version,
	})
	if answer.Status >= http.StatusBadRequest {
		return &answer
	}
	if refused := s.missing(*c); refused != nil {
		return refused
	}
	if refused := s.resume(setup); refused != nil {
		return refused
	}
	s.tokens = textTokens(len(message))
	s.grant, refused = s.admit(time.Now(), *c, prompt{tokens: s.tokens, candidates: 1}, nil)
	s.journal.set(c.entry, func(n *Request) { n.Served = s.grant.traffic })
	return refused
}

// resume looks up the handle of an earlier session. Only the project that issued it has it.
func (s *live) resume(setup object) *Answer {
	asked := setup.object("sessionResumption")
	if s.resumes = asked != nil; !s.resumes {
		return nil
	}
	handle, _ := asked["handle"].(string)
	if handle == "" {
		return nil
	}
	s.lives.mu.Lock()
	defer s.lives.mu.Unlock()
	if s.lives.handles[handle] != s.home() {
		return new(fault(404, "NOT_FOUND", "BidiGenerateContent session not found"))
	}
	return nil
}

// home is where handles are good.
func (s *live) home() string { return s.call.owner.ID + "/" + s.call.location }

// hear takes a message in, and answers if it ends a turn.
func (s *live) hear(root object, message []byte) {
	h := fnv.New64a()
	_, _ = h.Write(message)
	s.digest = s.digest*31 + h.Sum64()
	s.tokens += textTokens(len(message))
	content, input := root.object("clientContent"), root.object("realtimeInput")
	switch {
	case content["turnComplete"] == true, root["toolResponse"] != nil:
	case input["text"] != nil, input["audioStreamEnd"] == true, input["activityEnd"] != nil:
	default:
		return
	}
	s.answer()
}

// answer sends a turn of the model's.
func (s *live) answer() {
	n := s.cfg.Output
	said := text(s.call.model, s.digest, n)
	half := len(said) / 2
	for _, piece := range []string{said[:half], said[half:]} {
		s.send(map[string]any{"serverContent": map[string]any{"modelTurn": map[string]any{
			"role": "model", "parts": []any{map[string]any{"text": piece}},
		}}})
	}
	s.send(map[string]any{"serverContent": map[string]any{"generationComplete": true}})
	counts := map[string]any{
		"promptTokenCount": s.tokens, "totalTokenCount": s.tokens + n,
		"promptTokensDetails": []modality{{"TEXT", s.tokens}},
	}
	if s.call.backend == gemini {
		counts["responseTokenCount"], counts["responseTokensDetails"] = n, []modality{{"TEXT", n}}
	} else {
		counts["candidatesTokenCount"], counts["candidatesTokensDetails"] = n, []modality{{"TEXT", n}}
		counts["trafficType"] = s.grant.traffic
	}
	s.send(map[string]any{"serverContent": map[string]any{"turnComplete": true}, "usageMetadata": counts})
	s.output += n
	s.journal.set(s.call.entry, func(r *Request) { r.PromptTokens, r.OutputTokens = r.PromptTokens+s.tokens, r.OutputTokens+n })
	s.tokens += n // a session's context is paid for at each turn
	if !s.resumes {
		return
	}
	handle := fmt.Sprintf("handle-%x", s.nextSerial())
	s.lives.mu.Lock()
	s.lives.handles[handle] = s.home()
	s.lives.mu.Unlock()
	s.send(map[string]any{"sessionResumptionUpdate": map[string]any{"newHandle": handle, "resumable": true}})
}

// send sends a message, in a binary frame as Google does.
func (s *live) send(message any) {
	encoded, err := json.Marshal(message)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.WriteMessage(websocket.BinaryMessage, encoded)
}

// close sends a close. Its reason is cut to what has room.
func (s *live) close(code int, reason string) {
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, clip(reason, 120)), time.Now().Add(time.Second))
}
