package wire

import "hash/crc32"

// castagnoli is the polynomial that processors have an instruction for: a prompt may hold megabytes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// opening finds, while a body is scanned, what each further turn of its conversation begins with: system instruction, tools and the first
// content. Their bytes are hashed as they were sent, for a client writes them alike each time; the order of the three, and which of the
// two spellings their names have, do not matter.
type opening struct {
	within part
	from   int // where that part, or the first content, begins
	turns  int // contents seen
	sum    uint64
}

// part is one of the three.
type part uint64

const (
	partNone part = iota
	partSystem
	partTools
	partContents
)

func partOf(key []byte) part {
	switch string(key) {
	case "systemInstruction", "system_instruction":
		return partSystem
	case "tools":
		return partTools
	case "contents":
		return partContents
	default:
		return partNone
	}
}

// begin notes that an object or array begins at s.i, which is a member of the body or an element of such a member.
func (o *opening) begin(s *bodyScan) {
	switch {
	case s.depth == 1:
		o.within, o.from = partOf(s.key), s.i
		if o.within == partContents && s.b[s.i] != '[' {
			o.within = partNone // a single one
		}
	case o.within == partContents:
		if o.turns++; o.turns == 1 {
			o.from = s.i
		}
	}
}

// end notes that such an object or array ends at s.i.
func (o *opening) end(s *bodyScan) {
	switch {
	case s.depth == 1:
		if o.within == partSystem || o.within == partTools {
			o.add(s.b[o.from : s.i+1])
		}
		o.within = partNone
	case o.within == partContents && o.turns == 1:
		o.add(s.b[o.from : s.i+1])
	}
}

// add takes a part into the hash, whichever comes first.
func (o *opening) add(b []byte) {
	x := uint64(crc32.Checksum(b, castagnoli)) | uint64(o.within)<<32
	x *= 0x9e3779b97f4a7c15 // 2^64 by the golden ratio: equal parts in other places make another sum
	o.sum += x ^ x>>29
}

// prefix is a hash of the opening, the same in every process; 0 if there is none.
func (o *opening) prefix() uint64 {
	if o.turns == 0 {
		return 0
	}
	return max(o.sum, 1)
}
