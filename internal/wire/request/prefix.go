package request

import "hash/crc32"

// castagnoli is the polynomial that processors have an instruction for: a prompt may hold megabytes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// promptPrefix finds, while a body is scanned, what each further turn of its conversation begins with: system instruction, tools and the first
// content. Their bytes are hashed as they were sent, for a client writes them alike each time; the order of the three, and which of the
// two spellings their names have, do not matter.
type promptPrefix struct {
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
func (p *promptPrefix) begin(s *bodyScan) {
	switch {
	case s.depth == 1:
		p.within, p.from = partOf(s.Key), s.Pos
		if p.within == partContents && s.Data[s.Pos] != '[' {
			p.within = partNone // a single one
		}
	case p.within == partContents:
		if p.turns++; p.turns == 1 {
			p.from = s.Pos
		}
	}
}

// end notes that such an object or array ends at s.i.
func (p *promptPrefix) end(s *bodyScan) {
	switch {
	case s.depth == 1:
		if p.within == partSystem || p.within == partTools {
			p.add(s.Data[p.from : s.Pos+1])
		}
		p.within = partNone
	case p.within == partContents && p.turns == 1:
		p.add(s.Data[p.from : s.Pos+1])
	}
}

// add takes a part into the hash, whichever comes first.
func (p *promptPrefix) add(b []byte) {
	x := uint64(crc32.Checksum(b, castagnoli)) | uint64(p.within)<<32
	x *= 0x9e3779b97f4a7c15 // 2^64 by the golden ratio: equal parts in other places make another sum
	p.sum += x ^ x>>29
}

// hash is a hash of the prefix, the same in every process; 0 if there is none.
func (p *promptPrefix) hash() uint64 {
	if p.turns == 0 {
		return 0
	}
	return max(p.sum, 1)
}
