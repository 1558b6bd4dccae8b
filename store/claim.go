package store

import "time"

// claim is a key that one member alone may act on.
type claim struct {
	member string
	until  time.Time
}

// claimLocked grants a key to a member unless another has it.
func (m *Memory) claimLocked(now time.Time, member string, k Key, ttl time.Duration) bool {
	c, taken := m.claims[k]
	if taken && c.member != member && c.until.After(now) {
		return false
	}
	if ttl <= 0 {
		delete(m.claims, k)
		return false
	}
	m.claims[k] = claim{member, now.Add(ttl)}
	return true
}
