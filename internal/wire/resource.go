package wire

import (
	"bytes"
	"strings"
)

// Resource is something that lives in one project, or in one location of it.
type Resource struct {
	Name string // see [ResourceName]

	// Where the call says that it lives, as written: of a client that knows no real project, a placeholder. "" if it does not say.
	Project, Location string

	Perhaps bool // it may as well be one of Google's own, which are everywhere
}

// newResource reads a resource's name or address.
func newResource(name string) Resource {
	r := Resource{Name: ResourceName(name)}
	if _, scoped, ok := strings.Cut(name, "projects/"); ok {
		r.Project = segment(scoped, 0)
		if segment(scoped, 1) == "locations" {
			r.Location = segment(scoped, 2)
		}
	}
	return r
}

// isItem reports whether a resource's name is that of one item, not of a collection.
func isItem(name string) bool { return strings.Contains(name, "/") }

// names notes a resource that the call names. An item outranks a mere collection in the path: it has an owner.
func (c *Call) names(r Resource) {
	if !isItem(c.Resource) && !r.Perhaps {
		c.Resource = r.Name
	}
	if !isItem(r.Name) {
		return
	}
	for _, known := range c.Resources {
		if known.Name == r.Name {
			return
		}
	}
	c.Resources = append(c.Resources, r)
}

// owned are the collections whose items live in one project. Source: the services of genai v1.77.0.
var owned = map[string]bool{
	"auth_tokens": true, "batchPredictionJobs": true, "batches": true, "cachedContents": true, "endpoints": true, "fileSearchStores": true,
	"files": true, "interactions": true, "operations": true, "tunedModels": true, "tuningJobs": true,
}

// identified are the collections whose items say in "id", not in "name", what they are called. Source: the same.
var identified = map[string]bool{
	"agents": true, "credentials": true, "environments": true, "interactions": true, "triggers": true, "voices": true, "webhooks": true,
}

// Names returns the resources that an answer speaks of, each once, in the form of [ResourceName]: what it made, what it lists, what an
// operation has come to. Of collections that are not known to have owners only those in collection are returned, and only there a bare id
// is a name.
func Names(body []byte, collection string) []string {
	n := naming{cursor: cursor{b: body, start: -1}, collection: collection, seen: make(map[string]bool)}
	n.value(0)
	return n.names
}

// naming looks for names of resources in an answer.
type naming struct {
	cursor
	collection string
	seen       map[string]bool
	names      []string
	top        string // the member of the answer that is read
}

// mostDepth is how deep an answer is read: names stand near its top.
const mostDepth = 12

func (n *naming) value(depth int) {
	if depth > mostDepth {
		return
	}
	switch n.peek() {
	case '{':
		n.enter('{')
		for n.member() {
			key := string(n.key)
			if depth == 0 {
				n.top = key
			}
			if n.peek() != '"' {
				n.value(depth + 1)
				continue
			}
			text, _ := n.quoted()
			switch key {
			case "name", "uri", "endpoint", "model", "fileUri", "fileName", "responsesFile", "cachedContent":
				n.note(ResourceName(unquote(text)))
			case "id":
				if identified[n.collection] && (depth == 0 || n.top == n.collection) { // itself, or one of a list
					n.note(n.collection + "/" + unquote(text))
				}
			case "continuation_token": // of Interactions
				if depth == 0 && len(text) > 0 {
					n.names = append(n.names, continuation(text))
				}
			}
		}
	case '[':
		n.enter('[')
		for n.element() {
			n.value(depth + 1)
		}
	}
}

func (n *naming) note(name string) {
	collection, id, _ := strings.Cut(name, "/")
	lives := owned[collection] || collection == n.collection
	if collection == "models" { // those of a registry have numbers, those of Google's are everywhere
		lives = isDigits(id)
	}
	if id == "" || !lives || n.seen[name] {
		return
	}
	n.seen[name] = true
	n.names = append(n.names, name)
}

// Place returns the body with the names in it that stand in the call's own project and location moved to the target's: a client that knows
// no real project names what it uses by a placeholder. What the caller says in text stays as it is. The body given is not changed.
func (c *Call) Place(t Target, body []byte) []byte {
	if c.path.project == "" || t.Project == "" {
		return body
	}
	from := []byte("projects/" + c.path.project + "/locations/" + c.path.location + "/")
	to := "projects/" + t.Project + "/locations/" + t.Location + "/"
	if string(from) == to || !bytes.Contains(body, from) {
		return body
	}
	p := placing{cursor: cursor{b: body, start: -1}, from: from, to: to}
	p.value(0)
	if p.kept == 0 {
		return body
	}
	return append(p.out, body[p.kept:]...)
}

// placing copies a body and puts another project and location before names.
type placing struct {
	cursor
	from []byte
	to   string
	out  []byte
	kept int // body up to here is in out
}

func (p *placing) value(depth int) {
	if depth > mostDepth {
		return
	}
	switch p.peek() {
	case '{':
		p.enter('{')
		for p.member() {
			switch {
			case p.peek() != '"':
				p.value(depth + 1)
			case string(p.key) != "text" && bytes.HasPrefix(p.b[p.i+1:], p.from):
				p.out = append(append(p.out, p.b[p.kept:p.i+1]...), p.to...)
				p.kept = p.i + 1 + len(p.from)
			}
		}
	case '[':
		p.enter('[')
		for p.element() {
			p.value(depth + 1)
		}
	}
}
