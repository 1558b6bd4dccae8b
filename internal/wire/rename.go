package wire

import (
	"bytes"
	"net/url"
	"strings"
)

// Rename makes c ask another model, and returns the body that asks it too, where the body names the model as well: batches of
// embeddings, caches, Interactions and OpenAI's dialect do. The body given is not changed, nor is anything in it that is the caller's own
// content. A call that names no model stays as it is.
func (c *Call) Rename(model string, body []byte) []byte {
	old := c.Model
	if old == "" || old == model {
		return body
	}
	for _, name := range []string{old, url.PathEscape(old)} {
		if before, after, ok := strings.Cut(c.path.rest, "models/"+name); ok {
			c.path.rest = before + "models/" + url.PathEscape(model) + after
			break
		}
	}
	c.Model = model
	r := renaming{cursor: cursor{b: body, start: -1}, old: []byte(old), model: model}
	r.object(true)
	if r.kept == 0 {
		return body
	}
	return append(r.out, body[r.kept:]...)
}

// renaming copies a body and puts another model where it names one.
type renaming struct {
	cursor
	old   []byte
	model string
	out   []byte
	kept  int // body up to here is in out
}

// object looks at the "model" of the object that comes next, and within the whole body at those of the requests in it.
func (r *renaming) object(whole bool) {
	if !r.enter('{') {
		return
	}
	for r.member() {
		switch string(r.key) {
		case "model":
			r.name()
		case "generateContentRequest":
			if whole {
				r.object(false)
			}
		case "requests":
			if !whole || !r.enter('[') {
				continue
			}
			for r.element() {
				r.object(false)
			}
		}
	}
}

// name replaces the model's name that comes next, and keeps the resource path before it.
func (r *renaming) name() {
	if r.peek() != '"' {
		return
	}
	from := r.i + 1
	name, ok := r.quoted()
	if !ok || modelName(string(name)) != string(r.old) || !bytes.HasSuffix(name, r.old) {
		return
	}
	end := from + len(name)
	r.out = append(append(r.out, r.b[r.kept:end-len(r.old)]...), r.model...)
	r.kept = end
}
