package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/pool"
)

// Bound is one kind of limit, of all projects together that take a model and the same labels: what
// calls ask for at their busiest, and what is allowed. What orders serve asks for nothing.
type Bound struct {
	Name           string // rpm, tpm, rpd or concurrency, of what
	Asked, Allowed float64
}

// demands are what calls ask for of the limits of a pool.
type demands struct {
	cfg    *pool.Config
	first  time.Time
	of     map[asker]*asked
	groups map[string]string // by label
}

// asker is the calls that the same limits are for: those for a model whose labels the same projects
// serve.
type asker struct{ model, group string }

// asked is what calls of one kind ask for: requests and input tokens of each minute, requests of each
// day, and when they begin and end, in nanoseconds.
type asked struct {
	label                  string // of one of them
	requests, tokens, days map[int64]float64
	begins, ends           []int64
}

// demandsOn returns what calls ask for that are yet to be added.
func demandsOn(cfg *pool.Config, calls []demand.Call) demands {
	d := demands{cfg: cfg, of: make(map[asker]*asked), groups: make(map[string]string)}
	if len(calls) > 0 {
		d.first = calls[0].At
	}
	return d
}

// add adds a call.
func (d *demands) add(c *demand.Call) {
	group, known := d.groups[c.Label]
	if !known {
		group = d.group(c.Label)
		d.groups[c.Label] = group
	}
	a := d.of[asker{c.Model, group}]
	if a == nil {
		a = &asked{label: c.Label, requests: map[int64]float64{}, tokens: map[int64]float64{}, days: map[int64]float64{}}
		d.of[asker{c.Model, group}] = a
	}
	at := c.At.Sub(d.first)
	a.requests[int64(at/time.Minute)]++
	a.tokens[int64(at/time.Minute)] += float64(c.Usage.Input)
	a.days[int64(at/(24*time.Hour))]++
	a.begins, a.ends = append(a.begins, int64(at)), append(a.ends, int64(at+c.Took))
}

// group names the projects that serve calls with a label, by their labels; "" are those for all calls.
func (d *demands) group(label string) string {
	var globs []string
	for i := range d.cfg.Projects {
		p := &d.cfg.Projects[i]
		if len(p.Labels) > 0 && d.serves(p, label) {
			globs = append(globs, strings.Join(p.Labels, ", "))
		}
	}
	return strings.Join(slices.Compact(globs), ", ")
}

// serves reports whether a project is for calls with a label: one that names it or, if none does, one
// without labels.
func (d *demands) serves(p *pool.Project, label string) bool {
	if len(p.Labels) > 0 {
		return takes(p.Labels, label)
	}
	return label == "" || !slices.ContainsFunc(d.cfg.Projects, func(o pool.Project) bool { return len(o.Labels) > 0 && takes(o.Labels, label) })
}

// bounds compares it with what is allowed. A dimension that a project does not limit bounds nothing.
func (d *demands) bounds() []Bound {
	var all []Bound
	for _, kind := range slices.SortedFunc(maps.Keys(d.of), func(a, b asker) int {
		return cmp.Or(len(d.of[b].begins)-len(d.of[a].begins), cmp.Compare(a.model, b.model), cmp.Compare(a.group, b.group))
	}) {
		a := d.of[kind]
		most, of := a.most(), kind.model
		if kind.group != "" {
			of += " for the labels " + kind.group
		}
		for i, name := range [...]string{"rpm", "tpm", "rpd", "concurrency"} {
			if allowed, bounded := d.allowed(kind.model, a.label, i); bounded {
				all = append(all, Bound{name + " of " + of, most[i], allowed})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Bound) int { return cmp.Compare(b.Asked/b.Allowed, a.Asked/a.Allowed) })
	return all
}

// allowed adds up a limit of all projects that take a model and a label.
func (d *demands) allowed(model, label string, limit int) (sum float64, bounded bool) {
	for i := range d.cfg.Projects {
		p := &d.cfg.Projects[i]
		if !takes(p.Models, model) || !d.serves(p, label) {
			continue
		}
		least := int64(0)
		for _, l := range p.Limits {
			value := [...]int64{l.RPM, l.TPM, l.RPD, l.Concurrency}[limit]
			if value > 0 && (least == 0 || value < least) && (l.Model == "" || takes([]string{l.Model}, model)) {
				least = value
			}
		}
		if least == 0 {
			return 0, false
		}
		if d.cfg.Share > 0 { // of a replica among others
			least = max(int64(d.cfg.Share*float64(least)), 1)
		}
		sum += float64(least)
	}
	return sum, sum > 0
}

// most returns the most requests and input tokens of a minute, the most requests of a day, and the
// most calls at once.
func (a *asked) most() [4]float64 {
	slices.Sort(a.begins)
	slices.Sort(a.ends)
	running, over := 0, 0
	for i, begin := range a.begins {
		for over < len(a.ends) && a.ends[over] <= begin {
			over++
		}
		running = max(running, i+1-over)
	}
	most := func(m map[int64]float64) float64 { return slices.Max(slices.Collect(maps.Values(m))) }
	return [...]float64{most(a.requests), most(a.tokens), most(a.days), float64(running)}
}
