package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/spillway-go/spillway/store"
)

var subscribeLaws = []law{
	{"SubscribersHearWhatIsKnown", func(k *kit) {
		f, end := k.fact(store.KindCooldown, "known"), k.fact(store.KindLimits, "")
		over := k.fact(store.KindLimits, "over")
		over.Until = over.At.Add(50 * time.Millisecond)
		k.publish(f, end, over)
		k.sleep(100 * time.Millisecond)
		heard := k.subscribe()
		heard.want(f, end)
		heard.wantNot(over.Key)
	}},
	{"SubscribersHearWhatIsPublished", func(k *kit) {
		one, other := k.subscribe(), k.subscribe()
		f := k.fact(store.KindCooldown, "new")
		k.publish(f)
		one.want(f)
		other.want(f)
		later := f
		later.Value, later.At = []byte("later"), f.At.Add(time.Second)
		k.publish(later)
		one.want(later)
		other.want(later)
	}},
	{"SubscribersMissNoneOfMany", func(k *kit) {
		facts := make([]store.Fact, 300)
		for i := range facts {
			facts[i] = store.Fact{Key: key(store.KindLimits), Value: []byte(fmt.Sprint("value ", i))}
			facts[i].At = k.now().Truncate(time.Millisecond)
			facts[i].Until = facts[i].At.Add(time.Hour)
		}
		k.publish(facts[:100]...)
		heard := k.subscribe()
		for i := 100; i < len(facts); i += 10 {
			k.publish(facts[i : i+10]...)
		}
		heard.want(facts...)
	}},
	{"SubscribersHearNothingOfOwners", func(k *kit) {
		before, after := k.fact(store.KindOwner, "before"), k.fact(store.KindOwner, "after")
		k.publish(before)
		heard := k.subscribe()
		f := k.fact(store.KindLimits, "last")
		k.publish(after)
		k.publish(f)
		heard.want(f)
		heard.wantNot(before.Key)
		heard.wantNot(after.Key)
		k.wantFact(before)
		k.wantFact(after)
	}},
	{"SubscriptionsEndWithTheirContext", func(k *kit) {
		ctx, cancel := context.WithCancel(k.ctx)
		ended := make(chan error, 1)
		begun := make(chan struct{}, 100)
		k.publish(k.fact(store.KindLimits, "known"))
		go func() { ended <- k.Subscribe(ctx, func([]store.Fact) { begun <- struct{}{} }) }()
		<-begun
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				k.Errorf("Subscribe returned %v, want %v", err, context.Canceled)
			}
		case <-time.After(soon):
			k.Error("Subscribe goes on after its context ended")
		}
	}},
}

// hearing is what a subscriber has heard.
type hearing struct {
	k     *kit
	facts chan []store.Fact
	last  map[store.Key]store.Fact
}

// subscribe begins a subscription that ends with the law.
func (k *kit) subscribe() *hearing {
	h := &hearing{k: k, facts: make(chan []store.Fact), last: map[store.Key]store.Fact{}}
	ctx, cancel := context.WithCancel(k.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := k.Subscribe(ctx, func(facts []store.Fact) {
			select {
			case h.facts <- facts:
			case <-ctx.Done():
			}
		})
		if ctx.Err() == nil {
			k.Errorf("Subscribe returned %v", err)
		}
	}()
	k.Cleanup(func() {
		cancel()
		<-ended
	})
	return h
}

// want waits until the subscriber has heard some facts as they are now.
func (h *hearing) want(facts ...store.Fact) {
	h.k.Helper()
	open := map[store.Key]store.Fact{}
	for _, f := range facts {
		open[f.Key] = f
	}
	late := time.After(soon)
	for {
		maps.DeleteFunc(open, func(k store.Key, f store.Fact) bool { return equal(h.last[k], f) })
		if len(open) == 0 {
			return
		}
		select {
		case heard := <-h.facts:
			for _, f := range heard {
				h.last[f.Key] = f
			}
		case <-late:
			h.k.Fatalf("a subscriber has not heard of %d facts of %d", len(open), len(facts))
		}
	}
}

// wantNot checks that the subscriber has heard nothing about a key.
func (h *hearing) wantNot(about store.Key) {
	h.k.Helper()
	if f, heard := h.last[about]; heard {
		h.k.Errorf("a subscriber heard %v", f)
	}
}
