package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/store"
)

var orderLaws = []law{
	{"CallsFitByTheSumOfTheWindow", func(k *kit) {
		o := k.order(100 * time.Millisecond)
		for i, step := range []struct {
			known, open int64
			ok          bool
			sum         int64 // known before the call
		}{
			{300, 100, true, 0}, // 400 as guessed
			{500, 50, true, 300},
			{100, 0, false, 800}, // 950 are used
			{50, 0, true, 800},
			{1, 0, false, 850},
			{0, 0, true, 850},
		} {
			g := o.reserve(call(step.known, step.open))
			if g.OK != step.ok || g.Sum.Known != step.sum {
				k.Errorf("call %d of %d and %d: %+v, want %t with %d used", i, step.known, step.open, g, step.ok, step.sum)
			}
		}
		want := store.Charge{Known: 850, Open: [store.Estimates]int64{150, 300, 450}}
		if g := o.reserve(call(0, 0)); g.Sum != want {
			k.Errorf("the sum is %+v, want %+v", g.Sum, want)
		}
	}},
	{"TheMarginIsLeftFree", func(k *kit) {
		o := k.order(100 * time.Millisecond)
		o.wantOK(call(500, 0), true)
		full := call(480, 0)
		full.Window.Margin = 0.05
		o.wantOK(full, false)
		full.Charge.Known = 475
		o.wantOK(full, true)
	}},
	{"AnIdleOrderHasRoomForACallThatIsNotLarger", func(k *kit) {
		large := call(100, 300) // 700 by its own measure, 1,600 by the guess
		large.Guess = 2.5
		o := k.order(100 * time.Millisecond)
		o.wantOK(large, true)
		o.wantOK(large, false)
		o = k.order(100 * time.Millisecond)
		large.Charge.Known = 401
		o.wantOK(large, false)
	}},
	{"TheEstimatorIsTheOneAskedFor", func(k *kit) {
		for by, left := range []int64{600, 400, 200} {
			o := k.order(100 * time.Millisecond)
			o.wantOK(call(100, 100), true)
			o.wantOK(call(100, 100), true)
			a := call(left+1, 0)
			a.By, a.Guess = by, 1
			o.wantOK(a, false)
			a.Charge.Known--
			o.wantOK(a, true)
		}
	}},
	{"ACallTriesALongerWindowNowAndThen", func(k *kit) {
		o := k.order(20 * time.Millisecond)
		try := call(600, 0)
		try.Window.Buckets = 400
		try.Longer, try.Every = store.OrderWindow{Buckets: 900, Capacity: 2400}, 10
		o.wantOK(try, true)
		first := o.wantOK(try, true)
		if g := o.reserve(try); g.OK && g.Bucket-first.Bucket <= try.Every {
			k.Error("a call tried too soon after another")
		}
		k.sleep(300 * time.Millisecond)
		never := try
		never.Every = 0
		o.wantOK(never, false)
		o.wantOK(try, true)
		k.sleep(300 * time.Millisecond)
		try.Longer.Capacity = 2399
		o.wantOK(try, false)
	}},
	{"ChargesLeaveTheWindow", func(k *kit) {
		o := k.order(20 * time.Millisecond)
		a := call(700, 0)
		a.Window.Buckets = 10
		first := o.wantOK(a, true)
		if g := o.reserve(a); g.OK != (g.Bucket-first.Bucket > 10) {
			k.Errorf("%+v, %d buckets after the window was filled, want room after 10", g, g.Bucket-first.Bucket)
		}
		k.sleep(300 * time.Millisecond)
		if g := o.wantOK(a, true); g.Sum.Known != 0 {
			k.Errorf("%d are used, want what was to have left", g.Sum.Known)
		}
		a.Window = store.OrderWindow{Buckets: 900, Capacity: 2100}
		o.wantOK(a, true)
	}},
	{"BucketsAreOfTheStoresTime", func(k *kit) {
		o := k.order(7 * time.Millisecond)
		for range 20 {
			before := k.now()
			g := o.reserve(call(1, 0))
			if after := k.now(); g.Now.Before(before) || g.Now.After(after) {
				k.Errorf("the store's time is %v, want %v to %v", g.Now, before, after)
			}
			if want := g.Now.UnixNano() / int64(o.key.Bucket); g.Bucket != want {
				k.Errorf("bucket %d at %v, want %d", g.Bucket, g.Now, want)
			}
			k.sleep(5 * time.Millisecond)
		}
	}},
	{"CallsOfManyFillAnOrderAndNoMore", func(k *kit) {
		o := k.order(100 * time.Millisecond)
		var admitted atomic.Int64
		var members sync.WaitGroup
		for range 8 {
			members.Go(func() {
				for range 15 {
					g, err := k.ReserveOrder(k.ctx, o.key, call(17, 0))
					if err != nil {
						k.Errorf("ReserveOrder failed: %v", err)
						return
					}
					if g.OK {
						admitted.Add(1)
					}
				}
			})
		}
		members.Wait()
		if n := admitted.Load(); n != 1000/17 {
			k.Errorf("%d calls were admitted at once, want %d", n, 1000/17)
		}
	}},
	{"OrdersAreApart", func(k *kit) {
		o := k.order(100 * time.Millisecond)
		o.wantOK(call(1000, 0), true)
		for _, other := range []store.OrderKey{
			{Name: o.key.Name + "1", Bucket: o.key.Bucket, Buckets: o.key.Buckets},
			{Name: o.key.Name, Bucket: 2 * o.key.Bucket, Buckets: o.key.Buckets},
			{Name: o.key.Name, Bucket: o.key.Bucket, Buckets: o.key.Buckets + 1},
		} {
			(&order{k, other}).wantOK(call(1000, 0), true)
		}
	}},
}

