package router

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// callID tells the calls of all replicas apart: it is drawn at random.
type callID uint64

func newCallID() callID { return callID(rand.Uint64()) }

// String returns the id as 16 hex digits.
func (id callID) String() string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], uint64(id))
	var text [16]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}
