package router

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// newCallID returns 16 hex digits that tell a call from those of all replicas: they are drawn at
// random. It returns "" if there is no trace, for then nobody could tell what became of the call.
func (t *tracing) newCallID() string {
	if t.trace == nil {
		return ""
	}
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], rand.Uint64())
	var text [16]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}
