package router

import (
	"strings"
	"sync"

	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

// translation is a call in the dialect of the other back end. It is worked out when an endpoint of that one is first looked at, so a pool of
// one back end never pays for it. Calls that wait are looked at by others too: it is safe for concurrent use.
type translation struct {
	once        sync.Once
	translation *translate.Translation // nil: there is none
	lacks       []string               // why
}

// otherDialect returns the call as the back end takes it whose dialect it does not speak.
func (s *session) otherDialect() *translation {
	e := &s.expressed
	e.once.Do(func() {
		if s.tail != nil {
			e.lacks = []string{"a body that is too long to be kept is not translated into the other back end's dialect"}
			return
		}
		to := pool.BackendGemini
		if s.wire.Backend == pool.BackendGemini {
			to = pool.BackendVertex
		}
		e.translation, e.lacks = translate.Call(&s.wire, to, s.req.Header, s.body)
	})
	return e
}

// speaks reports whether the call is in the back end's own dialect.
func (s *session) speaks(b pool.Backend) bool { return b == s.wire.Backend }

// expressible reports whether the call can be said in the back end's dialect.
func (s *session) expressible(b pool.Backend) bool {
	return s.speaks(b) || s.otherDialect().translation != nil
}

// translation returns the call as the candidate takes it, nil if that is as it came. The candidate is eligible.
func (s *session) translation(c *pool.Candidate) *translate.Translation {
	if s.speaks(c.Backend()) {
		return nil
	}
	return s.otherDialect().translation
}

// inexpressible says what of the call the other back end does not take.
func (s *session) inexpressible() string { return strings.Join(s.otherDialect().lacks, "; ") }

// servedBy reports whether the pool has endpoints of the back end, and the call can be said in its dialect.
func (s *session) servedBy(b pool.Backend) bool { return s.plan.Speaks(b) && s.expressible(b) }
