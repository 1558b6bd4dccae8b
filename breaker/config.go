package breaker

import (
	"errors"
	"fmt"
	"time"
)

// Config says when a [Breaker] opens and how it recovers. The zero value of a field means its
// default, so the zero Config is the recommended one. Durations are positive and at most a day.
type Config struct {
	// Failures in a row that open the breaker, in order of completion. Defaults to 5.
	Failures int
	// Open is the length of the first open period. Each further one is twice as long, up to
	// MaxOpen, until the breaker stays closed through a whole slow start. Every period is jittered
	// to between half of its length and all of it. Defaults to 5 s.
	Open time.Duration
	// MaxOpen bounds the doubling. Defaults to 5 min, or to Open where that is longer.
	MaxOpen time.Duration
	// Ratio of failures among the calls that completed within Window at which the breaker opens, if
	// there were at least MinCalls of them. Above 0 and at most 1. Defaults to 0.5.
	Ratio float64
	// MinCalls is the least number of completed calls for Ratio to mean anything. Defaults to 10.
	MinCalls int
	// Window is how far back Ratio looks, in steps of a thirtieth. Defaults to 30 s.
	Window time.Duration
	// SlowStart is how long a breaker that closed takes to ask for its full share of traffic, see
	// [Breaker.Weight]. Defaults to 10 s.
	SlowStart time.Duration
	// Probe is how long a probe keeps others from probing too; its deadline if that is earlier.
	// Defaults to 30 s.
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

// ConfigError is one field of a [Config] that is out of range.
type ConfigError struct {
	// Field is the name of the field, such as "MaxOpen".
	Field string
	// Problem says what is wrong with it, as a predicate of the field's name.
	Problem string
	// Fix is what to write instead.
	Fix string
}

// Error is "breaker: FIELD PROBLEM; FIX".
func (e *ConfigError) Error() string {
	return "breaker: " + e.Field + " " + e.Problem + "; " + e.Fix
}

// Validate reports every field that is out of range, as *[ConfigError] values joined with
// [errors.Join]; nil if there is none.
func (c Config) Validate() error {
	const outOfRange = "write a value above 0 and within bounds (times: at most a day), or leave it out"
	var errs []error
	add := func(field string, value any, fix string) {
		errs = append(errs, &ConfigError{
			Field: field, Problem: fmt.Sprintf("is %v, which is out of bounds", value), Fix: fix,
		})
	}
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"Open", c.Open}, {"MaxOpen", c.MaxOpen}, {"Window", c.Window}, {"SlowStart", c.SlowStart}, {"Probe", c.Probe},
	} {
		if !durationOK(f.d) {
			add(f.name, f.d, outOfRange)
		}
	}
	if c.Failures < 0 {
		add("Failures", c.Failures, outOfRange)
	}
	if c.MinCalls < 0 {
		add("MinCalls", c.MinCalls, outOfRange)
	}
	if !ratioOK(c.Ratio) {
		add("Ratio", c.Ratio, outOfRange)
	}
	if c.MaxOpen > 0 && c.MaxOpen < c.effective().Open {
		add("MaxOpen", c.MaxOpen, "write one that is not shorter than open")
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
