package breaker

import (
	"errors"
	"fmt"
	"time"
)

// Config says when a [Breaker] opens and how it recovers. The zero value of a field means its default, so the zero
// Config is the recommended one. Durations are positive and at most a day.
type Config struct {
	// Failures in a row that open the breaker, in order of completion. Defaults to 5.
	Failures int
	// Open is the length of the first open period. Each further one is twice as long, up to MaxOpen, until the
	// breaker stays closed through a whole slow start. Every period is jittered to between half of its length and
	// all of it. Defaults to 5 s.
	Open time.Duration
	// MaxOpen bounds the doubling. Defaults to 5 min, or to Open where that is longer.
	MaxOpen time.Duration
	// Ratio of failures among the calls that completed within Window at which the breaker opens, if there were at
	// least MinCalls of them. Above 0 and at most 1. Defaults to 0.5.
	Ratio float64
	// MinCalls is the least number of completed calls for Ratio to mean anything. Defaults to 10.
	MinCalls int
	// Window is how far back Ratio looks, in steps of a thirtieth. Defaults to 30 s.
	Window time.Duration
	// SlowStart is how long a breaker that closed takes to ask for its full share of traffic, see [Breaker.Weight].
	// Defaults to 10 s.
	SlowStart time.Duration
	// Probe is how long a probe keeps others from probing too; its deadline if that is earlier. Defaults to 30 s.
	Probe time.Duration
}

var defaults = Config{
	Failures:  5,
	Open:      5 * time.Second,
	MaxOpen:   5 * time.Minute,
	Ratio:     0.5,
	MinCalls:  10,
	Window:    30 * time.Second,
	SlowStart: 10 * time.Second,
	Probe:     30 * time.Second,
}

// longest bounds every duration, so that sums of them and of any instant cannot overflow.
const longest = 24 * time.Hour

// Validate reports every field that is out of range, joined; nil if there is none.
func (c Config) Validate() error {
	var errs []error
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"Open", c.Open}, {"MaxOpen", c.MaxOpen}, {"Window", c.Window}, {"SlowStart", c.SlowStart}, {"Probe", c.Probe},
	} {
		if !durationOK(f.d) {
			errs = append(errs, fmt.Errorf("breaker: %s is %s; must be between 0 (the default) and %s", f.name, f.d, longest))
		}
	}
	if c.Failures < 0 {
		errs = append(errs, fmt.Errorf("breaker: Failures is %d; must be positive, or 0 for the default", c.Failures))
	}
	if c.MinCalls < 0 {
		errs = append(errs, fmt.Errorf("breaker: MinCalls is %d; must be positive, or 0 for the default", c.MinCalls))
	}
	if !ratioOK(c.Ratio) {
		errs = append(errs, fmt.Errorf("breaker: Ratio is %v; must be between 0 (the default) and 1", c.Ratio))
	}
	if c.MaxOpen > 0 && c.MaxOpen < c.effective().Open {
		errs = append(errs, fmt.Errorf("breaker: MaxOpen is %s; must not be shorter than Open, which is %s",
			c.MaxOpen, c.effective().Open))
	}
	return errors.Join(errs...)
}

func durationOK(d time.Duration) bool { return d >= 0 && d <= longest }

// ratioOK is written so that NaN is refused.
func ratioOK(r float64) bool { return r >= 0 && r <= 1 }

// effective returns c with defaults for what is unset or out of range.
func (c Config) effective() Config {
	for _, f := range []struct {
		d   *time.Duration
		def time.Duration
	}{
		{&c.Open, defaults.Open}, {&c.MaxOpen, defaults.MaxOpen}, {&c.Window, defaults.Window},
		{&c.SlowStart, defaults.SlowStart}, {&c.Probe, defaults.Probe},
	} {
		if *f.d == 0 || !durationOK(*f.d) {
			*f.d = f.def
		}
	}
	if c.Failures <= 0 {
		c.Failures = defaults.Failures
	}
	if c.MinCalls <= 0 {
		c.MinCalls = defaults.MinCalls
	}
	if c.Ratio == 0 || !ratioOK(c.Ratio) {
		c.Ratio = defaults.Ratio
	}
	c.MaxOpen = max(c.MaxOpen, c.Open)
	return c
}
