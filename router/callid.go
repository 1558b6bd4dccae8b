package router

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// newCallID returns 16 hex digits that tell a call from those of all replicas: they are drawn at
// random.
func newCallID() string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], rand.Uint64())
	var text [16]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}
