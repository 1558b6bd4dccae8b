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
// character. It reads 32 bytes at once and passes over those of plain ASCII, for prompts can be
// long.
func textQuarters(text []byte) int64 {
	quarters := int64(len(text))
	for ; len(text) >= 32; text = text[32:] {
		a, b := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[8:])
		c, d := binary.LittleEndian.Uint64(text[16:]), binary.LittleEndian.Uint64(text[24:32])
		if (a|b|c|d)&highBits != 0 {
			quarters += int64(firstsOfThree(a) + firstsOfThree(b) + firstsOfThree(c) + firstsOfThree(d))
		}
	}
	for _, b := range text {
		if b>>4 == 0xE {
			quarters++
		}
	}
	return quarters
}

// highBits are set in the bytes of a word that are not ASCII.
const highBits = 0x8080808080808080

// firstsOfThree counts the bytes of a word that begin a three-byte character: 1110xxxx.
func firstsOfThree(w uint64) int {
	return bits.OnesCount64(w & (w << 1) & (w << 2) &^ (w << 3) & highBits)
}
