package quota

import "time"

// storeTimeSpan is how long the store's clock is trusted to keep its distance to the replica's.
const storeTimeSpan = 10 * time.Second

// storeTime is the store's clock as a replica knows it. When an answer arrives the store's time is
// at least what the answer says: the least that is possible is taken, so that no bucket is named
// that has not begun.
type storeTime struct {
	ahead, older time.Duration // of the replica's clock: since began, and in the span before
	began        time.Time
}

// learn notes that an answer that says at has arrived now.
func (s *storeTime) learn(at, now time.Time) {
	ahead := at.Sub(now)
	switch since := now.Sub(s.began); {
	case since < storeTimeSpan:
		s.ahead = max(s.ahead, ahead)
	case since < 2*storeTimeSpan:
		s.older, s.ahead, s.began = s.ahead, ahead, now
	default:
		s.older, s.ahead, s.began = ahead, ahead, now
	}
}

// of returns the store's time since 1970 in nanoseconds.
func (s *storeTime) of(now time.Time) int64 {
	return now.UnixNano() + int64(max(s.ahead, s.older))
}

// until returns how long it takes from now until the store's time is at.
func (s *storeTime) until(at int64, now time.Time) time.Duration {
	return time.Duration(max(at-s.of(now), 0))
}
