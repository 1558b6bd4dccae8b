package pool

import "github.com/spillway-go/spillway/internal/cooldown"

// paused are the pauses in force. It never changes.
type paused struct {
	list []pause
	keys bool // some are of keys
}

// longest returns the pause that keeps a call from a candidate the longest, keys apart; nil if none
// does. A nil receiver holds nothing.
func (h *paused) longest(c *candidate, at int64, n *need) *pause {
	if h == nil {
		return nil
	}
	var longest *pause
	for i := range h.list {
		x := &h.list[i]
		if x.until > at && (longest == nil || x.until > longest.until) && x.subject.covers(c, n) {
			longest = x
		}
	}
	return longest
}

// wake returns the instant at which no pause keeps a call from a candidate.
func (h *paused) wake(c *candidate, at int64, n *need) int64 {
	wake := at
	if x := h.longest(c, at, n); x != nil {
		wake = x.until
	}
	if h != nil && h.keys && len(c.keys) > 0 {
		first := int64(cooldown.Forever)
		for i := range c.keys {
			keyWake, _ := h.keyWake(c, &c.keys[i], at, n)
			first = min(first, keyWake)
		}
		wake = max(wake, first)
	}
	return wake
}

// keyWake returns when a key of a candidate may be asked, and the pause that keeps it until then;
// nil if it is none.
func (h *paused) keyWake(c *candidate, k *key, at int64, n *need) (wake int64, by *pause) {
	wake = k.entry.cool.Wake(at)
	if h == nil || !h.keys {
		return wake, nil
	}
	for i := range h.list {
		x := &h.list[i]
		if x.until > wake && x.subject.isKey(c, k, n) {
			wake, by = x.until, x
		}
	}
	return wake, by
}

// ended returns when the last pause ended that kept a call from a candidate, of late; zero if there
// was none.
func (h *paused) ended(c *candidate, at int64, n *need) int64 {
	ended := int64(0)
	if h == nil {
		return ended
	}
	for i := range h.list {
		if x := &h.list[i]; x.until <= at && x.until > ended && x.subject.covers(c, n) {
			ended = x.until
		}
	}
	return ended
}

// covers reports whether what is known of a subject, and of all that belongs to it, concerns such a
// call at a candidate. Keys come apart: see isKey.
func (s *Subject) covers(c *candidate, n *need) bool {
	if !s.asksFor(c, n) || !s.Traffic.covers(c.Traffic) {
		return false
	}
	model := c.plan.model.name
	switch s.Kind {
	case kindBackend:
		return s.Backend == c.Backend
	case kindHost:
		return s.Host == c.Host
	case kindProject:
		return s.Project == c.Project
	case kindOrder:
		return c.order != nil && s.names(&c.Endpoint) && s.Model == c.order.Model
	case kindServer:
		return s.broad() == servers(&c.endpoint, model)
	case kindModel:
		onDemand := s.Project == "" || s.Traffic != "" || c.order == nil
		return onDemand && s.Model == model && s.names(&c.Endpoint)
	default:
		return false
	}
}

// names reports whether the subject names no other project and location than an endpoint's.
func (s *Subject) names(e *Endpoint) bool {
	return (s.Project == "" || s.Project == e.Project) && (s.Location == "" || s.Location == e.Location)
}

// broad returns the subject for calls of every kind.
func (s *Subject) broad() Subject {
	b := s.whole()
	b.Method, b.Traffic = "", ""
	return b
}

// servers returns the subject of the servers behind an endpoint, at any service tier.
func servers(e *endpoint, model string) Subject {
	s := e.serverSubject(modelKey{name: model})
	return s.broad()
}

// isKey reports whether the subject is a key of a candidate, for such calls.
func (s *Subject) isKey(c *candidate, k *key, n *need) bool {
	return s.Kind == kindKey && s.Project == c.Project && s.Credential == k.entry.subject.Credential && s.asksFor(c, n)
}

// asksFor reports whether such a call has the method, version and tools of the subject, if it has
// any.
func (s *Subject) asksFor(c *candidate, n *need) bool {
	return (s.Method == "" || s.Method == c.plan.model.method) && s.concerns(&n.asked)
}

// admitKey leases a key: the first that is not on cooldown, nor paused. probe says that it is on
// cooldown, and only tried. nil, true means that the project uses tokens; nil, false that every key
// is out.
func (h *paused) admitKey(c *candidate, at, deadline int64, seq uint64, n *need) (k *key, probe, ok bool) {
	for i := range c.keys {
		k := &c.keys[i]
		if h != nil && h.keys {
			if wake, by := h.keyWake(c, k, at, n); by != nil && wake > at {
				continue
			}
		}
		if probe, ok := k.entry.cool.Admit(at, deadline, seq); ok {
			return k, probe, true
		}
	}
	return nil, false, len(c.keys) == 0
}

// keyOut returns the key that may be asked first of all, when it may, and the pause that keeps it
// until then, if it is one.
func (h *paused) keyOut(c *candidate, at int64, n *need) (e *entry, by *pause, wake int64) {
	for i := range c.keys {
		k := &c.keys[i]
		if w, pause := h.keyWake(c, k, at, n); e == nil || w < wake {
			e, by, wake = k.entry, pause, w
		}
	}
	return e, by, wake
}
