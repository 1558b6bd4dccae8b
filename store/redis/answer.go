package redis

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// errShort occurs on an answer with fewer elements than its script returns.
var errShort = errors.New("too short")

// reader reads the elements of a script's answer, in order. The first error stays.
type reader struct {
	rest []rueidis.RedisMessage
	err  error
}

func read(answer rueidis.RedisMessage) *reader {
	elements, err := answer.ToArray()
	return &reader{elements, err}
}

// more reports whether there are elements left.
func (r *reader) more() bool { return r.err == nil && len(r.rest) > 0 }

// next returns the next element, or nil after an error.
func (r *reader) next() *rueidis.RedisMessage {
	if r.err == nil && len(r.rest) == 0 {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	m := &r.rest[0]
	r.rest = r.rest[1:]
	return m
}

func (r *reader) number() int64 {
	m := r.next()
	if m == nil {
		return 0
	}
	n, err := m.AsInt64()
	r.err = err
	return n
}

func (r *reader) text() string {
	m := r.next()
	if m == nil {
		return ""
	}
	s, err := m.ToString()
	r.err = err
	return s
}

// time reads microseconds since 1970. Zero is the zero time.
func (r *reader) time() time.Time {
	n := r.number()
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}

// failure returns an error if the answer was not as expected.
func (r *reader) failure() error {
	if r.err == nil {
		return nil
	}
	return fmt.Errorf("redis: unexpected answer: %w", r.err)
}
