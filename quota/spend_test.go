package quota_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

func TestSpentTokensCountInTheMinuteInWhichTheyAreSpent(t *testing.T) {
	t0 := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	q := quota.New(quota.Limits{RPM: 2, TPM: 100})
	session, ok := q.Reserve(t0, 10)
	if !ok {
		t.Fatal("an unused quota has no room")
	}
	q.Spend(t0.Add(5*time.Minute), 95)
	for _, tt := range []struct {
		after  time.Duration
		tokens int64
		want   bool
	}{
		{5 * time.Minute, 10, false},
		{5 * time.Minute, 5, true}, // and it was no request
		{6*time.Minute + 2*time.Second, 10, true},
	} {
		r, ok := q.Reserve(t0.Add(tt.after), tt.tokens)
		if ok != tt.want {
			t.Errorf("room for %d tokens after %s: %v", tt.tokens, tt.after, ok)
		}
		if ok {
			q.Release(t0.Add(tt.after), r)
		}
	}
	q.Settle(t0.Add(7*time.Minute), session, 0)
	if used := q.Stat(t0.Add(7 * time.Minute)).Tokens.Used; used != 0 {
		t.Errorf("%d tokens are used, two minutes later", used)
	}
}

func TestSpentTokensAreChargedToAnOrder(t *testing.T) {
	t0 := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	l, err := quota.NewLedger(quota.Order{Model: "gemini-3.5-flash", TokensPerSecond: 1000})
	if err != nil {
		t.Fatal(err)
	}
	session, ok := l.Reserve(t0, quota.Cost{Input: 1})
	if !ok {
		t.Fatal("an unused order has no room")
	}
	at := t0.Add(5 * time.Minute)
	l.Spend(at, l.Cost(quota.Usage{Input: 4000}.Minus(quota.Usage{Input: 1000})))
	if used := l.Stat(at).Used; used < 2990 || used > 3010 {
		t.Errorf("%g tokens are used of the order, want 3,000", used)
	}
	l.Settle(at, session, quota.Cost{})
	if used := l.Stat(at.Add(5 * time.Minute)).Used; used != 0 {
		t.Errorf("%g tokens are used of the order, minutes later", used)
	}
}
