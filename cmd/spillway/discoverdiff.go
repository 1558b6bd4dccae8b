package main

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/discover"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

// difference is one between a file and what Google shows.
type difference struct {
	Project string `json:"project"`
	// Kind is "+" for what the file lacks, "-" for what Google does not show, and "~" for what both
	// have in another way: then the file's holds.
	Kind string `json:"kind"`
	What string `json:"what"`
}

// differences returns where the file and Google differ, as comments of the file.
func (f *discoverFlags) differences(all []discoveredProject) string {
	if f.file == "" {
		return ""
	}
	t := &tomlFile{}
	t.line("")
	found := 0
	for i := range all {
		for _, x := range all[i].differences() {
			if found++; found == 1 {
				t.comment("Beside " + f.file + ": + is what it lacks, - what Google does not show, ~ what differs; the file's holds.")
			}
			t.comment(x.Kind + " " + x.Project + ": " + x.What)
		}
	}
	unread := slices.ContainsFunc(all, func(d discoveredProject) bool { return d.incomplete() })
	switch {
	case unread:
		t.comment("What could not be read is not compared.")
	case found == 0:
		t.comment(f.file + " has what Google shows.")
	}
	return t.text.String()
}

// differences are those of one project, of what could be read.
func (d *discoveredProject) differences() (all []difference) {
	add := func(kind, format string, values ...any) {
		all = append(all, difference{d.Name, kind, fmt.Sprintf(format, values...)})
	}
	for _, o := range d.moreOrders() {
		add("+", "order of %s for %s in %s", plain.Plural(o.GSUs, "GSU"), o.Model, o.Location)
	}
	for i := range d.Provisioned {
		d.compareOrder(&d.Provisioned[i], add)
	}
	for _, l := range d.moreLimits() {
		add("+", "%s %s", l.Model, numbers(l.RPM, l.TPM, l.RPD))
	}
	for _, l := range d.facts.Limits {
		own := d.strictest(l.Model)
		for _, x := range []struct {
			name            string
			declared, shown int64
		}{{"rpm", own.RPM, l.RPM}, {"tpm", own.TPM, l.TPM}, {"rpd", own.RPD, l.RPD}} {
			if x.declared > 0 && x.shown > 0 && x.declared != x.shown {
				add("~", "%s %s is %s in the file, and %s at Google", l.Model, x.name, plain.Number(x.declared), plain.Number(x.shown))
			}
		}
	}
	for i := range d.Limits {
		if own := d.notShown(&d.Limits[i]); own.RPM+own.TPM+own.RPD > 0 {
			add("-", "%s %s", cmp.Or(own.Model, "*"), numbers(own.RPM, own.TPM, own.RPD))
		}
	}
	return all
}

// notShown returns a limit of the file in those dimensions in which Google shows none that it is for.
func (d *discoveredProject) notShown(l *pool.Limit) (own pool.Limit) {
	if d.facts.Limits == nil {
		return own // it could not be read
	}
	own = *l
	for _, shown := range d.facts.Limits {
		if ok, _ := path.Match(cmp.Or(l.Model, "*"), shown.Model); !ok {
			continue
		}
		for _, x := range []struct {
			own   *int64
			shown int64
		}{{&own.RPM, shown.RPM}, {&own.TPM, shown.TPM}, {&own.RPD, shown.RPD}} {
			if x.shown > 0 {
				*x.own = 0
			}
		}
	}
	return own
}

