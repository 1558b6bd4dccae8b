package geminitest

import (
	"testing"
	"time"
)

// Filling the memory of prefixes through prompts would take minutes.
func TestPrefixesAreBoundedAndTheOldestGoFirst(t *testing.T) {
	x := prefixes{recent: map[uint64]time.Time{}}
	rules := Caching{}.withDefaults()
	now := time.Now()
	at := func(hash uint64) []mark { return []mark{{hash, share{tokens: 2000}}} }
	x.remember(now, rules, at(1))
	for hash := uint64(2); hash < 4*maxPrefixes; hash++ {
		x.remember(now, rules, at(hash))
		if hash == maxPrefixes && x.cached(now, rules, at(1)).tokens != 2000 {
			t.Fatal("a prefix is forgotten while there is room")
		}
		if n := len(x.recent) + len(x.older); n > 2*maxPrefixes {
			t.Fatalf("%d prefixes are kept", n)
		}
	}
	if x.cached(now, rules, at(1)).tokens != 0 || x.cached(now, rules, at(4*maxPrefixes-1)).tokens != 2000 {
		t.Error("the oldest prefix is kept, or the newest is not")
	}
}
