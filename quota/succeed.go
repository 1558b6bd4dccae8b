package quota

import "time"

// An order may follow another one for the same model and location: it was renewed, or has another
// size from a day on. Google meters the same calls before and after. So the ledger of the one that
// follows takes over what calls were charged, and what was learned that does not depend on the size.
// The ledger of the one before keeps an heir: calls that it admitted end there, too.

// Succeed takes over what before knows: the calls of its window, its counts, and how Google counts
// running calls. What it believes of the window goes along if both have the same range of windows.
// From then on, what calls of before are charged is charged here, too. Calls of Succeed between the
// same ledgers follow each other.
func (l *Ledger) Succeed(now time.Time, before *Ledger) {
	before.mu.Lock()
	defer before.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	before.advanceLocked(now)
	if l.start.IsZero() {
		l.start, l.last = before.start, before.last
	}
	l.advanceLocked(now)
	for bucket, change := range l.missing(&l.ring, &before.ring, func(b int64) int64 { return l.bucketOf(before.begin(b)) }) {
		l.add(bucket, change)
	}
	l.inherit(&before.book)
	l.heir, before.heir = nil, l
}

// begin returns when a bucket began.
func (l *Ledger) begin(bucket int64) time.Time { return l.start.Add(time.Duration(bucket) * l.bucket) }

// bucketOf returns the bucket of a time that is not after now.
func (l *Ledger) bucketOf(at time.Time) int64 { return min(int64(at.Sub(l.start)/l.bucket), l.current) }

// hand passes on to the heir what a call was charged in a bucket. The caller does not hold l.mu.
func (l *Ledger) hand(heir *Ledger, now time.Time, bucket int64, change charge, ended end) {
	if heir != nil {
		heir.receive(now, l.begin(bucket), change, ended)
	}
}

func (l *Ledger) receive(now, at time.Time, change charge, ended end) {
	l.mu.Lock()
	l.advanceLocked(now)
	bucket := l.bucketOf(at)
	l.add(bucket, change)
	l.count(ended)
	heir := l.heir
	l.mu.Unlock()
	l.hand(heir, now, bucket, change, ended)
}

// Succeed is [Ledger.Succeed]. The store is told what this replica has used as if that had happened
// while it was gone: it knows nothing of the new order yet.
func (l *SharedLedger) Succeed(now time.Time, before *SharedLedger) {
	before.mu.Lock()
	defer before.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	before.advanceLocked(now)
	l.clock, l.share, l.asked = before.clock, before.share, before.asked
	l.advanceLocked(now)
	for bucket, change := range l.missing(&l.own, &before.own, func(b int64) int64 { return l.bucketAt(before.begin(b)) }) {
		l.add(bucket, change)
		l.chargeLocked(bucket, change, true)
	}
	l.inherit(&before.book)
	l.lately, l.pulls.hurry = never, true
	l.heir, before.heir = nil, l
}

// begin returns when a bucket began, in the store's time.
func (l *SharedLedger) begin(bucket int64) int64 { return bucket * int64(l.bucket) }

func (l *SharedLedger) bucketAt(at int64) int64 { return min(at/int64(l.bucket), l.current) }

func (l *SharedLedger) hand(heir *SharedLedger, now time.Time, bucket int64, change charge, ended end) {
	if heir != nil {
		heir.receive(now, l.begin(bucket), change, ended)
	}
}

func (l *SharedLedger) receive(now time.Time, at int64, change charge, ended end) {
	l.mu.Lock()
	l.advanceLocked(now)
	bucket := l.bucketAt(at)
	l.add(bucket, change)
	l.chargeLocked(bucket, change, true)
	l.count(ended)
	heir := l.heir
	l.mu.Unlock()
	l.hand(heir, now, bucket, change, ended)
}

// end is how a call has ended that another ledger had admitted.
type end int

const (
	endNone end = iota // it goes on, or says nothing
	endServed
	endRefused
)

// count counts a call that has ended.
func (b *book) count(ended end) {
	switch ended {
	case endServed:
		b.served++
	case endRefused:
		b.refused++
	case endNone:
	}
}

// missing returns, by bucket, what is to be added to mine so that it has what theirs has. place says
// in which bucket of mine one of theirs lies.
func (m *mind) missing(mine, theirs *ring, place func(int64) int64) map[int64]charge {
	all := make(map[int64]charge)
	for b := max(theirs.current-int64(len(theirs.charges))+1, 0); b <= theirs.current; b++ {
		if c := *theirs.at(b); c != (charge{}) {
			sum := all[place(b)]
			sum.add(c)
			all[place(b)] = sum
		}
	}
	for b := max(mine.current-int64(len(mine.charges))+1, 0); b <= mine.current; b++ {
		if c := *mine.at(b); c != (charge{}) {
			sum := all[b]
			sum.sub(c)
			all[b] = sum
		}
	}
	return all
}

// inherit takes over what was learned of another order, and its counts.
func (b *book) inherit(from *book) {
	b.served, b.refused = from.served, from.refused
	b.pressure, b.refusals, b.run = from.pressure, from.refusals, from.run
	b.outputs = from.outputs
	for e := range b.outputs.ways { // they are in tokens of the order
		b.outputs.ways[e].mean *= b.burndown.Output / from.burndown.Output
	}
	if b.sameWindows(&from.mind) {
		for k := range b.beliefs {
			b.beliefs[k].views = from.beliefs[k].views
		}
		b.best, b.way = from.best, from.way
		return
	}
	for k := range b.beliefs {
		for e := range b.beliefs[k].views {
			b.beliefs[k].views[e] = view{guess: from.beliefs[from.best].views[e].guess}
		}
	}
	b.best, b.way = 0, from.way
}

// sameWindows reports whether the candidates of both are the same windows.
func (m *mind) sameWindows(other *mind) bool {
	if m.bucket != other.bucket || len(m.beliefs) != len(other.beliefs) {
		return false
	}
	for k := range m.beliefs {
		if m.beliefs[k].buckets != other.beliefs[k].buckets {
			return false
		}
	}
	return true
}
