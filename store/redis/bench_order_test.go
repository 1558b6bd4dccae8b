package redis_test

import (
	"context"
	"testing"
	"time"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
)

// BenchmarkOrder is what calls of an order cost over the loopback whose longest window is full:
// 2,401 buckets.
func BenchmarkOrder(b *testing.B) {
	server := startServer(b)
	s, err := redis.Open(redis.Config{URL: server.url(), Timeout: time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	key := store.OrderKey{Name: "order", Bucket: 50 * time.Millisecond, Buckets: 2401}
	fill := store.OrderPull{Member: member, Number: 1}
	now := time.Now().UnixNano() / int64(key.Bucket)
	for i := range key.Buckets {
		fill.Changes = append(fill.Changes, store.OrderChange{Bucket: now - i, Charge: store.Charge{Known: 1000 + i}})
	}
	news, err := s.PullOrder(context.Background(), key, fill)
	if err != nil {
		b.Fatal(err)
	}
	ask := store.OrderAsk{
		Charge: store.Charge{Known: 12_345, Open: [store.Estimates]int64{54_321, 1234, 12_345}}, Guess: 1,
		Window: store.OrderWindow{Buckets: 2400, Capacity: 1e12, Margin: 0.006},
	}
	reserve := func(b *testing.B) {
		g, err := s.ReserveOrder(context.Background(), key, ask)
		if err != nil || !g.OK {
			b.Fatal(g, err)
		}
	}
	b.Run("Reserve", func(b *testing.B) {
		for b.Loop() {
			reserve(b)
		}
	})
	b.Run("ReserveParallel", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				reserve(b)
			}
		})
	})
	b.Run("Settle", func(b *testing.B) {
		for i := int64(0); b.Loop(); i++ {
			change := store.OrderChange{Bucket: now - i%2000, Charge: store.Charge{Known: 1}}
			if _, err := s.SettleOrder(context.Background(), key, change); err != nil {
				b.Fatal(err)
			}
		}
	})
	pull := store.OrderPull{Member: member, Epoch: news.Epoch, Evidence: []store.Shift{{Keep: 1, Add: make([]float64, 390)}}}
	b.Run("PullWhole", func(b *testing.B) {
		for pull.Number = int64(2); b.Loop(); pull.Number++ {
			if news, err = s.PullOrder(context.Background(), key, pull); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("PullNews", func(b *testing.B) {
		for ; b.Loop(); pull.Number++ {
			pull.Version, pull.Count = news.Version-40, news.Count
			if news, err = s.PullOrder(context.Background(), key, pull); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("PullWithAllChanges", func(b *testing.B) {
		for fill.Member = "another"; b.Loop(); fill.Number++ {
			fill.Version, fill.Epoch = 1<<50, news.Epoch
			if _, err = s.PullOrder(context.Background(), key, fill); err != nil {
				b.Fatal(err)
			}
		}
	})
}
