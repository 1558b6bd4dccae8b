package pool

import (
	"slices"
	"sync"
	"sync/atomic"
)

// sent remembers what has to be found in everything that comes back: the keys in force, and the
// credentials that went out and may still be echoed, by a proxy or by an answer that is under way.
type sent struct {
	all atomic.Pointer[[]string] // replaced, never changed

	mu      sync.Mutex
	keys    []string    // in force
	tokens  []sentToken // the newest last
	retired []string    // keys that were in force, the newest last
}

// sentToken is an access token that went out for a project.
type sentToken struct{ project, text string }

const (
	// leastSecret is the length of the shortest credential that is one. A word such as "key", for a
	// proxy that ignores it, would be found in every answer.
	leastSecret = 4
	// tokensKept is how many tokens of a project are remembered, tokensInAll of all projects. A
	// token is valid for an hour as a rule, so these are many hours of a project.
	tokensKept, tokensInAll = 8, 256
	// retiredKept bounds the keys that are not in force any more.
	retiredKept = 1024
)

// list returns all of them. The caller does not change it.
func (s *sent) list() []string {
	if all := s.all.Load(); all != nil {
		return *all
	}
	return nil
}

// configured notes the keys that are in force now.
func (s *sent) configured(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inForce := make(map[string]bool, len(keys))
	for _, key := range keys {
		inForce[key] = true
	}
	for _, key := range s.keys {
		if !inForce[key] {
			s.retired = append(s.retired, key)
		}
	}
	s.keys = keys
	s.retired = slices.Clone(s.retired[max(0, len(s.retired)-retiredKept):])
	s.publishLocked()
}

// token notes an access token that goes out for a project.
func (s *sent) token(p *project, text string) {
	if last := p.lastToken.Load(); last != nil && *last == text {
		return
	}
	p.lastToken.Store(&text)
	s.mu.Lock()
	defer s.mu.Unlock()
	known := sentToken{p.Name, text}
	if slices.Contains(s.tokens, known) {
		return
	}
	s.tokens = append(s.tokens, known)
	of := func(t sentToken) bool { return t.project == p.Name }
	n := 0
	for _, t := range s.tokens {
		if of(t) {
			n++
		}
	}
	if first := slices.IndexFunc(s.tokens, of); n > tokensKept {
		s.tokens = slices.Delete(s.tokens, first, first+1)
	} else if len(s.tokens) > tokensInAll {
		s.tokens = slices.Delete(s.tokens, 0, 1)
	}
	s.publishLocked()
}

// publishLocked makes the list anew. The caller holds s.mu.
func (s *sent) publishLocked() {
	all := slices.Concat(s.keys, s.retired)
	for _, t := range s.tokens {
		all = append(all, t.text)
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(text string) bool { return len(text) < leastSecret })
	s.all.Store(&all)
}
