package pool

import (
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/quota"
)

// EventKind says what an [Event] tells of.
type EventKind string

const (
	// CooldownStarted tells that a cooldown began, or replaced another. A pause is told like a
	// cooldown of ClassPaused, beside those of the same Subject; only [Pool.Resume] has a CooldownEnded
	// for it.
	CooldownStarted EventKind = "cooldown_started"
	// CooldownExtended tells that the end of a cooldown has moved.
	CooldownExtended EventKind = "cooldown_extended"
	// CooldownEnded tells that a success or a reload ended a cooldown, or that the pool forgot it.
	// A cooldown that ends by time has no event at that time: CooldownStarted or CooldownExtended
	// told when. Its CooldownEnded comes with the first success after.
	CooldownEnded EventKind = "cooldown_ended"
	// BreakerOpened and BreakerClosed tell of the circuit breaker of a server. Probes have no
	// event.
	BreakerOpened EventKind = "breaker_opened"
	BreakerClosed EventKind = "breaker_closed"
	// LimitLearned tells the limits that Google's answers named, when they change. LimitForgotten
	// tells that none is left.
	LimitLearned   EventKind = "limit_learned"
	LimitForgotten EventKind = "limit_forgotten"
	// LimitDisputed tells that the limits which Google's answers named (Limits) are not those that it
	// shows for the project (Discovered), each time that one of them has changed.
	LimitDisputed EventKind = "limit_disputed"
	// ProjectDiscovered tells that what a project has was read, for the first time or with a change:
	// Message has how many limits and orders. DiscoveryIncomplete tells once what could not be read,
	// or is not used, why (Message), and what to do (Remedy).
	ProjectDiscovered   EventKind = "project_discovered"
	DiscoveryIncomplete EventKind = "discovery_incomplete"
	// UsageHigh tells, at most once an hour, that a limit or an order is used to Share.
	UsageHigh EventKind = "usage_high"
	// OrderUnused tells once that a call that was sent for an order was served on demand.
	OrderUnused EventKind = "order_unused"
	// OrderUnconfirmed tells once that an order has never served a call.
	OrderUnconfirmed EventKind = "order_unconfirmed"
	// OrderBelowPurchase tells that an order answered Calls calls with HTTP status 5XX that were within
	// what was bought, of Of answers with 5XX in all since the last event: at once, then at most once
	// a minute. Share is how much of the order was used at the last of them. Google's service level
	// agreement counts them: see [Pool.OrderFaults].
	OrderBelowPurchase EventKind = "order_below_purchase"
	// OrderBegan and OrderEnded tell that an order's time has begun, and that it is over. Of an order
	// that another one follows at once only the begin of that one is told.
	OrderBegan EventKind = "order_began"
	OrderEnded EventKind = "order_ended"
	// CallsRefused tells that Calls of the last Of calls for a model got no endpoint: at once, then
	// at most every 10 s. Calls that another model may serve, that were sent and failed, or whose
	// model is missing do not count.
	CallsRefused EventKind = "calls_refused"
	// ModelRerouted tells, at most once a day, that the model Served answers calls for the Subject's.
	// The price and the quotas of that model apply.
	ModelRerouted EventKind = "model_rerouted"
	// MemoryFull tells that the pool remembers no more models.
	MemoryFull EventKind = "memory_full"
	// StoreLost tells that the store that replicas share does not answer, since Since, and why
	// (Message): this replica keeps to Share of each limit. StoreBack tells that it answers again,
	// since Since, and knows what all have used.
	StoreLost EventKind = "store_lost"
	StoreBack EventKind = "store_back"
	// Reloaded tells that another configuration is in force.
	Reloaded EventKind = "reloaded"
)

// Event is a change of what the pool may use. Events are delivered after all locks are released,
// one at a time and in order for each Subject. Fields that do not apply are zero.
type Event struct {
	At      time.Time
	Kind    EventKind
	Subject Subject
	// ProjectID is the Google Cloud project id of the subject's project, where it is known.
	ProjectID string
	// Class, Since and Until are of a cooldown, Until also of an open breaker. The zero Until of a
	// cooldown means that only a successful probe ends it. Of CallsRefused, Until is when an
	// endpoint could serve the last of the calls, as far as is known.
	Class        Class
	Since, Until time.Time
	// Cause is a finer word for why calls are refused, Remedy what an operator can do about it, and
	// Page the page of Google's where that is done; empty where there is none. All causes are in
	// docs/429.md. Of CallsRefused they are what keeps most of the endpoints from a call.
	Cause, Remedy, Page string
	// By is what refuses most of the calls of CallsRefused, as the text of a Subject.
	By string
	// Quota is Google's name of the quota that is used up, Message the first line of what Google
	// said. Of CallsRefused, Message is what keeps endpoints from a call, the most frequent reason
	// first, of StoreLost the error of the store, of ProjectDiscovered what was read, and of
	// DiscoveryIncomplete what was not.
	Quota, Message string
	// Limits are the learned limits of the Subject, all of them. Discovered are those that Google
	// shows, where they differ from them.
	Limits, Discovered quota.Limits
	// Share is how much of a limit or an order is used, and of StoreLost the part of each limit that
	// this replica may use. Calls is how many calls an order or the pool has refused, or an order has
	// failed, Of how many came, Traffic what served a call in place of an order.
	Share     float64
	Calls, Of int64
	Traffic   string
	// Served is the model that answers in place of the Subject's.
	Served string
}

