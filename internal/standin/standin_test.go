package standin_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/standin"
)

var nine = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

func TestACallStaysWithItsModelForATime(t *testing.T) {
	at := func(seconds float64) time.Time { return nine.Add(time.Duration(seconds * float64(time.Second))) }
	var turn standin.Turn
	turn.Begin("other", 2*time.Second, at(0), time.Time{})
	if got := turn.Patience(10*time.Second, at(0)); got != 2*time.Second {
		t.Errorf("it waits %v, want 2s", got)
	}
	turn.Waited(at(0), at(0), true) // an attempt began at once, and ended after five seconds
	if turn.Due(at(5)) {
		t.Error("the time counts from the beginning, want from the first moment without an attempt")
	}
	turn.Waited(at(5), at(6), false)
	if turn.Due(at(6.9)) || !turn.Due(at(7)) || turn.Spent != time.Second {
		t.Errorf("after %v of waits the stand-in is due too early or too late", turn.Spent)
	}
	turn.Begin("", 2*time.Second, at(7), time.Time{})
	if got := turn.Patience(10*time.Second, at(7)); got != 10*time.Second || turn.Due(at(60)) {
		t.Errorf("the last model waits %v, want all that is left", got)
	}
}

func TestHalfOfACallersTimeIsForTheStandIn(t *testing.T) {
	var turn standin.Turn
	turn.Begin("other", time.Minute, nine, nine.Add(4*time.Second))
	if got := turn.Patience(10*time.Second, nine); got != 2*time.Second {
		t.Errorf("it waits %v, want 2s", got)
	}
	if turn.Due(nine.Add(time.Second)) || !turn.Due(nine.Add(2*time.Second)) {
		t.Error("the stand-in is not due after half of the time")
	}
	if got := turn.Patience(0, nine); got != 0 {
		t.Errorf("a call that does not wait waits %v", got)
	}
}
