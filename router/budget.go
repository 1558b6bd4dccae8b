package router

import (
	"sync"
	"time"
)

const (
	budgetSeconds = 10 // the time a retry budget looks back on
	budgetReserve = 10 // retries in that time beside the share of calls: one a second
)

// budget bounds attempts that follow a fault of Google's, so that an outage is not answered with a multiple of the load: in any 10
// seconds at most a share of the calls, and ten.
type budget struct {
	mu      sync.Mutex
	share   float64
	buckets [budgetSeconds]budgetSecond
}

// budgetSecond is what happened in one second.
type budgetSecond struct {
	second         int64
	calls, retries int
}

// allow sets the share of calls that may be retried.
func (b *budget) allow(share float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.share = share
}

// call counts a call.
func (b *budget) call(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bucketLocked(now.Unix()).calls++
}

// retry takes one retry out of the budget, unless it is empty.
func (b *budget) retry(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	second := now.Unix()
	allowed := float64(budgetReserve)
	for i := range b.buckets {
		if k := &b.buckets[i]; k.second > second-budgetSeconds && k.second <= second {
			allowed += b.share*float64(k.calls) - float64(k.retries)
		}
	}
	if allowed < 1 {
		return false
	}
	b.bucketLocked(second).retries++
	return true
}

// bucketLocked returns the bucket of a second. The caller holds b.mu.
func (b *budget) bucketLocked(second int64) *budgetSecond {
	k := &b.buckets[((second%budgetSeconds)+budgetSeconds)%budgetSeconds]
	if k.second != second {
		*k = budgetSecond{second: second}
	}
	return k
}
