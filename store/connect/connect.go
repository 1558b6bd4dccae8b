// Package connect connects to the store that [store] in a TOML file names, so that the replicas of
// a service keep to the limits of its projects together:
//
//	s, err := connect.Open("spillway.toml")
//	if err != nil { … }
//	defer s.Close()
//	client, err := spillway.Open(ctx, "spillway.toml", router.WithStore(s))
//
// It is a package of its own, so that programs without a store compile in no client of Redis.
package connect

import (
	"errors"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/store/redis"
)

// ErrNone is returned for a configuration that names no server.
var ErrNone = errors.New(`connect: the file has no redis under [store]; ` +
	`write redis = "env:REDIS_URL" there, or leave router.WithStore out`)

// Open reads a file and connects to the server that its [store] names. It does not wait for the
// server, which may be away: see [redis.Open]. The error is that of [config.Load], or [ErrNone].
// Close the store after the clients that use it.
func Open(path string) (*redis.Store, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	return New(cfg)
}

// New is [Open] for a configuration that is read already.
func New(cfg *config.Config) (*redis.Store, error) {
	url := cfg.Store.Redis.Reveal()
	if url == "" {
		return nil, ErrNone
	}
	return redis.Open(redis.Config{URL: url, Prefix: cfg.Store.Prefix, Timeout: cfg.Pool.StoreTimeout})
}
