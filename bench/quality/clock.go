package main

import (
	"context"
	"time"

	"github.com/spillway-go/spillway/store"
)

// clock is the store as a replica sees it whose own clock is wrong: in a bubble there is one clock
// for all, so that in its place the store's times are.
type clock struct {
	store.Store

	ahead time.Duration // of the replica's clock
}

// clocked returns the way to the store of a replica whose clock is ahead.
func clocked(s store.Store, ahead time.Duration) store.Store {
	if ahead == 0 {
		return s
	}
	return &clock{s, ahead}
}

// ours is a time of the store as the replica is told it, theirs one of the replica as the store is.
func (c *clock) ours(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-c.ahead)
}

func (c *clock) theirs(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(c.ahead)
}

// Beat implements [store.Store].
func (c *clock) Beat(ctx context.Context, member string, leaves bool) (store.Fleet, error) {
	f, err := c.Store.Beat(ctx, member, leaves)
	f.Now, f.Since = c.ours(f.Now), c.ours(f.Since)
	return f, err
}

// Take implements [store.Store].
func (c *clock) Take(ctx context.Context, member string, asks []store.Ask) ([]store.Grant, time.Time, error) {
	moved := make([]store.Ask, len(asks))
	for i, a := range asks {
		for j, end := range a.Days {
			a.Days[j] = c.theirs(end)
		}
		a.Changes = move(a.Changes, c.theirs)
		moved[i] = a
	}
	grants, now, err := c.Store.Take(ctx, member, moved)
	for i := range grants {
		g := &grants[i]
		g.At, g.Next, g.Used.DayEnds = c.ours(g.At), c.ours(g.Next), c.ours(g.Used.DayEnds)
		g.Profile = move(g.Profile, c.ours)
	}
	return grants, c.ours(now), err
}

// Publish implements [store.Store].
func (c *clock) Publish(ctx context.Context, facts []store.Fact) (time.Time, error) {
	now, err := c.Store.Publish(ctx, moveFacts(facts, c.theirs))
	return c.ours(now), err
}

// Subscribe implements [store.Store].
func (c *clock) Subscribe(ctx context.Context, f func(facts []store.Fact)) error {
	return c.Store.Subscribe(ctx, func(facts []store.Fact) { f(moveFacts(facts, c.ours)) })
}

// Lookup implements [store.Store].
func (c *clock) Lookup(ctx context.Context, keys []store.Key) ([]store.Fact, error) {
	facts, err := c.Store.Lookup(ctx, keys)
	return moveFacts(facts, c.ours), err
}

func move(changes []store.Change, by func(time.Time) time.Time) []store.Change {
	moved := make([]store.Change, len(changes))
	for i, ch := range changes {
		ch.At = by(ch.At)
		moved[i] = ch
	}
	return moved
}

func moveFacts(facts []store.Fact, by func(time.Time) time.Time) []store.Fact {
	moved := make([]store.Fact, len(facts))
	for i, f := range facts {
		f.At, f.Until = by(f.At), by(f.Until)
		moved[i] = f
	}
	return moved
}
