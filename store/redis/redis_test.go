package redis_test

import (
	"os"
	"testing"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
	"github.com/spillway-go/spillway/store/storetest"
)

// The laws hold over the server at SPILLWAY_REDIS, or else one that the test starts.
func TestLaws(t *testing.T) {
	t.Parallel()
	url := os.Getenv("SPILLWAY_REDIS")
	if url == "" {
		url = startServer(t).url()
	}
	storetest.Test(t, func(t *testing.T) store.Store {
		return open(t, redis.Config{URL: url, Prefix: newPrefix()})
	}, storetest.Config{Slow: os.Getenv("SPILLWAY_LONG") != ""})
}
