package quota

import "time"

// Pacing says how a [Pacer] follows a capacity it cannot see. The zero value means the defaults; so
// does a field of 0, or less.
type Pacing struct {
	// Gain is the new rate after contention, as a multiple of what was accepted. Defaults to 1.1.
	Gain float64
	// Tolerance is the share of requests that may meet contention before the rate falls. Defaults
	// to 0.05.
	Tolerance float64
	// Growth is the growth of the rate a second. It doubles with every 1.3 s that go well, up to 2
	// (exp(2)-fold a second). Defaults to 0.1.
	Growth float64
	// Floor is the lowest rate, in requests a second. Defaults to 0.5.
	Floor float64
	// Burst is how much of the rate may be sent at once. Defaults to 50 ms.
	Burst time.Duration
}

// Careful returns a pacing that would rather leave capacity unused than be refused: fewer refusals,
// somewhat less throughput.
func Careful() Pacing {
	return Pacing{Gain: 1, Tolerance: 0.03, Growth: 0.05, Floor: 0.5, Burst: 10 * time.Millisecond}
}

// Eager returns a pacing that would rather be refused than leave capacity unused. It suits capacity
// that refuses at random.
func Eager() Pacing {
	return Pacing{Gain: 1.25, Tolerance: 0.2, Growth: 0.2, Floor: 1, Burst: 250 * time.Millisecond}
}

func (p Pacing) withDefaults() Pacing {
	if !(p.Gain > 0) {
		p.Gain = 1.1
	}
	if !(p.Tolerance > 0) {
		p.Tolerance = 0.05
	}
	if !(p.Growth > 0) {
		p.Growth = 0.1
	}
	if !(p.Floor > 0) {
		p.Floor = 0.5
	}
	if p.Burst <= 0 {
		p.Burst = 50 * time.Millisecond
	}
	return p
}
