package pool

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Google answers 5XX for what would be a 429 where a call is within a purchase, and that counts
// towards its service level agreement. So these answers are evidence, which is kept.

// belowEvery is the least time between two events about the faults of one order.
const belowEvery = time.Minute

// OrderFaults returns what the orders answered with 5XX, the earliest first, by the order's
// [Subject]: the last 1,000 of each since the pool was made. An order whose overflow Vertex AI routes
// has none: which calls it had is not known.
func (p *Pool) OrderFaults() map[string][]quota.Fault {
	all := make(map[string][]quota.Fault)
	for _, e := range p.memory.all() {
		if e.lot == nil {
			continue
		}
		if list := e.lot.faults.List(); len(list) > 0 {
			all[e.subject.String()] = list
		}
	}
	return all
}

// noteFault keeps the answer of an order that failed to serve a call that went out for it.
func noteFault(r *lease, now time.Time, at int64, o *Outcome) {
	if r.held&heldOrder == 0 || o.Foreign || o.Unsent || o.Answer == nil || o.Answer.Status < http.StatusInternalServerError {
		return
	}
	if o.Class == ClassCallerFault || o.Class == ClassCancelled {
		return // such as a 504 when the time was over that the caller gave to Google
	}
	c := r.candidate
	f := quota.Fault{
		At: now, Latency: time.Duration(at - r.at), Status: o.Answer.Status, Model: strings.Clone(c.plan.model.name),
		Use: r.hold.Use, Inside: o.Answer.Inside, IDs: slices.Clone(o.Answer.IDs),
	}
	c.order.faults.Add(f)
	c.order.below.add(c.plan.pool, now, c.order, &f, o.Message)
}

// belowNews tells of the faults of an order that came below its purchase: of the first at once, then
// of what has come together. The zero value has none.
type belowNews struct {
	mu      sync.Mutex
	told    int64 // instant of the last event, plus one; zero: none
	pending bool  // a timer will tell
	below   int64 // since the last event
	all     int64 // those at or above the purchase, too
	use     float64
	message string
}

func (b *belowNews) add(p *Pool, now time.Time, o *order, f *quota.Fault, message string) {
	if p.outbox.observe == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all++
	if !f.BelowPurchase() {
		return
	}
	b.below++
	b.use, b.message = f.Use, message
	switch wait := time.Duration(b.told - 1 + int64(belowEvery) - p.instant(now)); {
	case b.told == 0 || wait <= 0:
		b.tellLocked(p, now, o)
	case !b.pending:
		b.pending = true
		p.clock.afterFunc(wait, func() { b.tell(p, o) })
	}
}

// tell tells of the faults since the last event, unless the pool is closed.
func (b *belowNews) tell(p *Pool, o *order) {
	select {
	case <-p.queue.done:
		return
	default:
	}
	b.mu.Lock()
	if b.pending = false; b.below > 0 {
		b.tellLocked(p, p.clock.now(), o)
	}
	b.mu.Unlock()
	p.outbox.deliver()
}

func (b *belowNews) tellLocked(p *Pool, now time.Time, o *order) {
	p.outbox.orderBelowPurchase(now, o, b.below, b.all, b.use, b.message)
	b.told, b.below, b.all = p.instant(now)+1, 0, 0
}
