package store

import (
	"math"
	"math/bits"
	"time"
)

// take grants what the limits of an ask leave: see Ask. Slots end by the store's clock, all else by
// the window's time.
func (w *window) take(now time.Time, member string, a Ask) Grant {
	a.Tokens, a.Least, a.UnderWay = max(a.Tokens, 0), max(a.Least, 0), max(a.UnderWay, 0)
	at := w.forget(now)
	w.change(at, member, a)
	day := dayOf(a.Days, at)

	g := Grant{At: at, Slots: w.hold(now, member, a), Epoch: w.epoch}
	requests := w.grantRequests(a, day)
	if a.Limits.Concurrency > 0 {
		requests = max(min(requests, g.Slots-a.UnderWay), 0)
	}
	g.Requests, g.Tokens = w.grantTokens(a, requests)
	w.add(counted{w.latest, g.Requests, g.Tokens})
	w.countDay(day, g.Requests)

	g.Used = Used{
		Requests: w.requests, Tokens: w.tokens, Day: w.day(day), DayEnds: day, Slots: w.held(),
	}
	g.Next = w.nextFor(a, day)
	if a.Profile {
		g.Profile = w.profile()
	}
	return g
}

// many is how many requests an ask may want without leaving some to others.
const many = 4

// grantRequests returns how many requests the minute and the day leave to an ask.
func (w *window) grantRequests(a Ask, day time.Time) int64 {
	left := int64(math.MaxInt64)
	if a.Limits.RPM > 0 {
		left = max(a.Limits.RPM-w.requests, 0)
	}
	if a.Limits.RPD > 0 && !day.IsZero() {
		left = min(left, max(a.Limits.RPD-w.day(day), 0))
	}
	if a.Requests > many && left < math.MaxInt64 {
		left = scale(left, 1, 4, true)
	}
	return max(min(a.Requests, left), 0)
}

// grantTokens returns how many of the requests get tokens, and how many tokens they get.
func (w *window) grantTokens(a Ask, requests int64) (granted, tokens int64) {
	limit := a.Limits.TPM
	if limit <= 0 || requests == 0 {
		return requests, 0
	}
	least := a.Least
	left := max(limit-w.tokens, 0)
	if left < least {
		if least > limit && w.tokens == 0 {
			return 1, least
		}
		return 0, 0
	}
	if a.Requests > many {
		left = max(scale(left, 1, 4, true), least)
	}
	need := max(scale(a.Tokens, requests, a.Requests, true), least)
	if need <= left {
		return requests, need
	}
	return max(scale(requests, left, need, false), 1), left
}

// nextFor returns when another request of the least tokens passes: see Grant.Next.
func (w *window) nextFor(a Ask, day time.Time) time.Time {
	least := a.Least
	next := w.next(func(requests, tokens int64) bool {
		if a.Limits.RPM > 0 && requests >= a.Limits.RPM {
			return false
		}
		limit := a.Limits.TPM
		return limit <= 0 || tokens <= limit-least || least > limit && tokens == 0
	})
	if a.Limits.RPD > 0 && w.day(day) >= a.Limits.RPD && day.After(next) {
		next = day
	}
	return next
}

// scale returns n*times/by, which is at most n or at most times, rounded up or down.
func scale(n, times, by int64, up bool) int64 {
	high, low := bits.Mul64(uint64(n), uint64(times))
	quotient, rest := bits.Div64(high, low, uint64(by))
	if up && rest > 0 {
		quotient++
	}
	return int64(quotient)
}
