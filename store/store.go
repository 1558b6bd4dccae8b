// Package store is what the replicas of one service share, so that together they keep to quotas
// that belong to projects and not to processes.
//
// A [Store] is the seam between a pool and an engine that all replicas reach. Package store/redis
// is one over Redis or Valkey. [Memory] is one for replicas in one process, for tests. Programs pass
// one to router.WithStore and call none of its methods. Package store/storetest holds what every
// Store has to keep.
//
// Time is the store's: clocks of replicas may differ. A replica converts with the time that each
// answer carries.
package store

import (
	"context"
	"time"
)

// Constants of the protocol. All replicas and all engines have to agree on them.
const (
	// Slice is the resolution of windows.
	Slice = 250 * time.Millisecond
	// Life is how long a grant of a window may be used, counted from the moment at which its request
	// left. What is not used by then is given back.
	Life = 500 * time.Millisecond
	// Keep is how long a window counts what was granted. A grant is used within its Life, and at any
	// moment of a Slice: so nothing that is used within any 60 s is forgotten in them.
	Keep = time.Minute + Life + Slice
	// Lapse is how long a member is alive without a word.
	Lapse = 3 * time.Second
	// Hold is how long slots of concurrent calls last. The slots of a member that was killed are taken
	// by others within 3 s: this, and a moment until one of them asks again.
	Hold = 2250 * time.Millisecond
	// Absence is how long a member that lapsed without leaving is counted as lapsed: it may be cut off
	// from the store, and at work.
	Absence = time.Minute
	// Settling is how long it takes, after the store was lost or its content was, until every member
	// has reported what it used meanwhile.
	Settling = 2 * time.Second
)

// Store is what replicas share. It is safe for concurrent use. Every method fails when ctx ends; it
// may have had its effect then.
//
// A member is a replica. Its name is unique among all that ever were: 16 random hex digits.
type Store interface {
	Orders
	Pacers

	// Beat says that a member is alive, once a second, or that it leaves, and returns the fleet.
	Beat(ctx context.Context, member string, leaves bool) (Fleet, error)
	// Take grants as much of each ask as its limits leave, atomically for each key, one grant for each
	// ask. It returns the store's time.
	Take(ctx context.Context, member string, asks []Ask) (grants []Grant, now time.Time, err error)
	// Publish merges facts: see [Fact]. It returns the store's time.
	Publish(ctx context.Context, facts []Fact) (now time.Time, err error)
	// Subscribe calls f with facts as they are published, one call at a time: first with all that
	// have not expired, and with others again from time to time, so that none is missed. It returns
	// when ctx ends, or with an error when the store is lost; then it may be called again. Facts about
	// [KindOwner] are not among them.
	Subscribe(ctx context.Context, f func(facts []Fact)) error
	// Lookup returns the facts about keys that have not expired: for what is too much to subscribe to.
	Lookup(ctx context.Context, keys []Key) ([]Fact, error)
	// Claim reports whether the member alone may act on a key until ttl has passed. A member that has
	// claimed it already claims it anew. A ttl of zero or less gives the member's own claim back.
	Claim(ctx context.Context, member string, k Key, ttl time.Duration) (bool, error)
}

// Kind is what a [Key] is about.
type Kind string

// The kinds of keys.
const (
	KindWindow   Kind = "window"   // limits of a project for a model
	KindCooldown Kind = "cooldown" // of a subject
	KindLimits   Kind = "limits"   // that Google named
	KindPause    Kind = "pause"    // of a subject, by an operator
	KindOwner    Kind = "owner"    // the project that owns a resource
	KindProbe    Kind = "probe"    // of a cooldown
)

// Key names something that replicas share. Name is a subject of package pool, or a hash. It never
// holds a credential. An engine may put a hash in its place.
type Key struct {
	Kind Kind
	Name string
}

