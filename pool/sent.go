package pool

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/internal/plain"
)

// sent remembers what has to be found in everything that comes back: the keys in force, and the
// credentials that went out and may still be echoed, by a proxy or by an answer that is under way.
type sent struct {
	all atomic.Pointer[[]string] // replaced, never changed

	mu     sync.Mutex
	memory atomic.Pointer[sentMemory] // guarded by mu; fmt prints what other pointers lead to
}

type sentMemory struct {
	keys    []string    // in force
	tokens  []sentToken // the newest last
	retired []string    // keys that were in force, the newest last
}

// newSent returns a sent that remembers nothing yet.
func newSent() *sent {
	s := new(sent)
	s.memory.Store(new(sentMemory))
	return s
}

// sentToken is an access token that went out for a project.
type sentToken struct{ project, text string }

const (
	// leastSecret is the length of the shortest credential that is one. A word such as "key", for a
	// proxy that ignores it, would be found in every answer.
	leastSecret = 4
	// tokensKept is how many tokens of a project are remembered, tokensInAll of all projects. A
	// token is valid for an hour as a rule, so these are a day of a project.
	tokensKept, tokensInAll = 32, 256
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

// redact takes them out of an operator's text.
func (s *sent) redact(text string) string {
	if credential.Looks(text) {
		return redacted
	}
	for _, secret := range s.list() {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return text
}

// reason is an operator's reason as it is kept: without credentials, then cut, or a part of one might
// be left.
func (s *sent) reason(text string) string {
	const sign = 3 // of what is cut
	return plain.Text(s.redact(plain.Text(text, len(text)+sign)), maxWhy)
}

// line is a text of others as events have it.
func (s *sent) line(text string) string {
	return plain.Text(s.redact(plain.Text(text, len(text)+3)), maxLogged)
}

// shown is an operator's text for a message, unless it may be a credential.
func (s *sent) shown(text string) string {
	for _, form := range []string{text, unescaped(text)} {
		if s.redact(form) != form {
			return "that"
		}
	}
	return strconv.Quote(plain.Text(text, maxWhy))
}

// unescaped returns a text without percent-encoding, as far as it has any.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

const redacted = "[redacted]"

// configured notes the keys that are in force now.
func (s *sent) configured(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inForce := make(map[string]bool, len(keys))
	for _, key := range keys {
		inForce[key] = true
	}
	m := s.memory.Load()
	for _, key := range m.keys {
		if !inForce[key] {
			m.retired = append(m.retired, key)
		}
	}
	m.keys = keys
	m.retired = slices.Clone(m.retired[max(0, len(m.retired)-retiredKept):])
	s.publishLocked(m)
}

// token notes an access token that goes out for a project.
func (s *sent) token(p *project, text string) {
	if last := p.lastToken.Load(); last != nil && *last == text {
		return
	}
	p.lastToken.Store(&text)
	s.mu.Lock()
	defer s.mu.Unlock()
	m, known := s.memory.Load(), sentToken{p.Name, text}
	if slices.Contains(m.tokens, known) {
		return
	}
	m.tokens = append(m.tokens, known)
	first, n := -1, 0
	for i, t := range m.tokens {
		if t.project != p.Name {
			continue
		}
		if n++; n == 1 {
			first = i
		}
	}
	switch {
	case n > tokensKept:
		m.tokens = slices.Delete(m.tokens, first, first+1)
	case len(m.tokens) > tokensInAll:
		m.tokens = slices.Delete(m.tokens, 0, 1)
	}
	s.publishLocked(m)
}

// publishLocked makes the list anew. The caller holds s.mu.
func (s *sent) publishLocked(m *sentMemory) {
	all := slices.Concat(m.keys, m.retired)
	for _, t := range m.tokens {
		all = append(all, t.text)
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(text string) bool { return len(text) < leastSecret })
	s.all.Store(&all)
}
