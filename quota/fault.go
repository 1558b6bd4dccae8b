package quota

import (
	"sync"
	"time"
)

// mostFaults bounds the faults of an order that are remembered.
const mostFaults = 1_000

// Fault is an answer with HTTP status 5XX that an order gave. Google refuses calls beyond the purchase
// with 429. Below it, what would be a 429 is a 5XX, which counts towards the service level agreement:
// https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429.
type Fault struct {
	// At is when the answer came, Latency how long after the call was sent.
	At      time.Time
	Latency time.Duration
	Status  int
	Model   string
	// Use is the share of the order that was used when the call was sent, by Google's count as the
	// ledger believes it: what ended in the window, what was running, and the call itself, over
	// what was bought. No margin is in it. With a shared ledger it is of all replicas.
	Use float64
	// Inside says that a response had begun with status 200; Status is that of the error in it.
	Inside bool
	// IDs are what Google sent to find the call by, as "name=value".
	IDs []string
}

// BelowPurchase reports whether the call was within what was bought.
func (f *Fault) BelowPurchase() bool { return f.Use <= 1 }

// FaultStat counts the faults of an order since its first. Counts are cumulative, and more than are
// remembered.
type FaultStat struct {
	// BelowCount are those below the purchase, BelowLast when the last of them came; zero: none did.
	BelowCount int64
	BelowLast  time.Time `json:",omitzero"`
	// AboveCount and AboveLast are of the others.
	AboveCount int64
	AboveLast  time.Time `json:",omitzero"`
}

// Faults remembers the last 1,000 faults of an order. The zero value has none. It is safe for
// concurrent use.
type Faults struct {
	mu   sync.Mutex
	ring []Fault
	next int // where the next one goes, once the ring is full
	stat FaultStat
}

// Add remembers a fault.
func (fs *Faults) Add(f Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.BelowPurchase() {
		fs.stat.BelowCount++
		fs.stat.BelowLast = f.At
	} else {
		fs.stat.AboveCount++
		fs.stat.AboveLast = f.At
	}
	if len(fs.ring) < mostFaults {
		fs.ring = append(fs.ring, f)
		return
	}
	fs.ring[fs.next] = f
	fs.next = (fs.next + 1) % mostFaults
}

// Stat returns the counts.
func (fs *Faults) Stat() FaultStat {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.stat
}

// List returns those that are remembered, the earliest first.
func (fs *Faults) List() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make([]Fault, 0, len(fs.ring))
	return append(append(list, fs.ring[fs.next:]...), fs.ring[:fs.next]...)
}
