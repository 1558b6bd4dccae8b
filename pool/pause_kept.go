package pool

import (
	"encoding/json"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/store"
)

// savedPause is a pause as it is kept over a restart, and told to other replicas.
type savedPause struct {
	By      string    `json:"by,omitempty"` // the replica that tells
	Subject string    `json:"subject,omitempty"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"` // absent: until it is resumed
	Over    bool      `json:"over,omitempty"` // it was resumed
	Why     string    `json:"why,omitempty"`
	Said    time.Time `json:"said,omitzero"`
}

// save returns a pause as it is kept.
func (x *pause) save(p *Pool) savedPause {
	s := savedPause{Since: x.since.UTC(), Why: x.why, Said: x.said.UTC()}
	if x.until != cooldown.Forever {
		s.Until = p.timeOf(x.until).UTC()
	}
	return s
}

// restore takes over a pause that was kept, unless an operator has said something else since. It
// may be of something that is not configured: it is when that comes back.
func (ps *pauses) restore(now time.Time, subject Subject, s savedPause) {
	x := pause{subject: subject, since: s.Since, until: cooldown.Forever, why: plain.Text(s.Why, maxWhy), said: s.Said}
	switch at := ps.pool.instant(now); {
	case s.Over:
		x.until = at
	case !s.Until.IsZero():
		x.until = endOf(at, s.Until.Sub(now.Round(0)))
	}
	ps.mu.Lock()
	known, ok := ps.all[subject]
	ps.mu.Unlock()
	if ok && !known.said.Before(s.Said) {
		return
	}
	_ = ps.put(now, x) // beyond the most, it is left out
}

// paused tells the fleet what an operator said of a subject.
func (f *fleet) paused(now time.Time, x *pause) {
	if f == nil {
		return
	}
	s := x.save(f.pool)
	s.Over = x.until <= f.pool.instant(now)
	s.By, s.Since, s.Until, s.Said = f.link.member, f.link.theirs(s.Since), f.link.theirs(s.Until), f.link.theirs(s.Said)
	value, err := json.Marshal(s)
	if err != nil {
		return
	}
	until := f.link.theirs(now).Add(pauseKept)
	if x.until != cooldown.Forever { // the end is told longer: some hear late
		until = later(s.Until, f.link.theirs(now).Add(factKept))
	}
	f.facts.tell(store.Fact{Key: store.Key{Kind: store.KindPause, Name: x.subject.String()}, Value: value, At: s.Said, Until: until})
}

// heedPause takes over what an operator said to another replica.
func (fs *facts) heedPause(now time.Time, subject Subject, fact *store.Fact) {
	link := fs.fleet.link
	var s savedPause
	if json.Unmarshal(fact.Value, &s) != nil || s.By == link.member {
		return
	}
	s.Since, s.Until, s.Said = link.ours(s.Since), link.ours(s.Until), link.ours(s.Said)
	fs.fleet.pool.pauses.restore(now, subject, s)
}
