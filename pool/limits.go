package pool

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// limits are what one project promises for one model on demand, whatever the location: the declared
// limits, those that were discovered, and those that Google named.
type limits struct {
	name    string // of its subject
	fleet   fleetUse
	share   float64      // of what is learned that this process may use; zero is all
	limited atomic.Bool  // a limit is declared or learned
	review  atomic.Int64 // instant at which the learned limits are looked at again
	quota   quota.Quota  // counts while it is limited
	alert   usageAlert
	drain   drain
	portion atomic.Pointer[limitPortion] // of the calls that keep to a share, once there are such

	mu            sync.Mutex
	promised      promised
	rpm, tpm, rpd learnedLimit
	told          toldLimits
}

// fleetUse is how a fleet uses limits.
type fleetUse struct {
	joined atomic.Bool // it shares them
	tight  atomic.Bool // and others want their concurrent calls
}

// newLimits returns the limits of a project for a model.
func newLimits(project *project, m *model) *limits {
	l := &limits{
		name: project.sharedSubject(m.modelKey).String(), share: project.share,
		promised: project.promised(m.name), rpd: learnedLimit{daily: true},
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.applyLocked(0)
	return l
}

// learn takes over the limits that an answer stated. Usage before the refusal is covered by its
// cooldown. The window counts only what follows, so that probes find room.
func (l *limits) learn(at int64, stated quota.Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, limit := range [...]int64{stated.RPM, stated.TPM, stated.RPD} {
		if limit > 0 {
			l.learnedLocked()[i].name(at, limit)
		}
	}
	l.applyLocked(at)
}

// grow lets learned limits grow by time.
func (l *limits) grow(at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.applyLocked(at)
}

// due reports whether it is time for learned limits to grow.
func (l *limits) due(at int64) bool { return l.review.Load() <= at }

// tell returns what is known of the learned limits, and whether it differs from what was told of
// them. The caller tells.
func (l *limits) tell(at int64) (known quota.Limits, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known = l.knownLocked(at)
	changed, l.told.learned = known != l.told.learned, known
	return known, changed
}

// unlearn forgets every learned limit.
func (l *limits) unlearn(at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.learnedLocked() {
		d.limit, d.tester = 0, 0
	}
	l.applyLocked(at)
}

// forget reports whether it is to be told that no learned limit holds any more.
func (l *limits) forget() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told.learned != (quota.Limits{})
	l.told = toldLimits{}
	return told
}

// promise replaces the limits that hold before Google has named any. What was used stays used. It
// reports whether limits that were discovered are others now: what was learned is of the time before.
func (l *limits) promise(at int64, p promised) (others bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.promised.discovered
	l.promised = p
	l.applyLocked(at)
	return was != (quota.Limits{}) && p.discovered != (quota.Limits{}) && was != p.discovered
}

// applyLocked puts the limits in force: of each dimension the smaller of what is promised and what
// is learned. The caller holds l.mu.
func (l *limits) applyLocked(at int64) {
	inForce, bounds := divided(l.knownLocked(at), l.share), l.promised.bounds(at, l.learnedLocked(), l.share)
	smaller := func(limit *int64, promised int64) {
		if *limit == 0 || promised > 0 && promised < *limit {
			*limit = promised
		}
	}
	review := min(l.rpm.next(at), l.tpm.next(at), l.rpd.next(at))
	smaller(&inForce.RPM, bounds.RPM)
	smaller(&inForce.TPM, bounds.TPM)
	smaller(&inForce.RPD, bounds.RPD)
	inForce.Concurrency = bounds.Concurrency
	l.quota.SetLimits(inForce)
	l.limited.Store(inForce != (quota.Limits{}))
	l.review.Store(review)
}

// learnedLocked returns the learned limits, in the order of the fields of [quota.Limits]. The
// caller holds l.mu.
func (l *limits) learnedLocked() [3]*learnedLimit { return [...]*learnedLimit{&l.rpm, &l.tpm, &l.rpd} }

// knownLocked returns what is learned and not forgotten. The caller holds l.mu.
func (l *limits) knownLocked(at int64) quota.Limits {
	return quota.Limits{RPM: l.rpm.now(at), TPM: l.tpm.now(at), RPD: l.rpd.now(at)}
}

// known returns the limits that Google has named and that are not forgotten.
func (l *limits) known(at int64) quota.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.knownLocked(at)
}

// inForce returns the quota to keep to; nil if nothing is limited.
func (l *limits) inForce() *quota.Quota {
	if l == nil || !l.limited.Load() {
		return nil
	}
	return &l.quota
}

// clean reports whether nothing is used, under way or learned.
func (l *limits) clean(now time.Time, at int64) bool {
	if l.known(at) != (quota.Limits{}) {
		return false
	}
	if p := l.portion.Load(); p != nil && !p.large.idle(now) {
		return false
	}
	s := l.quota.Stat(now)
	return s.Requests.Used == 0 && s.Tokens.Used == 0 && s.Day.Used == 0 && s.Concurrency.Used == 0
}

// savedLimits are limits that Google named.
type savedLimits struct {
	RPM savedLimit `json:"rpm,omitzero"`
	TPM savedLimit `json:"tpm,omitzero"`
	RPD savedLimit `json:"rpd,omitzero"`
}

// save returns what is learned and not forgotten. at is the instant of now.
func (l *limits) save(now time.Time, at int64) savedLimits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return savedLimits{l.rpm.save(now, at), l.tpm.save(now, at), l.rpd.save(now, at)}
}

// restore takes over what an earlier process had learned.
func (l *limits) restore(now time.Time, at int64, saved savedLimits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range [...]savedLimit{saved.RPM, saved.TPM, saved.RPD} {
		l.learnedLocked()[i].restore(now, at, s)
	}
	l.applyLocked(at)
}

// savedDay counts the requests of the day that ends at Resets.
type savedDay struct {
	Requests int64     `json:"requests"`
	Resets   time.Time `json:"resets"`
}

// saveDay returns what is used of the day; not ok if nothing is.
func (l *limits) saveDay(now time.Time) (savedDay, bool) {
	used, resets := l.quota.Today(now) // in a fleet each saves its own
	return savedDay{used, resets.UTC()}, used > 0
}

// restoreDay adds what an earlier process used of the day, also where nothing is limited yet.
func (l *limits) restoreDay(now time.Time, day savedDay) {
	l.quota.RestoreDay(now, day.Requests, day.Resets)
}
