package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/breaker"
)

// gobreaker waits for the end of a probe for ever.
func TestProbeThatNeverEndsLosesItsLease(t *testing.T) {
	tests := []struct {
		name     string
		deadline time.Duration // after the probe began; 0: none
		want     time.Duration
	}{
		{"no deadline", 0, 30 * time.Second},
		{"far deadline", 10 * time.Minute, 30 * time.Second},
		{"near deadline", 7 * time.Second, 7 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, now := opened(t)
			var deadline time.Time
			if tt.deadline > 0 {
				deadline = now.Add(tt.deadline)
			}
			probe(t, b, now, deadline)
			end := now.Add(tt.want)
			if got := b.Until(now); !got.Equal(end) {
				t.Errorf("Until = %v after the probe, want %v", got.Sub(now), tt.want)
			}
			if b.Ready(end.Add(-1)) {
				t.Error("ready before the lease ended")
			}
			if !b.Ready(end) {
				t.Error("not ready when the lease ended")
			}
			recoverAt(t, b, end)
		})
	}
}

func TestProbeWhoseDeadlineHasPassedHoldsNothing(t *testing.T) {
	b, now := opened(t)
	probe(t, b, now, now.Add(-time.Minute))
	recoverAt(t, b, now)
}

// If it did not count, a back end whose every answer takes longer than a lease could never return.
func TestProbeThatOutlivesItsLeaseStillCounts(t *testing.T) {
	t.Run("success", func(t *testing.T) {
		b, now := opened(t)
		p := probe(t, b, now, time.Time{})
		now = now.Add(time.Minute)
		probe(t, b, now, time.Time{})
		p.Success(now)
		wantState(t, b, now, breaker.StateClosed)
	})
	t.Run("failure", func(t *testing.T) {
		b, now := opened(t)
		p := probe(t, b, now, time.Time{})
		now = now.Add(time.Minute)
		second := probe(t, b, now, time.Time{})
		p.Failure(now)
		wantState(t, b, now, breaker.StateOpen)
		second.Failure(now) // began before the change: it does not double the period again
		wantBetween(t, "open period", b.Until(now).Sub(now), 5*time.Second, 10*time.Second)
	})
}

func TestIgnoredProbeMakesRoomForAnother(t *testing.T) {
	b, now := opened(t)
	p := probe(t, b, now, time.Time{})
	if b.Ready(now) {
		t.Error("ready beside the probe")
	}
	p.Ignore(now)
	if !b.Ready(now) {
		t.Error("not ready although the probe was ignored")
	}
	recoverAt(t, b, now)
}

func TestIgnoringALapsedProbeLeavesItsSuccessorAlone(t *testing.T) {
	b, now := opened(t)
	first := probe(t, b, now, time.Time{})
	now = now.Add(30 * time.Second)
	probe(t, b, now, time.Time{})
	first.Ignore(now)
	if b.Ready(now) {
		t.Error("a third call may probe beside the second")
	}
}

func TestIgnoringAProbeOfAnEarlierStateDoesNotEndTheOpenPeriod(t *testing.T) {
	b, now := opened(t)
	first := probe(t, b, now, time.Time{})
	now = now.Add(30 * time.Second)
	second := probe(t, b, now, time.Time{})
	first.Failure(now)
	second.Ignore(now)
	if b.Ready(now) {
		t.Error("ready although the open period has just begun")
	}
}