// order is what a law does with one order.
type order struct {
	*kit

	key store.OrderKey
}

// order returns a new one of a thousand buckets.
func (k *kit) order(bucket time.Duration) *order {
	return &order{k, store.OrderKey{Name: key("order").Name, Bucket: bucket, Buckets: 1000}}
}

// call asks for a call of a prompt and an answer in a window of 500 buckets that holds 1,000. Of
// the answer twice as much is open as it says, half of which is guessed.
func call(known, open int64) store.OrderAsk {
	return store.OrderAsk{
		Charge: store.Charge{Known: known, Open: [store.Estimates]int64{open, 2 * open, 3 * open}},
		Guess:  0.5, By: 1, Window: store.OrderWindow{Buckets: 500, Capacity: 1000},
	}
}

// reserve returns the answer to an ask.
func (o *order) reserve(a store.OrderAsk) store.OrderGrant {
	o.Helper()
	g, err := o.ReserveOrder(o.ctx, o.key, a)
	if err != nil {
		o.Fatalf("ReserveOrder failed: %v", err)
	}
	return g
}

// wantOK checks whether a call fits.
func (o *order) wantOK(a store.OrderAsk, want bool) store.OrderGrant {
	o.Helper()
	g := o.reserve(a)
	if g.OK != want {
		o.Errorf("a call of %+v got %+v, want %t", a, g, want)
	}
	return g
}

// settle returns the answer to a change.
func (o *order) settle(c store.OrderChange) store.OrderChanged {
	o.Helper()
	changed, err := o.SettleOrder(o.ctx, o.key, c)
	if err != nil {
		o.Fatalf("SettleOrder failed: %v", err)
	}
	return changed
}

// pull returns the answer to a pull.
func (o *order) pull(p store.OrderPull) store.OrderNews {
	o.Helper()
	n, err := o.PullOrder(o.ctx, o.key, p)
	if err != nil {
		o.Fatalf("PullOrder failed: %v", err)
	}
	return n
}
