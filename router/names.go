package router

import (
	"fmt"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/request"
)

// maxName bounds every name in a request that is looked up or kept: of a model, a resource, a
// project, a location or a method, and a value of a Spillway-… header.
const maxName = 1 << 10

// tooMuch says which name in a request is too long to be one, or that there are too many.
func (p *payload) tooMuch(path string) string {
	c := &p.call
	if len(c.Resources) > request.MostResources {
		return fmt.Sprintf("the call names more than %d resources; name fewer", request.MostResources)
	}
	if c.NamesTwoModels() {
		return "the call names two models; name one"
	}
	for _, n := range [...]struct{ what, name string }{
		{"the model's name", c.Model}, {"the name of a resource", c.Resource},
		{"the method's name", c.Method}, {"the API version", c.Version},
	} {
		if len(n.name) > maxName {
			return tooLong(n.what, n.name)
		}
	}
	for part := range strings.SplitSeq(path, "/") {
		if verb := strings.LastIndexByte(part, ':'); verb >= 0 && len(part)-verb <= maxName {
			part = part[:verb]
		}
		if len(part) > maxName {
			return tooLong("a part of the path", part)
		}
	}
	for i := range c.Resources {
		switch r := &c.Resources[i]; {
		case len(r.Name) > maxName:
			return tooLong("the name of a resource", r.Name)
		case len(r.Project) > maxName:
			return tooLong("the name of a project", r.Project)
		case len(r.Location) > maxName:
			return tooLong("the name of a location", r.Location)
		}
	}
	return ""
}

func tooLong(what, name string) string {
	return fmt.Sprintf("%s has %d bytes; write a name of at most %d", what, len(name), maxName)
}
