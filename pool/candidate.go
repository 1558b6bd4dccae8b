package pool

import (
	"net/url"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Candidate is an endpoint (project × location × traffic) as it stands for one model. Its methods are safe for concurrent use.
type Candidate struct {
	pool     *Pool
	plan     *Plan
	project  *project
	backend  *cooldown
	shared   *projectModel // with the project's other on-demand endpoints for the model; an order has its own
	place    *place
	order    *order  // nil: on demand
	server   *server // with every project's endpoints in the location
	location string
	traffic  Traffic
	name     string
	hash     uint64 // of the name
	load     *load
	gone     int64 // instant at which a reload took it away, of those that are in Plan.gone
}

// place is one kind of traffic of one project for one model in one location.
type place struct {
	cool  *cooldown
	pacer *quota.Pacer
}

func newPlace(p quota.Pacing) *place { return &place{cool: &cooldown{}, pacer: quota.NewPacer(p)} }

// String returns the endpoint's name: "project/location/traffic".
func (c *Candidate) String() string { return c.name }

// Hash returns a hash of the endpoint's name, the same in every process.
func (c *Candidate) Hash() uint64 { return c.hash }

// Backend returns the back end that the endpoint speaks.
func (c *Candidate) Backend() Backend { return c.project.Backend }

// ProjectID returns the Google Cloud project id.
func (c *Candidate) ProjectID() string { return c.project.ProjectID }

// Location returns the endpoint's location; "global" for the Gemini back end.
func (c *Candidate) Location() string { return c.location }

// Traffic returns what kind of traffic the endpoint carries.
func (c *Candidate) Traffic() Traffic { return c.traffic }

// Overflow returns how calls beyond the order are routed; empty for on-demand endpoints.
func (c *Candidate) Overflow() Overflow {
	switch {
	case c.order == nil:
		return ""
	case c.order.Overflow == "":
		return OverflowRouter
	default:
		return c.order.Overflow
	}
}

// BaseURL returns the address that replaces Google's, or nil. The caller does not change it.
func (c *Candidate) BaseURL() *url.URL { return c.project.base }

// Weight returns the configured weight.
func (c *Candidate) Weight() float64 { return c.project.Weight }

// WeightAt returns the weight, less of it while the endpoint's servers recover from an outage.
func (c *Candidate) WeightAt(now time.Time) float64 {
	return c.project.Weight * c.server.breaker.Weight(now)
}

// Limits returns the limits that the endpoint keeps to, declared or learned from Google's refusals; the zero value if there are none. They
// are the project's for the model: its on-demand endpoints share them.
func (c *Candidate) Limits() quota.Limits {
	if !c.limited() {
		return quota.Limits{}
	}
	return c.shared.quota.Limits()
}

// Order returns the Provisioned Throughput order that the endpoint is for; ok is false on demand.
func (c *Candidate) Order() (o Order, ok bool) {
	if c.order == nil {
		return Order{}, false
	}
	return c.order.Order, true
}

// SameServer reports whether the two fail together: the same model's servers in the same location.
func (c *Candidate) SameServer(d *Candidate) bool { return c.server == d.server }

// Load returns the tokens in flight per unit of weight and of headroom that is left; lower is better.
func (c *Candidate) Load(now time.Time) float64 {
	tokens := c.load.tokens.Load()
	if tokens == 0 {
		return 0
	}
	headroom := c.WeightAt(now)
	switch {
	case c.ledger() != nil:
		headroom *= c.order.ledger.Headroom(now)
	case c.limited():
		headroom *= c.shared.quota.Headroom(now)
	}
	return float64(tokens) / max(headroom, 1e-6)
}

// Carries returns how many calls are under way, and how many have begun within the last half minute, as far as two counts tell. Those
// that are expected count in both.
func (c *Candidate) Carries(now time.Time) (calls int, recent float64) {
	coming := max(c.load.coming.Load(), 0)
	calls, recent = c.load.leases.recent(c.pool.instant(now))
	return calls + int(coming), recent + float64(coming)
}

// Expect notes that n more calls have chosen the endpoint and will ask it for a lease or, with a negative n, that they have asked.
func (c *Candidate) Expect(n int64) { c.load.coming.Add(n) }

// ledger returns the order's ledger if the endpoint is to keep to it.
func (c *Candidate) ledger() *quota.Ledger {
	if c.order == nil || c.Overflow() == OverflowVertex {
		return nil
	}
	return c.order.ledger
}

// paced reports whether hidden capacity is behind the endpoint, which contention makes us keep a pace to.
func (c *Candidate) paced() bool {
	return c.project.Backend == BackendVertex && c.ledger() == nil
}

// Ready reports, without side effect, whether nothing that the endpoint depends on rests. A limit or an order may still refuse.
func (c *Candidate) Ready(now time.Time) bool {
	return c.rested(c.pool.instant(now)) && c.server.breaker.Ready(now)
}

// Open reports whether the endpoint's circuit breaker is all that keeps it from being asked, with until as the end of its open period.
func (c *Candidate) Open(now time.Time) (until time.Time, open bool) {
	if c.server.breaker.Ready(now) || !c.rested(c.pool.instant(now)) {
		return time.Time{}, false
	}
	return c.server.breaker.Until(now), true
}

func (c *Candidate) rested(at int64) bool {
	if !c.backend.ready(at) || !c.project.cool.ready(at) || !c.shared.cool.ready(at) || !c.place.cool.ready(at) {
		return false
	}
	if c.order != nil && !c.order.cool.ready(at) {
		return false
	}
	return c.project.keyWake(at) <= at
}

// Wake returns the earliest moment, from now on, at which the endpoint could be asked for a call with this need, as far as is known
// now; ok is false if nothing is known to end what keeps it.
func (c *Candidate) Wake(now time.Time, n Need) (time.Time, bool) {
	at := c.pool.instant(now)
	wake := max(c.backend.wake(at), c.project.cool.wake(at), c.shared.cool.wake(at), c.place.cool.wake(at), c.project.keyWake(at))
	if c.order != nil {
		wake = max(wake, c.order.cool.wake(at))
	}
	if wake == never {
		return time.Time{}, false
	}
	t := now.Add(time.Duration(wake - at))
	later := func(u time.Time) {
		if u.After(t) {
			t = u
		}
	}
	later(c.server.breaker.Until(now))
	wait, ok := c.roomWait(now, n)
	if !ok {
		return time.Time{}, false
	}
	later(now.Add(wait))
	return t, true
}

// limited reports whether limits hold for the endpoint, declared or learned: they are of pay-as-you-go, an order has its own.
func (c *Candidate) limited() bool { return c.shared.limited.Load() }

// cost is what a call burns of the order, as estimated.
func (c *Candidate) cost(n Need) quota.Cost {
	return c.order.ledger.Cost(n.usage())
}

// Resting returns what keeps the endpoint from being asked: the longest of its rests, or the zero Rest.
func (c *Candidate) Resting(now time.Time) Rest {
	at, epoch := c.pool.instant(now), c.pool.epoch
	var longest Rest
	var wake int64
	consider := func(cool *cooldown) {
		if w := cool.wake(at); w > at && w > wake {
			longest, wake = cool.stat(at, epoch), w
		}
	}
	consider(c.backend)
	consider(c.project.cool)
	consider(&c.shared.cool)
	consider(c.place.cool)
	if c.order != nil {
		consider(&c.order.cool)
	}
	if w := c.project.keyWake(at); w > at && w > wake {
		for _, k := range c.project.keys {
			if k.cool.wake(at) == w {
				longest = k.cool.stat(at, epoch)
			}
		}
	}
	return longest
}

// Reason says in a few words why the endpoint cannot be asked for a call with this need; "" if it can.
func (c *Candidate) Reason(now time.Time, n Need) string {
	if r := c.Resting(now); r.Class != "" {
		return r.String()
	}
	if u := c.server.breaker.Until(now); u.After(now) {
		return "circuit breaker open until " + stamp(u)
	}
	for _, w := range []struct {
		what string
		wait func() time.Duration
	}{
		{"provisioned order full", func() time.Duration {
			if l := c.ledger(); l != nil {
				return l.Wait(now, c.cost(n))
			}
			return 0
		}},
		{"limit reached", func() time.Duration {
			if c.limited() {
				return c.shared.quota.Wait(now, n.Input)
			}
			return 0
		}},
		{"paced after contention", func() time.Duration {
			if c.paced() {
				return c.place.pacer.Wait(now)
			}
			return 0
		}},
	} {
		switch d := w.wait(); {
		case d == quota.Never:
			return "the call is larger than the provisioned order"
		case d > 0:
			return w.what + " until " + stamp(now.Add(d))
		}
	}
	return ""
}

// String says the rest in a few words: class, end, quota.
func (r Rest) String() string {
	if r.Class == "" {
		return "ready"
	}
	s := string(r.Class)
	if r.Until.IsZero() {
		s += " until a probe succeeds"
	} else {
		s += " until " + stamp(r.Until)
	}
	if r.Quota != "" {
		s += " (" + r.Quota + ")"
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
