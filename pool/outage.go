package pool

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/remedy"
)

const (
	// outageWindow is how long an answer counts in the judgement of what endpoints share.
	outageWindow = 10 * time.Second
	// What they share is out when more than half of those that were asked failed: at least so many
	// endpoints, in so many answers.
	outageEndpoints = 2
	outageAnswers   = 5
	// outageMemory bounds the answers that are looked at.
	outageMemory = 64
	// hostOutage is how long a host fails before it is out. By then a stand-in for the model, or who
	// is not asked first, may have shown that the way there is well.
	hostOutage = 3 * time.Second
)

// outage judges what endpoints share, such as the servers of a model in a location, by what these
// endpoints answered in the last seconds. One endpoint can fail alone. The zero value knows
// nothing.
type outage struct {
	failedAt atomic.Int64 // instant of the last failure, plus one; zero: none
	began    atomic.Int64 // instant at which the last outage was seen

	mu      sync.Mutex
	answers []answer // made at the first failure
	next    int
}

// answer is how an endpoint answered once.
type answer struct {
	at   int64
	by   *entry // the endpoint's, for a model
	hash uint64 // of the endpoint's name
	well bool
}

// answered notes that an endpoint answered well. It costs a load where nothing has failed of late.
func (o *outage) answered(at int64, by *entry, hash uint64) {
	failed := o.failedAt.Load()
	if failed == 0 || at-failed > int64(outageWindow) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addLocked(answer{at, by, hash, true})
}

// failed notes that a candidate's endpoint failed. It reports whether most of those that were asked
// did, of all that share what o is about.
func (o *outage) failed(at int64, c *candidate, shares func(*candidate) bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failedAt.Store(at + 1)
	o.addLocked(answer{at, c.own.entry.Load(), c.hash, false})
	asked := o.outLocked(at)
	if asked == nil {
		return false
	}
	// Good answers from before the first failure are not among those that were noted, and some may
	// have been asked and take their time.
	for _, other := range c.plan.all {
		own := other.own.entry.Load()
		if own == nil || !shares(other) {
			continue
		}
		_, answered := asked[other.hash]
		if own.proof.wellSince(at-int64(outageWindow)) || !answered && own.load.underWay.Load() > 0 {
			asked[other.hash] = true
		}
	}
	return mostFailed(asked)
}

func (o *outage) addLocked(a answer) {
	if o.answers == nil {
		o.answers = make([]answer, outageMemory)
	}
	o.answers[o.next%outageMemory] = a
	o.next++
}

// lasts reports whether there have been failures for so long.
func (o *outage) lasts(at int64, long time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.answers[:min(o.next, len(o.answers))], func(a answer) bool {
		return !a.well && at-a.at >= int64(long) && at-a.at <= int64(outageWindow)
	})
}

// outLocked returns the endpoints that were asked, by their hash, and whether each has answered
// anything well; nil if most have. The caller holds o.mu.
func (o *outage) outLocked(at int64) map[uint64]bool {
	asked := make(map[uint64]bool, 8)
	answers := 0
	for i := range min(o.next, outageMemory) {
		a := &o.answers[i]
		if at-a.at > int64(outageWindow) {
			continue
		}
		answers++
		asked[a.hash] = asked[a.hash] || a.well || a.by.proof.wellSince(at-int64(outageWindow))
	}
	if answers < outageAnswers || !mostFailed(asked) {
		return nil
	}
	return asked
}

// mostFailed reports whether more than half of the endpoints have answered nothing well, and at
// least so many that it is not theirs.
func mostFailed(asked map[uint64]bool) bool {
	failed := 0
	for _, well := range asked {
		if !well {
			failed++
		}
	}
	return failed >= outageEndpoints && 2*failed > len(asked)
}

// judgeShared judges what the endpoint shares with others: the servers of its location and, of an
// answer that is not Google's, its host.
func (r *lease) judgeShared(now time.Time, at int64, o *Outcome) {
	c := r.candidate
	if o.Foreign {
		out := c.host.outage.failed(at, c, func(other *candidate) bool { return other.host == c.host })
		// Whoever is answered well there has proved the way, and would be shut out with the others.
		out = out && !c.host.proof.wellSince(at-int64(outageWindow)) && c.host.outage.lasts(at, hostOutage)
		if out || slices.Contains(r.probing, c.host) {
			why := cooldown.Refusal{
				Class: string(ClassEgressBlocked), Cause: string(remedy.NotGoogle), Rule: &rules[ClassEgressBlocked].Rule,
				Message: o.Message,
			}
			c.host.start(c.plan.pool, now, at, r.seq, &why)
		}
		return
	}
	server := c.server.entry.Load()
	if !server.outage.failed(at, c, func(other *candidate) bool { return other.server == c.server }) {
		return
	}
	if b := server.fuse(c.plan.pool); b.Closed() {
		server.outage.began.Store(at)
		permit := b.Force(now, time.Time{})
		permit.Failure(now)
	}
}
