package pool

import (
	"cmp"
	"slices"
)

// topic is what an answer about a project is of: the project, whose quota it is, and who said so.
type topic struct {
	identity

	google, from string
}

// topic is of a project with Discover. The keys of a project of the Developer API may have changed
// with its ProjectID.
func (p *Project) topic() topic {
	return topic{p.identity(), cmp.Or(p.ProjectID, p.Name), p.DiscoverURL}
}

// kin are the projects that are discovered, by what Google shows of them: by their topics without
// what is the file's alone.
type kin map[topic][]*Project

// kin returns those of c.
func (c *Config) kin() kin {
	all := make(kin)
	for i := range c.Projects {
		if p := &c.Projects[i]; p.Discover {
			t := p.topic().shown()
			all[t] = append(all[t], p)
		}
	}
	return all
}

// shown returns the topic without the name and the address of the project.
func (t topic) shown() topic {
	t.name, t.base = "", ""
	return t
}

// siblings returns the other projects of which Google shows the same as of p. The first so many of
// them are before p.
func (k kin) siblings(p *Project) (all []*Project, before int) {
	for _, other := range k[p.topic().shown()] {
		if other.Name == p.Name {
			before = len(all)
		} else {
			all = append(all, other)
		}
	}
	return all, before
}

// sharers returns those of the siblings that have the same limits: that serve calls in one of the
// project's locations.
func (k kin) sharers(c *Config, p *Project) (all []*Project) {
	siblings, _ := k.siblings(p)
	for _, s := range siblings {
		theirs := c.fenced(*s).Locations
		if slices.ContainsFunc(c.fenced(*p).Locations, func(place string) bool { return slices.Contains(theirs, place) }) {
			all = append(all, s)
		}
	}
	return all
}

// has reports whether a project uses an order that Google shows of its ProjectID: whether it
// declares it or, if discovered says so, may be given it.
func (p *Project) has(o Order, discovered bool) bool {
	return slices.ContainsFunc(p.Provisioned, o.sameLot) || discovered && p.serves(o.Model) && p.mayServeIn(o.Location)
}

// mayServeIn reports whether an order may be used that Google shows in a location: data may go where
// the project serves calls on demand.
func (p *Project) mayServeIn(location string) bool {
	places := p.locations()
	return slices.Contains(places, "global") || slices.Contains(places, location)
}
