package request

import "hash/crc32"

// castagnoli is the polynomial that processors support directly. A prompt may hold megabytes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// promptPrefix finds what every turn of a conversation begins with: system instruction, tools and
// the first content. It hashes the bytes as sent, for a client writes them alike each time. The
// order of the three parts does not matter, nor does the spelling of their names.
type promptPrefix struct {
	within part
	from   int // where the part, or the first content, begins
	turns  int // contents seen
	sum    uint64

	instructs bool // the current message is no turn: it is from the system or the developer
}

// part is a part of the prefix.
type part uint64

const (
	partNone part = iota
	partSystem
	partTools
	partContents
	partMessages // contents and instructions, in OpenAI's dialect
)

func partOf(key []byte) part {
	switch string(key) {
	case "systemInstruction", "system_instruction":
		return partSystem
	case "tools":
		return partTools
	case "contents":
		return partContents
	case "messages":
		return partMessages
	default:
		return partNone
	}
}

// begin takes the beginning, at s.Pos, of a member of the body or of an element of such a member.
func (p *promptPrefix) begin(s *bodyScan) {
	switch {
	case s.depth == 1:
		p.within, p.from = partOf(s.Key), s.Pos
		if (p.within == partContents || p.within == partMessages) && s.Data[s.Pos] != '[' {
			p.within = partNone // one content, not a list
		}
	case p.within == partContents:
		if p.turns++; p.turns == 1 {
			p.from = s.Pos
		}
	case p.within == partMessages:
		p.instructs = false
		if p.turns == 0 {
			p.from = s.Pos
		}
	}
}

// role takes the role of a message.
func (p *promptPrefix) role(depth int, role []byte) {
	if p.within == partMessages && depth == 3 {
		p.instructs = string(role) == "system" || string(role) == "developer"
	}
}

// end takes the end, at s.Pos, of such an object or array.
func (p *promptPrefix) end(s *bodyScan) {
	switch {
	case s.depth == 1:
		if p.within == partSystem || p.within == partTools {
			p.add(s.Data[p.from : s.Pos+1])
		}
		p.within = partNone
	case p.within == partContents && p.turns == 1:
		p.add(s.Data[p.from : s.Pos+1])
	case p.within == partMessages:
		if p.turns == 0 { // instructions, and the first message after them
			p.add(s.Data[p.from : s.Pos+1])
		}
		if !p.instructs {
			p.turns++
		}
	}
}

// add hashes a part. The order of parts does not matter.
func (p *promptPrefix) add(b []byte) {
	x := uint64(crc32.Checksum(b, castagnoli)) | uint64(p.within)<<32
	x *= 0x9e3779b97f4a7c15 // 2^64 by the golden ratio: equal bytes in other parts make another sum
	p.sum += x ^ x>>29
}

// hash returns the hash of the prefix, the same in every process. It is 0 if there is no prefix.
func (p *promptPrefix) hash() uint64 {
	if p.turns == 0 {
		return 0
	}
	return max(p.sum, 1)
}
