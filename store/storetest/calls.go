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
		calls := map[string]func() error{
			"Beat":      func() error { _, err := k.Beat(ctx, anna, false); return err },
			"Take":      func() error { _, _, err := k.Take(ctx, anna, []store.Ask{a}); return err },
			"Publish":   func() error { _, err := k.Publish(ctx, nil); return err },
			"Subscribe": func() error { return k.Subscribe(ctx, func([]store.Fact) {}) },
			"Lookup":    func() error { _, err := k.Lookup(ctx, []store.Key{a.Key}); return err },
			"Claim":     func() error { _, err := k.Claim(ctx, anna, a.Key, time.Second); return err },
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, context.Canceled) {
				k.Errorf("%s returned %v, want %v", name, err, context.Canceled)
			}
		}
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
