package storetest

import (
	"sync"
	"sync/atomic"

	"github.com/spillway-go/spillway/store"
)

var requestLaws = []law{
	{"RequestsEndAtTheLimit", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 5}, Requests: 2}
		k.wantGranted(anna, a, 2, 0)
		k.wantGranted(bert, a, 2, 0)
		k.wantGranted(anna, a, 1, 0)
		if g := k.wantGranted(bert, a, 0, 0); g.Next.IsZero() {
			k.Error("nothing is left and Next is zero")
		}
	}},
	{"RequestsOfManyEndAtTheLimit", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 61}, Requests: 3}
		if got := k.storm(a).requests.Load(); got != 61 {
			k.Errorf("askers at once got %d requests, want 61", got)
		}
		k.wantUsed(a, 61, 0, 0)
	}},
	{"AnAskForManyGetsAQuarterOfWhatIsLeft", func(k *kit) {
		limits := store.Limits{RPM: 100}
		a := store.Ask{Key: window(), Limits: limits, Requests: 5}
		k.wantGranted(anna, a, 5, 0)
		a.Requests = 50
		k.wantGranted(bert, a, 24, 0) // of 95
		k.wantGranted(anna, a, 18, 0) // of 71
		a.Requests = 4
		k.wantGranted(bert, a, 4, 0) // of 53
		a.Requests = 45
		left := int64(49)
		for range 20 {
			left -= k.wantGranted(anna, a, (left+3)/4, 0).Requests
		}
		if left != 0 {
			k.Errorf("%d requests are left, want none", left)
		}
	}},
	{"AnAskForManyGetsAQuarterOfTheDay", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 100, RPD: 10}, Requests: 9, Days: k.days()}
		k.wantGranted(anna, a, 3, 0)
		k.wantGranted(bert, a, 2, 0)
	}},
	{"WithoutLimitsAllIsGranted", func(k *kit) {
		a := store.Ask{Key: window(), Requests: 1000, Tokens: 1 << 40, Least: 1, Slots: 10}
		g := k.wantGranted(anna, a, 1000, 0)
		if g.Slots != 0 || g.Used.Slots != 0 {
			k.Errorf("without a limit %d slots are held, %d by all, want none", g.Slots, g.Used.Slots)
		}
		if !g.Next.IsZero() {
			k.Errorf("without a limit Next is %v", g.Next)
		}
		k.wantUsed(a, 1000, 0, 0)
	}},
	{"ALimitMayFallBelowWhatIsUsed", func(k *kit) {
		a := store.Ask{
			Key: window(), Requests: 4, Tokens: 400, Least: 100, Days: k.days(),
			Limits: store.Limits{RPM: 10, TPM: 1000, RPD: 10},
		}
		k.wantGranted(anna, a, 4, 400)
		for _, l := range []store.Limits{{RPM: 3}, {TPM: 300}, {RPD: 3}} {
			lower := a
			lower.Limits = l
			if g := k.wantGranted(bert, lower, 0, 0); g.Next.IsZero() {
				k.Errorf("more is used than %+v and Next is zero", l)
			}
		}
		k.wantGranted(bert, a, 4, 400)
	}},
	{"KeysAreApart", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 1}, Requests: 1}
		b := a
		b.Key = window()
		grants, _ := k.take(anna, a, b, a)
		for i, want := range []int64{1, 1, 0} {
			if grants[i].Requests != want {
				k.Errorf("ask %d of one Take got %d requests, want %d", i, grants[i].Requests, want)
			}
		}
	}},
	{"OneTakeMayHaveManyAsksOrNone", func(k *kit) {
		k.take(anna)
		asks := make([]store.Ask, 200)
		for i := range asks {
			asks[i] = store.Ask{Key: window(), Limits: store.Limits{RPM: 1000}, Requests: int64(i % 5)}
		}
		grants, _ := k.take(anna, asks...)
		for i, g := range grants {
			if g.Requests != asks[i].Requests {
				k.Errorf("ask %d of 200 got %d requests, want %d", i, g.Requests, asks[i].Requests)
			}
		}
	}},
}

// sums are what all askers of a storm got.
type sums struct{ requests, tokens atomic.Int64 }

// storm lets eight members ask at once, 15 times each.
func (k *kit) storm(a store.Ask) *sums {
	var got sums
	var askers sync.WaitGroup
	for i := range 8 {
		askers.Go(func() {
			for range 15 {
				grants, _, err := k.Take(k.ctx, member(i), []store.Ask{a})
				if err != nil {
					k.Errorf("Take failed: %v", err)
					return
				}
				got.requests.Add(grants[0].Requests)
				got.tokens.Add(grants[0].Tokens)
			}
		})
	}
	askers.Wait()
	return &got
}
