package pool

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
)

// maxReasons bounds how many endpoints an ExhaustedError speaks of: one for each bit of barred.
const maxReasons = 64

// ExhaustedError says that no endpoint of the pool could serve a call in time, when to come back,
// and why.
type ExhaustedError struct {
	// RetryAt is the earliest moment at which an endpoint could serve the call, as far as is known.
	// The zero time means that none is known.
	RetryAt time.Time
	// Reasons say why each endpoint could not: of a very large pool the first 64.
	Reasons []Reason
	// Leading is what keeps most of the endpoints that may serve the call from it.
	Leading Reason
	// Never says that no endpoint may serve the call at any time.
	Never bool
	// MemoryFull says that the pool remembers too much to take calls for a model that is new to it.
	MemoryFull bool
	// Answer is Google's, and Class its class, if every endpoint that may serve the call is on
	// cooldown for an answer that the pool keeps. What one project was told of the model is enough if
	// the others are out for reasons of their own, and nothing shows that they have the model.
	Answer *Answer
	Class  Class
	// Exists says that an endpoint that may serve the call, and has not refused it, is known to have
	// the model.
	Exists bool

	about  []*candidate // what Reasons are of, at most
	barred uint64       // a bit for each reason that holds at any time
	causes string       // the different reasons, the leading one first
}

// Reason is why one endpoint could not serve a call: Endpoint is its name.
type Reason struct {
	Endpoint string
	// Why is a few words for people: "day_quota until 2026-11-23T08:00:00.000Z (…)".
	Why string
	// Cause is why in one word, of those in docs/429.md; empty where the call itself is the reason,
	// as for a location that it excludes.
	Cause string
	// Subject is what the cause is about, as the text of a [Subject].
	Subject string
	// Until is when it ends. Zero means that a successful probe ends it, or that nothing is known to.
	// Probe is when a call may be tried all the same; zero means not before Until.
	Until, Probe time.Time
	// Remedy is what an operator can do, Page the page of Google's where that is done; empty where
	// there is none.
	Remedy, Page string
}

// Error says when to come back, and why each endpoint could not serve the call.
func (e *ExhaustedError) Error() string {
	var b strings.Builder
	b.WriteString("pool: exhausted")
	if e.MemoryFull {
		b.WriteString(": the memory is full")
	}
	if !e.RetryAt.IsZero() {
		b.WriteString(", retry at " + e.RetryAt.UTC().Format(time.RFC3339))
	}
	for _, r := range e.Reasons {
		_, _ = fmt.Fprintf(&b, "; %s: %s", r.Endpoint, r.Why)
	}
	return b.String()
}

// Explain says why no endpoint can serve a request now, and when one could, without waiting.
func (p *Pool) Explain(r *Request) *ExhaustedError {
	now := p.clock.now()
	if !r.refresh(p, now) {
		return &ExhaustedError{MemoryFull: true}
	}
	e := &ExhaustedError{Never: true}
	plan := r.state.plan
	e.about = plan.standing(p.instant(now))
	for _, c := range e.about {
		why := r.ineligible(c)
		e.Never = e.Never && why != ""
		if len(e.Reasons) < maxReasons {
			if why != "" {
				e.barred |= 1 << len(e.Reasons)
			}
			e.Reasons = append(e.Reasons, reasonFor(r, now, c, why))
		} else if !e.Never {
			break
		}
	}
	e.Leading, e.causes = e.leading()
	if at, ok := r.retryAt(now); ok {
		e.RetryAt = at
	}
	k := r.kept(now, p.instant(now))
	if e.Exists = k.exists; k.Status > 0 {
		e.Answer, e.Class = &Answer{Status: k.Status, Body: k.Body}, Class(k.Class)
	}
	return e
}

// missed says why a request did not get an endpoint that could be asked by now; "" if nothing keeps
// it from the endpoint.
func (r *Request) missed(c *candidate) string {
	own := c.own.entry.Load()
	refused := slices.ContainsFunc(r.state.refused, func(x refused) bool { return x.own == own })
	switch {
	case refused, r.hasFailed(c):
		return "failed for this call"
	case !r.state.creditBy.IsZero() && len(r.state.failed)+len(r.state.refused) == 0:
		return "no credit from the store in time"
	default:
		return ""
	}
}

// reasonFor says why a request does not get an endpoint. barred says why it may never.
func reasonFor(r *Request, now time.Time, c *candidate, barred string) Reason {
	if barred != "" {
		return Reason{Endpoint: c.Name, Why: barred}
	}
	reason := c.reason(now, &r.state.need)
	reason.Why = cmp.Or(reason.Why, r.missed(c))
	return reason
}

// retryAt returns the earliest moment at which the request could be served, behind those that were
// ahead of it, as far as is known.
func (r *Request) retryAt(now time.Time) (time.Time, bool) {
	p := r.state.plan.pool
	t := trial{pool: p, r: r, now: now, at: p.instant(now), limit: now}
	wake := r.state.plan.closedUntil(&r.state.need, t.at)
	if wake == 0 || r.restricted() {
		s := t.survey(r.state.plan.all)
		wake = s.wake
	}
	if wake == cooldown.Forever {
		return time.Time{}, false
	}
	at := p.timeOf(wake)
	if r.state.ahead > 0 {
		if d, known := t.forecast().When(int64(r.state.ahead) + 1); known && d > at.Sub(now) {
			at = now.Add(d)
		}
	}
	return at, true
}

// restricted reports whether some endpoints of the plan may not serve the request.
func (r *Request) restricted() bool {
	if r.state.plan.setup.labelled || r.state.plan.laddered || r.Home != (Home{}) || len(r.Locations) > 0 ||
		r.Traffic != "" && !r.state.plan.only(r.Traffic) {
		return true
	}
	return slices.ContainsFunc(r.state.plan.speaks, func(b Backend) bool { return r.Speaks != nil && r.Speaks(b) != "" })
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
