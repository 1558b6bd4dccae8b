package pool

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// part returns the part of every limit that this process may use; zero is all of it.
func (c *Config) part() float64 {
	if c.Store != nil { // the store says how much
		return 0
	}
	return c.Share
}

// divided returns the project with this process's part of its limits and orders.
func (c *Config) divided(p Project) Project {
	part := c.part()
	if part == 0 {
		return p
	}
	p.Limits = slices.Clone(p.Limits)
	for i := range p.Limits {
		l := &p.Limits[i]
		all := divided(quota.Limits{RPM: l.RPM, TPM: l.TPM, RPD: l.RPD, Concurrency: l.Concurrency}, part)
		l.RPM, l.TPM, l.RPD, l.Concurrency = all.RPM, all.TPM, all.RPD, all.Concurrency
	}
	p.Provisioned = slices.Clone(p.Provisioned)
	for i := range p.Provisioned {
		o := &p.Provisioned[i]
		if order, err := newOrder(*o); err == nil { // else newProject says what is wrong
			o.TokensPerSecond = part * order.ledger.Stat(time.Time{}).TokensPerSecond
		}
	}
	return p
}

// divided returns a part of limits, of each at least one. Zero is all of it.
func divided(l quota.Limits, part float64) quota.Limits {
	if part == 0 {
		return l
	}
	for _, limit := range [...]*int64{&l.RPM, &l.TPM, &l.RPD, &l.Concurrency} {
		if *limit > 0 {
			*limit = max(int64(part*float64(*limit)), 1)
		}
	}
	return l
}

// spread returns a duration between d and twice that, so that replicas do not move together.
func spread(d time.Duration) time.Duration { return d + rand.N(d) }
