package pool

import (
	"container/list"
	"sync"
	"time"
)

const (
	// maxOwners bounds how many resources a pool remembers the owners of; what was not used for the longest time goes first.
	maxOwners = 100_000
	// missingFor is how long it is remembered that nobody has a resource: another program may make it at any moment.
	missingFor = time.Minute
)

// Home is where a resource lives: in a project, and on Vertex AI in one location of it.
type Home struct {
	Project  string // its name in the configuration
	Location string
}

// Has reports whether an endpoint is where the home is: its calls can use what lives there.
func (h Home) Has(c *Candidate) bool {
	return c.project.Name == h.Project && (c.project.Backend == BackendGemini || c.location == h.Location)
}

// Home returns where the endpoint's resources live.
func (c *Candidate) Home() Home { return Home{c.project.Name, c.location} }

// Homes returns every place of a back end where resources may live, in the order of the configuration.
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

// HomeIn returns the place that Vertex AI's names give: a Google Cloud project id and a location; ok is false if no project of the pool has
// that id.
func (p *Pool) HomeIn(projectID, location string) (h Home, ok bool) {
	for _, project := range p.setup.Load().projects {
		if project.Backend == BackendVertex && project.ProjectID == projectID {
			return Home{project.Name, location}, true
		}
	}
	return Home{}, false
}

// owners remember where resources live, by name. Names do not say what back end they are of, and need not: a client speaks one dialect.
type owners struct {
	mu     sync.Mutex
	byName map[string]*list.Element // of owner
	used   list.List                // the latest first
}

// owner is what is remembered of one resource.
type owner struct {
	name    string
	home    Home // the zero Home: nobody has it
	missing int64
}

// Owner returns where a resource lives, as far as the pool knows. missing says that every project was asked lately, and none has it.
func (p *Pool) Owner(now time.Time, name string) (h Home, known, missing bool) {
	o := &p.owners
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.byName[name]
	if e == nil {
		return Home{}, false, false
	}
	own, _ := e.Value.(*owner)
	if own.home == (Home{}) && p.instant(now)-own.missing >= int64(missingFor) {
		o.forgetLocked(e)
		return Home{}, false, false
	}
	o.used.MoveToFront(e)
	return own.home, own.home != (Home{}), own.home == (Home{})
}

// Own notes that a resource lives somewhere. The pool remembers the 100,000 resources that were used last.
func (p *Pool) Own(name string, h Home) { p.owners.put(owner{name: name, home: h}) }

// Miss notes that no project has a resource: for a minute, it need not be looked for again.
func (p *Pool) Miss(now time.Time, name string) {
	p.owners.put(owner{name: name, missing: p.instant(now)})
}

// Disown notes that a resource is gone.
func (p *Pool) Disown(name string) {
	o := &p.owners
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.byName[name]; e != nil {
		o.forgetLocked(e)
	}
}

func (o *owners) put(own owner) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.byName[own.name]; e != nil {
		e.Value = &own
		o.used.MoveToFront(e)
		return
	}
	if o.byName == nil {
		o.byName = make(map[string]*list.Element)
	}
	o.byName[own.name] = o.used.PushFront(&own)
	if o.used.Len() > maxOwners {
		o.forgetLocked(o.used.Back())
	}
}

// forgetLocked drops what is remembered. The caller holds o.mu.
func (o *owners) forgetLocked(e *list.Element) {
	own, _ := e.Value.(*owner)
	delete(o.byName, own.name)
	o.used.Remove(e)
}
