package quota

import (
	"math"
	"sync"
	"time"
)

// ConcurrencyWait is the least that [Quota.Wait] answers while all concurrent calls are taken: the
// moment at which one of them ends cannot be known, so this is when to ask again.
const ConcurrencyWait = time.Second

// largest is more tokens than any request has; it keeps sums far from overflow.
const largest = int64(1) << 40

// Quota keeps to the [Limits] of one project for one model. A call reserves in all dimensions at
// once, or in none, with an estimate of its tokens; when it ends, Settle puts the real number in
// the estimate's place.
//
// At most RPM requests and TPM tokens are admitted in any 60 seconds, whatever their phase. Google
// counts in windows whose beginning is unknown, so nothing weaker keeps within every one of them.
// It holds for the times of Reserve: reserve when the request is sent, not when it is planned. The
// price is a window of 60.25 s instead of 60 s.
//
// A call that used more than it reserved puts the window into debt, and later calls wait until it
// is paid. A single request that is estimated above the whole TPM is admitted alone, once no token
// is left in the window; else it would wait for ever.
//
// A window is kept from the first time that RPM or TPM is limited, in about 4 KB; without one
// nothing is counted by the minute. Every reservation must be ended exactly once, by [Quota.Settle]
// or [Quota.Release]: the caller sees to that.
//
// It is safe for concurrent use. The zero value limits nothing.
type Quota struct {
	mu       sync.Mutex
	limits   Limits
	start    time.Time // what the window's offsets count from: the time of the first call
	last     time.Time // the latest time seen
	minute   minute    // counts from the first time that a minute is limited
	day      day
	inFlight int64
	shared   *Member // nil: no other process keeps to the same limits
}

// Reservation is what one call holds of a [Quota] until it is settled or released.
type Reservation struct {
	At     time.Time // when it was made
	Tokens int64     // the estimate that was reserved

	slice   int64 // of the window
	counted bool  // whether there was a window
	common  int64 // when it counts in the common window; zero: it does not
	resets  int64 // the day it counts in, as the Unix time of its end
}

// New returns a quota with nothing used.
func New(l Limits) *Quota {
	q := &Quota{}
	q.SetLimits(l)
	return q
}

// SetLimits replaces the limits: after a reload of the configuration, or when Google named one.
// What was used stays used.
func (q *Quota) SetLimits(l Limits) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limits = Limits{RPM: max(l.RPM, 0), TPM: max(l.TPM, 0), RPD: max(l.RPD, 0), Concurrency: max(l.Concurrency, 0)}
	if q.minute.ring == nil && (l.RPM > 0 || l.TPM > 0) {
		q.minute.ring = &[slices]count{}
		q.minute.advance(q.last.Sub(q.start))
	}
}

// Limits returns the limits in force, 0 for what is not limited.
func (q *Quota) Limits() Limits {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.limits
}

// Reserve admits a call estimated at so many tokens, or reports false and changes nothing. Negative
// estimates count as 0.
func (q *Quota) Reserve(now time.Time, tokens int64) (Reservation, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reserveLocked(now, tokens, &q.limits)
}

// ReserveWithin is Reserve for a call that keeps to other limits than those in force: to find out
// whether one of them still holds. It needs no credit of a shared quota.
func (q *Quota) ReserveWithin(now time.Time, tokens int64, l Limits) (Reservation, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reserveLocked(now, tokens, &l)
}

func (q *Quota) reserveLocked(now time.Time, tokens int64, l *Limits) (Reservation, bool) {
	tokens = min(max(tokens, 0), largest)
	q.advanceLocked(now)
	common, ok := q.admitLocked(tokens, l)
	if !ok {
		return Reservation{}, false
	}
	q.inFlight++
	q.day.requests++
	r := Reservation{At: q.last, Tokens: tokens, resets: q.day.resets.Unix(), common: common}
	if q.minute.ring != nil {
		r.slice, r.counted = q.minute.current, true
		q.minute.add(r.slice, count{1, tokens})
	}
	return r, true
}

// admitLocked takes what a call needs beside the counts. It returns when the call counts in the
// common window of a shared quota.
func (q *Quota) admitLocked(tokens int64, l *Limits) (common int64, ok bool) {
	s := q.shared
	switch {
	case s == nil:
		q.day.alone++ // taken back where it does not fit
		if ok = q.fitsLocked(tokens, l); !ok {
			q.day.alone--
		}
		return 0, ok
	case l != &q.limits:
		if ok = q.fitsLocked(tokens, l); ok {
			common = s.admitLoose(q.last, tokens)
		}
	default:
		common, ok = s.admit(q.last, tokens, q.inFlight, l)
	}
	if ok {
		s.demand.fresh.requests++
		s.demand.fresh.tokens += tokens
	}
	return common, ok
}

// Count adds a call that was not reserved and that Google counted, whether it fits or not.
func (q *Quota) Count(now time.Time, tokens int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advanceLocked(now)
	tokens = min(max(tokens, 0), largest)
	q.day.requests++
	if q.shared != nil {
		q.shared.admitLoose(q.last, tokens)
	} else {
		q.day.alone++
	}
	if q.minute.ring != nil {
		q.minute.add(q.minute.current, count{1, tokens})
	}
}

