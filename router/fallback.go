package router

import "time"

// fallen is what became of the models that a call was for, of which none could serve it in time.
type fallen struct {
	any     bool
	soonest time.Time // when the first of them could serve the call, as far as is known; the zero time: none ever
	hope    bool      // one of them is not refused for good everywhere
}

// fallBack goes over to the next model that stands in for the one asked for. A call that names what belongs to the first one's project,
// or continues its answer, stays, as does one that asks about the model, rather than asking it.
func (s *session) fallBack() bool {
	if s.belongs || s.wire.Continuation != "" || !s.metered() || s.tail != nil || s.attempts >= s.cfg.MaxAttempts || s.ctx.Err() != nil {
		return false
	}
	next := s.cfg.standIn(s.cfg.alias(s.model), s.plan.Model)
	if next == "" {
		return false
	}
	s.fall()
	s.use(next)
	return true
}

// fall takes leave of a model that cannot serve the call in time.
func (s *session) fall() {
	s.fallen.any = true
	if t, ok := s.comeBack(); ok {
		s.fallen.soonest = sooner(s.fallen.soonest, t)
	}
	s.fallen.hope = s.fallen.hope || s.anyEligible() && s.remembered() == nil
	s.faulted, s.faults, s.retryAt, s.ahead = nil, 0, time.Time{}, 0
}

// goBack makes the answer to a call that no model could serve speak of the one that its caller asked for.
func (s *session) goBack() {
	if !s.fallen.any {
		return
	}
	s.fall()
	s.use(s.cfg.alias(s.model))
}

// standIn returns the model that is asked in place of first after the one that was asked last; "" if there is none.
func (c *Config) standIn(first, last string) string {
	for _, f := range c.Fallbacks {
		if c.alias(f.Model) != first {
			continue
		}
		next := f.To
		for i, to := range f.To {
			if c.alias(to) == last {
				next = f.To[i+1:]
			}
		}
		if len(next) > 0 {
			return c.alias(next[0])
		}
		return ""
	}
	return ""
}
