package quota

import "time"

// Pacing says how a [Pacer] follows a capacity it cannot see. The zero value means the defaults; so
// does a field of 0, or less.
type Pacing struct {
	Gain      float64       // after contention, the new rate as a multiple of what was accepted; default 1.1
	Tolerance float64       // share of requests that may meet contention before the rate falls; default 0.05
	Growth    float64       // growth of the rate a second, doubling with every 1.3 s that go well, up to 2 (exp(2)-fold a second); default 0.1
	Floor     float64       // lowest rate, requests a second; default 0.5
	Burst     time.Duration // how much of the rate may be sent at once; default 50ms
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
