package pool

import (
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/modelid"
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
	own = strings.ToLower(own)
	named := strings.ToLower(served)
	maker, _, _ := strings.Cut(own, "-")
	_, pinned := modelid.Split(own)
	if !strings.HasPrefix(named, maker+"-") || strings.Contains(pinned, "latest") || modelid.Kin(own, named) {
		return ""
	}
	return served
}

func inModelName(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}
