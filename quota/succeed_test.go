package quota_test

import (
	"math"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

func ledgerOf(t testing.TB, o quota.Order) *quota.Ledger {
	t.Helper()
	l, err := quota.NewLedger(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// usedAt fails unless so many tokens of the window are used.
func usedAt(t testing.TB, l interface {
	Stat(now time.Time) quota.LedgerStat
}, at time.Time, want float64) {
	t.Helper()
	if got := l.Stat(at).Used; math.Abs(got-want) > 0.01 {
		t.Errorf("%v tokens are used, want %v", got, want)
	}
}

func TestAnOrderThatFollowsTakesOverItsWindow(t *testing.T) {
	second := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	before := tenSeconds(t)
	ended := reserve(t, before, 0, 300)
	before.Settle(second(1), ended, prompt(200))
	served, refused, sent, spent := reserve(t, before, 2*time.Second, 100), reserve(t, before, 2*time.Second, 50),
		reserve(t, before, 2*time.Second, 25), reserve(t, before, 2*time.Second, 10)
	after := ledgerOf(t, quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: 40, Window: 10 * time.Second})
	after.Succeed(second(3), before)
	usedAt(t, after, second(3), 385)
	refuses(t, after, 3*time.Second, 20) // 400 is all that it has
	before.Settle(second(4), served, prompt(60))
	before.Refuse(second(4), refused)
	before.Release(second(4), sent)
	before.Spend(second(4), prompt(5))
	before.Settle(second(4), spent, prompt(10))
	usedAt(t, after, second(4), 200+60+5+10)
	usedAt(t, before, second(4), 200+60+5+10)
	if s := after.Stat(second(4)); s.ServedCount != 3 || s.RefusedCount != 1 || s.TokensPerSecond != 40 {
		t.Errorf("the ledger says %+v", s)
	}
	usedAt(t, after, second(11), 60+5+10) // the first call has left
	usedAt(t, after, second(15), 0)
}

// A call that looked just before the change is admitted by the old ledger after it.
func TestACallThatCrossesTheChangeCountsOnce(t *testing.T) {
	before := tenSeconds(t)
	reserve(t, before, 0, 1)
	after := ledgerOf(t, quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: 40, Window: 20 * time.Second})
	after.Succeed(noon.Add(time.Second), before)
	h := reserve(t, before, time.Second, 100)
	usedAt(t, after, noon.Add(time.Second), 101)
	before.Release(noon.Add(2*time.Second), h)
	usedAt(t, after, noon.Add(2*time.Second), 1)
}

// The clock may be set back over the change, and an order may come back after another one.
func TestOrdersThatTakeTurnsCountACallOnce(t *testing.T) {
	a := tenSeconds(t)
	b := ledgerOf(t, quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: 200, Window: 7 * time.Second})
	first := reserve(t, a, 0, 100)
	b.Succeed(noon.Add(time.Second), a)
	second := reserve(t, b, time.Second, 40)
	a.Succeed(noon.Add(2*time.Second), b)
	usedAt(t, a, noon.Add(2*time.Second), 140)
	a.Settle(noon.Add(3*time.Second), first, prompt(90))
	b.Settle(noon.Add(3*time.Second), second, prompt(30))
	usedAt(t, a, noon.Add(3*time.Second), 120)
	b.Succeed(noon.Add(4*time.Second), a)
	usedAt(t, b, noon.Add(4*time.Second), 120)
	usedAt(t, b, noon.Add(9*time.Second), 0)
	c := ledgerOf(t, quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: 10, Window: 10 * time.Second})
	c.Succeed(noon.Add(10*time.Second), b)
	h := reserve(t, c, 11*time.Second, 70)
	c.Settle(noon.Add(12*time.Second), h, prompt(70))
	if n := c.Stat(noon.Add(12 * time.Second)).ServedCount; n != 3 {
		t.Errorf("%d calls were served, want 3", n)
	}
}

// What was learned of the window holds for an order with the same range of windows, and what was
// learned of answers for all.
func TestAnOrderThatFollowsKnowsWhatWasLearned(t *testing.T) {
	before := ledgerOf(t, quota.Order{Model: "gemini-2.5-flash", GSUs: 10})
	for i := range 400 { // it believes in a shorter window once calls are served that it did not foresee
		at := noon.Add(time.Duration(i) * 100 * time.Millisecond)
		if h, ok := before.Reserve(at, quota.Cost{Input: 9000, Output: 100}); ok {
			if i%5 == 4 {
				before.Refuse(at, h)
			} else {
				before.Settle(at, h, quota.Cost{Input: 9000, Output: 500})
			}
		}
	}
	at := noon.Add(time.Hour)
	was := before.Stat(at)
	fresh := ledgerOf(t, quota.Order{Model: "gemini-2.5-flash", GSUs: 20}).Stat(at)
	if was.Window == fresh.Window {
		t.Fatalf("nothing was learned: %+v", was)
	}
	like := ledgerOf(t, quota.Order{Model: "gemini-2.5-flash", GSUs: 20})
	like.Succeed(at, before)
	if s := like.Stat(at); s.Window != was.Window || s.Guess != was.Guess || s.TokensPerSecond != 2*was.TokensPerSecond {
		t.Errorf("the next order begins with %+v, want what was learned: %+v", s, was)
	}
	larger := ledgerOf(t, quota.Order{Model: "gemini-2.5-flash", GSUs: 100})
	larger.Succeed(at, before)
	if s := larger.Stat(at); s.Window != 5*time.Second || s.Guess != was.Guess {
		t.Errorf("an order with other windows begins with %+v, want the longest of its own", s)
	}
}

// Replicas follow each other to the next order, a second apart; the store learns of each what it has
// used.
func TestReplicasTakeTheirWindowToTheNextOrder(t *testing.T) {
	next := quota.Order{Model: "gemini-2.5-flash", GSUs: 5}
	old, all := members(t, 2, tenGSUs), members(t, 2, next)
	state := store.NewOrderState(all[0].Key("order"), "next")
	for i := range all {
		old[i].pull(0)
		old[i].pull(100 * time.Millisecond)
		all[i].state, all[i].ahead = state, old[i].ahead
	}
	hold := func(m *member, at time.Duration, tokens float64) quota.Hold {
		t.Helper()
		h, room := m.reserve(at, prompt(tokens))
		if room != quota.RoomHeld {
			t.Fatalf("at %v: room %v", at, room)
		}
		return h
	}
	h := hold(old[0], 200*time.Millisecond, 1000)
	hold(old[1], 200*time.Millisecond, 500)
	old[1].pull(300 * time.Millisecond)
	first, second := 400*time.Millisecond, 1400*time.Millisecond
	all[0].Succeed(all[0].local(first), old[0].SharedLedger)
	all[0].pull(first)
	all[0].pull(first + 50*time.Millisecond)
	hold(old[1], 900*time.Millisecond, 250) // it still asks for the old order
	all[1].Succeed(all[1].local(second), old[1].SharedLedger)
	old[0].Settle(old[0].local(second), h, prompt(800))
	for at := second; at < second+200*time.Millisecond; at += 50 * time.Millisecond {
		all[0].pull(at)
		all[1].pull(at)
	}
	for i, m := range all {
		if got := m.Stat(m.local(2 * time.Second)).Used; got != 800+500+250 {
			t.Errorf("replica %d knows of %v tokens, want what both have used of the order before", i, got)
		}
	}
	usedAt(t, all[0], all[0].local(40*time.Second), 0)
}
