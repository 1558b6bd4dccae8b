package pool

import (
	"sync/atomic"
	"time"
)

// counts are what became of the attempts at one endpoint for one model.
type counts struct {
	input, cached, output, thoughts atomic.Int64
	attempts                        [classes]atomic.Int64 // by rule.index
	refused                         atomic.Int64          // calls that the pool refused
	downgraded                      atomic.Int64          // answers of another service tier
}

// TokenCounts are tokens that Google counted, by kind.
type TokenCounts struct {
	// Input includes Cached; Output includes Thoughts.
	Input, Cached, Output, Thoughts int64
}

// add counts the tokens that Google counted.
func (c *counts) add(o *Outcome) {
	if !o.Counted {
		return
	}
	c.input.Add(o.Usage.Input)
	c.output.Add(o.Usage.Output + o.Usage.OutputImage + o.Usage.OutputAudio)
	if o.Usage.Cached > 0 {
		c.cached.Add(o.Usage.Cached)
	}
	if o.Thoughts > 0 {
		c.thoughts.Add(o.Thoughts)
	}
}

// stat returns what was counted.
func (c *counts) stat() (map[Class]int64, TokenCounts) {
	attempts := make(map[Class]int64)
	for class, r := range rules {
		if n := c.attempts[r.index].Load(); n > 0 {
			attempts[class] = n
		}
	}
	return attempts, TokenCounts{
		Input: c.input.Load(), Cached: c.cached.Load(), Output: c.output.Load(), Thoughts: c.thoughts.Load(),
	}
}

// modelCounts are what became of the calls for one model.
type modelCounts struct {
	calls, waited, exhausted, refused, rerouted atomic.Int64
	waitTime                                    atomic.Int64 // nanoseconds
}

// ModelStat is what became of the calls for one model. Counts are cumulative. They start anew if
// the pool forgets the model, as it may one that does not exist.
type ModelStat struct {
	Model string
	// Method is the account of the calls' method, see [Asked]: empty for generating.
	Method string
	// CallCount counts the calls that asked for an endpoint. A call counts once, whatever its
	// attempts; one that a fallback model serves counts for both.
	CallCount int64
	// WaitCount counts the waits for an endpoint, of which a call may have several. WaitDuration
	// adds them up.
	WaitCount    int64
	WaitDuration time.Duration
	// ExhaustedCount counts how often a call asked for an endpoint and got none.
	ExhaustedCount int64
	// RefusedCount counts the calls that the CallsRefused events tell of.
	RefusedCount int64
	// Waiting is how many calls wait now.
	Waiting int64
	// Served is the model that answered last in place of this one; empty if none has. ReroutedCount
	// counts the answers of other models.
	Served        string `json:",omitzero"`
	ReroutedCount int64  `json:",omitzero"`
}

func (m *model) stat() ModelStat {
	c, served := &m.counts, ""
	if last := m.reroute.Load(); last != nil {
		served = last.other
	}
	return ModelStat{
		Model: m.name, Method: m.method, CallCount: c.calls.Load(), WaitCount: c.waited.Load(),
		WaitDuration: time.Duration(c.waitTime.Load()), ExhaustedCount: c.exhausted.Load(), RefusedCount: c.refused.Load(), Waiting: m.queued.Load(),
		Served: served, ReroutedCount: c.rerouted.Load(),
	}
}
