package wire

import (
	"net/http"
	"net/url"
	"strings"
)

// Call is what one request asks of Google.
type Call struct {
	Backend   Backend // the dialect that the request speaks
	Version   string  // "v1beta", "v1beta1", "v1"
	Model     string  // bare id, "gemini-2.5-flash"; "tunedModels/x" and "endpoints/x" keep their kind; "" if none is named
	Method    string  // "generateContent", "countTokens", "models.get", "files.list", …; "" if unknown: pass it through
	Stream    bool    // the answer comes in pieces
	SSE       bool    // the pieces are server-sent events, else elements of one JSON array
	Generates bool    // the answer carries candidates and finishReason

	// Resource names what the call makes, reads or lists that lives in one project ("files/abc", "cachedContents"), be it
	// in the path or in the body. "" means that any project can serve the call. gs:// and http(s) URIs that are not the
	// Files API's are no resources.
	Resource  string
	Resources []Resource // the items among them: what has an owner

	Prompt      Prompt // estimated from the body
	MaxOutput   int    // generationConfig.maxOutputTokens, 0 if unset
	Candidates  int    // generationConfig.candidateCount, 1 if unset
	MaxThoughts int    // generationConfig.thinkingConfig.thinkingBudget, 0 if unset or left to the model
	NoThoughts  bool   // that budget is 0

	// Prefix is a hash of what a conversation begins with, and goes on beginning with: system instruction, tools and the first content. It
	// is the same in every process; 0 if the call does not generate, or has no contents. Turns is how many contents there are.
	Prefix uint64
	Turns  int

	Continuation string // what tells the answer that the call continues, in the form of [Stream.Continuation]; "" if it begins a new one

	background bool // an interaction that runs on by itself
	path       path
	query      string // without credentials
}

// Target is where a call goes.
type Target struct {
	Backend  Backend
	Base     *url.URL // nil: Google's own host for the location
	Project  string
	Location string
}

// ParseRequest reads what a request asks. It never fails: of a request that it does not understand it makes a call without
// Method, to be passed through. The body is scanned once and not kept.
func ParseRequest(method string, u *url.URL, body []byte) Call {
	c := Call{Candidates: 1}
	c.path = parsePath(u.EscapedPath())
	c.Version = c.path.version
	var q query
	c.query = q.parse(u.RawQuery)
	c.Backend = backendOf(u, &c.path)
	c.readPath(method, &q)
	if isItem(c.Resource) {
		c.Resources = append(c.Resources, Resource{Name: c.Resource, Project: c.path.project, Location: c.path.location})
	}
	c.readBody(body)

	c.Stream = c.Stream || q.sse || c.Method == "streamGenerateContent" || c.Method == "streamRawPredict" ||
		c.Method == "serverStreamingPredict"
	c.SSE = c.SSE || q.sse
	c.Generates = c.Method == "generateContent" || c.Method == "streamGenerateContent"
	if !c.Generates {
		c.Prefix, c.Turns = 0, 0
	}
	return c
}

func backendOf(u *url.URL, p *path) Backend {
	switch {
	case p.scope != scopeNone, p.version == "v1beta1", strings.HasPrefix(p.rest, "publishers/"),
		strings.Contains(u.Host, "aiplatform"), p.version == "" && strings.Contains(p.rest, "aiplatform"):
		return Vertex
	}
	return Gemini
}

// readPath tells model, method and resource from the path.
func (c *Call) readPath(method string, q *query) {
	p := &c.path
	if p.version == "" {
		if strings.HasPrefix(p.rest, "ws/") && strings.HasSuffix(p.rest, "BidiGenerateContent") {
			c.Method = "bidiGenerateContent"
		}
		return
	}
	rest := p.rest
	full := fullName(rest)
	if full != "" {
		rest = full
	}
	published := strings.HasPrefix(rest, "publishers/")
	if published {
		rest = after(rest, 2)
		// Without a project, as API keys have it. What can go to a project does.
		if p.scope == scopeNone && method != http.MethodGet && full == "" {
			p.scope = scopeLocation
		}
	}
	name, verb := cutVerb(rest)
	collection, id := segment(name, 0), segment(name, 1)
	switch {
	case collection == "", collection == "openai", collection == "endpoints" && id == "openapi":
		// OpenAI's dialect: any project can serve it, its model is in the body.
		return
	case collection == "models" && id != "" && segment(name, 2) == "":
		c.readModel(method, id, verb, !published && (p.scope != scopeNone || full != ""))
		return
	case (collection == "tunedModels" || collection == "endpoints") && verb != "" && segment(name, 2) == "":
		c.Model, c.Method, c.Resource = name, verb, name
		return
	case collection == "models" && id == "" && verb == "" && (published || p.scope == scopeNone):
		c.Method = standardMethod(method, name, "")
		return
	}
	if collection == "models" {
		c.Model = id
	}
	c.Resource = ResourceName(name)
	c.Method = standardMethod(method, name, verb)
	if p.upload {
		c.Method = collection + ".upload"
		if q.uploadID != "" {
			c.Resource = "uploads/" + q.uploadID
		}
	}
}

// readModel reads a call of one model. Own says that the model is in the project's own registry.
func (c *Call) readModel(method, id, verb string, own bool) {
	c.Model, c.Method = id, verb
	if own && verb != "" && !isDigits(id) && strings.HasPrefix(c.path.rest, "models/"+id+":") {
		// The SDK puts "models/x" behind the project as it stands, where Google would not find the model that it means.
		c.path.rest = "publishers/google/" + c.path.rest
	}
	if own && isDigits(id) {
		c.Model = "models/" + id
		c.Resource = c.Model
	}
	switch verb {
	case "":
		c.Method = standardMethod(method, "models/"+id, "")
		if own || method != http.MethodGet && method != http.MethodHead {
			c.Resource = "models/" + id
		}
	case "batchGenerateContent", "asyncBatchEmbedContent":
		c.Resource = "batches"
	case "predictLongRunning", "fetchPredictOperation":
		c.Resource = "operations"
	}
}

// standardMethod names what an HTTP method does to a collection or to an item of it: "files.list", "batches.cancel".
func standardMethod(method, name, verb string) string {
	collection, item := "", false
	for rest := name; rest != ""; {
		var s string
		s, rest, _ = strings.Cut(rest, "/")
		if item = collection != "" && !item; !item {
			collection = s
		}
	}
	if verb == "" && strings.HasPrefix(name, "interactions/") && segment(name, 2) != "" {
		collection, verb = "interactions", segment(name, 2)
	}
	switch {
	case verb != "":
	case method == http.MethodGet || method == http.MethodHead:
		verb = "list"
		if item {
			verb = "get"
		}
	case method == http.MethodPost:
		verb = "create"
	case method == http.MethodPatch || method == http.MethodPut:
		verb = "update"
	case method == http.MethodDelete:
		verb = "delete"
	default:
		return ""
	}
	return collection + "." + verb
}
