package main

import (
	"fmt"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// rowLife is for how long a row of the built-in table is believed without a warning. Google changes
// throughput and rates about once a year.
const rowLife = 365 * 24 * time.Hour

// orderAges warns of orders that have ended, and of those that rely on an old row of the built-in
// table.
func orderAges(cfg *config.Config, now time.Time) (all []mistake) {
	for _, p := range cfg.Pool.Projects {
		for i := range p.Provisioned {
			o := &p.Provisioned[i]
			order := fmt.Sprintf("project %s: the order of %s in %s ", p.Name, o.Model, o.Location)
			if !o.Until.IsZero() && !now.Before(o.Until) {
				all = append(all, mistake{
					Problem: order + "ended " + plain.Span(now.Sub(o.Until)) + " ago", Fix: "remove it, or correct until",
				})
			}
			row, known := quota.RowOf(o.Model)
			if !known || stated(o) || now.Sub(row.Read) <= rowLife {
				continue
			}
			all = append(all, mistake{
				Problem: order + "relies on figures that were read on " + row.Read.Format(time.DateOnly) + " at " + row.Source,
				Fix:     "update Spillway, or write tokens_per_second and burndown as that page has them now",
			})
		}
	}
	return all
}

// stated reports whether an order says itself what the table would.
func stated(o *pool.Order) bool { return o.TokensPerSecond > 0 && o.Burndown != nil }
