package redis_test

import (
	"context"
	"errors"
	"time"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
)

const member = "00000000000000aa"

// methods are all methods of a Store that ask the server.
var methods = map[string]func(ctx context.Context, s *redis.Store) error{
	"Beat": func(ctx context.Context, s *redis.Store) error {
		_, err := s.Beat(ctx, member, false)
		return err
	},
	"Take": func(ctx context.Context, s *redis.Store) error {
		_, _, err := s.Take(ctx, member, []store.Ask{ask(1), ask(1)})
		return err
	},
	"Publish": func(ctx context.Context, s *redis.Store) error {
		_, err := s.Publish(ctx, []store.Fact{cooldown("subject"), owner("file")})
		return err
	},
	"Subscribe": func(ctx context.Context, s *redis.Store) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		err := s.Subscribe(ctx, func([]store.Fact) { cancel() })
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			return nil // it has begun
		}
		return err
	},
	"Lookup": func(ctx context.Context, s *redis.Store) error {
		_, err := s.Lookup(ctx, []store.Key{owner("file").Key, cooldown("subject").Key})
		return err
	},
	"Claim": func(ctx context.Context, s *redis.Store) error {
		_, err := s.Claim(ctx, member, store.Key{Kind: store.KindProbe, Name: "subject"}, time.Second)
		return err
	},
	"ReserveOrder": func(ctx context.Context, s *redis.Store) error {
		_, err := s.ReserveOrder(ctx, order, store.OrderAsk{Charge: store.Charge{Known: 1}, Window: store.OrderWindow{
			Buckets: 100, Capacity: 1e9,
		}})
		return err
	},
	"SettleOrder": func(ctx context.Context, s *redis.Store) error {
		_, err := s.SettleOrder(ctx, order, store.OrderChange{Bucket: 1 << 50, Charge: store.Charge{Known: 1}})
		return err
	},
	"PullOrder": func(ctx context.Context, s *redis.Store) error {
		_, err := s.PullOrder(ctx, order, store.OrderPull{
			Member: member, Number: time.Now().UnixNano(), Evidence: []store.Shift{{Keep: 1, Add: []float64{1, 2}}},
		})
		return err
	},
	"AllowPaced": func(ctx context.Context, s *redis.Store) error {
		_, err := s.AllowPaced(ctx, paces, store.PaceAsk{Pacing: pacing, Locations: []store.PaceLocation{near}})
		return err
	},
	"RejectPaced": func(ctx context.Context, s *redis.Store) error {
		_, err := s.RejectPaced(ctx, paces, store.PaceRejection{Pacing: pacing, Location: near, After: time.Millisecond})
		return err
	},
	"ReturnPaced": func(ctx context.Context, s *redis.Store) error { return s.ReturnPaced(ctx, paces, near.Name) },
}

var (
	order  = store.OrderKey{Name: "order", Bucket: 50 * time.Millisecond, Buckets: 2401}
	paces  = store.Key{Kind: store.KindPacer, Name: "project/model"}
	near   = store.PaceLocation{Name: "near", Seed: 100}
	pacing = store.Pacing{Gain: 1.1, Tolerance: 0.05, Growth: 0.1, Floor: 0.5, Burst: 50 * time.Millisecond}
)

func ask(requests int64) store.Ask {
	end := time.Now().Truncate(24 * time.Hour)
	return store.Ask{
		Key:    store.Key{Kind: store.KindWindow, Name: "project/model"},
		Limits: store.Limits{RPM: 1000, RPD: 10000, Concurrency: 1000}, Requests: requests, Slots: 1,
		Days: [3]time.Time{end, end.Add(24 * time.Hour), end.Add(48 * time.Hour)}, Number: 1,
	}
}

func cooldown(name string) store.Fact {
	return store.Fact{
		Key: store.Key{Kind: store.KindCooldown, Name: name}, Value: []byte("value"),
		At: time.Now(), Until: time.Now().Add(time.Hour),
	}
}

func owner(name string) store.Fact {
	f := cooldown(name)
	f.Key.Kind = store.KindOwner
	return f
}

var every = []string{
	"Publish", "Beat", "Take", "Subscribe", "Lookup", "Claim",
	"ReserveOrder", "SettleOrder", "PullOrder", "AllowPaced", "RejectPaced", "ReturnPaced",
}
