package request

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// Rename makes c call another model. It returns the body with the new name, for some bodies name
// the model: batches of embeddings, caches, Interactions and OpenAI's dialect. It changes neither
// the given body nor the caller's own content. A call without a model stays as it is. In OpenAI's
// dialect the name is written as the call's back end has it.
func (c *Call) Rename(model string, body []byte) []byte {
	old := c.Model
	if Named(c, model) {
		return body
	}
	for _, name := range []string{old, url.PathEscape(old)} {
		if before, after, ok := strings.Cut(c.address.rest, "models/"+name); ok {
			c.address.rest = before + "models/" + url.PathEscape(model) + after
			break
		}
	}
	c.Model = model
	r := renaming{Scanner: jsonscan.New(body), old: []byte(old), model: model}
	if c.OpenAI() {
		r.model, r.all, c.Use.misspelt = spelt(model, c.Backend), true, false
	}
	r.object(true)
	if r.kept == 0 {
		return body
	}
	return append(r.out, body[r.kept:]...)
}

// Named reports whether the call names no model, or this one as its back end does.
func Named(c *Call, model string) bool {
	return c.Model == "" || c.Model == model && !c.Use.misspelt
}

// renaming copies a body and replaces the model's name.
type renaming struct {
	jsonscan.Scanner
	old   []byte
	model string
	all   bool // in place of the path before the name, too
	out   []byte
	kept  int // the body up to here is in out
}

// object reads the "model" of the next object. In the whole body it also reads the requests inside.
func (r *renaming) object(whole bool) {
	if !r.Enter('{') {
		return
	}
	for r.Member() {
		switch string(r.Key) {
		case "model":
			r.name()
		case "generateContentRequest":
			if whole {
				r.object(false)
			}
		case "requests":
			if !whole || !r.Enter('[') {
				continue
			}
			for r.Element() {
				r.object(false)
			}
		}
	}
}

// name replaces the model name that comes next, and keeps the resource path before it.
func (r *renaming) name() {
	if r.Peek() != '"' {
		return
	}
	from := r.Pos + 1
	name, ok := r.Quoted()
	if !ok || modelName(string(name)) != string(r.old) || !bytes.HasSuffix(name, r.old) {
		return
	}
	end := from + len(name)
	if !r.all {
		from = end - len(r.old)
	}
	r.out = append(append(r.out, r.Data[r.kept:from]...), r.model...)
	r.kept = end
}

// RewriteNames moves the resource names in the body from the call's own project and location to the
// target's. A client without a real project uses a placeholder there. Text stays as it is, and the
// given body is not changed.
func (c *Call) RewriteNames(t Target, body []byte) []byte {
	if c.address.project == "" || t.Project == "" {
		return body
	}
	from := []byte("projects/" + c.address.project + "/locations/" + c.address.location + "/")
	to := "projects/" + t.Project + "/locations/" + t.Location + "/"
	if string(from) == to || !bytes.Contains(body, from) {
		return body
	}
	p := nameRewriting{Scanner: jsonscan.New(body), from: from, to: to}
	p.value(0)
	if p.kept == 0 {
		return body
	}
	return append(p.out, body[p.kept:]...)
}

// nameRewriting copies a body and replaces project and location before names.
type nameRewriting struct {
	jsonscan.Scanner
	from []byte
	to   string
	out  []byte
	kept int // the body up to here is in out
}

func (p *nameRewriting) value(depth int) {
	if depth > mostDepth {
		return
	}
	switch p.Peek() {
	case '{':
		p.Enter('{')
		for p.Member() {
			switch {
			case p.Peek() != '"':
				p.value(depth + 1)
			case string(p.Key) != "text" && bytes.HasPrefix(p.Data[p.Pos+1:], p.from):
				p.out = append(append(p.out, p.Data[p.kept:p.Pos+1]...), p.to...)
				p.kept = p.Pos + 1 + len(p.from)
			}
		}
	case '[':
		p.Enter('[')
		for p.Element() {
			p.value(depth + 1)
		}
	}
}
