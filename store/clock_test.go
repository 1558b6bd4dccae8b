package store_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/store"
)

// ask returns what member a gets from m.
func ask(t *testing.T, m *store.Memory, a store.Ask) store.Grant {
	t.Helper()
	grants, _, err := m.Take(t.Context(), "a", []store.Ask{a})
	if err != nil {
		t.Fatal(err)
	}
	return grants[0]
}

func TestMemoryWindowStandsStillWhileTheClockIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(0)
		a := store.Ask{Key: one.Key, Limits: store.Limits{RPM: 4}, Requests: 4}
		g := ask(t, m, a)
		m.SetClock(-30 * time.Second)
		back := a
		back.Number, back.Changes = 1, []store.Change{{At: g.At, Requests: -1}}
		if got := ask(t, m, back); got.Requests != 1 || got.At.After(g.At) {
			t.Errorf("after a give-back %d requests are granted at %v, want 1 at %v", got.Requests, got.At, g.At)
		}
		time.Sleep(store.Keep)
		if got := ask(t, m, a); got.Requests != 0 {
			t.Errorf("%d requests are granted 30s early", got.Requests)
		}
		time.Sleep(30 * time.Second)
		if got := ask(t, m, a); got.Requests != 4 {
			t.Errorf("%d requests are granted after the window, want 4", got.Requests)
		}
	})
}

func TestMemoryWindowStartsAgainFullAfterALongStepBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(0)
		m.SetClock(time.Hour)
		a := store.Ask{Key: one.Key, Limits: store.Limits{RPM: 4}, Requests: 4}
		g := ask(t, m, a)
		m.SetClock(0)
		back := a
		back.Number, back.Changes = 1, []store.Change{{At: g.At, Requests: -1}}
		if got := ask(t, m, back); got.Requests != 0 || got.Used.Requests != 4 {
			t.Errorf("%d requests are granted with %d used, want 0 with 4", got.Requests, got.Used.Requests)
		}
		time.Sleep(time.Minute + store.Life)
		if got := ask(t, m, a); got.Requests != 0 {
			t.Errorf("%d requests are granted early", got.Requests)
		}
		time.Sleep(store.Slice)
		if got := ask(t, m, a); got.Requests != 4 {
			t.Errorf("%d requests are granted after the window, want 4", got.Requests)
		}
	})
}

func TestMemorySlotsAndMembersLapseAfterAStepBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(0)
		m.SetClock(time.Hour)
		a := store.Ask{Key: one.Key, Limits: store.Limits{Concurrency: 4}, Slots: 4}
		ask(t, m, a)
		beat(t, m, "a")
		m.SetClock(0)
		b := a
		b.Slots = 0
		if _, _, err := m.Take(t.Context(), "b", []store.Ask{b}); err != nil {
			t.Fatal(err)
		}
		beat(t, m, "b")
		time.Sleep(store.Lapse)
		grants, _, err := m.Take(t.Context(), "b", []store.Ask{a})
		if err != nil || grants[0].Slots != 4 {
			t.Errorf("%d slots are free, want 4 (%v)", grants[0].Slots, err)
		}
		if f := beat(t, m, "c"); f.Members != 1 || f.Lapsed != 2 {
			t.Errorf("%d members are alive and %d lapsed, want 1 and 2", f.Members, f.Lapsed)
		}
	})
}

func beat(t *testing.T, m *store.Memory, member string) store.Fleet {
	t.Helper()
	f, err := m.Beat(t.Context(), member, false)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMemoryEpochOutlivesAnIdleWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(0)
		before := ask(t, m, one).Epoch
		for range 3 {
			time.Sleep(2 * store.Keep)
			beat(t, m, "a")
		}
		if got := ask(t, m, one); got.Epoch != before || got.Requests != 1 {
			t.Errorf("after a pause the epoch is %s, want %s: nothing was lost", got.Epoch, before)
		}
	})
}
