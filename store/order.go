package store

import (
	"context"
	"time"
)

// Constants of orders.
const (
	// Estimates is how many ways there are to foresee the answer of a call under way.
	Estimates = 3
	// OrderPause is how often a busy member pulls.
	OrderPause = 200 * time.Millisecond
	// OrderLesson is how long it may take at most until a lesson is in the evidence.
	OrderLesson = time.Second
	// OrderKeep is how long an order is kept that no member has touched.
	OrderKeep = 24 * time.Hour
)

// Orders is what replicas share of orders of Provisioned Throughput: what all calls were charged,
// and what Google's answers have taught. Every call is reserved by one ask, and settled at once.
// What others do is pulled.
//
// A failed ask or change is not repeated: it may have had its effect, which then ends with the
// window. A failed pull is, with the same Number.
type Orders interface {
	// ReserveOrder charges a call in the bucket of now, if it fits.
	ReserveOrder(ctx context.Context, key OrderKey, ask OrderAsk) (OrderGrant, error)
	// SettleOrder changes what a bucket was charged: a call has ended, or was admitted without asking.
	SettleOrder(ctx context.Context, key OrderKey, change OrderChange) (OrderChanged, error)
	// PullOrder gives the store what the member has learned, and returns what has changed since it
	// pulled last.
	PullOrder(ctx context.Context, key OrderKey, pull OrderPull) (OrderNews, error)
}

// OrderKey names an order, and how its time is cut. Orders that differ in either have nothing in
// common.
type OrderKey struct {
	Name string
	// Bucket is the length of a bucket, Buckets how many of them are kept. A bucket's number is its
	// beginning since 1970 in buckets.
	Bucket  time.Duration
	Buckets int64
}

// Charge is what calls weigh, in thousandths of a burned-down token: Known of calls that have ended
// and of prompts, Open of answers to come, by each way to foresee them.
type Charge struct {
	Known int64
	Open  [Estimates]int64
}

// OrderAsk is what a call weighs, and whether it fits. It fits a window if
//
//	Known·(1+Margin) + Guess·Open[By]
//
// of the window, plus Known and Guess·Open[By] of the call, is at most the Capacity. A window with
// nothing in it has room for every call whose Known and Open[By] together are at most the Capacity.
//
// Where a call does not fit the Window it is admitted nevertheless if it fits Longer, and no call
// was admitted so within the last Every buckets: to try whether Google's window is longer. Every is
// 0 if it must not try.
type OrderAsk struct {
	Charge         Charge
	By             int
	Guess          float64
	Window, Longer OrderWindow
	Every          int64
}

// OrderWindow is the bucket of now and so many before it.
type OrderWindow struct {
	Buckets  int64
	Capacity float64 // in thousandths
	Margin   float64 // share of what is Known that is left free
}

// OrderGrant is the answer to an ask.
type OrderGrant struct {
	Now    time.Time
	OK     bool
	Bucket int64  // that the call was charged in
	Sum    Charge // of the Window asked for, without the call
	Lesson int64  // see [OrderNews]
	// Version is that of the order with the call: news of this version or a later one have it already.
	Version int64
}

// OrderChange is added to a bucket. A bucket that has left the order's time is not changed, one
// that has not begun is the one of now.
//
// A change with Refused says that Google refused the call. Refusals of calls that were admitted by
// what was known then teach once. So the store counts lessons: a refusal teaches if the Lesson that
// its member had heard of was the last one, or if that is longer ago than [OrderLesson].
type OrderChange struct {
	Bucket  int64
	Charge  Charge
	Refused bool
	Lesson  int64
}

// OrderChanged is the answer to a change. Teaches says that it was a lesson, the one with this
// number. Then the member pulls at once, so that the others hear of it.
type OrderChanged struct {
	Now     time.Time
	Lesson  int64
	Teaches bool
}

// OrderPull asks for what has changed since the news with this Epoch, Version and Count; all of it
// if they are zero. Changes and Evidence are taken once for each Number, which is positive and
// rises with each pull of the member. A Number of 0 comes without either.
//
// Evidence is numbers that mean nothing to the store. Each of its parts maps so many of them in a
// row, one after the other. It is applied if both the store and the Count have evidence, or
// neither: then it comes from zeros.
type OrderPull struct {
	Member   string
	Number   int64
	Changes  []OrderChange
	Evidence []Shift
	Lesson   int64 // the last one that the evidence of this member knows

	Epoch   string
	Version int64 // of the buckets
	Count   int64 // of evidence applied
}

// Shift maps numbers. Each becomes Keep times itself plus its Add.
type Shift struct {
	Keep float64
	Add  []float64
}

// OrderNews is the answer to a pull.
type OrderNews struct {
	Now     time.Time
	Epoch   string // a random name of the order's content; it changes when that is lost
	Version int64
	Count   int64
	Lesson  int64 // the last one that is in the evidence
	// Whole says that Buckets are all that are not empty, and not only those that have changed.
	Whole   bool
	Buckets []OrderBucket
	// Evidence is empty if the Count has not changed.
	Evidence []float64
}

// OrderBucket is all that was charged in a bucket.
type OrderBucket struct {
	Bucket int64
	Charge Charge
}

// Add adds what d weighs.
func (c *Charge) Add(d Charge) {
	c.Known += d.Known
	for i := range c.Open {
		c.Open[i] += d.Open[i]
	}
}

// Sub takes away what d weighs.
func (c *Charge) Sub(d Charge) {
	c.Known -= d.Known
	for i := range c.Open {
		c.Open[i] -= d.Open[i]
	}
}
