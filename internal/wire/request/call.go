// Package request reads what a call asks of Google, and rebuilds the call for an endpoint, another
// model or the other back end.
package request

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/pool"
)

// Call is what one request asks of Google.
type Call struct {
	Backend pool.Backend // the dialect that the request speaks
	Version string       // "v1beta", "v1beta1", "v1"

	// Model is the bare id: "gemini-2.5-flash". "tunedModels/x" and "endpoints/x" keep their kind.
	// It is "" if the call names no model.
	Model string
	// Method is "generateContent", "countTokens", "models.get", "files.list" or the like. It is ""
	// if unknown: the call passes through.
	Method string

	Stream    bool // the response comes in pieces
	SSE       bool // the pieces are server-sent events, else elements of one JSON array
	Generates bool // the response has candidates, or choices, with a reason for their end

	// Resource names the thing in one project that the call makes, reads or lists: "files/abc",
	// "cachedContents". The path or the body may name it. It is "" if any project can serve the
	// call. A gs:// or http(s) URI is a resource only if it is the Files API's.
	Resource  string
	Resources []Resource // the items among them, which have owners

	// Estimate is read from the body, without the fields for what the caller knows better.
	Estimate pool.Estimate

	// Prefix is a hash of what every turn of a conversation begins with: system instruction, tools
	// and first content. It is the same in every process, and 0 if the call does not generate or
	// has no contents. Turns is the number of contents.
	Prefix uint64
	Turns  int

	// Continuation names the response that the call continues, as [ContinuationName] does. It is ""
	// if the call begins a new one.
	Continuation string

	Use Use

	address address
}

// Use is what a call makes use of.
type Use struct {
	// Links are a file, a bucket or an address. Whether these can be read is the caller's own
	// matter.
	Links bool
	// Named is how the body names the model.
	Named Mention
	// Lone says that only the other back end is there to serve the call, whose path is no back end's
	// own. What that back end does with the fields that it does not document is its own matter.
	Lone bool

	packed bool // of embeddings in OpenAI's dialect: in base64

	tools      []string // that Google runs, sorted
	background bool     // of an interaction that continues after the response
	misspelt   bool     // the model has the name of the other back end's, in OpenAI's dialect
	usage      bool     // of a chat in OpenAI's dialect: its stream is to tell what it costs
	tier       string   // the service tier that the body names
}

// Parse reads what a request asks. It never fails: a request that it does not understand becomes a
// call without Method, which passes through. The body is scanned once and not kept.
func Parse(method string, u *url.URL, body []byte) Call {
	var c Call
	c.Parse(method, u, body)
	return c
}

// Parse is [Parse] into c, without a copy of what it has read.
func (c *Call) Parse(method string, u *url.URL, body []byte) {
	*c = Call{Estimate: pool.Estimate{Candidates: 1}}
	c.address = parsePath(u.EscapedPath())
	c.Version = c.address.version
	var q query
	c.address.query = q.parse(u.RawQuery)
	c.Backend = backendOf(u, &c.address)
	c.readPath(method, &q)
	if isItem(c.Resource) {
		c.Resources = append(c.Resources, Resource{Name: c.Resource, Project: c.address.project, Location: c.address.location})
	}
	c.readBody(body)

	c.Stream = c.Stream || q.sse || c.Method == "streamGenerateContent" || c.Method == "streamRawPredict" ||
		c.Method == "serverStreamingPredict"
	c.SSE = c.SSE || q.sse
	c.Generates = c.Method == "generateContent" || c.Method == "streamGenerateContent" || c.address.chats(method)
	if !c.Generates {
		c.Prefix, c.Turns = 0, 0
	}
}

func backendOf(u *url.URL, p *address) pool.Backend {
	switch {
	case p.scope != scopeNone, p.version == "v1beta1", strings.HasPrefix(p.rest, "publishers/"),
		strings.Contains(u.Host, "aiplatform"), p.version == "" && strings.Contains(p.rest, "aiplatform"):
		return pool.BackendVertex
	}
	return pool.BackendGemini
}

// readPath reads model, method and resource from the path.
func (c *Call) readPath(method string, q *query) { //nolint:cyclop // one case for each shape of a path
	p := &c.address
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
		// API keys come without a project. A call that can go to a project does.
		if p.scope == scopeNone && method != http.MethodGet && full == "" {
			p.scope = scopeLocation
		}
	}
	name, verb := cutVerb(rest)
	collection, id := segment(name, 0), segment(name, 1)
	if p.scope == scopeNone && c.Backend == pool.BackendVertex && owned[collection] && !published {
		p.scope = scopeLocation // on Vertex AI such things live nowhere else
	}
	switch {
	case collection == "", collection == "openai", collection == "endpoints" && id == "openapi":
		// OpenAI's dialect: any project can serve it, and its model is in the body.
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
	if p.upload() {
		c.Method = collection + ".upload"
		if q.uploadID != "" {
			c.Resource = "uploads/" + q.uploadID
		}
	}
}

// readModel reads a call of one model. own means that the model is in the project's own registry.
func (c *Call) readModel(method, id, verb string, own bool) {
	c.Model, c.Method = id, verb
	if own && verb != "" && !jsonscan.IsDigits(id) && strings.HasPrefix(c.address.rest, "models/"+id+":") {
		// The SDK puts "models/x" right behind the project, where Google would not find the model.
		c.address.rest = "publishers/google/" + c.address.rest
	}
	if own && jsonscan.IsDigits(id) {
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
