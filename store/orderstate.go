package store

import (
	"strconv"
	"time"
)

// OrderState is an order in an engine that holds it in memory. Other engines do the same in their
// own language. Time is an argument. It is not safe for concurrent use.
type OrderState struct {
	key      OrderKey
	epoch    string
	resets   int   // of the clock
	current  int64 // bucket of now
	slots    []orderSlot
	version  int64 // counts changes of slots
	lesson   int64 // counts refusals that taught
	taught   int64 // the last of them that is in the evidence
	taughtAt int64 // bucket of the last of them
	tried    int64 // bucket of the last call that tried whether the window is longer
	count    int64 // of evidence applied
	evidence []float64
	pulled   map[string]pulledAt // by member

	// The sum over the window that was asked for last. Members mostly ask for the same one, so that it
	// is seldom counted anew.
	window int64
	sum    Charge
}

// orderSlot is a bucket.
type orderSlot struct {
	OrderBucket
	version int64 // of the order when it changed last
}

// pulledAt is the last Number of a member's pulls, and the bucket in which it came.
type pulledAt struct{ number, bucket int64 }

// NewOrderState returns an order that nobody has used. The epoch is a random name.
func NewOrderState(key OrderKey, epoch string) *OrderState {
	return &OrderState{key: key, epoch: epoch, slots: make([]orderSlot, key.Buckets), pulled: map[string]pulledAt{}}
}

// slot returns the slot of a bucket that has not left the order's time.
func (s *OrderState) slot(bucket int64) *orderSlot {
	slot := &s.slots[bucket%int64(len(s.slots))]
	if slot.Bucket != bucket {
		*slot = orderSlot{OrderBucket: OrderBucket{Bucket: bucket}}
	}
	return slot
}

// charge returns what a bucket was charged, without making it.
func (s *OrderState) charge(bucket int64) Charge {
	if slot := &s.slots[bucket%int64(len(s.slots))]; slot.Bucket == bucket {
		return slot.Charge
	}
	return Charge{}
}

// begin moves to the bucket of now. While the clock is back, it waits for it. A clock that is back
// by more than the order's time starts the order anew: members tell again what they have used.
func (s *OrderState) begin(now time.Time) {
	to := now.UnixNano() / int64(s.key.Bucket)
	if s.current-to >= s.key.Buckets {
		s.resets++
		s.slots, s.current, s.tried, s.taughtAt, s.sum = make([]orderSlot, len(s.slots)), to, 0, 0, Charge{}
	}
	if to-s.current > s.window {
		s.current, s.sum = to, Charge{}
		return
	}
	for s.current < to {
		s.sum.Sub(s.charge(s.current - s.window))
		s.current++
	}
}

// total returns the sum over a window.
func (s *OrderState) total(window int64) Charge {
	var sum Charge
	for b := max(s.current-window, 0); b <= s.current; b++ {
		sum.Add(s.charge(b))
	}
	return sum
}

func (s *OrderState) add(bucket int64, c Charge) {
	age := s.current - bucket
	if bucket < 0 || age >= int64(len(s.slots)) {
		return
	}
	s.version++
	slot := s.slot(bucket)
	slot.Charge.Add(c)
	slot.version = s.version
	if age <= s.window {
		s.sum.Add(c)
	}
}

// Reserve is [Orders.ReserveOrder].
func (s *OrderState) Reserve(now time.Time, a *OrderAsk) OrderGrant {
	s.begin(now)
	if w := min(a.Window.Buckets, s.key.Buckets-1); w != s.window {
		s.window, s.sum = w, s.total(w)
	}
	g := OrderGrant{Now: now, Bucket: s.current, Sum: s.sum, Lesson: s.taught}
	switch {
	case a.fits(&a.Window, &g.Sum):
	case a.Every > 0 && s.current-s.tried > a.Every:
		longer := s.total(min(a.Longer.Buckets, s.key.Buckets-1))
		if !a.fits(&a.Longer, &longer) {
			return g
		}
		s.tried = s.current
	default:
		return g
	}
	g.OK = true
	s.add(s.current, a.Charge)
	g.Version = s.version
	return g
}

// fits reports whether the call fits a window with that sum.
func (a *OrderAsk) fits(w *OrderWindow, sum *Charge) bool {
	known, open := float64(sum.Known), float64(sum.Open[a.By])
	if known == 0 && sum.Open[0] == 0 && float64(a.Charge.Known+a.Charge.Open[a.By]) <= w.Capacity {
		return true
	}
	return known*(1+w.Margin)+float64(a.Charge.Known)+a.Guess*(open+float64(a.Charge.Open[a.By])) <= w.Capacity
}

// Settle is [Orders.SettleOrder].
func (s *OrderState) Settle(now time.Time, c *OrderChange) OrderChanged {
	s.begin(now)
	s.add(min(c.Bucket, s.current), c.Charge)
	teaches := c.Refused && (c.Lesson >= s.lesson || s.current-s.taughtAt > int64(OrderLesson/s.key.Bucket))
	if teaches {
		s.lesson = max(s.lesson, c.Lesson) + 1
		s.taughtAt = s.current
	}
	return OrderChanged{Now: now, Lesson: s.lesson, Teaches: teaches}
}

// Pull is [Orders.PullOrder].
func (s *OrderState) Pull(now time.Time, p *OrderPull) OrderNews {
	s.begin(now)
	if last := s.pulled[p.Member]; p.Number > last.number {
		for i := range p.Changes {
			s.Settle(now, &p.Changes[i])
		}
		if (s.count == 0) == (p.Count == 0) {
			s.learn(p.Evidence)
			s.taught = max(s.taught, min(p.Lesson, s.lesson))
		}
		s.pulled[p.Member] = pulledAt{p.Number, s.current}
	}
	s.forget()
	epoch := s.epoch + "." + strconv.Itoa(s.resets)
	n := OrderNews{Now: now, Epoch: epoch, Version: s.version, Count: s.count, Lesson: s.taught, Whole: p.Epoch != epoch}
	for i := range s.slots {
		slot := &s.slots[i]
		if slot.version > 0 && s.current-slot.Bucket < s.key.Buckets && (n.Whole || slot.version > p.Version) {
			n.Buckets = append(n.Buckets, slot.OrderBucket)
		}
	}
	if n.Whole || p.Count != s.count {
		n.Evidence = append(n.Evidence, s.evidence...)
	}
	return n
}

// learn applies evidence.
func (s *OrderState) learn(parts []Shift) {
	if len(parts) == 0 {
		return
	}
	s.count++
	i := 0
	for _, p := range parts {
		for _, add := range p.Add {
			if i == len(s.evidence) {
				s.evidence = append(s.evidence, 0)
			}
			s.evidence[i] = p.Keep*s.evidence[i] + add
			i++
		}
	}
}

// forget forgets members that have not pulled for long. A member that is back after that at worst
// repeats its last changes.
func (s *OrderState) forget() {
	absent := int64(Absence / s.key.Bucket)
	for name, at := range s.pulled {
		if s.current-at.bucket > absent {
			delete(s.pulled, name)
		}
	}
}
