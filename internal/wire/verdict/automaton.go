package verdict

import (
	"bytes"
	"slices"
)

// automaton finds all of many words in one pass over a text, by the method of Aho and Corasick
// (Efficient string matching, 1975). Whatever the words and the text are, it makes at most two
// steps for each byte of the text. The zero automaton has no words.
type automaton struct {
	nodes  []node
	labels []byte    // of each node: the last byte of what it stands for
	firsts [256]bool // the first bytes of the words
}

// node stands for the beginning of a word. Node 0 stands for the empty one. The nodes are in the
// order of their length, so the children of a node are next to each other.
type node struct {
	first, end int32 // its children
	fail       int32 // the longest other node that it ends with
	found      int32 // the length of the longest word that it ends with; 0: none
}

// newAutomaton returns the automaton of words, which are sorted, each once, none empty.
func newAutomaton(words []string) (a automaton) {
	if len(words) == 0 {
		return a
	}
	type group struct{ from, to, length int } // the words that begin with what a node stands for
	groups := []group{{0, len(words), 0}}
	a.nodes, a.labels = []node{{}}, []byte{0}
	for i := 0; i < len(a.nodes); i++ { // the children of a node come after it
		g := groups[i]
		if len(words[g.from]) == g.length {
			a.nodes[i].found = int32(g.length)
			g.from++
		} else {
			a.nodes[i].found = a.nodes[a.nodes[i].fail].found
		}
		a.nodes[i].first = int32(len(a.nodes))
		for from := g.from; from < g.to; {
			label, to := words[from][g.length], from+1
			for to < g.to && words[to][g.length] == label {
				to++
			}
			child := node{}
			if i > 0 {
				child.fail = a.next(a.nodes[i].fail, label)
			}
			a.nodes, a.labels = append(a.nodes, child), append(a.labels, label)
			groups = append(groups, group{from, to, g.length + 1})
			from = to
		}
		a.nodes[i].end = int32(len(a.nodes))
	}
	a.nodes, a.labels = slices.Clip(a.nodes), slices.Clip(a.labels)
	for _, label := range a.labels[a.nodes[0].first:a.nodes[0].end] {
		a.firsts[label] = true
	}
	return a
}

// next returns the longest node that what at stands for, and then b, ends with.
func (a *automaton) next(at int32, b byte) int32 {
	for {
		n := &a.nodes[at]
		if i := bytes.IndexByte(a.labels[n.first:n.end], b); i >= 0 {
			return n.first + int32(i)
		}
		if at == 0 {
			return 0
		}
		at = n.fail
	}
}

// search appends the words in text to spans, in order. What it appends does not overlap. Byte i of
// the text stands at at[i] of what is scrubbed; a nil at means that it is the text itself.
func search[T string | []byte](a *automaton, text T, at []int, spans []span) []span {
	before, state := len(spans), int32(0)
	for i := range len(text) {
		if state == 0 && !a.firsts[text[i]] { // also where there are no words
			continue
		}
		state = a.next(state, text[i])
		n := int(a.nodes[state].found)
		if n == 0 {
			continue
		}
		p := span{i + 1 - n, i + 1}
		if at != nil {
			p = span{at[p.from], at[p.to]}
		}
		for len(spans) > before && spans[len(spans)-1].to > p.from { // it overlaps, or is within
			p.from = min(p.from, spans[len(spans)-1].from)
			spans = spans[:len(spans)-1]
		}
		spans = append(spans, p)
	}
	return spans
}
