package pool

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a credential that does not show itself. Whatever prints it (any fmt verb, slog, JSON, an error, also from inside another
// value) shows a short hash, enough to tell two keys apart; only [Secret.Reveal] gives the text.
//
// The zero value is the empty secret and prints as "key-none". A Secret is immutable and safe for concurrent use.
type Secret struct {
	// A pointer, because fmt prints the fields of unexported struct fields raw, without asking their methods: of a pointer it
	// shows an address.
	text *string
}

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text. It is meant for the moment a request is signed.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Equal reports whether two secrets hold the same text.
func (s Secret) Equal(t Secret) bool { return s.Reveal() == t.Reveal() }

// String returns "key-" and the first eight hex digits of the text's SHA-256.
func (s Secret) String() string {
	if s.text == nil {
		return "key-none"
	}
	sum := sha256.Sum256([]byte(*s.text))
	return "key-" + hex.EncodeToString(sum[:4])
}

// Format writes [Secret.String] for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// GoString is [Secret.String].
func (s Secret) GoString() string { return s.String() }

// LogValue is [Secret.String] as a slog value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is [Secret.String]; JSON and TOML encoders use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