// Fleet is the members of a store.
type Fleet struct {
	Now time.Time
	// Members are those alive, with the one that asks unless it leaves. Rank is its place among them
	// by name, from 0. Lapsed are those that lapsed less than [Absence] ago and did not leave.
	Members, Rank, Lapsed int
	// LapsedSince is when the one that lapsed first of these was last heard of; zero if there are none.
	LapsedSince time.Time
	// Epoch is a random name of the store's content. It changes when the content is lost.
	Epoch string
	// Since is when the fleet was last heard of again after a pause of more than [Lapse], or in a new
	// epoch. Until Since plus [Settling] the store does not know all that was used in between.
	Since time.Time
}

// Limits are the quotas of a window, as those of package quota. Zero is no limit.
type Limits struct {
	RPM, TPM, RPD int64
	Concurrency   int64
}

// Ask is what a member wants of one window. It is granted like this, after its changes:
//
//   - Requests, at most what RPM and RPD leave. An ask for more than four gets at most a quarter of
//     what is left, rounded up, so that others find some.
//   - Slots, at most what Concurrency leaves of those that other members hold, but no fewer than
//     are under way; and no more requests than slots that are not under way. Without a Concurrency
//     none are held and they bound nothing.
//   - Tokens, if there is a TPM: what the granted requests need in proportion, rounded up, but no
//     less than Least, and at most what TPM leaves. An ask for more than four requests gets at most
//     a quarter of what is left, rounded up, but no less than Least. If that is less than they
//     need, there are fewer requests in proportion, rounded down, but one. If less than Least is
//     left, no request is granted, unless Least is more than the TPM and no token is used: then one
//     request is, with Least. Without a TPM no tokens are granted.
type Ask struct {
	Key    Key
	Limits Limits // that the asker keeps to
	// Requests are wanted, with Tokens for all of them together. Least is what the first one needs.
	Requests, Tokens, Least int64
	// Slots are how many concurrent calls the member wants to hold in all, those under way included.
	// They last for [Hold].
	Slots, UnderWay int64
	// Days are three ends of quota days in a row: the last one past, the next, and the one after. The
	// first of them after the store's time is when the day ends that a request counts in. If there is
	// none, RPD bounds nothing.
	Days [3]time.Time
	// Changes correct what was granted, or report what was used without a grant. They are applied
	// before anything is granted, once for each Number, which is positive and rises with each ask of
	// the member for the key. A Number of 0 comes without changes.
	Changes []Change
	Number  int64
	// Profile asks for [Grant.Profile].
	Profile bool
}

// Change is added to what a window has counted at a time, in the Slice of that time and in its day,
// if that has not ended. What is taken back is negative, and at most what the Slice has: the day
// loses no more requests than the Slice does. A time that has left the window changes its day
// alone. Of a time that is yet to come, what is added counts now and nothing is taken back.
type Change struct {
	At               time.Time
	Requests, Tokens int64
}

// Grant is what a member got. It may use requests and tokens for [Life] from the moment at which
// the ask left.
type Grant struct {
	At               time.Time // when it counts, for changes
	Requests, Tokens int64
	Slots            int64 // held in all

	// What all members have used, with this grant.
	Used Used
	// Next is when something comes free that lets a request of Least tokens pass: a Slice leaves the
	// window, or the day ends. It is zero if one may pass now, and if only slots are missing.
	Next time.Time
	// Epoch is a random name of the window's content. It changes when that is lost.
	Epoch string
	// Profile is what Used.Requests and Used.Tokens were used at, the earliest first: each Slice in
	// which something was.
	Profile []Change
}

// Used is what all members use of a window. Requests and Tokens are of the past minute, see [Keep].
type Used struct {
	Requests, Tokens int64
	Day              int64
	DayEnds          time.Time
	Slots            int64
}

// Fact is what one member found out and tells the others. Value is opaque to the store, at most
// [MaxValue] bytes; empty says that what was known is over.
//
// Of two facts about one key the one with the later At wins, but of two with Extends the one with
// the later Until. A fact is forgotten at Until, and has no effect if it is published later.
type Fact struct {
	Key       Key
	Value     []byte
	At, Until time.Time
	Extends   bool
}

// MaxValue is the most bytes that the value of a [Fact] may have.
const MaxValue = 4 << 10
