package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
)

// BenchmarkTake is what one ask costs over the loopback: of one caller, and of many over ten
// windows.
func BenchmarkTake(b *testing.B) {
	server := startServer(b)
	s, err := redis.Open(redis.Config{URL: server.url(), Timeout: time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	asks := make([]store.Ask, 10)
	for i := range asks {
		asks[i] = ask(1)
		asks[i].Key.Name = fmt.Sprint("window ", i)
		asks[i].Limits = store.Limits{RPM: 1000, TPM: 1_000_000, RPD: 100_000}
		asks[i].Tokens, asks[i].Least, asks[i].Number = 100, 100, 0
	}
	take := func(b *testing.B, asks []store.Ask) {
		if _, _, err := s.Take(context.Background(), member, asks); err != nil {
			b.Error(err)
		}
	}
	b.Run("One", func(b *testing.B) {
		for b.Loop() {
			take(b, asks[:1])
		}
	})
	b.Run("TenAtOnce", func(b *testing.B) {
		for b.Loop() {
			take(b, asks)
		}
	})
	b.Run("Parallel", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				take(b, asks[i%10:i%10+1])
			}
		})
	})
}
