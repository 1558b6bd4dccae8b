package translate

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// Packed returns embeddings in OpenAI's dialect with each vector as its client asked for it: the base64
// of its numbers, 32 bits each, the lowest byte first. Clients of OpenAI's for JavaScript ask for that by
// default, and take a list of numbers for it without an error. The given body is not changed. What is
// packed already stays as it is. Source: encoding_format at
// https://platform.openai.com/docs/api-reference/embeddings/create.
func Packed(body []byte) []byte {
	p := packing{Scanner: jsonscan.New(body)}
	for ok := p.Enter('{'); ok && p.Member(); {
		if string(p.Key) != "data" || !p.Enter('[') {
			continue
		}
		for p.Element() {
			p.vector()
		}
	}
	if p.kept == 0 {
		return body
	}
	return append(p.out, body[p.kept:]...)
}

// packing copies a body and replaces the vectors in it.
type packing struct {
	jsonscan.Scanner
	out  []byte
	kept int // the body up to here is in out
}

// vector packs the vector of the next element.
func (p *packing) vector() {
	for ok := p.Enter('{'); ok && p.Member(); {
		if string(p.Key) != "embedding" || p.Peek() != '[' {
			continue
		}
		from := p.Pos
		packed, ok := pack(p.Raw())
		if !ok {
			continue
		}
		p.out = append(append(p.out, p.Data[p.kept:from]...), '"')
		p.out = append(base64.StdEncoding.AppendEncode(p.out, packed), '"')
		p.kept = p.Pos
	}
}

// pack returns the numbers of a list, unless it has something else.
func pack(list []byte) (packed []byte, ok bool) {
	c := jsonscan.New(list)
	for c.Enter('['); c.Element(); {
		n, err := strconv.ParseFloat(string(c.Text()), 32)
		if err != nil {
			return nil, false
		}
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(float32(n)))
	}
	return packed, true
}