// Spend counts tokens that a running call has used by now, beside those that are reserved for it: a
// session that lasts longer than the window uses them in many.
func (q *Quota) Spend(now time.Time, tokens int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advanceLocked(now)
	n := count{0, min(max(tokens, 0), largest)}
	if q.shared != nil {
		q.shared.spend(q.last, n)
	}
	if q.minute.ring != nil {
		q.minute.add(q.minute.current, n)
	}
}

// Settle ends a call that Google counted. The tokens it really used take the place of the estimate
// where that was reserved; a difference found after the window has passed no longer matters.
func (q *Quota) Settle(now time.Time, r Reservation, used int64) {
	used = min(max(used, 0), largest)
	q.end(now, r, count{0, used - r.Tokens}, 0)
}

// Release ends a call that was never sent, or that Google does not count, and gives everything
// back.
func (q *Quota) Release(now time.Time, r Reservation) {
	q.end(now, r, count{-1, -r.Tokens}, -1)
}

func (q *Quota) end(now time.Time, r Reservation, change count, today int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advanceLocked(now)
	q.inFlight = max(q.inFlight-1, 0)
	if r.counted {
		q.minute.add(r.slice, change)
	}
	if q.shared != nil && r.common != 0 {
		q.shared.correct(q.last, r, change)
	}
	if r.resets == q.day.resets.Unix() {
		q.day.requests += today
		if q.shared == nil {
			q.day.alone += today
		}
	}
}

// Wait returns how long it takes until a call of so many tokens would be admitted if nothing else
// came: 0 means now. Where all concurrent calls are taken it is at least [ConcurrencyWait], a
// guess. The day's limit makes it hours.
func (q *Quota) Wait(now time.Time, tokens int64) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waitLocked(now, tokens, &q.limits)
}

// WaitWithin is Wait for a call that keeps to other limits than those in force.
func (q *Quota) WaitWithin(now time.Time, tokens int64, l Limits) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waitLocked(now, tokens, &l)
}

func (q *Quota) waitLocked(now time.Time, tokens int64, l *Limits) time.Duration {
	tokens = min(max(tokens, 0), largest)
	q.advanceLocked(now)
	if q.shared != nil {
		return q.waitSharedLocked(now, tokens, l)
	}
	if q.fitsLocked(tokens, l) {
		return 0
	}
	at := now
	if q.minute.ring != nil {
		requests, room := int64(math.MaxInt64), int64(math.MaxInt64)
		if l.RPM > 0 {
			requests = l.RPM - 1
		}
		if l.TPM > 0 {
			room = max(l.TPM-tokens, 0)
		}
		at = later(at, q.start.Add(q.minute.freeAt(requests, room)))
	}
	if l.RPD > 0 && q.day.requests >= l.RPD {
		at = later(at, q.day.resets)
	}
	if l.Concurrency > 0 && q.inFlight >= l.Concurrency {
		at = later(at, now.Add(ConcurrencyWait))
	}
	return at.Sub(now)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Headroom returns the free share, 0 to 1, of the dimension that has the least; 1 if nothing is
// limited.
func (q *Quota) Headroom(now time.Time) float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advanceLocked(now)
	used, today, running := q.usedLocked()
	h := min(free(q.limits.RPD, today), free(q.limits.Concurrency, running))
	return min(h, free(q.limits.RPM, used.requests), free(q.limits.TPM, used.tokens))
}

// usedLocked returns what is used of the minute, of the day, and of the concurrent calls: by all, as
// far as is known, if the quota is shared.
func (q *Quota) usedLocked() (minute count, today, running int64) {
	s := q.shared
	if s == nil {
		return q.minute.total, q.day.requests, q.inFlight
	}
	s.common.forget(q.last)
	minute = count{s.common.Requests, s.common.Tokens}
	today = s.common.today(q.last)
	if s.lost {
		s.loose.ready(q.last)
		minute.requests += s.loose.total.requests
		minute.tokens += s.loose.total.tokens
		today += s.loose.today.requests
	}
	return minute, today, max(s.common.Running-s.common.Slots+q.inFlight, q.inFlight)
}

func free(limit, used int64) float64 {
	if limit <= 0 {
		return 1
	}
	return max(float64(limit-used)/float64(limit), 0)
}

// RestoreDay adds requests that an earlier process counted in the day that ends at resets. It does
// nothing if that day is over.
func (q *Quota) RestoreDay(now time.Time, used int64, resets time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advanceLocked(now)
	if q.day.resets.Equal(resets) {
		q.day.requests += min(max(used, 0), largest)
	}
}

// Today returns the requests of this process that count in the day that ends at resets, with those
// that it was told to restore.
func (q *Quota) Today(now time.Time) (requests int64, resets time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advanceLocked(now)
	return q.day.requests, q.day.resets
}

// advanceLocked moves to now, unless a later time has been seen.
func (q *Quota) advanceLocked(now time.Time) {
	if q.start.IsZero() {
		q.start, q.last = now, now
	}
	if now.After(q.last) {
		q.last = now
	}
	if q.minute.ring != nil {
		q.minute.advance(q.last.Sub(q.start))
	}
	q.day.advance(q.last)
}

func (q *Quota) fitsLocked(tokens int64, l *Limits) bool {
	used, today, running := q.usedLocked()
	if l.RPD > 0 && today >= l.RPD || l.Concurrency > 0 && running >= l.Concurrency {
		return false
	}
	if l.RPM > 0 && used.requests >= l.RPM {
		return false
	}
	return l.TPM <= 0 || used.tokens+tokens <= l.TPM || used.tokens == 0
}
