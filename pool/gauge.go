package pool

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// gaugeAgain is how long a gauge that was warned of keeps quiet about the same mark: a minute's quota may pass it every minute.
const gaugeAgain = time.Hour

// marks are the shares of a quota or an order at which somebody should know.
var marks = [...]float64{0.8, 0.9}

// gauge tells, once an hour, that the use of something has passed a mark.
type gauge struct {
	said [len(marks)]atomic.Int64 // instant of the last warning, plus one; 0: never
}

// passed returns the highest mark that a use has passed and that was not told of lately; 0 if there is none.
func (g *gauge) passed(at int64, used float64) float64 {
	mark := 0.0
	for i, m := range marks {
		if used < m {
			break
		}
		last := g.said[i].Load()
		if (last == 0 || at+1-last >= int64(gaugeAgain)) && g.said[i].CompareAndSwap(last, at+1) {
			mark = m
		}
	}
	return mark
}

// measure warns of a limit or an order that a lease has nearly used up.
func (c *Candidate) measure(now time.Time, at int64, took took) {
	if took&tookQuota != 0 {
		if mark := c.shared.gauge.passed(at, 1-c.shared.quota.Headroom(now)); mark > 0 {
			c.pool.log.Warn("spillway: limit nearly used",
				slog.String("what", c.project.Name+" "+c.plan.Model), slog.Float64("share", mark), slog.String("raise", c.raise()))
		}
	}
	if took&tookHold != 0 {
		if mark := c.order.gauge.passed(at, c.order.ledger.Utilisation(now)); mark > 0 {
			c.pool.log.Warn("spillway: provisioned order nearly used",
				slog.String("what", c.name+" "+c.plan.Model), slog.Float64("share", mark))
		}
	}
}
