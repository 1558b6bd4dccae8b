package store

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"
)

// Memory is a [Store] for replicas in one process, for tests and examples. All of them may call the
// Memory itself. [Memory.Replica] gives each one a way of its own, so that a test can cut off some.
//
// It tells the time by time.Now: in a bubble of testing/synctest its time is the bubble's. It
// starts no goroutine and needs no Close. It is safe for concurrent use, and so is setting faults.
type Memory struct {
	line

	mu         sync.Mutex
	offset     time.Duration // of the store's clock
	epoch      string
	operations int64
	swept      time.Time
	fleet      fleet
	windows    map[Key]*window
	facts      map[Key]Fact
	claims     map[Key]claim
	orders     map[OrderKey]*heldOrder
	pacers     map[Key]*heldPacers
	subs       map[*subscription]struct{}
}

// NewMemory returns an empty Memory. Every operation takes latency in all, half of it before it has
// its effect. Facts reach their subscribers half of the latency after they were published.
func NewMemory(latency time.Duration) *Memory {
	m := &Memory{subs: map[*subscription]struct{}{}}
	m.line = line{memory: m, latency: latency, faults: newFaults()}
	m.Flush()
	return m
}

// Replica returns a new way to m with faults of its own. It has those of m besides.
func (m *Memory) Replica() *Replica {
	return &Replica{line{memory: m, latency: m.latency, faults: newFaults()}}
}

// Replica is the way of one replica to a [Memory], and a [Store].
type Replica struct{ line }

// SetClock sets how far the store's clock is ahead of time.Now. To set it back is a clock's step
// back: windows stand still until the clock has caught up, or start again with all that they count
// if that takes as long as [Keep]. What is counted is never forgotten early.
func (m *Memory) SetClock(ahead time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offset = ahead
}

// Flush loses the content of m, as a store that starts again empty. Epochs change. Subscriptions
// go on.
func (m *Memory) Flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch = randomName()
	m.fleet = fleet{}
	m.windows = map[Key]*window{}
	m.facts = map[Key]Fact{}
	m.claims = map[Key]claim{}
	m.orders = map[OrderKey]*heldOrder{}
	m.pacers = map[Key]*heldPacers{}
}

// Operations returns how many operations have had their effect. Each ask of a Take is one, and so
// is every call of another method.
func (m *Memory) Operations() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.operations
}

// sweepLocked forgets what is over, so that memory is bounded. It looks at everything, and
// therefore only once in a while.
func (m *Memory) sweepLocked(now time.Time) {
	if since := now.Sub(m.swept); since >= 0 && since < Keep {
		return
	}
	m.swept = now
	for k, w := range m.windows {
		if w.sweep(now) {
			delete(m.windows, k)
		}
	}
	for k, f := range m.facts {
		if !f.Until.After(now) {
			delete(m.facts, k)
		}
	}
	for k, c := range m.claims {
		if !c.until.After(now) {
			delete(m.claims, k)
		}
	}
	m.sweepHeldLocked(now)
}

// randomName returns 16 random hex digits.
func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
