// Package turns lets short calls find the processor free while others carry much.
//
// Go looks for what has come from the network when nothing is left to run, or every 10 ms. A few
// connections that send or take without a pause leave nothing else but these 10 ms, several times for
// each call. So whoever carries much while another does, does it in half of the time.
package turns

import (
	"sync/atomic"
	"time"
)

const (
	// many is what one read or write carries where more is to come: the buffers of net/http have
	// that size.
	many = 4 << 10
	// carrying is the part of each turn in which much is carried.
	turn     = 2 * time.Millisecond
	carrying = time.Millisecond
)

// turns are shared by some carriers.
type turns struct {
	began time.Time
	who   atomic.Pointer[Carrier] // who carried much last
	at    atomic.Int64            // when, since began
}

// all are the turns of this process, as it is its processors that they are about.
var all = turns{began: time.Now()}

// Carrier is a connection or a body that may be long. The zero value is ready for use, by one
// goroutine at a time for each direction.
type Carrier struct{ _ byte } // without a size, all could have one address

// Carried says that c has carried n bytes. It waits for at most a millisecond if they are many, and
// others have carried as much just before. The caller holds no lock.
func (c *Carrier) Carried(n int) {
	if n >= many {
		time.Sleep(all.left(c))
	}
}

// left returns for how long c has to wait.
func (t *turns) left(c *Carrier) time.Duration {
	now := time.Since(t.began)
	before, at := t.who.Swap(c), time.Duration(t.at.Swap(int64(now)))
	if before == nil || before == c || now < at || now-at > turn || now%turn < carrying {
		return 0
	}
	return turn - now%turn
}
