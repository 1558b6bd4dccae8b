package pool

import (
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/owner"
)

// missingFor is how long the pool remembers that no project has a resource. Another program may
// create the resource at any moment.
const missingFor = time.Minute

// Home is where a resource lives: in a project, and on Vertex AI in one location of it.
type Home struct {
	Project  string // its name in the configuration
	Location string
}

// has reports whether the endpoint is in the home, so that its calls can use the resources there.
func (h Home) has(e *Endpoint) bool {
	return e.Project == h.Project && (e.Backend == BackendGemini || e.Location == h.Location)
}

// Homes returns every home of a back end, in the order of the configuration.
func (p *Pool) Homes(b Backend) []Home {
	var homes []Home
	for _, project := range p.setup.Load().projects {
		if project.Backend != b {
			continue
		}
		for _, e := range slices.Concat(project.onDemand, project.others) {
			if stepAt(e) == "" {
				homes = append(homes, e.Home())
			}
		}
	}
	return homes
}

// HomeIn returns the home that a Vertex AI resource name gives by a Google Cloud project id and a
// location. ok is false if no project of the pool has that id.
func (p *Pool) HomeIn(projectID, location string) (h Home, ok bool) {
	for _, project := range p.setup.Load().projects {
		if project.Backend == BackendVertex && project.ProjectID == projectID {
			return Home{project.Name, location}, true
		}
	}
	return Home{}, false
}

// Owner returns the home of a resource, as far as the pool knows. missing means that every project
// was asked recently and none has it. Names of the two back ends share one space, because a client
// speaks one dialect.
func (p *Pool) Owner(now time.Time, name string) (h Home, known, missing bool) {
	found, known, missing := p.owners.Lookup(name, p.instant(now))
	return Home(found), known, missing
}

// Own records the home of a resource. The zero Home records that the resource is gone.
func (p *Pool) Own(name string, h Home) {
	p.fleet.owns(name, h)
	if h == (Home{}) {
		p.owners.Forget(name)
		return
	}
	p.owners.Put(name, owner.Home(h))
}

// Miss records that a search found no project that has a resource. The pool remembers it for a
// minute, unless it knows the resource's home by now.
func (p *Pool) Miss(now time.Time, name string) {
	p.owners.Miss(name, p.instant(now)+int64(missingFor))
}
