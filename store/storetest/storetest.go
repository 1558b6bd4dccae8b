// Package storetest holds what every [store.Store] has to keep.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/spillway-go/spillway/store"
)

// Config says how the laws are run. Its zero value suits a server.
type Config struct {
	// Sleep lets time pass for the store. It is time.Sleep if it is nil.
	Sleep func(time.Duration)
	// Around runs a law, as synctest.Test does. If it is nil, the law just runs.
	Around func(t *testing.T, law func(t *testing.T))
	// Slow runs the laws that need minutes. The others sleep for eight seconds in all.
	Slow bool
}

// law is one thing that a Store has to keep.
type law struct {
	name  string
	check func(k *kit)
}

// Test runs each law as a subtest over a Store of its own, which open returns within Around. Keys
// are new ones each time, so that all may share one server. Members are not: the Stores that open
// returns must not share them, for example because each has a prefix of its own.
func Test(t *testing.T, open func(t *testing.T) store.Store, c Config) {
	t.Helper()
	if c.Sleep == nil {
		c.Sleep = time.Sleep
	}
	if c.Around == nil {
		c.Around = func(t *testing.T, law func(t *testing.T)) { law(t) }
	}
	groups := [][]law{requestLaws, tokenLaws, slotLaws, changeLaws, windowLaws, dayLaws, fleetLaws,
		factLaws, subscribeLaws, claimLaws, orderLaws, orderNewsLaws, paceLaws, callLaws}
	if c.Slow {
		groups = append(groups, slowLaws, slowOrderLaws, slowPaceLaws)
	}
	for _, laws := range groups {
		for _, l := range laws {
			t.Run(l.name, func(t *testing.T) {
				c.Around(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
					defer cancel()
					l.check(&kit{T: t, Store: open(t), ctx: ctx, sleep: c.Sleep})
				})
			})
		}
	}
}

// kit is what a law works with.
type kit struct {
	*testing.T
	store.Store

	ctx   context.Context //nolint:containedctx // that of one test
	sleep func(time.Duration)
}

// The members of most laws. Their names are in order.
var (
	anna  = member(1)
	bert  = member(2)
	carla = member(3)
)

// member returns the name of a member.
func member(i int) string { return fmt.Sprintf("%016x", i) }

// key returns a new key.
func key(kind store.Kind) store.Key {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return store.Key{Kind: kind, Name: hex.EncodeToString(b[:])}
}

// window returns a new key of a window.
func window() store.Key { return key(store.KindWindow) }

// take returns the grants of some asks, and the store's time.
func (k *kit) take(member string, asks ...store.Ask) ([]store.Grant, time.Time) {
	k.Helper()
	grants, now, err := k.Take(k.ctx, member, asks)
	if err != nil {
		k.Fatalf("Take failed: %v", err)
	}
	if len(grants) != len(asks) {
		k.Fatalf("Take returned %d grants for %d asks", len(grants), len(asks))
	}
	return grants, now
}

// ask returns the grant of one ask.
func (k *kit) ask(member string, a store.Ask) store.Grant {
	k.Helper()
	grants, _ := k.take(member, a)
	return grants[0]
}

// wantGranted asks, and checks how many requests and tokens are granted.
func (k *kit) wantGranted(member string, a store.Ask, requests, tokens int64) store.Grant {
	k.Helper()
	g := k.ask(member, a)
	if g.Requests != requests || g.Tokens != tokens {
		k.Errorf("an ask for %d requests and %d tokens got %d and %d, want %d and %d",
			a.Requests, a.Tokens, g.Requests, g.Tokens, requests, tokens)
	}
	return g
}

// wantUsed checks what all have used of a window, and returns the grant of an ask for nothing.
func (k *kit) wantUsed(a store.Ask, requests, tokens, day int64) store.Grant {
	k.Helper()
	g := k.ask(anna, store.Ask{
		Key: a.Key, Limits: a.Limits, Days: a.Days, Least: a.Least, Profile: true,
	})
	if g.Used.Requests != requests || g.Used.Tokens != tokens || g.Used.Day != day {
		k.Errorf("%d requests, %d tokens and %d requests of the day are used, want %d, %d and %d",
			g.Used.Requests, g.Used.Tokens, g.Used.Day, requests, tokens, day)
	}
	return g
}

// now returns the store's time.
func (k *kit) now() time.Time {
	k.Helper()
	_, now := k.take(anna, store.Ask{Key: window()})
	return now
}

// soon is how long a law waits for what has to happen at once, over a slow network too.
const soon = 5 * time.Second

// near is how exact times are that an engine or a network may shift.
const near = time.Second