// compareOrder compares an order of the file with what Google shows of it.
func (d *discoveredProject) compareOrder(o *pool.Order, add func(kind, format string, values ...any)) {
	if d.facts.Orders == nil {
		return
	}
	for i := range d.facts.Orders {
		shown := &d.facts.Orders[i]
		switch {
		case d.declared(shown) != o:
			continue
		case over(o, d.at), d.at.Before(o.From):
			add("~", "the order for %s in %s %s in the file, and has %s at Google", o.Model, o.Location,
				inForce(o, d.at)[0], plain.Plural(shown.GSUs, "GSU"))
		case o.GSUs > 0 && o.GSUs != shown.GSUs:
			add("~", "the order for %s in %s has %s in the file, and %s at Google", o.Model, o.Location,
				plain.Plural(o.GSUs, "GSU"), plain.Number(int64(shown.GSUs)))
		case o.TokensPerSecond > 0 && shown.TokensPerSecond > 0 && math.Abs(o.TokensPerSecond-shown.TokensPerSecond) > o.TokensPerSecond/100:
			add("~", "the order for %s in %s has %s tokens per second in the file, and %s at Google", o.Model, o.Location,
				plain.Number(int64(min(o.TokensPerSecond, 1e15))), plain.Number(int64(shown.TokensPerSecond)))
		}
		return
	}
	if !over(o, d.at) && !d.at.Before(o.From) {
		add("-", "order for %s in %s", o.Model, o.Location)
	}
}

// numbers writes limits in a few words.
func numbers(rpm, tpm, rpd int64) string {
	var parts []string
	for _, x := range []struct {
		name  string
		value int64
	}{{"rpm", rpm}, {"tpm", tpm}, {"rpd", rpd}} {
		if x.value > 0 {
			parts = append(parts, x.name+" "+plain.Number(x.value))
		}
	}
	return strings.Join(parts, ", ")
}

// discoveredJSON is what "discover --json" prints. Names stay, others may be added.
type discoveredJSON struct {
	File        string        `json:"file,omitempty"`
	Projects    []discoveryOf `json:"projects"`
	Differences []difference  `json:"differences"`
	TOML        string        `json:"toml"` // a file with what was found
}

type discoveryOf struct {
	Name      string             `json:"name"`
	Backend   string             `json:"backend"`
	ProjectID string             `json:"project_id,omitempty"`
	Tier      string             `json:"tier,omitempty"`
	Limits    []discoveredLimit  `json:"limits"` // null: they could not be read; as all lists here
	Orders    []discoveredOrder  `json:"orders"`
	Models    []string           `json:"models"`
	Problems  []discoveryProblem `json:"problems,omitempty"`
}

type discoveredLimit struct {
	Model string `json:"model"`
	RPM   int64  `json:"rpm,omitempty"`
	TPM   int64  `json:"tpm,omitempty"`
	RPD   int64  `json:"rpd,omitempty"`
}

type discoveredOrder struct {
	Model           string  `json:"model"`
	Location        string  `json:"location"`
	GSUs            int     `json:"gsus"`
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"`
}

type discoveryProblem struct {
	What       string `json:"what"`
	Host       string `json:"host"`
	Message    string `json:"message"`
	Permission string `json:"permission,omitempty"`
	Role       string `json:"role,omitempty"`
	Remedy     string `json:"remedy,omitempty"`
	Command    string `json:"command,omitempty"`
	Passing    bool   `json:"passing,omitempty"`
}

// data returns all that was found.
func (f *discoverFlags) data(cfg *config.Config, all []discoveredProject) discoveredJSON {
	j := discoveredJSON{File: f.file, Projects: []discoveryOf{}, Differences: []difference{}, TOML: f.toml(cfg, all)}
	for i := range all {
		d := &all[i]
		j.Projects = append(j.Projects, discoveryOf{
			Name: d.Name, Backend: string(d.Backend), ProjectID: d.ProjectID, Tier: string(d.facts.Tier), Models: d.facts.Models,
			Limits: converted(d.facts.Limits, func(l discover.Limit) discoveredLimit { return discoveredLimit(l) }),
			Orders: converted(d.facts.Orders, func(o discover.Order) discoveredOrder { return discoveredOrder(o) }),
			Problems: converted(d.facts.Problems, func(p *discover.ReadError) discoveryProblem {
				return discoveryProblem{p.What, p.Host, p.Message, p.Permission, p.Role, p.Do, p.Command, p.Passing()}
			}),
		})
		if f.file != "" {
			j.Differences = append(j.Differences, d.differences()...)
		}
	}
	return j
}

// converted converts a list; one that is nil stays so.
func converted[A, B any](list []A, convert func(A) B) []B {
	if list == nil {
		return nil
	}
	all := make([]B, len(list))
	for i, one := range list {
		all[i] = convert(one)
	}
	return all
}
