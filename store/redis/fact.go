package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spillway-go/spillway/store"
)

// A fact at the server begins with At and Until in nanoseconds, 20 digits each, and whether it
// extends, one digit: so scripts compare texts. There follow the lengths of kind, name and value, 8
// digits each, and these.
const (
	timeDigits   = 20
	lengthDigits = 8
	headLength   = 2*timeDigits + 1 + 3*lengthDigits
)

// longestName bounds the name of a key in a fact.
const longestName = 64 << 10

var (
	errLongValue = fmt.Errorf("redis: a fact's value is longer than %d bytes", store.MaxValue)
	errLongName  = fmt.Errorf("redis: a key's name is longer than %d bytes", longestName)
	errBadFact   = errors.New("redis: not a fact: does another program use the prefix?")
)

func packFact(f store.Fact) string {
	head := fmt.Sprintf("%020d%020d%s%08d%08d%08d",
		nanos(f.At), nanos(f.Until), flag(f.Extends), len(f.Key.Kind), len(f.Key.Name), len(f.Value))
	return head + string(f.Key.Kind) + f.Key.Name + string(f.Value)
}

// unpackFact reads the fact that s begins with, and returns what follows.
func unpackFact(s string) (f store.Fact, rest string, err error) {
	if len(s) < headLength {
		return f, "", errBadFact
	}
	number := func(digits int) (n int64) {
		var bad error
		n, bad = strconv.ParseInt(s[:digits], 10, 64)
		err = errors.Join(err, bad)
		s = s[digits:]
		return n
	}
	f.At, f.Until = instant(number(timeDigits)), instant(number(timeDigits))
	f.Extends = number(1) == 1
	kind, name, value := number(lengthDigits), number(lengthDigits), number(lengthDigits)
	if err != nil || kind < 0 || name < 0 || value < 0 || int64(len(s)) < kind+name+value {
		return store.Fact{}, "", errBadFact
	}
	f.Key = store.Key{Kind: store.Kind(s[:kind]), Name: s[kind : kind+name]}
	if value > 0 {
		f.Value = []byte(s[kind+name : kind+name+value])
	}
	return f, s[kind+name+value:], nil
}

// latest is the latest time that an int64 holds in nanoseconds.
var latest = time.Unix(0, 1<<63-1)

// nanos returns nanoseconds since 1970, zero before, and the largest number after latest.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, 0)):
		return 0
	case t.After(latest):
		return 1<<63 - 1
	}
	return t.UnixNano()
}

// instant is the inverse of nanos. Zero is the zero time.
func instant(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}

// Publish implements [store.Store].
func (s *Store) Publish(ctx context.Context, facts []store.Fact) (time.Time, error) {
	shared := call{publishScript, s.factKeys(), []string{s.channel(), randomName()}}
	calls := make([]call, 1, 1+len(facts))
	for _, f := range facts {
		switch {
		case len(f.Value) > store.MaxValue:
			return time.Time{}, errLongValue
		case len(f.Key.Name) > longestName:
			return time.Time{}, errLongName
		case f.Key.Kind == store.KindOwner:
			calls = append(calls, call{ownerScript, s.ownerKeys(f.Key), []string{packFact(f)}})
		default:
			shared.args = append(shared.args, name(f.Key), packFact(f))
		}
	}
	calls[0] = shared
	if len(calls) > 1 && len(shared.args) == 2 {
		calls = calls[1:]
	}
	answers, err := s.run(ctx, s.timeout, calls...)
	if err != nil {
		return time.Time{}, err
	}
	now, err := answers[0].AsInt64()
	if err != nil {
		return time.Time{}, fmt.Errorf("redis: unexpected answer: %w", err)
	}
	return time.UnixMicro(now), nil
}

// Lookup implements [store.Store].
func (s *Store) Lookup(ctx context.Context, keys []store.Key) ([]store.Fact, error) {
	if len(keys) == 0 {
		return nil, ctx.Err()
	}
	shared := call{lookupScript, s.factKeys()[:1], nil}
	calls := make([]call, 0, 1+len(keys))
	for _, k := range keys {
		if k.Kind == store.KindOwner {
			calls = append(calls, call{ownedScript, s.ownerKeys(k), nil})
		} else {
			shared.args = append(shared.args, name(k))
		}
	}
	if len(shared.args) > 0 {
		calls = append(calls, shared)
	}
	answers, err := s.run(ctx, s.timeout, calls...)
	if err != nil {
		return nil, err
	}
	var facts []store.Fact
	for _, answer := range answers {
		r := read(answer)
		found, err := readFacts(r)
		if err != nil {
			return nil, err
		}
		facts = append(facts, found...)
	}
	return facts, nil
}

// readFacts reads the rest of an answer.
func readFacts(r *reader) ([]store.Fact, error) {
	var facts []store.Fact
	for r.more() {
		f, _, err := unpackFact(r.text())
		if r.err == nil && err != nil {
			return nil, err
		}
		facts = append(facts, f)
	}
	return facts, r.failure()
}
