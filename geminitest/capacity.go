package geminitest

import (
	"cmp"
	"sync"
	"time"
)

// capacities keeps the on-demand pools of all locations. It is safe for concurrent use.
type capacities struct {
	configured []Capacity
	start      time.Time
	ramp       ramp // of priority on Vertex AI

	mu    sync.Mutex
	pools map[pond]*basin
}

// pond is what a pool is for.
type pond struct{ location, model, tier string }

// basin is the token bucket of one pool.
type basin struct {
	cfg   Capacity
	at    time.Duration // since start, of tokens
	step  int           // steps that have happened
	rate  float64
	level float64
}

// burst is how much a basin holds: a quarter of a second's requests, but at least one if there is
// any capacity.
func burst(rate float64) float64 {
	if rate == 0 {
		return 0
	}
	return max(1, rate/4)
}

// advance lets the time until then flow in, across changes of the rate.
func (b *basin) advance(to time.Duration) {
	for {
		until := to
		change := b.step < len(b.cfg.Steps) && b.cfg.Steps[b.step].At <= to
		if change {
			until = b.cfg.Steps[b.step].At
		}
		if until > b.at {
			b.level = min(burst(b.rate), b.level+b.rate*(until-b.at).Seconds())
			b.at = until
		}
		if !change {
			return
		}
		b.rate = b.cfg.Steps[b.step].Requests
		b.level = min(b.level, burst(b.rate))
		b.step++
	}
}

// admit reports whether the on-demand pool of a service tier has room for a request.
func (c *capacities) admit(now time.Time, location, model, tier string) bool {
	if len(c.configured) == 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	where := pond{location, model, tier}
	b, known := c.pools[where]
	if !known {
		for _, cfg := range c.configured {
			if cmp.Or(cfg.Tier, tierStandard) == tier && (cfg.Location == "") == (location == "") && fits(cfg.Location, location) && fits(cfg.Model, model) {
				b = &basin{cfg: cfg, rate: cfg.Requests, level: burst(cfg.Requests)}
				break
			}
		}
		c.pools[where] = b
	}
	if b == nil {
		return true
	}
	b.advance(now.Sub(c.start))
	if b.level >= 1-1e-9 {
		b.level--
		return true
	}
	b.level = max(0, b.level-b.cfg.RejectedCost)
	return false
}
