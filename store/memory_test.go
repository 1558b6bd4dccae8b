package store_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/storetest"
)

func TestMemoryKeepsTheLaws(t *testing.T) {
	for _, c := range []struct {
		name           string
		latency, ahead time.Duration
	}{
		{"AtOnce", 0, 0},
		{"Ahead", time.Millisecond, 30 * time.Second},
		{"Behind", 20 * time.Millisecond, -30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			open := func(*testing.T) store.Store {
				m := store.NewMemory(c.latency)
				m.SetClock(c.ahead)
				return m
			}
			storetest.Test(t, open, storetest.Config{Around: synctest.Test, Slow: true})
		})
	}
}

func TestReplicaKeepsTheLaws(t *testing.T) {
	open := func(*testing.T) store.Store { return store.NewMemory(time.Millisecond).Replica() }
	storetest.Test(t, open, storetest.Config{Around: synctest.Test, Slow: true})
}
