package geminitest

import (
	"net/http"
	"strings"
)

// credential is what a request shows.
type credential struct {
	secret string
	bearer bool // an access token, not an API key
	inURL  bool
}

// credentialOf reads a request's credential. An access token goes before a key.
func credentialOf(r *http.Request) credential {
	inURL := r.URL.Query().Get("key")
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return credential{token, true, inURL != ""}
	}
	if key := r.Header.Get("X-Goog-Api-Key"); key != "" {
		return credential{key, false, inURL != ""}
	}
	return credential{inURL, false, inURL != ""}
}

// authorize finds out whether the caller may use the project of the path, which for the Gemini
// Developer API is the key's.
func (e *Emulator) authorize(c *call) *Answer {
	e.mu.Lock()
	own, gone := e.refused[c.secret]
	valid := c.owner != nil && !gone
	e.mu.Unlock()
	if c.backend == cloud && (!gone || own.Status == 0) {
		return e.authorizeCloud(c, valid)
	}
	switch {
	case gone && own.Status != 0:
		return &own
	case c.secret == "" && c.backend == gemini:
		return new(Unregistered())
	case c.secret == "":
		return new(CredentialsMissing())
	case !valid && c.bearer:
		return new(TokenInvalid())
	case !valid && c.backend == gemini:
		return new(KeyInvalid())
	case !valid:
		return new(keyInvalid(vertexService))
	case c.bearer && c.backend == gemini && c.method != filesRegister:
		return new(ScopeInsufficient())
	case c.project == "" || c.project == c.owner.ID:
		return nil
	case c.resource != "":
		return new(resourceDenied(place{c.project, c.location}, c.resource, c.method))
	case c.collection != "":
		return new(resourceDenied(place{c.project, c.location}, c.collection, c.method))
	}
	return new(PermissionDenied(c.project, c.location, c.model))
}

// The headers that choose the traffic of a call to Vertex AI.
const (
	requestType       = "X-Vertex-Ai-Llm-Request-Type"
	sharedRequestType = "X-Vertex-Ai-Llm-Shared-Request-Type"
)

// traffic is what the caller asks for: "dedicated", "shared", or "" for an order first and
// on-demand then. Other values of the header are not documented, and count as none.
func (c call) traffic() string {
	if c.backend != vertex {
		return ""
	}
	if asks := c.header.Get(requestType); asks == "dedicated" || asks == "shared" {
		return asks
	}
	return ""
}
