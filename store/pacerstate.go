package store

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

const (
	paceOften   = 500 * time.Millisecond  // how often the rate is judged
	paceSoon    = paceOften / 2           // the same while half is refused
	paceStale   = 10 * time.Second        // a period that has refusals begins anew after this long: it had idle time
	paceLongest = 2 * time.Second         // a refusal that took longer says no more about how long they take
	paceAnswers = 3                       // requests that refusals are judged by
	paceMany    = 10                      // requests of which some may be refused without a pace
	paceHaste   = 1300 * time.Millisecond // a good time this long doubles the growth
	paceMost    = 2                       // the most a rate grows: by exp(2) a second
	paceFall    = 4                       // the most a rate falls at once, as a divisor
	paceFreedom = 1e9                     // requests a second: as good as unlimited, and far from overflow
)

// PacerState is the pace of one location. Every request sent is allowed first, and rejected if it
// met contention; see quota.Pacer for the law. Time is an argument. It is not safe for concurrent
// use. The zero value is unlimited.
type PacerState struct {
	bucket   *rate.Limiter // nil: unlimited
	last     time.Time     // the latest time seen
	period   pacePeriod    // the present one
	over     pacePeriod    // the one before
	good     time.Time     // since when there was no contention to speak of
	fell     time.Time     // when the rate fell for the last time
	lag      time.Duration
	guessed  bool    // the rate does not come from what was accepted: so little was that it says nothing
	returned float64 // requests allowed and then not sent: to be allowed again whatever the tokens

	tolerates bool
}

