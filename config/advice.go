package config

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/spillway-go/spillway/internal/modelid"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// advise adds the warnings about a sound configuration: what is valid and probably not meant.
func (r *reading) advise(cfg *Config) {
	a := adviser{reading: r, cfg: cfg}
	a.fence()
	for i := range cfg.Pool.Projects {
		at := fieldPath{"project"}.element(i)
		a.locations(at, &cfg.Pool.Projects[i])
		a.tiers(at, &cfg.Pool.Projects[i])
		a.models(at, &cfg.Pool.Projects[i])
	}
	a.standIns()
	a.caches()
	a.shares()
	a.serve()
	if len(cfg.Pool.Locations) == 0 {
		a.overflow()
	}
}

// adviser finds what to warn of.
type adviser struct {
	*reading
	cfg *Config
}

// inside reports whether the fence lets a location in.
func (a *adviser) inside(location string) bool {
	fence := a.cfg.Pool.Locations
	return len(fence) == 0 || slices.ContainsFunc(fence, func(glob string) bool {
		ok, _ := path.Match(glob, location)
		return ok
	})
}

// fence warns of globs that let nothing in.
func (a *adviser) fence() {
	for i, glob := range a.cfg.Pool.Locations {
		used := slices.ContainsFunc(a.cfg.Pool.Projects, func(p pool.Project) bool {
			return slices.ContainsFunc(placesOf(&p), func(l string) bool { ok, _ := path.Match(glob, l); return ok })
		})
		if used || matchesLocation(glob) {
			continue
		}
		fix := `write locations as Google does, such as "eu" or "europe-*"`
		if meant, ok := nearestLocation(glob); ok {
			fix = "did you mean " + meant + "?"
		}
		a.warn(fieldPath{"router", "locations"}.element(i), element("locations", i)+" matches no location known on "+listed, fix)
	}
}

// placesOf returns the locations of a project and of its orders.
func placesOf(p *pool.Project) []string {
	places := slices.Clone(onDemand(p))
	for _, o := range p.Provisioned {
		places = append(places, o.Location)
	}
	return places
}

// onDemand returns where a project serves calls on demand, as package pool sees it.
func onDemand(p *pool.Project) []string {
	if len(p.Locations) == 0 || p.Backend == pool.BackendGemini {
		return []string{"global"}
	}
	return p.Locations
}

// locations warns of a project's locations that are unknown, or outside the fence.
func (a *adviser) locations(at fieldPath, p *pool.Project) {
	for j, l := range p.Locations {
		a.location(at.to("locations").element(j), element("locations", j), l)
	}
	if len(p.Locations) == 0 && !a.inside("global") {
		what := "the project has no locations: its default, global,"
		if p.Backend == pool.BackendGemini {
			what = "the Developer API counts as global, which"
		}
		a.warn(at, what+" is outside locations under [router] and is not used", `add "global" there, or remove the project`)
	}
	for j, o := range p.Provisioned {
		a.location(at.to("provisioned").element(j).to("location"), "the order's location", o.Location)
	}
}

// tierPlaces are the locations of Vertex AI that have the service tiers, as package pool sees it.
var tierPlaces = map[string][]string{pool.TierFlex: {"global"}, pool.TierPriority: {"global", "us", "eu"}}

// tiers warns of service tiers that no location of the project has.
func (a *adviser) tiers(at fieldPath, p *pool.Project) {
	if p.Backend != pool.BackendVertex {
		return
	}
	for _, ladder := range []struct {
		key   string
		tiers []string
	}{{"on_demand", p.OnDemand}, {"batch_on_demand", p.BatchOnDemand}} {
		for j, tier := range ladder.tiers {
			places, bound := tierPlaces[tier]
			sold := func(l string) bool { return a.inside(l) && slices.Contains(places, l) }
			if bound && !slices.ContainsFunc(onDemand(p), sold) {
				a.warn(at.to(ladder.key).element(j), element(ladder.key, j)+", "+tier+", is sold in none of the project's locations and is not used",
					"add "+strings.Join(places, " or ")+", or leave it out")
			}
		}
	}
}

func (a *adviser) location(at fieldPath, what, location string) {
	if !a.inside(location) {
		a.warn(at, what+", "+location+", is outside locations under [router] and is not used", "add it there, or remove it here")
	}
	known, meant := KnownLocation(location)
	if known {
		return
	}
	fix := "check its spelling; a newer one works all the same"
	if meant != "" {
		fix = "did you mean " + meant + "?"
	}
	a.warn(at, what+", "+location+", is no location known on "+listed, fix)
}

