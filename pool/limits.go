package pool

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
)

const (
	// learnedFor is how long a limit that Google named holds without being named again. After that
	// it grows by learnedGrowth every learnedStep, so that a limit that was raised is found without
	// a rush. It is forgotten at learnedMost times its value.
	learnedFor    = 24 * time.Hour
	learnedGrowth = 1.25
	learnedStep   = time.Hour
	learnedMost   = 16
)

// limits are what one project promises for one model on demand, whatever the location: the declared
// limits and those that Google named.
type limits struct {
	limited atomic.Bool  // a limit is declared or learned
	review  atomic.Int64 // instant at which the learned limits are looked at again
	quota   quota.Quota  // counts while it is limited
	alert   usageAlert
	drain   drain

	mu            sync.Mutex
	declared      quota.Limits
	rpm, tpm, rpd learnedLimit
	told          quota.Limits // the learned limits that the last event named
}

func newLimits(declared quota.Limits) *limits {
	l := &limits{declared: declared}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.applyLocked(0)
	return l
}

// learnedLimit is a limit that Google has named.
type learnedLimit struct {
	limit int64 // zero: none
	at    int64 // instant at which it was named last
}

// now returns what is left of the limit: it grows once it was not named for a day, and is zero when
// it is forgotten.
func (l learnedLimit) now(at int64) int64 {
	late := at - l.at - int64(learnedFor)
	if l.limit == 0 || late < 0 {
		return l.limit
	}
	factor := math.Pow(learnedGrowth, float64(late/int64(learnedStep)+1))
	if factor > learnedMost {
		return 0
	}
	return int64(math.Ceil(float64(l.limit) * factor))
}

// next returns when the limit grows next.
func (l learnedLimit) next(at int64) int64 {
	if l.now(at) == 0 {
		return cooldown.Forever
	}
	next := l.at + int64(learnedFor)
	if late := at - next; late >= 0 {
		next += (late/int64(learnedStep) + 1) * int64(learnedStep)
	}
	return next
}

// learn takes over the limits that an answer stated. Usage before the refusal is covered by its
// cooldown. The window counts only what follows, so that probes find room.
func (l *limits) learn(at int64, stated quota.Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range []struct {
		known  *learnedLimit
		stated int64
	}{{&l.rpm, stated.RPM}, {&l.tpm, stated.TPM}, {&l.rpd, stated.RPD}} {
		if d.stated > 0 {
			*d.known = learnedLimit{d.stated, at}
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
	changed, l.told = known != l.told, known
	return known, changed
}

// forget reports whether it is to be told that no learned limit holds any more.
func (l *limits) forget() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told != (quota.Limits{})
	l.told = quota.Limits{}
	return told
}

// declare replaces the declared limits. What was used stays used.
func (l *limits) declare(at int64, declared quota.Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.declared = declared
	l.applyLocked(at)
}

// applyLocked puts the limits in force: of each dimension the smaller of declared and learned. The
// caller holds l.mu.
func (l *limits) applyLocked(at int64) {
	inForce := l.knownLocked(at)
	smaller := func(limit *int64, declared int64) {
		if *limit == 0 || declared > 0 && declared < *limit {
			*limit = declared
		}
	}
	review := min(l.rpm.next(at), l.tpm.next(at), l.rpd.next(at))
	smaller(&inForce.RPM, l.declared.RPM)
	smaller(&inForce.TPM, l.declared.TPM)
	smaller(&inForce.RPD, l.declared.RPD)
	inForce.Concurrency = l.declared.Concurrency
	l.quota.SetLimits(inForce)
	l.limited.Store(inForce != (quota.Limits{}))
	l.review.Store(review)
}

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
	s := l.quota.Stat(now)
	return s.Requests.Used == 0 && s.Tokens.Used == 0 && s.Day.Used == 0 && s.Concurrency.Used == 0
}

// savedLimits are limits that Google named, each with the time at which it did so last.
type savedLimits struct {
	RPM savedLimit `json:"rpm,omitzero"`
	TPM savedLimit `json:"tpm,omitzero"`
	RPD savedLimit `json:"rpd,omitzero"`
}

type savedLimit struct {
	Limit int64     `json:"limit"`
	Named time.Time `json:"named,omitzero"`
}

// save returns what is learned and not forgotten. at is the instant of now.
func (l *limits) save(now time.Time, at int64) savedLimits {
	l.mu.Lock()
	defer l.mu.Unlock()
	save := func(l learnedLimit) savedLimit {
		if l.now(at) == 0 {
			return savedLimit{}
		}
		return savedLimit{l.limit, now.Add(time.Duration(l.at - at)).UTC()}
	}
	return savedLimits{save(l.rpm), save(l.tpm), save(l.rpd)}
}

// restore takes over what an earlier process had learned.
func (l *limits) restore(now time.Time, at int64, saved savedLimits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	restore := func(l savedLimit) learnedLimit {
		known := learnedLimit{l.Limit, at - max(int64(now.Sub(l.Named)), 0)}
		if l.Limit <= 0 || known.now(at) == 0 {
			return learnedLimit{}
		}
		return known
	}
	l.rpm, l.tpm, l.rpd = restore(saved.RPM), restore(saved.TPM), restore(saved.RPD)
	l.applyLocked(at)
}

// savedDay counts the requests of the day that ends at Resets.
type savedDay struct {
	Requests int64     `json:"requests"`
	Resets   time.Time `json:"resets"`
}

// saveDay returns what is used of the day; not ok if nothing is.
func (l *limits) saveDay(now time.Time) (savedDay, bool) {
	day := l.quota.Stat(now).Day
	return savedDay{day.Used, day.Resets.UTC()}, day.Used > 0
}

// restoreDay adds what an earlier process used of the day, also where nothing is limited yet.
func (l *limits) restoreDay(now time.Time, day savedDay) {
	l.quota.RestoreDay(now, day.Requests, day.Resets)
}
