package pool

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/remedy"
)

// refusalsEvery is the least time between two events about the refused calls of one model.
const refusalsEvery = 10 * time.Second

// refusals counts the calls for one model that the pool refused, until an event tells of them. The
// zero value has counted none.
type refusals struct {
	mu      sync.Mutex
	told    int64           // instant of the last event, plus one; zero: none
	pending bool            // a timer will tell
	count   int64           // refused since the last event
	calls   int64           // the model's calls until the last event
	last    *ExhaustedError // what the last caller was told
	need    need            // of the last call that was refused
	at      int64           // instant of that, plus one; zero: none was
}

// refused notes that a call for the model was refused, and tells of it: at once or, soon after the last event, with
// what has come together by then.
func (m *model) refused(p *Pool, n *need, e *ExhaustedError) {
	now := p.clock.now()
	at := p.instant(now)
	v := &m.refusals
	v.mu.Lock()
	defer v.mu.Unlock()
	v.count, v.last, v.need, v.at = v.count+1, e, *n, at+1
	m.counts.refused.Add(1)
	wait := time.Duration(v.told - 1 + int64(refusalsEvery) - at)
	switch {
	case p.outbox.observe == nil:
	case v.told == 0 || wait <= 0:
		m.tellRefusedLocked(p, now)
	case !v.pending:
		v.pending = true
		p.clock.afterFunc(wait, func() { m.tellRefused(p) })
	}
}

// tellRefused tells of the calls that were refused since the last event, unless the pool is closed.
func (m *model) tellRefused(p *Pool) {
	select {
	case <-p.queue.done:
		return
	default:
	}
	m.refusals.mu.Lock()
	m.refusals.pending = false
	if m.refusals.count > 0 {
		m.tellRefusedLocked(p, p.clock.now())
	}
	m.refusals.mu.Unlock()
	p.outbox.deliver()
}

// tellRefusedLocked tells. The caller holds the mutex of the refusals.
func (m *model) tellRefusedLocked(p *Pool, now time.Time) {
	v := &m.refusals
	calls := m.counts.calls.Load()
	p.outbox.callsRefused(now, m, v.count, max(calls-v.calls, v.count), v.last)
	v.told, v.count, v.calls, v.last = p.instant(now)+1, 0, calls, nil
}

// usual returns what a call for the model needs: the last one that was refused in the last seconds,
// else the mean of those that Google counted, else what is expected of a call of which nothing is
// known.
func (p *plan) usual(at int64) (n need) {
	v := &p.model.refusals
	v.mu.Lock()
	n, late := v.need, v.at == 0 || at-v.at > int64(refusalsEvery)
	v.mu.Unlock()
	if !late {
		return n
	}
	var calls, input, output int64
	for _, c := range p.standing(at) {
		if own := c.own.entry.Load(); own != nil {
			calls += own.load.counts.attempts[okRule.index].Load()
			input += own.load.counts.input.Load()
			output += own.load.counts.output.Load()
		}
	}
	if calls > 0 {
		return need{Input: input / calls, Output: output / calls}
	}
	n = need{}
	n.fill(p.model, &Estimate{}, time.Time{})
	return n
}

// count counts the refused call at each endpoint that may serve it.
func (e *ExhaustedError) count() {
	for i, c := range e.about[:min(len(e.about), len(e.Reasons))] {
		if e.counts(i) {
			c.use()
			c.own.entry.Load().load.counts.refused.Add(1)
		}
	}
}

// counts reports whether the i-th reason is about an endpoint that may serve the call: of a call that
// none may ever serve, all are.
func (e *ExhaustedError) counts(i int) bool { return e.barred>>i&1 == 0 || e.Never }

// mostTold bounds how many different reasons an event tells.
const mostTold = 3

// leading returns what keeps most of the endpoints from the call that may ever serve it, and the
// different reasons, that one first, without the moments at which they end.
func (e *ExhaustedError) leading() (leading Reason, what string) {
	counts := make(map[string]int)
	var order []string
	reasons := make(map[string]Reason)
	for i, r := range e.Reasons {
		if !e.counts(i) {
			continue
		}
		why := withoutMoment(r.Why)
		if counts[why]++; counts[why] == 1 {
			order, reasons[why] = append(order, why), r
		}
	}
	if len(order) == 0 {
		return Reason{}, "no project takes the model"
	}
	slices.SortStableFunc(order, func(a, b string) int {
		// Orders fill; what keeps calls from going on from there says more.
		if n := counts[b] - counts[a]; n != 0 {
			return n
		}
		switch full := string(remedy.OrderFull); {
		case reasons[a].Cause == reasons[b].Cause:
			return 0
		case reasons[a].Cause == full:
			return 1
		case reasons[b].Cause == full:
			return -1
		default:
			return 0
		}
	})
	return reasons[order[0]], strings.Join(order[:min(len(order), mostTold)], "; ")
}

// withoutMoment returns a reason without when it ends: "minute_quota (…)".
func withoutMoment(why string) string {
	what, when, _ := strings.Cut(why, " until ")
	for _, mark := range []string{": ", " ("} { // an operator's reason, or the quota
		if i := strings.Index(when, mark); i >= 0 {
			return what + when[i:]
		}
	}
	return what
}
