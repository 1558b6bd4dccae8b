package store

import (
	"math"
	"time"
)

const (
	pacePeriod  = 500 * time.Millisecond  // how often the rate is judged
	paceSoon    = pacePeriod / 2          // the same while half is refused
	paceStale   = 10 * time.Second        // a period that has refusals begins anew after this long: it had idle time
	paceLongest = 2 * time.Second         // a refusal that took longer says no more about how long they take
	paceAnswers = 3                       // requests that refusals are judged by
	paceHaste   = 1300 * time.Millisecond // a good time this long doubles the growth
	paceMost    = 2                       // the most a rate grows: by exp(2) a second
	paceFall    = 4                       // the most a rate falls at once, as a divisor
	paceFreedom = 1e9                     // requests a second: as good as unlimited, and far from overflow
)

// PacerState is the pace of one location. Every request sent is allowed first, and rejected if it
// met contention; see quota.Pacer for the law. Time is an argument. It is not safe for concurrent
// use. The zero value is unlimited.
type PacerState struct {
	rate     float64   // requests a second; 0: unlimited
	burst    float64   // the most tokens
	tokens   float64   // requests that may be sent, at last
	last     time.Time // the latest time seen
	sent     float64   // in this period
	refused  float64   // in this period, of those sent since the rate fell
	began    time.Time // the period
	good     time.Time // since when there was no contention to speak of
	fell     time.Time // when the rate fell for the last time
	lag      time.Duration
	guessed  bool    // the rate does not come from what was accepted: so little was that it says nothing
	returned float64 // requests allowed and then not sent: to be allowed again whatever the tokens
}

// Begin begins with a rate.
func (s *PacerState) Begin(now time.Time, p *Pacing, rate float64) {
	*s = PacerState{last: s.last, lag: s.lag}
	now = s.clamp(now)
	s.begin(now)
	s.set(now, p, rate)
	s.good = now.Add(-2 * paceHaste) // what comes from another pace has gone well, and may go on to grow
}

// Idle returns for how long nothing was asked of the pace.
func (s *PacerState) Idle(now time.Time) time.Duration { return max(now.Sub(s.last), 0) }

// Rate returns the requests a second that may be sent; 0 while unlimited.
func (s *PacerState) Rate() float64 { return s.rate }

// Allow reports whether a request may be sent now, and counts it as sent if so.
func (s *PacerState) Allow(now time.Time, p *Pacing) bool {
	now = s.clamp(now)
	if s.rate > 0 {
		s.review(now, p)
		switch {
		case s.returned >= 1:
			s.returned--
		case s.tokens >= 1:
			s.tokens--
		default:
			return false
		}
	}
	s.Count(now, 1)
	return true
}

// Count counts requests as sent.
func (s *PacerState) Count(now time.Time, n float64) {
	now = s.clamp(now)
	if s.sent == 0 && now.Sub(s.began) > paceStale { // it began with idle time
		s.began, s.refused = now, 0
	}
	s.sent += n
}

// Tally says how many requests were sent in this period, where Allow was not asked for all.
func (s *PacerState) Tally(n float64) { s.sent = n }

// Sent returns how many requests were sent in this period.
func (s *PacerState) Sent() float64 { return s.sent }

// Wait returns how long it takes until Allow would report true if nothing else came: 0 means now.
func (s *PacerState) Wait(now time.Time) time.Duration {
	at := s.clamp(now)
	if s.rate == 0 || s.returned >= 1 || s.tokens >= 1 {
		return 0
	}
	// A nanosecond more than the quotient, so that rounding does not make the promise too early.
	d := time.Duration(math.Ceil((1-s.tokens)/s.rate*float64(time.Second))) + 1
	return at.Add(d).Sub(now)
}

// Return gives back one Allow whose request was not sent.
func (s *PacerState) Return(now time.Time) {
	s.clamp(now)
	s.sent--
	if s.rate > 0 {
		s.returned = min(s.returned+1, s.burst)
	}
}

// Reject tells that a request met contention; sent is the now of the Allow that it was sent after.
func (s *PacerState) Reject(now, sent time.Time, p *Pacing) {
	now = s.clamp(now)
	if d := min(now.Sub(sent), paceLongest); d > s.lag {
		s.lag = d
	} else {
		s.lag -= (s.lag - max(d, 0)) / 8
	}
	if !sent.Before(s.fell) { // else it speaks of a rate that was too high, which is known already
		s.refused++
	}
	s.review(now, p)
}

// Review judges the period if it is over.
func (s *PacerState) Review(now time.Time, p *Pacing) { s.review(s.clamp(now), p) }

// review judges the period if it is over and tells enough: refusals are judged by three requests,
// their absence by one. The last moments do not count, because their refusals are still unknown.
func (s *PacerState) review(now time.Time, p *Pacing) {
	elapsed := now.Sub(s.began)
	known := elapsed - s.lag
	if known < paceSoon {
		return
	}
	share := float64(known) / float64(elapsed)
	sent := max(s.sent*share, s.refused)
	switch {
	case s.refused > 0 && known > paceStale: // idle time would make the capacity look low
		s.begin(now)
		return
	case sent >= paceAnswers && 2*s.refused >= sent:
	case known < pacePeriod || sent < share: // not a request yet
		return
	case s.refused == 0 || sent >= paceAnswers:
	case s.lowest(p): // it cannot fall, but waits for the first good request, which those refused before must not spoil
		s.begin(now)
		return
	default:
		return
	}
	s.judge(now, p, sent, known.Seconds())
	s.begin(now)
}

// judge sets the rate by what became of the requests sent within so many seconds.
func (s *PacerState) judge(now time.Time, p *Pacing, sent, seconds float64) {
	current := s.rate
	if current == 0 {
		current = math.Inf(1)
	}
	switch tolerated := p.Tolerance * sent; {
	case s.refused > tolerated:
		next := p.Gain * (sent - s.refused) / seconds
		// The fall is bounded, and starts from what was sent: an unused rate says nothing.
		least := sent / paceFall / seconds
		if s.rate == 0 {
			least = 0
		}
		s.set(now, p, min(max(next, least), current))
		s.fell, s.good, s.guessed = now, now, next < least || s.lowest(p)
	case s.refused > tolerated/2:
		s.good, s.guessed = now, false
	case s.rate > 0 && sent >= current*seconds/2: // a rate that is not used needs no raise
		growth := float64(paceMost)
		if !s.guessed {
			growth = min(p.Growth*math.Exp2(now.Sub(s.good).Seconds()/paceHaste.Seconds()), paceMost)
		}
		s.set(now, p, current*math.Exp(growth*min(seconds, 1)))
	}
}

// lowest reports whether the rate is at its floor.
func (s *PacerState) lowest(p *Pacing) bool { return s.rate > 0 && s.rate <= p.Floor }

func (s *PacerState) set(now time.Time, p *Pacing, perSecond float64) {
	s.clamp(now)
	if s.rate == 0 {
		s.tokens = 1
	}
	s.rate = min(max(perSecond, p.Floor), paceFreedom)
	s.burst = math.Floor(max(s.rate*p.Burst.Seconds(), 1))
	s.tokens = min(s.tokens, s.burst)
}

// clamp returns now, or the latest time seen if that is later. Tokens come until then.
func (s *PacerState) clamp(now time.Time) time.Time {
	if now.After(s.last) {
		if s.rate > 0 {
			s.tokens = min(s.tokens+now.Sub(s.last).Seconds()*s.rate, s.burst)
		}
		s.last = now
	}
	return s.last
}

// begin begins a period.
func (s *PacerState) begin(now time.Time) { s.sent, s.refused, s.began = 0, 0, now }
