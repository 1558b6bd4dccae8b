package store

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryForgetsWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(0)
		now := time.Now()
		days := [3]time.Time{now.Add(-time.Hour), now.Add(time.Hour), now.Add(25 * time.Hour)}
		for i := range 100 {
			name := strconv.Itoa(i)
			k := Key{KindWindow, name}
			_, _, take := m.Take(t.Context(), name, []Ask{{
				Key: k, Limits: Limits{RPD: 5, Concurrency: 2}, Requests: 1, Slots: 1, Days: days,
				Number: 1, Changes: []Change{{At: now, Requests: 1}},
			}})
			_, beat := m.Beat(t.Context(), name, false)
			_, publish := m.Publish(t.Context(), []Fact{{Key: k, At: now, Until: now.Add(time.Minute)}})
			_, claim := m.Claim(t.Context(), "a", k, time.Minute)
			order := OrderKey{Name: name, Bucket: time.Second, Buckets: 100}
			_, reserve := m.ReserveOrder(t.Context(), order, OrderAsk{})
			give := m.ReturnPaced(t.Context(), k, "near")
			for _, err := range []error{take, beat, publish, claim, reserve, give} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(25 * time.Hour)
		if _, err := m.Beat(t.Context(), "a", true); err != nil {
			t.Fatal(err)
		}
		if n := len(m.windows) + len(m.facts) + len(m.claims) + len(m.fleet.seen) + len(m.orders) + len(m.pacers); n != 0 {
			t.Errorf("%d things that are over are kept", n)
		}
	})
}
