package pool

import (
	"path"
	"slices"
)

// The fence is Config.Locations. It stands where projects are set up, before an endpoint is made of
// them: what lies outside has no endpoint, and nothing in the pool can lead a call there, whether
// it asks for a model, a file, a list or the owner of a resource.

// inside reports whether the pool may use a location at all.
func (c *Config) inside(location string) bool {
	return len(c.Locations) == 0 || matches(c.Locations, location)
}

// fenced returns the project with its default location, and with only those locations and orders
// that are inside the fence. It shares nothing that changes with p.
func (c *Config) fenced(p Project) Project {
	outside := func(location string) bool { return !c.inside(location) }
	p.Locations = slices.DeleteFunc(slices.Clone(p.locations()), outside)
	p.Provisioned = slices.DeleteFunc(slices.Clone(p.Provisioned), func(o Order) bool { return outside(o.Location) })
	return p
}

// locations returns where the project serves calls on demand. The Developer API has one place,
// which is anywhere.
func (p *Project) locations() []string {
	if len(p.Locations) == 0 || p.Backend == BackendGemini {
		return []string{"global"}
	}
	return p.Locations
}

// fence checks Config.Locations: a fence that leaves nothing is a mistake.
func (f *faults) fence(c *Config) {
	sound := true
	for i, glob := range c.Locations {
		field, what := index("router.locations", i), index("locations", i)
		switch _, err := path.Match(glob, ""); {
		case glob == "":
			f.add(field, what+" is empty", `write a location, or a glob such as "europe-*"`)
		case err != nil:
			f.add(field, what+" is a malformed glob", `write * for anything and close each [: "europe-*"`)
		default:
			continue
		}
		sound = false
	}
	if !sound || len(c.Locations) == 0 || len(c.Projects) == 0 {
		return
	}
	for i := range c.Projects {
		if p := c.fenced(c.Projects[i]); len(p.Locations)+len(p.Provisioned) > 0 {
			return
		}
	}
	f.add("router.locations", "no location of a project and no order is inside locations",
		"add those of the projects, or leave it out; the Developer API counts as global")
}
