package pool

import (
	"cmp"
	"time"

	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/quota"
)

// promised are the limits that hold before Google has named any: those that the configuration
// declares and, in the other dimensions, those that were discovered.
type promised struct{ declared, discovered quota.Limits }

// limits returns all of them.
func (p promised) limits() quota.Limits {
	l := p.declared
	l.RPM, l.TPM, l.RPD = cmp.Or(l.RPM, p.discovered.RPM), cmp.Or(l.TPM, p.discovered.TPM), cmp.Or(l.RPD, p.discovered.RPD)
	return l
}

// promised returns what the project promises for a model.
func (p *project) promised(model string) promised {
	l := promised{declared: p.limits(model), discovered: divided(p.found.limitsOf(model), p.share)}
	for i, limit := range [...]*int64{&l.discovered.RPM, &l.discovered.TPM, &l.discovered.RPD} {
		if dimension(i, l.declared) > 0 {
			*limit = 0 // what the file declares wins
		}
	}
	return l
}

// bounds returns what no call goes beyond, not even one that tests a learned limit: what is promised.
// Where Google has named more than it shows, what it named holds.
func (p promised) bounds(at int64, learned [3]*learnedLimit, share float64) quota.Limits {
	bounds := p.limits()
	for i, limit := range [...]*int64{&bounds.RPM, &bounds.TPM, &bounds.RPD} {
		if shown := dimension(i, p.discovered); shown > 0 && learned[i].now(at) > 0 {
			*limit = max(shown, dimension(i, divided(only(i, learned[i].limit), share)))
		}
	}
	return bounds
}

// dimension returns one of the limits that can be learned, by its place.
func dimension(i int, l quota.Limits) int64 { return [...]int64{l.RPM, l.TPM, l.RPD}[i] }

// hold puts what is promised in force for an entry's project and model. What Google named is
// forgotten if it was about a quota that has changed since.
func (p promised) hold(pool *Pool, now time.Time, at int64, e *entry) {
	if e.limits.promise(at, p) {
		e.unlearn(pool, now, at)
	}
	e.telling.Lock()
	defer e.telling.Unlock()
	pool.outbox.limitDisputed(pool, now, at, e)
}

// toldLimits are what events have told of limits: the learned ones and, where they are not what
// Google shows, both.
type toldLimits struct {
	learned  quota.Limits
	disputed [2]quota.Limits
}

// dispute returns the learned limits that are not those which Google shows, and those, and whether
// that is news. The caller holds the lock of the limits.
func (t *toldLimits) dispute(l *limits, at int64) (learned, shown quota.Limits, news bool) {
	for i, d := range l.learnedLocked() {
		limit := dimension(i, l.promised.discovered)
		if d.now(at) == 0 || limit == 0 || dimension(i, divided(only(i, d.limit), l.share)) == limit {
			continue
		}
		*[...]*int64{&learned.RPM, &learned.TPM, &learned.RPD}[i] = d.limit
		*[...]*int64{&shown.RPM, &shown.TPM, &shown.RPD}[i] = limit
	}
	both := [2]quota.Limits{learned, shown}
	news = learned != (quota.Limits{}) && both != t.disputed
	t.disputed = both
	return learned, shown, news
}

// limitDisputed tells that what is learned of a project's limits for a model is not what Google
// shows. The caller holds e.telling.
func (o *outbox) limitDisputed(p *Pool, now time.Time, at int64, e *entry) {
	e.limits.mu.Lock()
	learned, shown, news := e.limits.told.dispute(e.limits, at)
	e.limits.mu.Unlock()
	if news && p.tells(e) {
		o.post(Event{
			At: now, Kind: LimitDisputed, Subject: e.subject, Cause: string(remedy.LearnedLimit), Limits: learned, Discovered: shown,
		})
	}
}
