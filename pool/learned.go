package pool

import (
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/quota"
)

const (
	// learnedFor is how long a limit that Google named holds without being named again.
	learnedFor = 24 * time.Hour
	// After that it grows by this factor every learnedStep, so that a limit that was raised is found without a rush, and is forgotten at
	// learnedMost times its value.
	learnedGrowth = 1.25
	learnedStep   = time.Hour
	learnedMost   = 16
)

// projectModel is what one project promises for one model, whatever the location: on demand, or by one order.
type projectModel struct {
	cool     cooldown
	quota    *quota.Quota // nil for an order, which has a ledger
	declared quota.Limits
	limited  atomic.Bool // a limit is declared or learned: else the quota need not be asked
	gauge    gauge
	turns    turns

	review atomic.Int64 // instant at which the learned limits are looked at again; never if there are none
	mu     sync.Mutex
	rpm    learned
	tpm    learned
	rpd    learned
}

func newProjectModel(declared quota.Limits) *projectModel {
	m := &projectModel{quota: quota.New(declared), declared: declared}
	m.limited.Store(declared != quota.Limits{})
	m.review.Store(never)
	return m
}

// newOrderModel is that of an order: it rests like any other, but has no limits.
func newOrderModel() *projectModel {
	m := &projectModel{}
	m.review.Store(never)
	return m
}

// learned is a limit that Google has named.
type learned struct {
	limit int64 // 0: none
	at    int64 // instant at which it was named last
}

// now is what is left of the limit at at: it grows once it was not named for a day, and is 0 when it is forgotten.
func (l learned) now(at int64) int64 {
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

// learn takes over the limits that an answer stated, and reports whether a limit changed. What was used up when the answer came rests for
// it; here only counts what comes after, or probes could find no room.
func (m *projectModel) learn(at int64, stated quota.Limits) bool {
	if m.quota == nil || stated == (quota.Limits{}) {
		return false
	}
	m.mu.Lock()
	before := m.knownLocked(at)
	for _, d := range []struct {
		known  *learned
		stated int64
	}{{&m.rpm, stated.RPM}, {&m.tpm, stated.TPM}, {&m.rpd, stated.RPD}} {
		if d.stated > 0 {
			*d.known = learned{d.stated, at}
		}
	}
	m.applyLocked(at)
	after := m.knownLocked(at)
	m.mu.Unlock()
	return before != after
}

// declare puts other declared limits in the place of those there were. What was used stays used.
func (m *projectModel) declare(at int64, declared quota.Limits) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.declared = declared
	m.applyLocked(at)
}

// refresh lets learned limits grow when it is time.
func (m *projectModel) refresh(at int64) {
	if m.review.Load() > at {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applyLocked(at)
}

// applyLocked puts the limits in force: of each dimension the smaller of declared and learned. The caller holds m.mu.
func (m *projectModel) applyLocked(at int64) {
	l := m.knownLocked(at)
	smaller := func(limit *int64, declared int64) {
		if *limit == 0 || declared > 0 && declared < *limit {
			*limit = declared
		}
	}
	review := int64(never)
	if l != (quota.Limits{}) {
		review = at + int64(learnedStep)
	}
	smaller(&l.RPM, m.declared.RPM)
	smaller(&l.TPM, m.declared.TPM)
	smaller(&l.RPD, m.declared.RPD)
	l.Concurrency = m.declared.Concurrency
	m.quota.SetLimits(l)
	m.limited.Store(l != quota.Limits{})
	m.review.Store(review)
}

// knownLocked is what is learned and not forgotten. The caller holds m.mu.
func (m *projectModel) knownLocked(at int64) quota.Limits {
	return quota.Limits{RPM: m.rpm.now(at), TPM: m.tpm.now(at), RPD: m.rpd.now(at)}
}

// known returns the limits that Google has named in refusals and that are not forgotten.
func (m *projectModel) known(at int64) quota.Limits {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.knownLocked(at)
}

// saveLimits returns what is learned and not forgotten, as it is kept over a restart. at is the instant of now.
func (m *projectModel) saveLimits(now time.Time, at int64) savedLimits {
	m.mu.Lock()
	defer m.mu.Unlock()
	save := func(l learned) savedLimit {
		if l.now(at) == 0 {
			return savedLimit{}
		}
		return savedLimit{l.limit, now.Add(time.Duration(l.at - at)).UTC()}
	}
	return savedLimits{save(m.rpm), save(m.tpm), save(m.rpd)}
}

// restoreLimits takes over what an earlier program had learned.
func (m *projectModel) restoreLimits(now time.Time, at int64, saved savedLimits) {
	m.mu.Lock()
	defer m.mu.Unlock()
	restore := func(l savedLimit) learned {
		known := learned{l.Limit, at - max(int64(now.Sub(l.Named)), 0)}
		if l.Limit <= 0 || known.now(at) == 0 {
			return learned{}
		}
		return known
	}
	m.rpm, m.tpm, m.rpd = restore(saved.RPM), restore(saved.TPM), restore(saved.RPD)
	m.applyLocked(at)
}

// logLearned says that a limit was learned.
func (p *Pool) logLearned(c *Candidate, l quota.Limits) {
	p.log.Info("spillway: limit learned from Google's answer", slog.String("what", c.project.Name+" "+c.plan.Model),
		slog.Int64("rpm", l.RPM), slog.Int64("tpm", l.TPM), slog.Int64("rpd", l.RPD), slog.String("raise", c.raise()))
}