// outbox delivers events, one at a time, in the order in which they were posted. Events are made in
// this file alone.
type outbox struct {
	observe  func(Event)  // nil: no one listens
	describe func(*Event) // adds what the pool knows of the subject and the cause

	mu         sync.Mutex
	events     []Event
	delivering bool
}

// post puts an event into the outbox. It may be called under a lock.
func (o *outbox) post(e Event) {
	if o.observe == nil {
		return
	}
	o.describe(&e)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

// deliver hands over what was posted. The caller holds no lock. If another goroutine delivers
// already, that one goes on to the end.
func (o *outbox) deliver() {
	if o.observe == nil {
		return
	}
	for o.deliverSome() {
	}
}

// deliverSome hands over what is there now, and reports whether it did.
func (o *outbox) deliverSome() bool {
	o.mu.Lock()
	if o.delivering || len(o.events) == 0 {
		o.mu.Unlock()
		return false
	}
	events := o.events
	o.events, o.delivering = nil, true
	o.mu.Unlock()
	for _, e := range events {
		o.hand(e)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.delivering = false
	return true
}

// hand gives an event to the observer. An observer that panics must take neither a lease along nor,
// in a timer, the process.
func (o *outbox) hand(e Event) {
	defer func() {
		if p := recover(); p != nil {
			slog.Error("pool: the observer of events panics", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	o.observe(e)
}

// tells reports whether events are told of an entry: someone listens, and it is the one of its
// subject. A lease may end after a reload has put another in its place: that says nothing of the
// subject any more.
func (p *Pool) tells(e *entry) bool {
	switch {
	case p.outbox.observe == nil:
		return false
	case e.subject.Kind != kindModel:
		return p.memory.find(e.subject) == e
	}
	m := p.models.find(e.subject.modelKey())
	return m != nil && m.find(e.subject) == e
}

// cooldownStarted tells of a cooldown that started or was extended. The caller holds e.telling.
func (p *Pool) cooldownStarted(now time.Time, e *entry, i cooldown.Info, change cooldown.Change) {
	if change == cooldown.Unchanged || change == cooldown.Renewed {
		return
	}
	if e.told = p.tells(e); !e.told {
		return
	}
	kind := CooldownStarted
	if change == cooldown.Extended {
		kind = CooldownExtended
	}
	p.outbox.post(Event{
		At: now, Kind: kind, Subject: e.subject, Class: Class(i.Class), Cause: i.Cause, Since: i.Since, Until: i.Until,
		Quota: i.Quota, Message: i.Message,
	})
}

// ended tells of a cooldown that ended, if its start was told. The caller holds e.telling.
func (o *outbox) ended(now time.Time, e *entry, i cooldown.Info) {
	if !e.told {
		return
	}
	e.told = false
	o.post(Event{
		At: now, Kind: CooldownEnded, Subject: e.subject, Class: Class(i.Class), Cause: i.Cause, Since: i.Since, Until: i.Until,
	})
}

// paused tells of something that an operator has taken out or brought back.
func (o *outbox) paused(now time.Time, kind EventKind, s Subject, i cooldown.Info) {
	o.post(Event{At: now, Kind: kind, Subject: s, Class: ClassPaused, Since: i.Since, Until: i.Until, Message: i.Message})
}

// recalled tells what is known of an entry's subject, which is back.
func (e *entry) recalled(p *Pool, now time.Time, at int64) {
	p.models.wakesEarlier(e)
	e.telling.Lock()
	defer e.telling.Unlock()
	if i := e.cool.Info(now, at); i.Class != "" {
		p.cooldownStarted(now, e, i, cooldown.Started)
	}
	p.limitsLearned(now, at, e)
}

// forgotten tells that what is known of an entry's subject holds no more.
func (e *entry) forgotten(p *Pool, now time.Time, at int64) {
	e.telling.Lock()
	defer e.telling.Unlock()
	if i := e.cool.Info(now, at); i.Class != "" {
		p.outbox.ended(now, e, i)
	}
	e.told = false // what has ended by time is another's now
	if e.limits != nil && e.limits.forget() {
		p.outbox.post(Event{At: now, Kind: LimitForgotten, Subject: e.subject})
	}
}

// breakerChanged tells of a breaker that opened or closed.
func (p *Pool) breakerChanged(s Subject, c breaker.Change) {
	switch {
	case c.To == breaker.StateOpen && c.From == breaker.StateClosed:
		p.outbox.post(Event{At: c.At, Kind: BreakerOpened, Subject: s, Cause: string(remedy.BreakerOpen), Until: c.Until})
	case c.To == breaker.StateClosed:
		p.outbox.post(Event{At: c.At, Kind: BreakerClosed, Subject: s})
		p.queue.changed(c.At)
	}
}

// limitsLearned tells what is known of a project's limits for a model, if that has changed. The
// caller holds e.telling.
func (p *Pool) limitsLearned(now time.Time, at int64, e *entry) {
	if e.limits == nil || !p.tells(e) {
		return
	}
	known, changed := e.limits.tell(at)
	if !changed {
		return
	}
	kind, cause := LimitLearned, remedy.LearnedLimit
	if known == (quota.Limits{}) {
		kind, cause = LimitForgotten, ""
	}
	p.outbox.post(Event{At: now, Kind: kind, Subject: e.subject, Cause: string(cause), Limits: known})
	p.outbox.limitDisputed(p, now, at, e)
}

func (o *outbox) discovered(now time.Time, project, message string) {
	o.post(Event{At: now, Kind: ProjectDiscovered, Subject: Subject{Kind: kindProject, Project: project}, Message: message})
}

func (o *outbox) discoveryIncomplete(now time.Time, s Subject, message, remedy string) {
	o.post(Event{At: now, Kind: DiscoveryIncomplete, Subject: s, Message: message, Remedy: remedy})
}

func (o *outbox) usageHigh(now time.Time, e *entry, share float64, cause remedy.Cause) {
	o.post(Event{At: now, Kind: UsageHigh, Subject: e.subject, Cause: string(cause), Share: share})
}

func (o *outbox) orderUnused(now time.Time, order *order, traffic string) {
	o.post(Event{At: now, Kind: OrderUnused, Subject: order.entry.subject, Cause: string(remedy.OrderBypassed), Traffic: traffic})
}

func (o *outbox) orderUnconfirmed(now time.Time, order *order) {
	o.post(Event{
		At: now, Kind: OrderUnconfirmed, Subject: order.entry.subject, Cause: string(remedy.OrderBypassed),
		Calls: order.evidence.calls.Load(),
	})
}

func (o *outbox) orderBelowPurchase(now time.Time, order *order, below, all int64, use float64, message string) {
	o.post(Event{
		At: now, Kind: OrderBelowPurchase, Subject: order.entry.subject, Cause: string(remedy.OrderBelow), Calls: below, Of: all, Share: use, Message: message,
	})
}

func (o *outbox) orderScheduled(at time.Time, kind EventKind, e *endpoint) {
	event := Event{At: at, Kind: kind, Subject: e.order.entry.subject}
	if kind == OrderEnded {
		event.Cause = string(remedy.OrderEnded)
	} else {
		event.Until = e.Order.Until
	}
	o.post(event)
}

func (o *outbox) callsRefused(now time.Time, m *model, calls, of int64, e *ExhaustedError) {
	o.post(Event{
		At: now, Kind: CallsRefused, Subject: m.subject(), Calls: calls, Of: of, Message: e.causes, Until: e.RetryAt,
		Cause: e.Leading.Cause, Remedy: e.Leading.Remedy, Page: e.Leading.Page, By: e.Leading.Subject,
	})
}

func (o *outbox) rerouted(now time.Time, m *model, served string) {
	o.post(Event{At: now, Kind: ModelRerouted, Subject: m.subject(), Served: served})
}

func (o *outbox) memoryFull(now time.Time) { o.post(Event{At: now, Kind: MemoryFull}) }

func (o *outbox) reloaded(now time.Time) { o.post(Event{At: now, Kind: Reloaded}) }

// describe adds to an event the project id of its subject, its cause in the word that fits, and what
// to do about that.
func (s *setup) describe(e *Event) {
	e.ProjectID = s.projectID(e.Subject.Project)
	if e.Remedy != "" {
		return
	}
	h := e.Subject.helpWith(s.project(e.Subject.Project), func(vertex bool) remedy.Cause {
		if e.Class == "" {
			return remedy.Cause(e.Cause)
		}
		return remedy.For(string(e.Class), e.Cause, e.Quota, vertex)
	})
	e.Cause, e.Remedy, e.Page = h.cause, h.do, h.page
}
