package main

import (
	"context"
	"time"
)

// row is one siege, and the figures to hold beside those of all.
type row struct {
	name  string
	tls   bool          // the sidecar serves TLS
	lasts time.Duration // longer than that the siege is not; some end before
	slow  time.Duration // what slowModel takes
	least int           // clients that have to be served, or to hold on
	ends  bool          // the sidecar ends in it
	roomy bool          // its calls may take more memory: they are no siege

	siege func(ctx context.Context, to *target, met *report)
	also  func(ctx context.Context, t *trial) // beside the siege, in the process that measures
}

// allRows returns the rows. With quick they have a tenth of the clients.
func allRows(quick bool) []row {
	n, lasts := 1, 8*time.Second
	if quick {
		n, lasts = 10, 3*time.Second
	}
	rows := slow(1000/n, lasts)
	rows = append(rows, floods(20, lasts)...)
	rows = append(rows, crowds(n, lasts)...)
	rows = append(rows, smuggling(lasts), oversize(lasts))
	rows = append(rows, large(40/min(n, 4), lasts), endless(8, lasts))
	return append(rows, reloads(10_000/n, lasts), ending(200, lasts))
}
