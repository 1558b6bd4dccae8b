package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/spillway-go/spillway/store"
)

var callLaws = []law{
	{"CallsFailWhenTheirContextHasEnded", func(k *kit) {
		ctx, cancel := context.WithCancel(k.ctx)
		cancel()
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 1}, Requests: 1}
		o := k.order(time.Second)
		calls := map[string]func() error{
			"Beat":         func() error { _, err := k.Beat(ctx, anna, false); return err },
			"Take":         func() error { _, _, err := k.Take(ctx, anna, []store.Ask{a}); return err },
			"Publish":      func() error { _, err := k.Publish(ctx, nil); return err },
			"Subscribe":    func() error { return k.Subscribe(ctx, func([]store.Fact) {}) },
			"Lookup":       func() error { _, err := k.Lookup(ctx, []store.Key{a.Key}); return err },
			"Claim":        func() error { _, err := k.Claim(ctx, anna, a.Key, time.Second); return err },
			"ReserveOrder": func() error { _, err := k.ReserveOrder(ctx, o.key, call(1000, 0)); return err },
			"SettleOrder":  func() error { _, err := k.SettleOrder(ctx, o.key, store.OrderChange{}); return err },
			"PullOrder":    func() error { _, err := k.PullOrder(ctx, o.key, store.OrderPull{}); return err },
			"AllowPaced":   func() error { _, err := k.AllowPaced(ctx, a.Key, store.PaceAsk{}); return err },
			"RejectPaced":  func() error { _, err := k.RejectPaced(ctx, a.Key, store.PaceRejection{}); return err },
			"ReturnPaced":  func() error { return k.ReturnPaced(ctx, a.Key, "near") },
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, context.Canceled) {
				k.Errorf("%s returned %v, want %v", name, err, context.Canceled)
			}
		}
		o.wantOK(call(1000, 0), true)
		k.wantGranted(anna, a, 1, 0) // Nothing was granted to who did not wait.
	}},
	{"AskersKeepWhatIsTheirs", func(k *kit) {
		value := []byte("value")
		f := k.fact(store.KindOwner, "value")
		f.Value = value
		k.publish(f)
		value[0] = '?'
		f.Value = []byte("value")
		k.wantFact(f)
		k.lookup(f.Key)[0].Value[0] = '?'
		k.wantFact(f)
	}},
}
