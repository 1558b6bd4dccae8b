package verdict

import (
	"cmp"
	"slices"
	"strings"
)

const redacted = "[redacted]"

// Scrubber finds secrets in text, as they are and escaped: as in JSON, percent escaped as in a URL,
// as numbers in HTML, and up to maxLayers of these inside each other. Where a text ends in the middle of
// a secret it finds the beginning: closes of WebSockets have few bytes, and responses break off. The time for a text is linear
// in its length, whatever it says. It does not depend on the number and length of the secrets. The
// zero Scrubber has no secrets. A Scrubber is safe for concurrent use.
type Scrubber struct {
	secrets  []string // sorted, each once, none empty
	automata []automaton
	bytes    [256]bool // all bytes that a spelling of a secret may have
	firsts   [256]bool // those with which a secret begins
	longest  int
}

// maxLayers bounds how many escapes are undone inside each other: a URL in JSON in the message of
// another JSON has three.
const maxLayers = 6

// spelled is the most bytes of a spelling of one byte that is found where a text has to be cut: as
// much as \u0041 with two layers more around it.
const spelled = 12

// NewScrubber returns a Scrubber of the secrets. Empty ones are ignored.
func NewScrubber(secrets []string) *Scrubber {
	s := &Scrubber{secrets: slices.Clone(secrets)}
	for _, secret := range secrets { // one that holds what looks like an escape
		for plain, _, escaped := unescape(secret, nil); escaped; plain, _, escaped = unescape(plain, nil) {
			s.secrets = append(s.secrets, string(plain))
		}
	}
	slices.Sort(s.secrets)
	s.secrets = slices.Compact(s.secrets)
	if len(s.secrets) > 0 && s.secrets[0] == "" {
		s.secrets = s.secrets[1:]
	}
	for _, secret := range s.secrets {
		s.longest = max(s.longest, len(secret))
		s.firsts[secret[0]] = true
		for i := range len(secret) {
			s.bytes[secret[i]] = true
		}
	}
	s.automata = []automaton{newAutomaton(s.secrets)}
	for _, b := range []byte(`\%&#;uxXABCDEFabcdef0123456789`) {
		s.bytes[b] = true
	}
	return s
}

// With returns a Scrubber that has one more secret. It returns s itself if s has it already. It
// takes less time than to make a new Scrubber of many secrets.
func (s *Scrubber) With(secret string) *Scrubber {
	at, found := slices.BinarySearch(s.secrets, secret)
	if found || secret == "" {
		return s
	}
	more := NewScrubber([]string{secret})
	more.secrets = slices.Insert(slices.Clone(s.secrets), at, secret)
	more.automata = append(more.automata, s.automata...)
	more.longest = max(more.longest, s.longest)
	for b, has := range s.bytes {
		more.bytes[b] = more.bytes[b] || has
		more.firsts[b] = more.firsts[b] || s.firsts[b]
	}
	return more
}

// Scrub replaces every spelling of a secret in body with "[redacted]". Secrets that overlap are
// replaced together. It returns body itself if it finds none.
func (s *Scrubber) Scrub(body []byte) []byte {
	clean, _ := scrub(s, body, true)
	return clean
}

// ScrubText is Scrub for a string.
func (s *Scrubber) ScrubText(text string) string {
	if spans, _ := spansOf(s, text, true); len(spans) > 0 {
		return string(without(spans, text))
	}
	return text
}

// ScrubSome is Scrub for text that goes on: it scrubs as much of it as no secret can go on from,
// and returns how much that was. The rest goes before the next piece.
func (s *Scrubber) ScrubSome(text []byte) (clean []byte, used int) { return scrub(s, text, false) }

func scrub(s *Scrubber, text []byte, whole bool) (clean []byte, used int) {
	spans, used := spansOf(s, text, whole)
	if len(spans) == 0 {
		return text[:used], used
	}
	return without(spans, text[:used]), used
}

// span is a part of a text.
type span struct{ from, to int }

// without returns text with each span replaced. The spans do not overlap.
func without[T string | []byte](spans []span, text T) []byte {
	out := make([]byte, 0, len(text)+len(spans)*len(redacted))
	kept := 0
	for _, p := range spans {
		out = append(append(out, text[kept:p.from]...), redacted...)
		kept = p.to
	}
	return append(out, text[kept:]...)
}

// blockSize is how much of a text is searched at once, so that a large one costs no more memory.
const blockSize = 64 << 10

// spansOf returns the parts of text that spell secrets, in order, none overlapping, and how much of
// the text that covers: all of it, if the text is whole.
func spansOf[T string | []byte](s *Scrubber, text T, whole bool) (spans []span, used int) {
	if len(s.secrets) == 0 {
		return nil, len(text)
	}
	size := max(blockSize, 2*s.longest*spelled)
	for ; ; used = max(used, lastOf(spans)) {
		block := text[used:min(used+size, len(text))]
		last := used+len(block) == len(text)
		found := spansIn(s, block)
		end := len(block)
		if !last || !whole {
			end -= held(s, block)
		}
		for _, p := range found {
			if p.from < end {
				spans = append(spans, span{used + p.from, used + p.to})
			}
		}
		used += end
		if !last {
			continue
		}
		if n := begun(s, block); whole && n > 0 {
			spans = union(append(spans, span{len(text) - n, len(text)}))
		}
		return spans, max(used, lastOf(spans))
	}
}

// leastBegun is how much of a secret's beginning is a part of it, and not what many have in common.
const leastBegun = 8

// begun returns the number of bytes at the end of text with which a secret begins.
func begun[T string | []byte](s *Scrubber, text T) int {
	for n := min(len(text), s.longest); n >= leastBegun; n-- {
		if !s.firsts[text[len(text)-n]] {
			continue
		}
		end := string(text[len(text)-n:])
		if i, _ := slices.BinarySearch(s.secrets, end); i < len(s.secrets) && strings.HasPrefix(s.secrets[i], end) {
			return n
		}
	}
	return 0
}

// lastOf returns the end of the last span.
func lastOf(spans []span) int {
	if len(spans) == 0 {
		return 0
	}
	return spans[len(spans)-1].to
}

// held returns the number of bytes at the end of text that may be the beginning of a secret which
// goes on after it.
func held[T string | []byte](s *Scrubber, text T) (n int) {
	most := min(len(text), s.longest*spelled)
	for n < most && s.bytes[text[len(text)-1-n]] {
		n++
	}
	return n
}

// spansIn is spansOf for one block. It searches the text as it is, and then each time that a layer
// of escapes is off.
func spansIn[T string | []byte](s *Scrubber, text T) []span {
	var spans []span
	for i := range s.automata {
		spans = search(&s.automata[i], text, nil, spans)
	}
	plain, at, escaped := unescape(text, nil)
	for range maxLayers {
		if !escaped {
			break
		}
		for i := range s.automata {
			spans = search(&s.automata[i], plain, at, spans)
		}
		plain, at, escaped = unescape(plain, at)
	}
	return union(spans)
}

// union sorts spans and merges those that overlap.
func union(spans []span) []span {
	if len(spans) < 2 {
		return spans
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	merged := spans[:1]
	for _, p := range spans[1:] {
		if last := &merged[len(merged)-1]; p.from < last.to {
			last.to = max(last.to, p.to)
		} else {
			merged = append(merged, p)
		}
	}
	return merged
}
