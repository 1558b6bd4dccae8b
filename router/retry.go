package router

import (
	"sync"
	"time"
)

const (
	budgetSeconds = 10 // the period that a retry budget covers
	budgetReserve = 10 // retries in it beside the share of calls: one a second
)

// budget bounds the attempts that follow a fault of Google's, so that retries do not multiply the
// load of an outage. In any 10 seconds it allows a share of the calls, and ten more.
type budget struct {
	mu      sync.Mutex
	share   float64
	granted int64 // all retries so far
	refused int64
	buckets [budgetSeconds]budgetSecond
}

// budgetSecond holds the counts of one second.
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
	if b.leftLocked(second) < 1 {
		b.refused++
		return false
	}
	b.granted++
	b.bucketLocked(second).retries++
	return true
}

// leftLocked returns how many retries are left. The caller holds b.mu.
func (b *budget) leftLocked(second int64) float64 {
	left := float64(budgetReserve)
	for i := range b.buckets {
		if k := &b.buckets[i]; k.second > second-budgetSeconds && k.second <= second {
			left += b.share*float64(k.calls) - float64(k.retries)
		}
	}
	return left
}

// stat returns what the budget has granted and refused.
func (b *budget) stat(now time.Time) Stat {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := max(int(b.leftLocked(now.Unix())), 0)
	return Stat{RetryCount: b.granted, RetryRefusedCount: b.refused, RetryBudget: left}
}

// bucketLocked returns the bucket of a second. The caller holds b.mu.
func (b *budget) bucketLocked(second int64) *budgetSecond {
	k := &b.buckets[((second%budgetSeconds)+budgetSeconds)%budgetSeconds]
	if k.second != second {
		*k = budgetSecond{second: second}
	}
	return k
}

// backoff returns the time before the next attempt of a call that servers have failed n times. It
// is a random share of a period that doubles from Initial to Max, and at least the server's hint.
// random is in [0, 1): full jitter.
func (r Retry) backoff(n int, hint time.Duration, random float64) time.Duration {
	period := min(r.Initial, r.Max)
	for i := 1; i < n && period < r.Max; i++ {
		period = min(2*period, r.Max)
	}
	return max(time.Duration(random*float64(period)), hint)
}
