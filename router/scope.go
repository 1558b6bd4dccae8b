package router

import (
	"net/http"
	"path"
	"slices"
	"strings"
)

// Scope is what a caller may use. A server that knows its callers sets it with [Call.Scope]; no
// header changes it. The zero value lets a call use all of the pool.
type Scope struct {
	// Models are globs ([path.Match]) of the models that may serve the call: those that aliases stand
	// for, and fallbacks too. Others are refused with 403. A call that makes something and names no
	// model, such as an agent's, is refused as well; lists and files are not. Empty means all.
	Models []string
	// Locations are globs of the locations that may serve the call. What the call asks for itself may
	// be less; a location beyond them is refused with 403. Empty means all.
	Locations []string
}

// model reports whether a model is within the scope.
func (s *Scope) model(name string) bool {
	return len(s.Models) == 0 || matches(s.Models, name)
}

func matches(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		ok, err := path.Match(strings.ToLower(glob), strings.ToLower(name))
		return ok && err == nil
	})
}

// nameless reports whether a call makes something of Google's models without naming one, as far as its
// body was read. What only keeps data, or is about a thing that is there already, does not.
func nameless(p *payload) bool {
	if p.tail != nil && p.call.Use.Named.InBody() {
		return true // what was not read may name another
	}
	resource := p.call.Resource
	return p.method == http.MethodPost && p.call.Model == "" && !strings.Contains(resource, "/") &&
		!slices.Contains(keepers, resource)
}

// keepers are the collections that keep data.
var keepers = []string{"files", "uploads", "fileSearchStores", "ragStores", "ragCorpora", "corpora"}

// beyond says what of a call is beyond its scope; "" if nothing is. It bounds the locations of c,
// which check has looked at, to the scope. The model is the one that the call would get, not an alias.
func (c *Call) beyond(model string, nameless bool, places []string) string {
	s := &c.Scope
	switch {
	case model != "" && !s.model(model):
		return "this caller may not use " + model + "; it may use " + strings.Join(s.Models, ", ")
	case nameless && len(s.Models) > 0:
		return "this caller may use some models alone, and the call names none that can be checked; it may use " + strings.Join(s.Models, ", ")
	case len(s.Locations) == 0:
		return ""
	}
	for _, l := range c.Locations {
		if !matches(s.Locations, l) {
			return "this caller may not use the location " + l + "; it may use " + strings.Join(s.Locations, ", ")
		}
	}
	if len(c.Locations) > 0 {
		return ""
	}
	for _, l := range places {
		if matches(s.Locations, l) {
			c.Locations = append(c.Locations, l)
		}
	}
	if len(c.Locations) == 0 {
		return "this caller may use " + strings.Join(s.Locations, ", ") + " alone, and the pool has no such location"
	}
	return ""
}
