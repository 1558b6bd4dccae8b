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

// Carrier is a connection or a body that may be long. The zero value is ready for use.
type Carrier struct{ _ byte } // or all had one address

// last is who carried much last, and when.
var last struct {
	who atomic.Pointer[Carrier]
	at  atomic.Int64
}

var began = time.Now()

// Carried says that c has carried n bytes. It waits for less than a turn, if they are many and others
// carry as much. The goroutine holds no lock that others wait for.
func (c *Carrier) Carried(n int) {
	if n < many {
		return
	}
	now := time.Since(began)
	before, at := last.who.Swap(c), time.Duration(last.at.Swap(int64(now)))
	if before == c || now-at > turn || now < at {
		return
	}
	if at := now % turn; at >= carrying {
		time.Sleep(turn - at)
	}
}
