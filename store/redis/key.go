package redis

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/spillway-go/spillway/store"
)

// name is what a fact about k is called among all facts.
func name(k store.Key) string { return string(k.Kind) + "\x00" + k.Name }

// key returns the name of k at the server. All keys that begin with it lie in one slot, by what is
// in braces.
func (s *Store) key(k store.Key) string {
	sum := sha256.Sum256([]byte(name(k)))
	return s.prefix + "{" + hex.EncodeToString(sum[:8]) + "}"
}

func (s *Store) windowKeys(k store.Key) []string {
	key := s.key(k)
	return []string{key + ":window", key + ":numbers", key + ":slots"}
}

func (s *Store) ownerKeys(k store.Key) []string { return []string{s.key(k) + ":owner"} }

func (s *Store) fleetKeys() []string {
	key := s.prefix + "{fleet}"
	return []string{key, key + ":members"}
}

func (s *Store) factKeys() []string {
	key := s.channel()
	return []string{key, key + ":versions", key + ":ends", key + ":meta"}
}

// channel is where facts are published.
func (s *Store) channel() string { return s.prefix + "{facts}" }
