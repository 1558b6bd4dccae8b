package main

import (
	"errors"
	"slices"

	"github.com/spillway-go/spillway/internal/spelling"
)

// of returns the snapshot with one model alone, or says which was meant.
func (s snapshot) of(model string) (snapshot, error) {
	var names []string
	for _, m := range s.Models {
		names = append(names, m.Model)
	}
	for _, e := range s.Endpoints {
		names = append(names, e.Model)
	}
	if !slices.Contains(names, model) {
		text := "no call for " + model + " was made yet"
		if likely, ok := spelling.Nearest(model, names); ok {
			text += "; did you mean " + likely + "?"
		}
		return s, errors.New(text)
	}
	s.Models = slices.DeleteFunc(s.Models, func(m modelSnapshot) bool { return m.Model != model })
	s.Endpoints = slices.DeleteFunc(s.Endpoints, func(e endpointSnapshot) bool { return e.Model != model })
	return s, nil
}

// serves reports whether a call for the model, or for any model if it is empty, finds an endpoint
// now. Of a model that was not called yet nothing is known but its projects.
func (s snapshot) serves(model string) bool {
	known := false
	for _, e := range s.Endpoints {
		if model != "" && e.Model != model {
			continue
		}
		known = true
		if e.Why == "" {
			return true
		}
	}
	return !known && slices.ContainsFunc(s.Projects, func(p projectSnapshot) bool {
		return p.Cooldown == nil &&
			(len(p.Keys) == 0 || slices.ContainsFunc(p.Keys, func(k keySnapshot) bool { return k.Cooldown == nil }))
	})
}
