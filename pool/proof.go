package pool

import (
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// orderProven is how long an answer proves that an order exists. Google refuses alike for a full order and for one that is not there.
	orderProven = 5 * time.Minute
	// An order that has never served is doubted once it has turned away so many calls over so much time: longer than the longest
	// enforcement window of text models, in which a real order has room again.
	doubtedCalls = 5
	doubtedAfter = 2 * time.Minute
)

// proof is what is known of whether an order exists: only an answer that was served by it proves it.
type proof struct {
	served  atomic.Int64 // instant of the last answer by the order, plus one; 0: none yet
	doubted atomic.Int64 // instant of the first call that it did not serve, plus one; 0: none yet
	doubts  atomic.Int64 // calls that it did not serve
	told    once
}

// proven reports whether the order has served a call lately.
func (p *proof) proven(at int64) bool {
	served := p.served.Load()
	return served > 0 && at-served < int64(orderProven)
}

// prove notes that the order has served a call.
func (p *proof) prove(at int64) { p.served.Store(at + 1) }

// doubt notes that the order has turned a call away, and reports the first time that this is enough to doubt that there is an order.
func (p *proof) doubt(at int64) bool {
	if p.served.Load() > 0 {
		return false
	}
	p.doubted.CompareAndSwap(0, at+1)
	return p.doubts.Add(1) >= doubtedCalls && at-p.doubted.Load() >= int64(doubtedAfter) && p.told.first()
}

// logDoubt says that an order has never served a call.
func (p *Pool) logDoubt(c *Candidate) {
	p.log.Warn("spillway: a provisioned order has not served a single call yet; "+
		"check that it is active, and is for this model version, project and location",
		slog.String("what", c.name+" "+c.plan.Model), slog.Int64("calls", c.order.doubts.Load()))
}
