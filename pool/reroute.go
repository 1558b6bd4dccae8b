package pool

import (
	"slices"
	"strings"
	"time"
)

// reroutedEvery is the least time between two events about one model that another one answers for.
const reroutedEvery = 24 * time.Hour

// reroute is what a modelVersion of Google's means for one model.
type reroute struct {
	version string // as Google sent it
	other   string // the model that answers; empty if it is the one that was asked for
}

// servedBy returns the model that a modelVersion names; "" if it is the one that was asked for.
func (m *model) servedBy(version string) string {
	if version == "" || version == m.name {
		return ""
	}
	known := m.reroute.Load()
	if known == nil || known.version != version {
		known = &reroute{version, otherModel(m.name, version)}
		m.reroute.Store(known)
	}
	return known.other
}

// rerouted returns the endpoint as it stands for the model that answered in place of the one that
// was asked for, and tells of it once a day. It returns nil if that one answered, or if the pool
// has no such endpoint for the other: an order is for one model.
func (r *lease) rerouted(now time.Time, at int64, o *Outcome) *candidate {
	c := r.candidate
	p, m := c.plan.pool, c.plan.model
	other := m.servedBy(o.Served)
	if other == "" {
		return nil
	}
	m.counts.rerouted.Add(1)
	told := m.rerouteTold.Load() // instant of the last event, plus one
	if (told == 0 || at+1-told >= int64(reroutedEvery)) && m.rerouteTold.CompareAndSwap(told, at+1) {
		p.outbox.rerouted(now, m, other)
	}
	served, ok := p.model(now, modelKey{other, m.method})
	if !ok {
		return nil
	}
	all := served.plan.Load().all
	i := slices.IndexFunc(all, func(d *candidate) bool { return d.Name == c.Name })
	if i < 0 {
		return nil
	}
	all[i].use()
	return all[i]
}

// chargeServed moves what a call has used of the limits of the model that was asked for to those of
// the model that answered.
func (r *lease) chargeServed(now time.Time, at int64, o *Outcome, served *candidate) {
	if r.need.Unmetered {
		return
	}
	if r.held&heldQuota != 0 {
		r.shared.limits.quota.Release(now, r.charges.reservation)
	}
	tokens := r.need.Input
	if o.Counted {
		tokens = o.Usage.Input
	}
	if q := served.quota(); q != nil {
		q.Count(now, tokens)
		served.shared.entry.Load().checkLimits(served.plan.pool, now, at)
	}
}

// otherModel returns the model that a modelVersion names if it is another one than was asked for,
// else "". An alias names whatever is the latest; a version, a date and a preview are the same
// model; and what a user has tuned or named answers with the name of what it is made of.
func otherModel(asked, version string) string {
	served, _, _ := strings.Cut(version[strings.LastIndexByte(version, '/')+1:], "@")
	own, _, _ := strings.Cut(asked, "@")
	if strings.Contains(asked, "/") || strings.ContainsFunc(served, func(c rune) bool { return !inModelName(c) }) {
		return ""
	}
	a, b := strings.Split(strings.ToLower(own), "-"), strings.Split(strings.ToLower(served), "-")
	if len(b) < 2 || a[0] != b[0] || slices.Contains(a, "latest") || sameName(a, b) {
		return ""
	}
	return served
}

func inModelName(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}

// sameName reports whether two names, in their parts, are of one model.
func sameName(a, b []string) bool {
	baseA, wholeA, previewA := baseName(a)
	baseB, wholeB, previewB := baseName(b)
	switch {
	case previewA && previewB:
		return slices.Equal(baseA, baseB)
	case previewA || previewB:
		return slices.Equal(baseA, baseB) || slices.Equal(wholeA, wholeB)
	default:
		return slices.Equal(wholeA, wholeB)
	}
}

// baseName returns a model's name up to the word that says that it is a preview, and all of it
// without that word and without versions and dates.
func baseName(name []string) (base, whole []string, preview bool) {
	i := slices.IndexFunc(name, func(part string) bool {
		return part == "preview" || part == "exp" || part == "experimental"
	})
	if i < 0 {
		whole = withoutVersion(name)
		return whole, whole, false
	}
	base = withoutVersion(name[:i])
	whole = slices.Clone(base)
	for _, part := range name[i+1:] {
		if !isNumber(part) {
			whole = append(whole, part)
		}
	}
	return base, whole, true
}

// withoutVersion takes "001" or a date such as "09", "2025" from the end of a name.
func withoutVersion(name []string) []string {
	n := len(name)
	if n == 0 || !isNumber(name[n-1]) || len(name[n-1]) < 3 {
		return name
	}
	for n--; n > 0 && isNumber(name[n-1]) && len(name[n-1]) == 2; n-- {
	}
	return name[:n]
}

func isNumber(part string) bool { return part != "" && strings.Trim(part, "0123456789") == "" }