// models warns of a project's models that are unknown, or retired.
func (a *adviser) models(at fieldPath, p *pool.Project) {
	on := []pool.Backend{p.Backend}
	for j, glob := range p.Models {
		a.model(at.to("models").element(j), element("models", j), glob, on)
	}
	for j, o := range p.Provisioned {
		a.model(at.to("provisioned").element(j).to("model"), "the order's model", o.Model, on)
		if !modelid.Matches(p.Models, o.Model) {
			a.warn(at.to("provisioned").element(j).to("model"), "the order's model is none of the project's models, and the order serves nothing",
				"add it to models, or leave the order out")
		}
		if _, known := quota.RowOf(o.Model); !known && o.Burndown == nil {
			a.warn(at.to("provisioned").element(j).to("model"),
				"what the tokens of the order's model cost is not known: each counts as one, and what is cached as a tenth",
				"write the rates of Google's table, such as burndown = { output = 6 }")
		}
	}
	for j, l := range p.Limits {
		if l.Model != "" {
			a.model(at.to("limits").element(j).to("model"), "the model of the limits", l.Model, on)
		}
	}
}

// standIns warns of models that aliases and fallbacks name.
func (a *adviser) standIns() {
	for alias, model := range a.cfg.Router.Models {
		a.model(fieldPath{"models", alias}, "the alias's model", model, a.serving(model))
	}
	for i, f := range a.cfg.Router.Fallbacks {
		at := fieldPath{"fallback"}.element(i)
		a.model(at.to("model"), "the fallback's model", f.Model, a.serving(f.Model))
		for j, to := range f.To {
			a.model(at.to("to").element(j), element("to", j), to, a.serving(to))
		}
	}
}

// serving returns the back ends of the projects that take a model.
func (a *adviser) serving(model string) (on []pool.Backend) {
	for i := range a.cfg.Pool.Projects {
		p := &a.cfg.Pool.Projects[i]
		if !slices.Contains(on, p.Backend) && modelid.Matches(p.Models, model) {
			on = append(on, p.Backend)
		}
	}
	return on
}

// model warns of a model, or of a glob of models. It shows only names of its own lists, because a
// name in the file may be anything.
func (a *adviser) model(at fieldPath, what, name string, on []pool.Backend) {
	if _, alias := a.cfg.Router.Models[name]; alias && (at[0] == "project" || at[0] == "cache") {
		a.warn(at, what+" is an alias, and calls go by the model that it stands for", "write that model")
		return
	}
	if known, meant := KnownModel(name); !known {
		fix := "check its spelling; a newer one works all the same"
		if meant != "" {
			fix = "did you mean " + meant + "?"
		}
		a.warn(at, what+" is no model known on "+listed, fix)
	}
	for _, backend := range on {
		for _, r := range retired(backend, name) {
			where, then := "Vertex AI", "its calls fail from then on"
			if backend == pool.BackendGemini {
				where = "the Developer API"
			}
			if r.instead != "" {
				then = r.instead + " answers its calls from then on, at its own price"
			}
			a.warn(at, fmt.Sprintf("%s leaves %s on %s: %s", r.model, where, r.day, then), "name a model that stays")
		}
	}
}

// overflow warns of orders whose calls may leave the country or multi-region of the order. Without
// a fence nothing says that this is meant.
func (a *adviser) overflow() {
	reached := map[string][]place{} // by model
	for i := range a.cfg.Pool.Projects {
		told := map[[2]string]bool{} // models and locations, whose orders may follow each other
		for j, o := range a.cfg.Pool.Projects[i].Provisioned {
			if areaOf(o.Location) == "global" || told[[2]string{o.Model, o.Location}] {
				continue
			}
			told[[2]string{o.Model, o.Location}] = true
			if _, done := reached[o.Model]; !done {
				reached[o.Model] = a.reached(o.Model)
			}
			outside := slices.DeleteFunc(slices.Clone(reached[o.Model]), func(p place) bool { return areaOf(p.location) == areaOf(o.Location) })
			if len(outside) == 0 {
				continue
			}
			a.warn(fieldPath{"project"}.element(i).to("provisioned").element(j).to("location"),
				"what the order does not take leaves "+leaves(o.Location)+": it may go to "+enumerate(outside),
				fmt.Sprintf(`write locations = [%q] under [router] to keep all calls there, or ["*"] if this is meant`, o.Location))
		}
	}
}

func leaves(location string) string {
	if area := areaOf(location); area != location {
		return location + " and " + area
	}
	return location
}

// place is a location, and the first project that serves calls on demand there.
type place struct{ location, project string }

// reached returns the locations that calls for a model may go to on demand, each once.
func (a *adviser) reached(model string) (all []place) {
	for i := range a.cfg.Pool.Projects {
		p := &a.cfg.Pool.Projects[i]
		if !modelid.Matches(p.Models, model) {
			continue
		}
		for _, l := range onDemand(p) {
			if !slices.ContainsFunc(all, func(known place) bool { return known.location == l }) {
				all = append(all, place{l, p.Name})
			}
		}
	}
	return all
}

// enumerate names three places at most.
func enumerate(all []place) string {
	const most = 3
	var b strings.Builder
	for i, p := range all[:min(len(all), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.location + " (project " + p.project + ")")
	}
	if more := len(all) - most; more > 0 {
		b.WriteString(" and " + strconv.Itoa(more) + " more")
	}
	return b.String()
}
