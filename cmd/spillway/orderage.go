package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// rowLife is for how long a row of the built-in table is believed without a warning. Google changes
// throughput and rates about once a year.
const rowLife = 365 * 24 * time.Hour

// shortGap is a time between two orders that is more likely a mistake, as of the offset from UTC, than
// meant.
const shortGap = 48 * time.Hour

// orderAges warns of orders that have ended, of those that almost follow each other, and of those that
// rely on an old row of the built-in table.
func orderAges(cfg *config.Config, now time.Time) (all []mistake) {
	for _, p := range cfg.Pool.Projects {
		for i := range p.Provisioned {
			o := &p.Provisioned[i]
			order := fmt.Sprintf("project %s: the order of %s in %s ", p.Name, o.Model, o.Location)
			next := renewalOf(p.Provisioned, o)
			switch {
			case over(o, now):
				fix := "remove it, or correct until"
				if next != nil {
					fix = "remove it: another one follows"
				}
				all = append(all, mistake{
					Problem: order + "ended on " + plain.Instant(o.Until) + ", " + plain.Span(now.Sub(o.Until)) + " ago", Fix: fix,
				})
				continue
			case next != nil && next.From.After(o.Until) && next.From.Sub(o.Until) <= shortGap:
				all = append(all, mistake{
					Problem: order + "ends " + plain.Span(next.From.Sub(o.Until)) + " before the next one begins, at " + plain.Instant(next.From),
					Fix:     "if it renews the other, write both times alike: a date is its midnight in UTC",
				})
			}
			row, known := quota.RowOf(o.Model)
			if !known || stated(o) || now.Sub(row.Read) <= rowLife {
				continue
			}
			old := mistake{
				Problem: order + "relies on figures that were read on " + row.Read.Format(time.DateOnly) + " at " + row.Source,
				Fix:     "update Spillway, or write tokens_per_second and burndown as that page has them now",
			}
			if !slices.Contains(all, old) { // of an order that another one follows
				all = append(all, old)
			}
		}
	}
	return all
}

// renewalOf returns the first of some orders that begins when o has ended; nil if there is none.
func renewalOf(orders []pool.Order, o *pool.Order) (next *pool.Order) {
	if o.Until.IsZero() {
		return nil
	}
	for i := range orders {
		x := &orders[i]
		if x.Model != o.Model || x.Location != o.Location || x.From.Before(o.Until) {
			continue
		}
		if next == nil || x.From.Before(next.From) {
			next = x
		}
	}
	return next
}

// over reports whether an order has ended.
func over(o *pool.Order, now time.Time) bool { return !o.Until.IsZero() && !now.Before(o.Until) }

// stated reports whether an order says itself what the table would.
func stated(o *pool.Order) bool { return o.TokensPerSecond > 0 && o.Burndown != nil }
