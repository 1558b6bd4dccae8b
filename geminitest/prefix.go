package geminitest

import (
	"cmp"
	"encoding/json"
	"sync"
	"time"
)

// Caching is how prompts are cached.
//
// A cached content that callers make is always billed as such. Implicit caching is off by default,
// so that equal prompts cost the same each time. When it is on, a prompt that begins as a recent
// one did, of the same project, location and model, reports that much as
// usageMetadata.cachedContentTokenCount. A prompt is compared in the order system instruction,
// tools, contents; text in steps of 256 tokens and at its end, everything else by whole parts. A
// prefix is remembered once the answer to it has ended.
//
// Google publishes no exact rule: that prefixes of recent prompts are reused, per project and
// place, and the smallest size (1,024 to 4,096 tokens, by model) are documented
// (ai.google.dev/gemini-api/docs/caching); the rest is this emulator's own, and never misses where
// Google sometimes does.
type Caching struct {
	Implicit bool          // prefixes of recent prompts are cached
	TTL      time.Duration // how long a prefix is remembered after its last use; default 5 minutes
	Min      int           // tokens of the smallest prefix or cached content; default 1,024
}

func (c Caching) withDefaults() Caching {
	c.TTL = cmp.Or(c.TTL, 5*time.Minute)
	c.Min = cmp.Or(c.Min, 1024)
	return c
}

// share is a part of the input, in tokens.
type share struct{ tokens, audio, image int }

// modalities splits it by kind.
func (s share) modalities() []modality {
	var list []modality
	for _, m := range []modality{{"TEXT", s.tokens - s.audio - s.image}, {"IMAGE", s.image}, {"AUDIO", s.audio}} {
		if m.TokenCount > 0 {
			list = append(list, m)
		}
	}
	return list
}

// mark is a place where a prefix may end: a hash of everything before it, and how much that is.
type mark struct {
	hash uint64
	size share
}

// stepBytes is how finely texts are compared.
const stepBytes = 256 * bytesPerToken

// marksOf returns the prefixes of a prompt, the shortest first. The hash says for whom and where it
// is.
func marksOf(hash uint64, request object) []mark {
	var marks []mark
	var seen prompt
	end := func() {
		marks = append(marks, mark{hash, share{seen.tokens, seen.audio, seen.image}})
	}
	whole := func(v any) {
		text, _ := json.Marshal(v) // it was JSON before
		hash = hashed(hashed(hash, string(text)), "\x00")
	}
	content := func(c object) {
		role, _ := c["role"].(string)
		hash = hashed(hash, "\x01"+role+"\x01")
		for _, part := range c.list("parts") {
			m, _ := part.(map[string]any)
			text, isText := m["text"].(string)
			before := seen.tokens
			for isText && len(text) > stepBytes {
				hash, text = hashed(hash, text[:stepBytes]), text[stepBytes:]
				seen.tokens += stepBytes / bytesPerToken
				end()
			}
			seen.tokens = before
			if seen.addPart(m); isText {
				hash = hashed(hashed(hash, text), "\x00")
			} else {
				whole(m)
			}
			end()
		}
	}
	content(request.object("systemInstruction"))
	if tools := request.list("tools"); len(tools) > 0 {
		whole(tools)
		text, _ := json.Marshal(tools)
		seen.tokens += textTokens(len(text))
		end()
	}
	for _, one := range request.contents() {
		content(one)
	}
	return marks
}

// hashed continues an FNV-1a hash.
func hashed(hash uint64, text string) uint64 {
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * 1099511628211
	}
	return hash
}

// maxPrefixes bounds the memory of prefixes: twice as many are kept at most, the ones used last.
const maxPrefixes = 1 << 16

// prefixes remembers where recent prompts could be cut. It is safe for concurrent use.
type prefixes struct {
	mu     sync.Mutex
	recent map[uint64]time.Time // until when
	older  map[uint64]time.Time // those that were recent before there were too many
}

// cached returns the longest prefix that is remembered.
func (x *prefixes) cached(now time.Time, rules Caching, marks []mark) share {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := len(marks) - 1; i >= 0 && marks[i].size.tokens >= rules.Min; i-- {
		until, ok := x.recent[marks[i].hash]
		if !ok {
			until, ok = x.older[marks[i].hash]
		}
		if ok && now.Before(until) {
			return marks[i].size
		}
	}
	return share{}
}

// remember keeps the prefixes of a prompt for a while.
func (x *prefixes) remember(now time.Time, rules Caching, marks []mark) {
	if len(marks) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range marks {
		if m.size.tokens < rules.Min {
			continue
		}
		if len(x.recent) >= maxPrefixes {
			x.recent, x.older = map[uint64]time.Time{}, x.recent
		}
		x.recent[m.hash] = now.Add(rules.TTL)
	}
}
