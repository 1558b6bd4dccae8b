package store

import (
	"bytes"
	"slices"
	"time"
)

// subscription is what one subscriber has yet to hear. The lock of the Memory guards pending. It
// holds keys and not facts, so that a slow subscriber costs no more than there are keys.
type subscription struct {
	pending map[Key]struct{}
	wake    chan struct{} // has room for one
}

// wins reports whether f takes the place of old.
func (f Fact) wins(old Fact) bool {
	if f.Extends && old.Extends {
		return f.Until.After(old.Until)
	}
	return f.At.After(old.At)
}

// clone returns a copy that shares no memory with f.
func (f Fact) clone() Fact {
	f.Value = bytes.Clone(f.Value)
	return f
}

// publishLocked merges facts and tells subscribers of those that win.
func (m *Memory) publishLocked(now time.Time, facts []Fact) {
	for _, f := range facts {
		if !f.Until.After(now) {
			continue
		}
		if old, ok := m.facts[f.Key]; ok && old.Until.After(now) && !f.wins(old) {
			continue
		}
		m.facts[f.Key] = f.clone()
		if f.Key.Kind == KindOwner {
			continue
		}
		for s := range m.subs {
			s.pending[f.Key] = struct{}{}
			select {
			case s.wake <- struct{}{}:
			default: // it will find this one, too
			}
		}
	}
}

// lookupLocked returns the facts about keys that have not expired.
func (m *Memory) lookupLocked(now time.Time, keys []Key) []Fact {
	var facts []Fact
	for _, k := range keys {
		if f, ok := m.facts[k]; ok && f.Until.After(now) {
			facts = append(facts, f.clone())
		}
	}
	return facts
}

// subscribeLocked makes all facts pending for a new subscription.
func (m *Memory) subscribeLocked(s *subscription) {
	s.pending = map[Key]struct{}{}
	for k := range m.facts {
		if k.Kind != KindOwner {
			s.pending[k] = struct{}{}
		}
	}
	m.subs[s] = struct{}{}
}

func (m *Memory) unsubscribe(s *subscription) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.subs, s)
}

// collect returns the facts that a subscriber has yet to hear, the earliest first.
func (m *Memory) collect(s *subscription) []Fact {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]Key, 0, len(s.pending))
	for k := range s.pending {
		keys = append(keys, k)
	}
	clear(s.pending)
	facts := m.lookupLocked(m.nowLocked(), keys)
	slices.SortFunc(facts, func(a, b Fact) int { return a.At.Compare(b.At) })
	return facts
}
