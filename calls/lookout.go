package calls

import (
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// dear is how much longer than a look at all endpoints the pause after it is: so much that calls
// spend at most 2 % of one processor on looks, however many calls there are and endpoints.
const dear = 50

// lookout asks why other endpoints could not serve calls, as often as that may cost.
type lookout struct{ next atomic.Int64 }

// others returns why others could not serve a call; ok is false if it is too early to look again.
func (l *lookout) others(at time.Time, look func() []pool.Reason) (others []pool.Reason, ok bool) {
	if at.UnixNano() < l.next.Load() {
		return nil, false
	}
	began := time.Now()
	others = look()
	took := time.Since(began)
	l.next.Store(began.Add(dear * took).UnixNano())
	return others, true
}
