// Package report sums up what call logs say.
package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/plain"
)

// By is what calls are grouped by.
type By string

const (
	ByLabel   By = "label"
	ByModel   By = "model"
	ByProject By = "project"
	ByTraffic By = "traffic"
)

// Known are all of them.
var Known = []By{ByLabel, ByModel, ByProject, ByTraffic}

const (
	// none is the group of calls without what they are grouped by, such as those that no project
	// served.
	none = "(none)"
	// maxGroups bounds the groups: callers may invent models. Further ones are in the group others.
	maxGroups = 10_000
	others    = "(others)"
	// maxName bounds the names of groups, in bytes.
	maxName = 200
	// maxProblems bounds the broken lines that are named.
	maxProblems = 5
)

// Report is a sum of calls. One goroutine uses it.
type Report struct {
	By By
	// From and To are when the first and the last call began. All is the sum of the groups.
	From, To time.Time
	All      *Group
	// Dropped is how many records logs say that they have dropped, Broken how many lines are none of
	// a call log's. Problems name the first of these.
	Dropped, Broken int64
	Problems        []string

	since  time.Time
	groups map[string]*Group
}

// New returns a report of the calls that began at a moment or later, without any call yet.
func New(by By, since time.Time) *Report {
	return &Report{By: by, All: newGroup("all"), since: since, groups: map[string]*Group{}}
}

// Groups returns the groups, the largest first.
func (r *Report) Groups() []*Group {
	var all []*Group
	for _, g := range r.groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// add adds a call.
func (r *Report) add(c *calls.Record) {
	at := c.Time.Time
	if at.Before(r.since) {
		return
	}
	if r.From.IsZero() || at.Before(r.From) {
		r.From = at
	}
	if at.After(r.To) {
		r.To = at
	}
	r.All.add(c)
	r.group(c).add(c)
}

func (r *Report) group(c *calls.Record) *Group {
	name := ""
	switch r.By {
	case ByLabel:
		name = c.Label
	case ByModel:
		name = cmp.Or(c.ServedModel, c.Model)
	case ByProject:
		name = c.Project
	case ByTraffic:
		name = served(c)
	}
	name = cmp.Or(plain.Text(name, maxName), none)
	g := r.groups[name]
	if g == nil && len(r.groups) >= maxGroups {
		name = others
		g = r.groups[name]
	}
	if g == nil {
		g = newGroup(name)
		r.groups[name] = g
	}
	return g
}
