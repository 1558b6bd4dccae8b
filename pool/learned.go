package pool

import (
	"math"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
)

const (
	// learnedFor is how long a limit that Google named holds without being named again. After that
	// it grows by learnedGrowth every learnedStep, so that a limit that was raised is found without
	// a rush. It is forgotten at learnedMost times its value.
	learnedFor    = 24 * time.Hour
	learnedGrowth = 1.25
	learnedStep   = time.Hour
	learnedMost   = 16

	// A learned limit that keeps calls out is tested before that: one call goes beyond it, and if
	// it is answered well the limit is forgotten. Whoever is upgraded has the new limit in minutes.
	// A minute's limit is tested this long after it was named or tested last. A day's limit is
	// tested like the cooldown of a day's quota, see dayTests.
	minuteTest = 5 * time.Minute
	// testLease bounds how long a test keeps other calls from testing, however it ends.
	testLease = 30 * time.Second
	// testAgain is the pause after a test that proved nothing.
	testAgain = time.Second
)

// dayTests says when a day's limit that keeps calls out is tested.
var dayTests = &rules[ClassDayQuota].Rule

// learnedLimit is a limit that Google has named.
type learnedLimit struct {
	limit int64 // zero: none
	at    int64 // instant at which it was named last

	daily  bool   // it counts by the day
	due    int64  // instant from which on a call may test it
	tester uint64 // number of the attempt that tests it; zero: none is out
	day    int64  // of a daily one: instant of the end of the day that tests counts in
	tests  int
}

// now returns what is left of the limit: it grows once it was not named for a day, and is zero when
// it is forgotten.
func (l *learnedLimit) now(at int64) int64 {
	late := at - l.at - int64(learnedFor)
	if l.limit == 0 || late < 0 {
		return l.limit
	}
	factor := math.Pow(learnedGrowth, float64(late/int64(learnedStep)+1))
	if factor > learnedMost {
		return 0
	}
	return int64(math.Ceil(float64(l.limit) * factor))
}

// next returns when the limit grows next.
func (l *learnedLimit) next(at int64) int64 {
	if l.now(at) == 0 {
		return cooldown.Forever
	}
	next := l.at + int64(learnedFor)
	if late := at - next; late >= 0 {
		next += (late/int64(learnedStep) + 1) * int64(learnedStep)
	}
	return next
}

// name takes over what Google named. The tests of the day still count.
func (l *learnedLimit) name(at, limit int64) {
	l.limit, l.at = limit, at
	l.confirm(at)
}

// confirm notes that the limit holds: it is not tested for a while.
func (l *learnedLimit) confirm(at int64) {
	l.tester = 0
	l.due = l.after(at)
}

// after returns when a limit that was confirmed at an instant is tested again.
func (l *learnedLimit) after(at int64) int64 {
	switch {
	case !l.daily:
		return at + int64(minuteTest)
	case l.tests >= dayTests.Probes:
		return cooldown.Forever
	default:
		return at + int64(min(dayTests.Probe<<l.tests, dayTests.ProbeMax))
	}
}

// keptOut notes that the limit keeps a call out: the tests of a day's limit begin with the first
// call of the day that it keeps out.
func (l *learnedLimit) keptOut(now time.Time, at int64) {
	if l.daily && at >= l.day {
		l.day = at + int64(quota.NextMidnight(now).Sub(now.Round(0)))
		l.tests = 0
		l.confirm(at)
	}
}

// testDue returns the instant from which on a call may test the limit, if it keeps calls out.
func (l *learnedLimit) testDue(at int64) int64 {
	if l.daily && at >= l.day {
		return at + int64(dayTests.Probe)
	}
	return l.due
}

// take makes an attempt the test. If it is not heard of again it is forgotten after a while.
func (l *learnedLimit) take(at, deadline int64, seq uint64) {
	l.tester = seq
	l.due = at + min(int64(testLease), deadline-at)
	if l.daily {
		l.tests++
		if l.tests >= dayTests.Probes {
			l.due = cooldown.Forever
		}
	}
}

// giveBack ends a test that proved nothing. sent says whether it cost a request.
func (l *learnedLimit) giveBack(at int64, sent bool) {
	l.tester = 0
	l.due = at
	if sent {
		l.due += int64(testAgain)
	}
	switch {
	case !l.daily:
	case !sent:
		l.tests = max(l.tests-1, 0)
	case l.tests >= dayTests.Probes:
		l.due = cooldown.Forever
	}
}

// savedLimit is a limit that Google named, and when it did so last.
type savedLimit struct {
	Limit int64     `json:"limit"`
	Named time.Time `json:"named,omitzero"`
	// Test is when a call may test it. Tests are how many did on the day that ends at Day.
	Test  time.Time `json:"test,omitzero"`
	Tests int       `json:"tests,omitzero"`
	Day   time.Time `json:"day,omitzero"`
}

// save returns what is to be kept of the limit. at is the instant of now.
func (l *learnedLimit) save(now time.Time, at int64) savedLimit {
	if l.now(at) == 0 {
		return savedLimit{}
	}
	timeOf := func(instant int64) time.Time { return now.Add(time.Duration(instant - at)).UTC() }
	s := savedLimit{Limit: l.limit, Named: timeOf(l.at)}
	due := l.due
	if l.tester != 0 && due != cooldown.Forever { // who takes it over does not hear how the test ends
		due = l.after(due)
	}
	if due != cooldown.Forever {
		s.Test = timeOf(due)
	}
	if l.daily && at < l.day {
		s.Tests, s.Day = l.tests, timeOf(l.day)
	}
	return s
}

// restore takes over what was saved. What a file says is believed within bounds.
func (l *learnedLimit) restore(now time.Time, at int64, s savedLimit) {
	instant := func(t time.Time) int64 { return at + int64(t.Sub(now)) }
	*l = learnedLimit{daily: l.daily, limit: s.Limit, at: min(instant(s.Named), at)}
	if l.limit <= 0 || l.now(at) == 0 {
		*l = learnedLimit{daily: l.daily}
		return
	}
	midnight := quota.NextMidnight(now)
	if l.daily && s.Day.Sub(midnight).Abs() < time.Hour { // the clock may have been set
		l.day, l.tests = instant(midnight), max(s.Tests, 0)
	}
	l.confirm(at)
	if !s.Test.IsZero() {
		l.due = min(l.due, instant(s.Test))
	}
}
