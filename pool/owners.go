package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/owner"
)

const (
	// maxOwnerBytes bounds the memory for owners of resources: about 70,000 of them.
	maxOwnerBytes = 16 << 20
	// missingFor is how long the pool remembers that no project has a resource. Another program may
	// create the resource at any moment.
	missingFor = time.Minute
)

// Home is where a resource lives: in a project, and on Vertex AI in one location of it.
type Home struct {
	Project  string // its name in the configuration
	Location string
}

// Has reports whether the endpoint is in the home: its calls can use the resources there.
func (h Home) Has(c *Candidate) bool {
	return c.project.Name == h.Project && (c.project.Backend == BackendGemini || c.location == h.Location)
}

// Home returns where the endpoint's resources live.
func (c *Candidate) Home() Home { return Home{c.project.Name, c.location} }

// Homes returns every home of a back end, in the order of the configuration.
func (p *Pool) Homes(b Backend) []Home {
	var homes []Home
	for _, project := range p.setup.Load().projects {
		if project.Backend != b {
			continue
		}
		for _, location := range project.places("") {
			homes = append(homes, Home{project.Name, location})
		}
	}
	return homes
}

// HomeIn returns the home that a resource name of Vertex AI gives by a Google Cloud project id and
// a location. ok is false if no project of the pool has that id.
func (p *Pool) HomeIn(projectID, location string) (h Home, ok bool) {
	for _, project := range p.setup.Load().projects {
		if project.Backend == BackendVertex && project.ProjectID == projectID {
			return Home{project.Name, location}, true
		}
	}
	return Home{}, false
}

// Owner returns where a resource lives, as far as the pool knows. missing says that every project
// was asked lately, and none has it. Names of the two back ends are not told apart, because a
// client speaks one dialect.
func (p *Pool) Owner(now time.Time, name string) (h Home, known, missing bool) {
	found, known, missing := p.owners.Lookup(name, p.instant(now))
	return Home(found), known, missing
}

// Own notes that a resource lives somewhere.
func (p *Pool) Own(name string, h Home) { p.owners.Put(name, owner.Home(h)) }

// Miss notes that no project has a resource. The pool remembers it for a minute.
func (p *Pool) Miss(now time.Time, name string) {
	p.owners.Miss(name, p.instant(now)+int64(missingFor))
}

// Disown notes that a resource is gone.
func (p *Pool) Disown(name string) { p.owners.Forget(name) }
