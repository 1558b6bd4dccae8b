package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/spillway-go/spillway/store"
)

// Store is a [store.Store] over a server. It is safe for concurrent use.
//
// A method fails within the Timeout, and with the context's error if that or ctx ended first. It
// recovers by itself: connections are made again in the background, within seconds of the return of
// the server.
type Store struct {
	link    *link
	prefix  string
	timeout time.Duration
}

var _ store.Store = (*Store)(nil)

// Open returns a Store. It connects in the background, and fails only with a [*ConfigError]. Calls
// wait until the first attempt to connect has ended. After that they fail at once while there is no
// connection. Close the Store in the end.
func Open(c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	option, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	return &Store{openLink(option), c.Prefix, c.Timeout}, nil
}

// New returns a Store over a client that the program has; Close leaves it open. The URL of c is not
// used. The client's options need DisableCache, and should have DisableRetry and AlwaysPipelining:
// without the latter a call that ends early closes the connection. Connections are the client's
// matter.
func New(client rueidis.Client, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	l := newLink()
	l.client = client
	close(l.tried)
	return &Store{l, c.Prefix, c.Timeout}, nil
}

// Close ends all calls and connections. Calls fail with [ErrClosed] from then on. It returns nil.
func (s *Store) Close() error {
	s.link.close()
	return nil
}

// Beat implements [store.Store].
func (s *Store) Beat(ctx context.Context, member string, leaves bool) (store.Fleet, error) {
	answer, err := s.run(ctx, s.timeout, call{beatScript, s.fleetKeys(), []string{
		member, flag(leaves), randomName(),
	}})
	if err != nil {
		return store.Fleet{}, err
	}
	r := read(answer[0])
	fleet := store.Fleet{
		Epoch: r.text(), Now: r.time(), Members: int(r.number()), Rank: int(r.number()),
		Lapsed: int(r.number()), Since: r.time(), LapsedSince: r.time(),
	}
	return fleet, r.failure()
}

// Claim implements [store.Store].
func (s *Store) Claim(
	ctx context.Context, member string, k store.Key, ttl time.Duration,
) (bool, error) {
	millis := (max(ttl, 0) + time.Millisecond - 1) / time.Millisecond
	answer, err := s.run(ctx, s.timeout, call{claimScript, []string{s.key(k) + ":claim"}, []string{
		member, strconv.FormatInt(int64(millis), 10),
	}})
	if err != nil {
		return false, err
	}
	claimed, err := answer[0].AsInt64()
	if err != nil {
		return false, fmt.Errorf("redis: %w", err)
	}
	return claimed == 1, nil
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// randomName returns 16 random hex digits.
func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
