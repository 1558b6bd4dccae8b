package pool

import (
	"fmt"
	"net/url"
	"strings"
)

// Kinds of subjects, see [Subject].
const (
	kindKey     = "key"
	kindProject = "project"
	kindModel   = "model"
	kindOrder   = "order"
	kindServer  = "server"
	kindHost    = "host"
	kindBackend = "backend"
)

// Subject names one thing that the pool remembers. Fields that do not apply are empty. Its text is
//
//	key:PROJECT/HASH                   an API key; HASH has 16 hex digits
//	project:PROJECT                    a project
//	model:PROJECT/MODEL                a project's model, on demand
//	model:PROJECT/LOCATION/MODEL       the same in one location
//	model:MODEL                        a model, whatever the project: in events
//	order:PROJECT/LOCATION/MODEL       a Provisioned Throughput order
//	server:BACKEND/LOCATION/MODEL      the servers of a model in a location
//	host:NAME                          an address that endpoints share
//	backend:NAME                       one of Google's two back ends
//
// followed by ";host=", ";traffic=", ";method=", ";version=" and ";tool=" where it is narrower: a
// service tier is traffic. Characters of a name that would be taken for one of these marks are
// percent-encoded. The text never holds a credential.
type Subject struct {
	Kind                      string
	Backend                   Backend
	Host, Project, Credential string
	Model, Location           string
	Traffic                   Traffic
	Method, Version, Tool     string
}

// String returns the subject's text.
func (s Subject) String() string {
	var b strings.Builder
	b.WriteString(s.Kind)
	sep := byte(':')
	for _, part := range s.path() {
		b.WriteByte(sep)
		b.WriteString(url.PathEscape(*part))
		sep = '/'
	}
	for _, n := range s.narrower() {
		if *n.value != "" {
			b.WriteString(";" + n.name + "=" + url.PathEscape(*n.value))
		}
	}
	return b.String()
}

// whole returns the subject of which s is about one version or set of tools.
func (s Subject) whole() Subject {
	s.Version, s.Tool = "", ""
	return s
}

// path returns the fields that stand before the first semicolon, in their order.
func (s *Subject) path() []*string {
	switch s.Kind {
	case kindKey:
		return []*string{&s.Project, &s.Credential}
	case kindProject:
		return []*string{&s.Project}
	case kindModel:
		switch {
		case s.Location != "":
			return []*string{&s.Project, &s.Location, &s.Model}
		case s.Project != "":
			return []*string{&s.Project, &s.Model}
		default:
			return []*string{&s.Model}
		}
	case kindOrder:
		return []*string{&s.Project, &s.Location, &s.Model}
	case kindServer:
		return []*string{(*string)(&s.Backend), &s.Location, &s.Model}
	case kindHost:
		return []*string{&s.Host}
	case kindBackend:
		return []*string{(*string)(&s.Backend)}
	default:
		return nil
	}
}

// narrowing is a field that stands behind a semicolon.
type narrowing struct {
	name  string
	value *string
}

func (s *Subject) narrower() []narrowing {
	n := []narrowing{
		{"traffic", (*string)(&s.Traffic)}, {"method", &s.Method}, {"version", &s.Version},
		{"tool", &s.Tool},
	}
	if s.Kind != kindHost {
		n = append(n, narrowing{"host", &s.Host})
	}
	return n
}

// parseSubject reads a subject's text.
func parseSubject(text string) (Subject, error) {
	wrong := fmt.Errorf("pool: %q is not a subject", text)
	head, tail, _ := strings.Cut(text, ";")
	kind, path, ok := strings.Cut(head, ":")
	s := Subject{Kind: kind}
	values := strings.Split(path, "/")
	if kind == kindModel { // the form with as many values
		switch len(values) {
		case 2:
			s.Project = "?"
		case 3:
			s.Location = "?"
		}
	}
	fields := s.path()
	if !ok || len(fields) != len(values) {
		return Subject{}, wrong
	}
	read := func(field *string, value string) (err error) {
		*field, err = url.PathUnescape(value)
		return err
	}
	for i, v := range values {
		if err := read(fields[i], v); err != nil {
			return Subject{}, wrong
		}
	}
	for tail != "" {
		var one string
		one, tail, _ = strings.Cut(tail, ";")
		name, value, _ := strings.Cut(one, "=")
		known := false
		for _, n := range s.narrower() {
			if n.name == name {
				known = read(n.value, value) == nil
			}
		}
		if !known {
			return Subject{}, wrong
		}
	}
	return s, nil
}
