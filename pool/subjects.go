package pool

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/modelid"
	"github.com/spillway-go/spillway/internal/spelling"
)

const (
	// mostListed is how many subjects an error lists.
	mostListed = 20
	// fewestDigits is how much of a key's hash names the key.
	fewestDigits = 8
)

// find returns the subject that an operator's text names, if the pool has such a thing. Its error
// says what to write instead, and never shows a credential.
func (s *setup) find(p *Pool, text string) (Subject, error) {
	if len(text) > longestName {
		return Subject{}, errors.New("pool: the subject is too long; " + s.known(p, ""))
	}
	x, err := parseSubject(text)
	if err == nil && x.Kind == kindKey {
		return s.findKey(p, text, x)
	}
	if err != nil || !s.has(p, &x) {
		return Subject{}, fmt.Errorf("pool: %s is nothing that the pool has; %s", p.sent.shown(text), s.known(p, text))
	}
	return x, nil
}

// findKey returns the subject of the key whose hash begins as that of x. The hash may be written as
// the key prints.
func (s *setup) findKey(p *Pool, text string, x Subject) (Subject, error) {
	digits := strings.ToLower(strings.TrimPrefix(x.Credential, "key-"))
	var found []string
	if project := s.project(x.Project); project != nil && len(digits) >= fewestDigits {
		for _, k := range project.keys {
			if hash := k.secret.hash(); strings.HasPrefix(hash, digits) {
				found = append(found, hash)
			}
		}
	}
	if found = slices.Compact(found); len(found) != 1 {
		return Subject{}, fmt.Errorf("pool: no key of project %s has that hash; %s", p.sent.shown(x.Project), s.known(p, text))
	}
	x.Credential = found[0]
	return x, nil
}

// has reports whether the pool has what a subject names, keys apart.
func (s *setup) has(p *Pool, x *Subject) bool {
	if x.Traffic != "" && (x.Traffic != TrafficProvisioned && !x.Traffic.isOnDemand() || x.Kind == kindOrder) {
		return false
	}
	known := x.Kind != kindModel && x.Kind != kindServer || slices.Contains(s.models(p), x.Model)
	return known && slices.ContainsFunc(s.projects, func(project *project) bool {
		switch x.Kind {
		case kindProject:
			return project.Name == x.Project
		case kindBackend:
			return project.Backend == x.Backend
		default:
			return slices.ContainsFunc(project.endpoints(), func(e *endpoint) bool { return isPartOf(e, x) })
		}
	})
}

// isPartOf reports whether a subject that endpoints have in common is about one of them.
func isPartOf(e *endpoint, x *Subject) bool {
	switch x.Kind {
	case kindHost:
		return e.Host == x.Host
	case kindOrder:
		return e.order != nil && x.names(&e.Endpoint) && e.order.Model == x.Model
	case kindServer:
		return takes(e, x.Model) && x.broad() == servers(e, x.Model) && x.Traffic.covers(e.Traffic)
	default:
		return takes(e, x.Model) && x.names(&e.Endpoint) && x.Traffic.covers(e.Traffic)
	}
}

// endpoints returns the endpoints that serve models.
func (p *project) endpoints() []*endpoint { return slices.Concat(p.provisioned, p.onDemand) }

// takes reports whether an endpoint may serve a model.
func takes(e *endpoint, model string) bool {
	return e.project.serves(model) && (e.order == nil || modelid.Same(e.order.Model, model))
}

// models returns the models that calls have asked for and those that the configuration names, in
// order. Others are likely misspelt.
func (s *setup) models(p *Pool) []string {
	var names []string
	for _, m := range p.models.all() {
		names = append(names, m.name)
	}
	for _, project := range s.projects {
		names = append(names, project.Models...)
		for _, o := range project.orders {
			names = append(names, o.Model)
		}
		for _, l := range project.Limits {
			names = append(names, l.Model)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" || strings.ContainsAny(name, `*?[\\`) })
}

// known says which subjects the pool has: the one that a text most likely means, or the first.
func (s *setup) known(p *Pool, text string) string {
	return listed(text, "it has ", s.subjects(p))
}

// listed says which subject a text most likely means, or which there are: those of its kind, if
// there are some, and the first of many.
func listed(text, verb string, all []string) string {
	kind, _, kinded := strings.Cut(text, ":")
	if i := slices.IndexFunc(all, func(x string) bool { return isNameOf(text, x) }); i >= 0 && !kinded {
		return "did you mean " + all[i] + "?"
	}
	of := slices.DeleteFunc(slices.Clone(all), func(x string) bool { return !strings.HasPrefix(x, kind+":") })
	for _, some := range [][]string{of, all} {
		if near, ok := spelling.Nearest(text, some); ok {
			return "did you mean " + near + "?"
		}
	}
	if len(of) > 0 {
		all = of
	}
	list := strings.Join(all[:min(len(all), mostListed)], ", ")
	if len(all) > mostListed {
		list += ", …"
	}
	return verb + list
}

// isNameOf reports whether a text names a subject without its kind: a project, a model, or a key as it
// prints.
func isNameOf(text, subject string) bool {
	kind, name, _ := strings.Cut(subject, ":")
	digits, key := strings.CutPrefix(text, "key-")
	if kind == kindKey && key && len(digits) >= fewestDigits {
		_, hash, _ := strings.Cut(name, "/")
		return strings.HasPrefix(hash, strings.ToLower(digits))
	}
	return text != "" && text == name
}

// mostSubjects bounds the subjects that an operator's text is compared with.
const mostSubjects = 5_000

// subjects returns the texts of what an operator may name, the largest things first.
func (s *setup) subjects(p *Pool) []string {
	var all []string
	seen := make(map[Subject]bool)
	add := func(x Subject) {
		if !seen[x] && len(all) < mostSubjects {
			seen[x] = true
			all = append(all, x.String())
		}
	}
	for _, project := range s.projects {
		add(project.entry.subject)
	}
	for _, project := range s.projects {
		add(project.backend.subject)
		for _, k := range project.keys {
			add(k.entry.subject)
		}
		for _, o := range project.orders {
			add(o.entry.subject)
		}
	}
	for _, project := range s.projects {
		for _, e := range project.endpoints() {
			add(Subject{Kind: kindHost, Host: e.Host})
		}
	}
	for _, model := range s.models(p) {
		for _, project := range s.projects {
			for _, e := range project.endpoints() {
				if k := (modelKey{name: model}); takes(e, model) {
					if e.order == nil {
						add(project.sharedSubject(k))
					}
					add(e.subject(k))
					add(e.serverSubject(k))
				}
			}
		}
		add(modelKey{name: model}.subject())
	}
	return all
}
