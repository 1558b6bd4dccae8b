package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/store"
)

var errGone = errors.New("gone")

// one is a window of one request a minute, and an ask for it.
var one = store.Ask{
	Key: store.Key{Kind: store.KindWindow, Name: "one"}, Limits: store.Limits{RPM: 1}, Requests: 1,
}

var order = store.OrderKey{Name: "order", Bucket: time.Second, Buckets: 100}

// take asks for one and returns how many requests were granted.
func take(ctx context.Context, s store.Store) (int64, error) {
	grants, _, err := s.Take(ctx, "0000000000000001", []store.Ask{one})
	if err != nil {
		return 0, err
	}
	return grants[0].Requests, nil
}

// wantTake checks how many requests are granted, and after which time.
func wantTake(t *testing.T, s store.Store, want int64, after time.Duration) {
	t.Helper()
	start := time.Now()
	got, err := take(t.Context(), s)
	if got != want || err != nil || time.Since(start) != after {
		t.Errorf("Take granted %d after %v (%v), want %d after %v", got, time.Since(start), err, want, after)
	}
}

// wantEnd checks that a Take fails with an error, after a time.
func wantEnd(t *testing.T, ctx context.Context, s store.Store, want error, after time.Duration) {
	t.Helper()
	start := time.Now()
	if _, err := take(ctx, s); !errors.Is(err, want) || time.Since(start) != after {
		t.Errorf("Take failed with %v after %v, want %v after %v", err, time.Since(start), want, after)
	}
}

// within returns a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestMemoryTakesItsLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(20 * time.Millisecond)
		wantTake(t, m, 1, 20*time.Millisecond)
		m.SetFault(store.Fault{Delay: 80 * time.Millisecond})
		r := m.Replica()
		r.SetFault(store.Fault{Delay: 100 * time.Millisecond})
		wantTake(t, m, 0, 100*time.Millisecond)
		wantTake(t, r, 0, 200*time.Millisecond)
	})
}

func TestMemoryCallMayEndBeforeOrAfterItsEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(20 * time.Millisecond)
		wantEnd(t, within(t, 9*time.Millisecond), m, context.DeadlineExceeded, 9*time.Millisecond)
		wantTake(t, m, 1, 20*time.Millisecond)
		m.Flush()
		wantEnd(t, within(t, 11*time.Millisecond), m, context.DeadlineExceeded, 11*time.Millisecond)
		wantTake(t, m, 0, 20*time.Millisecond)
	})
}

func TestMemoryFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(20 * time.Millisecond)
		m.SetFault(store.Fault{Err: errGone})
		wantEnd(t, t.Context(), m, errGone, 0)
		wantEnd(t, t.Context(), m.Replica(), errGone, 0)
		m.SetFault(store.Fault{})
		wantTake(t, m, 1, 20*time.Millisecond)

		time.AfterFunc(5*time.Millisecond, func() { m.SetFault(store.Fault{Err: errGone}) })
		wantEnd(t, t.Context(), m, errGone, 5*time.Millisecond) // one under way
	})
}

func TestMemoryThatHungCarriesCallsOutLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(20 * time.Millisecond)
		m.SetFault(store.Fault{Hangs: true})
		wantEnd(t, within(t, time.Second), m, context.DeadlineExceeded, time.Second)
		if n := m.Operations(); n != 0 {
			t.Errorf("%d operations had their effect in a store that hangs", n)
		}
		time.AfterFunc(time.Minute, func() { m.SetFault(store.Fault{}) })
		wantTake(t, m, 1, time.Minute+10*time.Millisecond)
	})
}

func TestMemoryThatMayOnlyBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(0)
		fact := store.Fact{
			Key: store.Key{Kind: store.KindLimits}, At: time.Now(), Until: time.Now().Add(time.Hour),
		}
		if _, err := m.Publish(t.Context(), []store.Fact{fact}); err != nil {
			t.Fatal(err)
		}
		m.SetFault(store.Fault{WriteErr: errGone})
		wantEnd(t, t.Context(), m, errGone, 0)
		_, beat := m.Beat(t.Context(), "a", false)
		_, publish := m.Publish(t.Context(), nil)
		_, claim := m.Claim(t.Context(), "a", one.Key, time.Second)
		_, reserve := m.ReserveOrder(t.Context(), order, store.OrderAsk{})
		_, settle := m.SettleOrder(t.Context(), order, store.OrderChange{})
		_, pull := m.PullOrder(t.Context(), order, store.OrderPull{})
		_, allow := m.AllowPaced(t.Context(), one.Key, store.PaceAsk{})
		_, reject := m.RejectPaced(t.Context(), one.Key, store.PaceRejection{})
		give := m.ReturnPaced(t.Context(), one.Key, "near")
		for _, err := range []error{beat, publish, claim, reserve, settle, pull, allow, reject, give} {
			if !errors.Is(err, errGone) {
				t.Errorf("a write failed with %v, want %v", err, errGone)
			}
		}
		facts, err := m.Lookup(t.Context(), []store.Key{fact.Key})
		if len(facts) != 1 || err != nil {
			t.Errorf("Lookup returned %v, %v, want one fact", facts, err)
		}
		err = m.Subscribe(within(t, time.Second), func(f []store.Fact) { facts = append(facts, f...) })
		if len(facts) != 2 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a subscriber heard %v (%v), want one fact", facts[1:], err)
		}
		m.SetFault(store.Fault{})
		wantTake(t, m, 1, 0) // The write that failed had no effect.
	})
}

func TestMemoryLosesReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(20 * time.Millisecond)
		m.SetFault(store.Fault{LosesReplies: true})
		wantEnd(t, within(t, time.Second), m, context.DeadlineExceeded, time.Second)
		m.SetFault(store.Fault{})
		wantTake(t, m, 0, 20*time.Millisecond)
	})
}

func TestMemoryIsFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(0)
		before, _, _ := m.Take(t.Context(), "a", []store.Ask{one})
		fleet, _ := m.Beat(t.Context(), "a", false)
		full := store.OrderAsk{Charge: store.Charge{Known: 1}, Window: store.OrderWindow{Buckets: 9, Capacity: 1}}
		_, _ = m.ReserveOrder(t.Context(), order, full)
		news, _ := m.PullOrder(t.Context(), order, store.OrderPull{Member: "a"})
		paced, _ := m.AllowPaced(t.Context(), one.Key, *locations(1, "near"))
		time.Sleep(100 * time.Millisecond)
		m.Flush()
		g, _ := m.ReserveOrder(t.Context(), order, full)
		n, _ := m.PullOrder(t.Context(), order, store.OrderPull{Member: "a", Epoch: news.Epoch, Version: news.Version})
		if !g.OK || !n.Whole || n.Epoch == news.Epoch {
			t.Errorf("after Flush a call got %+v, and news are %+v, want another epoch than %s", g, n, news.Epoch)
		}
		if p, _ := m.AllowPaced(t.Context(), one.Key, *locations(2, "near")); paced.Rates[0] != 1 || p.Rates[0] != 2 {
			t.Errorf("after Flush a pace is %+v, before it was %+v", p, paced)
		}
		after, _, _ := m.Take(t.Context(), "a", []store.Ask{one})
		again, _ := m.Beat(t.Context(), "b", false)
		if after[0].Requests != 1 || after[0].Epoch == before[0].Epoch {
			t.Errorf("after Flush %d requests are granted in epoch %s, want 1 in another than %s",
				after[0].Requests, after[0].Epoch, before[0].Epoch)
		}
		if again.Epoch == fleet.Epoch || again.Members != 1 || !again.Since.Equal(time.Now()) {
			t.Errorf("after Flush the fleet is %+v, want a new one of one member", again)
		}
	})
}

func TestReplicasAreCutOffOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(0)
		cut, well := m.Replica(), m.Replica()
		cut.SetFault(store.Fault{Err: errGone})
		wantEnd(t, t.Context(), cut, errGone, 0)
		wantTake(t, well, 1, 0)
		cut.SetFault(store.Fault{Hangs: true})
		time.AfterFunc(time.Second, func() { cut.SetFault(store.Fault{}) })
		wantTake(t, cut, 0, time.Second)
		_ = well.ReturnPaced(t.Context(), one.Key, "near")
		if n := m.Operations(); n != 3 {
			t.Errorf("%d operations had their effect, want 3", n)
		}
	})
}

func TestSubscriptionsFeelFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(20 * time.Millisecond)
		r := m.Replica()
		ended := make(chan error, 1)
		var heard []time.Duration
		start := time.Now()
		go func() {
			ended <- r.Subscribe(t.Context(), func([]store.Fact) {
				heard = append(heard, time.Since(start))
			})
		}()
		publish := func(kind store.Kind) {
			f := store.Fact{Key: store.Key{Kind: kind}, At: time.Now(), Until: time.Now().Add(time.Hour)}
			if _, err := m.Publish(t.Context(), []store.Fact{f}); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
		publish(store.KindLimits) // heard when Publish returns
		r.SetFault(store.Fault{Hangs: true})
		publish(store.KindCooldown)
		publish(store.KindProbe)
		time.Sleep(time.Second)
		r.SetFault(store.Fault{}) // both in one batch
		time.Sleep(time.Second)
		r.SetFault(store.Fault{Err: errGone})
		if err := <-ended; !errors.Is(err, errGone) {
			t.Errorf("Subscribe returned %v, want %v", err, errGone)
		}
		if len(heard) != 2 || heard[0] != 1020*time.Millisecond || heard[1] < 2*time.Second {
			t.Errorf("a subscriber heard after %v, want after 1.02s, and once after 2s", heard)
		}
	})
}
