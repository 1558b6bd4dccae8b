package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

// warnOfCalendar warns of the orders of a pool that serve none of some calls: at their time they have
// ended, or not begun.
func warnOfCalendar(to io.Writer, cfg *pool.Config, calls []demand.Call) {
	if len(calls) == 0 {
		return
	}
	first, last := calls[0].At, calls[len(calls)-1].At
	for i := range cfg.Projects {
		p := &cfg.Projects[i]
		for j := range p.Provisioned {
			if o := &p.Provisioned[j]; over(o, first) || last.Before(o.From) {
				writef(to, "project %s: the order of %s in %s serves none of the calls: it %s\n", p.Name, o.Model, o.Location, beside(o, first, last))
			}
		}
	}
}

// beside says how the time of an order lies beside that of some calls, in which it is not in force.
func beside(o *pool.Order, first, last time.Time) string {
	if over(o, first) {
		return fmt.Sprintf("ended at %s, and they begin at %s", plain.Instant(o.Until), plain.Instant(first))
	}
	return fmt.Sprintf("begins at %s, and they end at %s", plain.Instant(o.From), plain.Instant(last))
}
