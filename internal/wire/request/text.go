package request

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// countText adds the length of a JSON string without its escapes.
func (s *bodyScan) countText(value []byte) {
	s.text += textQuarters(value)
	for {
		at := bytes.IndexByte(value, '\\')
		if at < 0 || at+1 >= len(value) {
			return
		}
		if r, n := jsonscan.EscapedRune(value[at:]); n > 0 {
			s.text -= int64(n) - runeQuarters(r)
			value = value[at+n:]
			continue
		}
		s.text--
		value = value[at+2:]
	}
}

func runeQuarters(r rune) int64 {
	switch {
	case r < 0x80:
		return 1
	case r < 0x800:
		return 2
	}
	return 4
}

// textQuarters is a byte's quarter for each, and one more for each first byte of a character of three: 1110xxxx. It looks at eight
// bytes at once, for prompts can be long.
func textQuarters(text []byte) int64 {
	const high = 0x8080808080808080
	quarters := int64(len(text))
	for ; len(text) >= 8; text = text[8:] {
		w := binary.LittleEndian.Uint64(text)
		quarters += int64(bits.OnesCount64(w & (w << 1) & (w << 2) &^ (w << 3) & high))
	}
	for _, b := range text {
		if b>>4 == 0xE {
			quarters++
		}
	}
	return quarters
}
