package request

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// countText adds the length of a JSON string without its escapes.
//
// Text is counted in quarters of a token, one a byte: a token is about four characters of English
// (ai.google.dev/gemini-api/docs/tokens). A character of three bytes in UTF-8 counts as a whole
// token: Chinese, Japanese, Korean. So does one of four, an emoji. One of two bytes counts as half:
// Cyrillic, Greek, Arabic. These are guesses.
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

// textQuarters counts a quarter for each byte, and one more for each first byte of a three-byte
// character: 1110xxxx. It reads eight bytes at once, for prompts can be long.
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