func TestResultsFromAnEarlierStateAreDropped(t *testing.T) {
	begin := time.Now()
	tests := []struct {
		name string
		end  func(*breaker.Permit, time.Time)
	}{
		{"success", (*breaker.Permit).Success},
		{"failure", (*breaker.Permit).Failure},
		{"ignore", (*breaker.Permit).Ignore},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := breaker.New(breaker.Config{}, nil)
			stale := make([]breaker.Permit, 30)
			for i := range stale {
				stale[i] = allow(t, b, begin)
			}
			end := func(now time.Time) {
				for range 10 {
					tt.end(&stale[0], now)
					stale = stale[1:]
				}
			}
			now := begin
			fail(t, b, now, 5)
			until := b.Until(now)

			end(now)
			wantState(t, b, now, breaker.StateOpen)
			if got := b.Until(now); !got.Equal(until) {
				t.Errorf("an old result moved the end of the open period by %v", got.Sub(until))
			}

			now = until
			p := probe(t, b, now, time.Time{})
			end(now)
			wantState(t, b, now, breaker.StateHalfOpen)
			if b.Ready(now) {
				t.Error("an old result freed the probe's place")
			}

			p.Success(now)
			end(now)
			wantState(t, b, now, breaker.StateClosed)
			if stat := b.Stat(now); stat.Calls != 0 {
				t.Errorf("%d old results count in the new window", stat.Calls)
			}
		})
	}
}

func TestForceAsksAnywayAndItsResultCounts(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		b := breaker.New(breaker.Config{}, nil)
		now := time.Now()
		for range 5 {
			p := b.Force(now, time.Time{})
			p.Failure(now)
		}
		wantState(t, b, now, breaker.StateOpen)
	})
	t.Run("open success closes", func(t *testing.T) {
		b, _ := opened(t)
		now := time.Now()
		p := b.Force(now, time.Time{})
		p.Success(now)
		wantState(t, b, now, breaker.StateClosed)
		if got := b.Weight(now); got != 0.1 {
			t.Errorf("weight = %v, want a slow start", got)
		}
	})
	t.Run("open failure restarts the period without doubling", func(t *testing.T) {
		b := breaker.New(breaker.Config{}, nil)
		now := time.Now()
		fail(t, b, now, 5)
		for range 100 {
			now = now.Add(2 * time.Second)
			p := b.Force(now, time.Time{})
			p.Failure(now)
			wantBetween(t, "open period", b.Until(now).Sub(now), 500*time.Millisecond, 5*time.Second)
		}
	})
	t.Run("open ignored changes nothing", func(t *testing.T) {
		b := breaker.New(breaker.Config{}, nil)
		now := time.Now()
		fail(t, b, now, 5)
		before := b.Stat(now)
		p := b.Force(now, time.Time{})
		p.Ignore(now)
		if after := b.Stat(now); after != before {
			t.Errorf("Stat = %+v, want %+v", after, before)
		}
	})
	t.Run("period over takes the probe", func(t *testing.T) {
		b, now := opened(t)
		b.Force(now, time.Time{})
		if b.Ready(now) {
			t.Error("another call may probe beside the forced one")
		}
	})
	t.Run("half open success closes", func(t *testing.T) {
		b, now := opened(t)
		probe(t, b, now, time.Time{})
		p := b.Force(now, time.Time{})
		p.Success(now)
		wantState(t, b, now, breaker.StateClosed)
	})
	t.Run("half open ignored leaves the probe its place", func(t *testing.T) {
		b, now := opened(t)
		probe(t, b, now, time.Time{})
		p := b.Force(now, time.Time{})
		p.Ignore(now)
		if b.Ready(now) {
			t.Error("another call may probe beside the first")
		}
	})
}

// gobreaker reads the clock itself; in a bubble that clock moves only while everybody sleeps.
func TestRecoversOnTheClockOfABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{}, nil)
		fail(t, b, time.Now(), 5)
		time.Sleep(time.Until(b.Until(time.Now())))
		p := probe(t, b, time.Now(), time.Time{})
		time.Sleep(time.Second)
		p.Failure(time.Now())
		time.Sleep(time.Until(b.Until(time.Now())))
		recoverAt(t, b, time.Now())
	})
}

// opened returns a breaker that tripped, and the end of its open period.
func opened(t *testing.T) (*breaker.Breaker, time.Time) {
	t.Helper()
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	fail(t, b, now, 5)
	return b, b.Until(now)
}
