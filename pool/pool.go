// Package pool keeps projects, keys and endpoints, and knows which of them may serve a call now.
//
// A [Pool] is built from a [Config]. For each model that is asked for it makes a [Plan]: tiers of [Candidate] endpoints. A caller
// picks one, takes a [Lease] on it, sends its request, and ends the lease with an [Outcome], from which the pool concludes what must
// rest, for whom and until when. Quota belongs to projects: keys of one project are spares for each other and never count as more.
//
// Package router does all of this for HTTP requests; most programs use that, by way of package spillway. The pool starts no goroutine
// and does no I/O but for access tokens ([Lease.Authorize]). Everything is safe for concurrent use.
package pool

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/internal/owner"
)

// Pool is the endpoints of a [Config] and their state. Make one with [New].
type Pool struct {
	log      *slog.Logger
	epoch    time.Time // instant 0
	setup    atomic.Pointer[setup]
	backends map[Backend]*cooldown
	seq      atomic.Uint64 // number of the newest attempt

	owners *owner.Cache

	plans  sync.Map // model -> *Plan
	planMu sync.Mutex
	known  int  // plans there are
	saved  past // what an earlier program knew of models that were not asked for since

	watchers atomic.Int64
	watchMu  sync.Mutex
	watch    chan struct{}
}

// New checks cfg and makes a pool of it. Errors are those of [Config.Validate], or say which project's credentials cannot be found.
// log hears when something begins to rest and when it is back, never of single calls and never a key; nil is silence.
func New(cfg Config, log *slog.Logger) (*Pool, error) {
	s, err := newSetup(cfg, sync.OnceValues(detect))
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &Pool{
		log: log, epoch: time.Now(), watch: make(chan struct{}), owners: owner.New(maxOwnerBytes),
		backends: map[Backend]*cooldown{BackendGemini: {}, BackendVertex: {}},
	}
	p.setup.Store(s)
	return p, nil
}

// instant is now as cooldowns count it.
func (p *Pool) instant(now time.Time) int64 { return int64(now.Sub(p.epoch)) }

// Plan returns how calls for model are served. It never fails; a model that no project takes has a plan without tiers. The pool
// remembers the 1,000 models asked for last.
func (p *Pool) Plan(now time.Time, model string) *Plan {
	at := p.instant(now)
	if plan := p.planOf(model); plan != nil {
		plan.used.Store(at)
		return plan
	}
	p.planMu.Lock()
	defer p.planMu.Unlock()
	if plan := p.planOf(model); plan != nil {
		return plan
	}
	if p.known >= maxPlans {
		p.forgetLocked()
	}
	plan := p.newPlan(model, p.setup.Load())
	p.recall(now, plan)
	plan.used.Store(at)
	p.plans.Store(model, plan)
	p.known++
	return plan
}

// planOf returns the remembered plan, or nil.
func (p *Pool) planOf(model string) *Plan {
	v, _ := p.plans.Load(model)
	plan, _ := v.(*Plan)
	return plan
}

// everyPlan returns the plans that are known.
func (p *Pool) everyPlan() []*Plan {
	var plans []*Plan
	p.plans.Range(func(_, v any) bool {
		plan, _ := v.(*Plan)
		plans = append(plans, plan)
		return true
	})
	return plans
}

// forgetLocked drops the plan that was not used for the longest time. The caller holds p.planMu.
func (p *Pool) forgetLocked() {
	oldest := slices.MinFunc(p.everyPlan(), func(a, b *Plan) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	p.plans.Delete(oldest.Model)
	p.known--
}

// Changed returns a channel that is closed the next time a lease ends or a rest is over, when a waiting call may want to try again,
// and a function to call when no longer interested.
func (p *Pool) Changed() (changed <-chan struct{}, stop func()) {
	p.watchers.Add(1)
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	return p.watch, func() { p.watchers.Add(-1) }
}

// wake closes the channel of Changed.
func (p *Pool) wake() {
	if p.watchers.Load() == 0 {
		return
	}
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	close(p.watch)
	p.watch = make(chan struct{})
}

// Secrets returns the text of every key of the pool, as it was when the lease was made: for scrubbing them out of what Google echoes. The
// caller does not change it. The zero Lease has none.
func (l Lease) Secrets() []string {
	if l.candidate == nil {
		return nil
	}
	return l.candidate.plan.secrets
}

// Authorize puts the leased credential into the header of a request: an API key into x-goog-api-key, an access token into
// Authorization. It fails if no access token is to be had; ctx bounds the asking for one.
func (l Lease) Authorize(ctx context.Context, h http.Header) error {
	if l.key != nil {
		h["X-Goog-Api-Key"] = []string{l.key.secret.Reveal()}
		return nil
	}
	if l.candidate == nil {
		return errors.New("pool: the zero Lease has no credential")
	}
	return authorize(ctx, l.candidate.project.tokens, h)
}

func authorize(ctx context.Context, tokens auth.TokenProvider, h http.Header) error {
	token, err := tokens.Token(ctx)
	if err != nil {
		return err
	}
	if token.Value != "" {
		h["Authorization"] = []string{"Bearer " + token.Value}
	}
	return nil
}