// pacePeriod is the requests that were sent within a time. The zero period is none.
type pacePeriod struct {
	began, ended  time.Time
	sent, refused float64 // refused are those of sent
	open          bool    // more of sent may be refused, and the period is to be judged then
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
func (s *PacerState) Rate() float64 {
	if s.bucket == nil {
		return 0
	}
	return float64(s.bucket.Limit())
}

// Allow reports whether a request may be sent now, and counts it as sent if so.
func (s *PacerState) Allow(now time.Time, p *Pacing) bool {
	now = s.clamp(now)
	if s.bucket != nil {
		s.review(now, p)
		switch {
		case s.returned >= 1:
			s.returned--
		case !s.bucket.AllowN(now, 1):
			return false
		}
	}
	s.Count(now, 1)
	return true
}

// Count counts requests as sent.
func (s *PacerState) Count(now time.Time, n float64) {
	now = s.clamp(now)
	if s.period.sent == 0 && now.Sub(s.period.began) > paceStale { // it began with idle time
		s.period = pacePeriod{began: now}
	}
	s.period.sent += n
}

// Tally says how many requests were sent in this period, where Allow was not asked for all.
func (s *PacerState) Tally(n float64) { s.period.sent = n }

// Sent returns how many requests were sent in this period.
func (s *PacerState) Sent() float64 { return s.period.sent }

// Wait returns how long it takes until Allow would report true if nothing else came: 0 means now.
func (s *PacerState) Wait(now time.Time) time.Duration {
	at := s.clamp(now)
	if s.bucket == nil || s.returned >= 1 {
		return 0
	}
	missing := 1 - s.bucket.TokensAt(at)
	if missing <= 0 {
		return 0
	}
	// A nanosecond more than the quotient, so that rounding does not make the promise too early.
	d := time.Duration(math.Ceil(missing/s.Rate()*float64(time.Second))) + 1
	return at.Add(d).Sub(now)
}

// Return gives back one Allow whose request was not sent.
func (s *PacerState) Return(now time.Time) {
	s.clamp(now)
	s.period.sent--
	if s.bucket != nil {
		s.returned = min(s.returned+1, float64(s.bucket.Burst()))
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
	switch t, o := &s.period, &s.over; {
	case sent.After(t.began), sent.Equal(t.began) && t.refused < t.sent:
		t.refused++
	case !sent.After(s.fell): // it speaks of a rate that was too high, which is known already
	case o.open && !sent.Before(o.began):
		o.refused++
	default: // it took too long for its own period
		t.refused++
	}
	lately := s.period
	if now.Sub(s.over.ended) <= paceStale {
		lately.sent += s.over.sent
		lately.refused += s.over.refused
	}
	s.tolerates = lately.sent >= paceMany && lately.refused <= min(p.Tolerance, 0.5)*lately.sent
	s.review(now, p)
}

// Review judges the period if it is over.
func (s *PacerState) Review(now time.Time, p *Pacing) { s.review(s.clamp(now), p) }

// review judges the period before if all of its refusals have come, and ends the present one if it is
// over. So each refusal counts in the period in which its request was sent, however unevenly
// requests are sent.
func (s *PacerState) review(now time.Time, p *Pacing) {
	if o := &s.over; o.open {
		if d := now.Sub(o.ended); d == 0 || d < s.lag { // others of this very moment may be refused, too
			return
		}
		if o.open = false; o.refused == 0 || o.sent >= paceAnswers {
			s.judge(now, p, o)
		} else { // it tells too little alone
			s.period.began = o.began
			s.period.sent += o.sent
			s.period.refused += o.refused
			s.over = pacePeriod{}
		}
	}
	t := &s.period
	elapsed := now.Sub(t.began)
	known := elapsed - s.lag
	soon := max(t.sent*float64(known)/float64(elapsed), t.refused) // of these it is known
	switch {
	case t.refused > 0 && elapsed > paceStale: // idle time would make the capacity look low
		s.begin(now)
	case known >= paceSoon && soon >= paceAnswers && 2*t.refused >= soon: // it is clear already
		s.over = pacePeriod{t.began, t.began.Add(known), soon, t.refused, false}
		s.judge(now, p, &s.over)
		s.begin(now)
	case elapsed < paceOften || t.sent < 1:
	case t.refused == 0 || t.sent >= paceAnswers:
		s.over = pacePeriod{t.began, now, t.sent, t.refused, true}
		s.begin(now)
	case s.lowest(p): // it cannot fall, but waits for the first good request, which those refused before must not spoil
		s.begin(now)
	}
}

// judge sets the rate by what became of the requests of a period.
func (s *PacerState) judge(now time.Time, p *Pacing, o *pacePeriod) {
	current, seconds := s.Rate(), o.ended.Sub(o.began).Seconds()
	if s.bucket == nil {
		current = math.Inf(1)
	}
	sent := max(o.sent, o.refused)
	switch tolerated := p.Tolerance * sent; {
	case o.refused > tolerated:
		next := p.Gain * (sent - o.refused) / seconds
		// The fall is bounded, and starts from what was sent: an unused rate says nothing.
		least := sent / paceFall / seconds
		if s.bucket == nil {
			least = 0
		}
		s.set(now, p, min(max(next, least), current))
		s.fell, s.good, s.guessed = now, now, next < least || s.lowest(p)
		s.begin(now)
	case o.refused > tolerated/2:
		s.good, s.guessed = now, false
	case s.bucket != nil && sent >= current*seconds/2: // a rate that is not used needs no raise
		growth := float64(paceMost)
		if !s.guessed {
			growth = min(p.Growth*math.Exp2(now.Sub(s.good).Seconds()/paceHaste.Seconds()), paceMost)
		}
		s.set(now, p, current*math.Exp(growth*min(seconds, 1)))
	}
}

// Tolerates reports whether no more had met contention than is tolerated of what was sent of late, and
// that was many requests, when the last one did.
func (s *PacerState) Tolerates() bool { return s.tolerates }

// lowest reports whether the rate is at its floor.
func (s *PacerState) lowest(p *Pacing) bool { return s.bucket != nil && s.Rate() <= p.Floor }

func (s *PacerState) set(now time.Time, p *Pacing, perSecond float64) {
	now = s.clamp(now)
	if s.bucket == nil {
		s.bucket = rate.NewLimiter(rate.Inf, 1)
	}
	perSecond = min(max(perSecond, p.Floor), paceFreedom)
	s.bucket.SetBurstAt(now, int(max(perSecond*p.Burst.Seconds(), 1)))
	s.bucket.SetLimitAt(now, rate.Limit(perSecond))
}

// clamp returns now, or the latest time seen if that is later: the bucket mints tokens when time goes
// back.
func (s *PacerState) clamp(now time.Time) time.Time {
	if now.After(s.last) {
		s.last = now
	}
	return s.last
}

// begin begins a period.
func (s *PacerState) begin(now time.Time) { s.period = pacePeriod{began: now} }
