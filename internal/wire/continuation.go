package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// continuation is a name for a continuationToken, which itself may be long: the same for all forms of base64, for whoever sends it back
// may have decoded it.
func continuation(token []byte) string {
	text := strings.TrimRight(unquote(token), "=")
	sum := sha256.Sum256([]byte(strings.NewReplacer("-", "+", "_", "/").Replace(text)))
	return "continuations/" + hex.EncodeToString(sum[:16])
}

// Continuation is a name for the continuationToken in an answer of generateContent, in the form of [Call.Continuation]; "" if it has none.
func Continuation(body []byte) string {
	if !bytes.Contains(body, []byte(`"continuation`)) {
		return ""
	}
	s := NewStream(true)
	s.event(body)
	return s.continuation
}
