package breaker

import "time"

// State is where a [Breaker] stands.
type State int8

const (
	// StateClosed lets every call through. The state to be in.
	StateClosed State = iota
	// StateHalfOpen lets one call through at a time, the probe, whose result decides.
	StateHalfOpen
	// StateOpen lets no call through until the open period is over; the next call after that is the
	// probe.
	StateOpen
)

// String returns "closed", "half_open" or "open".
func (s State) String() string {
	switch s {
	case StateClosed:
		return "closed"
	case StateHalfOpen:
		return "half_open"
	case StateOpen:
		return "open"
	default:
		return "unknown"
	}
}

// MarshalText returns the text of [State.String]; it never fails.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Change is one transition of a [Breaker].
type Change struct {
	From, To State
	// At is the time that the call which caused the change gave.
	At time.Time
	// Until is the end of the open period; zero unless To is StateOpen.
	Until time.Time
}

// Stat is a snapshot of a [Breaker].
type Stat struct {
	State State
	// Until is when a call would be let through; zero: now.
	Until time.Time
	// Weight is that of [Breaker.Weight].
	Weight float64
	// Run is the number of failures in a row, by completion; 0 unless the breaker is closed.
	Run int
	// Calls that completed within the window, and Failures among them. They start anew when the
	// breaker closes.
	Calls, Failures int
	// OpenCount is how often the breaker opened since it was made.
	OpenCount int64
}
