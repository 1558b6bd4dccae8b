package storetest

import (
	"sync"
	"time"

	"github.com/spillway-go/spillway/store"
)

var slotLaws = []law{
	{"SlotsEndAtTheLimit", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{Concurrency: 5}, Slots: 3}
		k.wantSlots(anna, a, 3, 3)
		k.wantSlots(bert, a, 2, 5)
		k.wantSlots(carla, a, 0, 5)
		k.wantSlots(anna, a, 3, 5) // held in all
		a.Slots = 0
		k.wantSlots(anna, a, 0, 2)
		a.Slots = 9
		k.wantSlots(carla, a, 3, 5)
	}},
	{"SlotsOfManyEndAtTheLimit", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{Concurrency: 10}}
		var askers sync.WaitGroup
		for i := range 8 {
			askers.Go(func() {
				for n := range int64(10) {
					b := a
					b.Slots = 1 + (n+int64(i))%5
					grants, _, err := k.Take(k.ctx, member(i), []store.Ask{b})
					if err != nil {
						k.Errorf("Take failed: %v", err)
						return
					}
					if g := grants[0]; g.Used.Slots > 10 || g.Slots > b.Slots {
						k.Errorf("%d slots of %d are held, %d by one that wants %d",
							g.Used.Slots, 10, g.Slots, b.Slots)
					}
				}
			})
		}
		askers.Wait()
	}},
	{"SlotsAreNoFewerThanUnderWay", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{Concurrency: 4}, Slots: 4}
		k.wantSlots(anna, a, 4, 4)
		a.UnderWay = 2
		k.wantSlots(bert, a, 2, 6) // of an earlier life of the store
		a.Slots, a.UnderWay = 0, 3
		k.wantSlots(anna, a, 3, 5)
		a.Limits.Concurrency, a.Slots, a.UnderWay = 1, 3, 3
		k.wantSlots(anna, a, 3, 5)
	}},
	{"RequestsNeedSlots", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 100, Concurrency: 3}, Requests: 4, Slots: 4,
		}
		k.wantGranted(anna, a, 3, 0)
		k.wantGranted(bert, a, 0, 0)
		a.UnderWay = 2
		k.wantGranted(anna, a, 1, 0)
		a.UnderWay = 3
		if g := k.wantGranted(anna, a, 0, 0); !g.Next.IsZero() {
			k.Errorf("only slots are missing and Next is %v", g.Next)
		}
		k.wantUsed(a, 4, 0, 0)
	}},
	{"WithoutConcurrencySlotsAreGivenUp", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{Concurrency: 4}, Slots: 3}
		k.wantSlots(anna, a, 3, 3)
		a.Limits.Concurrency = 0
		a.Requests = 2
		k.wantSlots(anna, a, 0, 0)
		k.wantUsed(a, 2, 0, 0)
	}},
	{"SlotsLapse", func(k *kit) {
		held := store.Ask{Key: window(), Limits: store.Limits{Concurrency: 4}, Slots: 4}
		k.wantSlots(anna, held, 4, 4)
		k.sleep(store.Hold - 500*time.Millisecond)
		k.wantSlots(bert, held, 0, 4)
		k.sleep(600 * time.Millisecond)
		k.wantSlots(bert, held, 4, 4)
	}},
	{"MembersLapse", func(k *kit) {
		first := k.beat(bert)
		k.sleep(store.Lapse - 500*time.Millisecond)
		k.wantFleet(k.beat(anna), 2, 0)
		k.sleep(600 * time.Millisecond)
		f := k.beat(anna)
		if f.Members != 1 || f.Lapsed != 1 {
			k.Errorf("a member is silent: %d are alive and %d lapsed, want 1 and 1", f.Members, f.Lapsed)
		}
		if f.LapsedSince.Sub(first.Now).Abs() > near {
			k.Errorf("a member was last heard of at %v, want %v", f.LapsedSince, first.Now)
		}
		if f = k.beat(bert); !f.LapsedSince.IsZero() {
			k.Errorf("nobody has lapsed, since %v", f.LapsedSince)
		}
	}},
}

// wantSlots asks, and checks how many slots the member and how many all hold.
func (k *kit) wantSlots(member string, a store.Ask, slots, all int64) {
	k.Helper()
	if g := k.ask(member, a); g.Slots != slots || g.Used.Slots != all {
		k.Errorf("who wants %d slots with %d under way holds %d of %d, want %d of %d",
			a.Slots, a.UnderWay, g.Slots, g.Used.Slots, slots, all)
	}
}

// days returns the ends of a day that began long ago and ends in long.
func (k *kit) days() [3]time.Time {
	k.Helper()
	now := k.now()
	return [3]time.Time{now.Add(-12 * time.Hour), now.Add(12 * time.Hour), now.Add(36 * time.Hour)}
}
