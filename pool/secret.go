package pool

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Secret is a credential that does not show itself. In every fmt verb, slog, JSON and error, also
// inside another value, it prints as a short hash. The hash is enough to tell two keys apart. Only
// [Secret.Reveal] returns the text.
//
// The zero value is the empty secret and prints as "key-none". A Secret is immutable and safe for
// concurrent use.
type Secret struct {
	// A pointer, because fmt prints unexported fields raw, without calling their methods. Of a
	// pointer it prints an address.
	text *string
}

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text. It is meant for signing a request.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns "key-" and the first eight hex digits of the text's SHA-256.
func (s Secret) String() string {
	if s.text == nil {
		return "key-none"
	}
	return "key-" + s.hash()[:8]
}

// hash returns the first 16 hex digits of the text's SHA-256, for subjects.
func (s Secret) hash() string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:8])
}

// Format writes [Secret.String] for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns [Secret.String]; the encoders of JSON and TOML and the handlers of slog use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
