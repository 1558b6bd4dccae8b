package store

import (
	"context"
	"time"
)

// Pacers is what replicas share of capacities that are hidden and move, one for each location: one
// pace for the fleet, from what the whole fleet was refused. It suits paces so low that a replica
// alone sees too little. See [PacerState] for how a pace is found.
type Pacers interface {
	// AllowPaced counts a request as sent to the first location of the ask that may be sent one now.
	AllowPaced(ctx context.Context, key Key, ask PaceAsk) (PaceGrant, error)
	// RejectPaced tells that a request met contention.
	RejectPaced(ctx context.Context, key Key, rejection PaceRejection) (PaceRejected, error)
	// ReturnPaced gives back one grant whose request was not sent.
	ReturnPaced(ctx context.Context, key Key, location string) error
}

// PacerKeep is how long a pace is kept that nobody asks for.
const PacerKeep = time.Hour

// KindPacer is the kind of keys of paces: the locations of a project for a model.
const KindPacer Kind = "pacer"

// Pacing says how a pace follows a capacity. No field is 0.
type Pacing struct {
	Gain      float64       // the new rate after contention, as a multiple of what was accepted
	Tolerance float64       // share of requests that may meet contention before the rate falls
	Growth    float64       // of the rate in a second; it doubles with every 1.3 s that go well
	Floor     float64       // the lowest rate, in requests a second
	Burst     time.Duration // how much of the rate may be sent at once
}

// PaceAsk asks for one request to one of the locations, the preferred one first.
type PaceAsk struct {
	Pacing    Pacing
	Locations []PaceLocation
}

// PaceLocation is a location, and the rate to begin with if the store has none, or one that was not
// asked for in ten seconds: what the asker believes of the whole fleet. One second is enough if it
// Comes from a pace of its own, which may have changed since the fleet had one.
type PaceLocation struct {
	Name  string
	Seed  float64
	Comes bool
}

// PaceGrant is the answer to an ask. The location is that of the Index, or none if it is negative;
// then one of them may be sent a request after Wait. Rates are those of the fleet, one for each
// location asked for, in requests a second.
type PaceGrant struct {
	Now   time.Time
	Index int
	Wait  time.Duration
	Rates []float64
}

// PaceRejection is of a request that met contention at a location, and was sent so long ago. It is
// told at once.
type PaceRejection struct {
	Pacing   Pacing
	Location PaceLocation
	After    time.Duration
}

// PaceRejected is the answer to a rejection, with the rate of the fleet.
type PaceRejected struct {
	Now  time.Time
	Rate float64
}

// PacerSet is the paces of one key in an engine that holds them in memory. Time is an argument. It
// is not safe for concurrent use. The zero value knows no location.
type PacerSet struct{ locations map[string]*PacerState }

func (s *PacerSet) location(now time.Time, l *PaceLocation, p *Pacing) *PacerState {
	state := s.locations[l.Name]
	if state == nil {
		if s.locations == nil {
			s.locations = map[string]*PacerState{}
		}
		state = &PacerState{}
		s.locations[l.Name] = state
	}
	idle := paceStale
	if l.Comes {
		idle = time.Second
	}
	if l.Seed > 0 && (state.Rate() == 0 || state.Idle(now) > idle) {
		state.Begin(now, p, l.Seed)
	}
	return state
}

// Allow is [Pacers.AllowPaced].
func (s *PacerSet) Allow(now time.Time, a *PaceAsk) PaceGrant {
	g := PaceGrant{Now: now, Index: -1, Rates: make([]float64, len(a.Locations))}
	for i := range a.Locations {
		state := s.location(now, &a.Locations[i], &a.Pacing)
		if g.Index < 0 && state.Allow(now, &a.Pacing) {
			g.Index, g.Wait = i, 0
		}
		g.Rates[i] = state.Rate()
		if wait := state.Wait(now); g.Index < 0 && (i == 0 || wait < g.Wait) {
			g.Wait = wait
		}
	}
	return g
}

// Reject is [Pacers.RejectPaced].
func (s *PacerSet) Reject(now time.Time, r *PaceRejection) PaceRejected {
	state := s.location(now, &r.Location, &r.Pacing)
	state.Reject(now, now.Add(-r.After), &r.Pacing)
	return PaceRejected{Now: now, Rate: state.Rate()}
}

// Return is [Pacers.ReturnPaced].
func (s *PacerSet) Return(now time.Time, location string) {
	if state := s.locations[location]; state != nil {
		state.Return(now)
	}
}
