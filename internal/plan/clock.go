package plan

import (
	"container/heap"
	"time"
)

// clock is virtual time: an agenda of what happens when. One goroutine runs at a time, whichever has
// the turn, so that nothing here needs a lock and the same calls have the same fate each time.
type clock struct {
	now    time.Time
	agenda agenda
	seq    uint64
	ready  []*thread     // that were woken, and have not had their turn
	yield  chan struct{} // the one that had the turn gives it back
	idle   []chan func() // goroutines that wait for work
}

func newClock(start time.Time) *clock { return &clock{now: start, yield: make(chan struct{})} }

// Now returns the time.
func (c *clock) Now() time.Time { return c.now }

// AfterFunc calls f once d has passed, unless stop is called before.
func (c *clock) AfterFunc(d time.Duration, f func()) (stop func()) {
	a := c.at(c.now.Add(max(d, 0)), f)
	return func() { a.do = nil }
}

// at puts something on the agenda.
func (c *clock) at(t time.Time, f func()) *alarm {
	c.seq++
	a := &alarm{at: t, seq: c.seq, do: f}
	heap.Push(&c.agenda, a)
	return a
}

// Parking returns a pair of functions: wait gives the turn back until wake was called.
func (c *clock) Parking() (wait, wake func()) {
	t := &thread{turn: make(chan struct{})}
	wait = func() {
		if t.woken {
			return
		}
		t.parked = true
		c.yield <- struct{}{}
		<-t.turn
	}
	wake = func() {
		if t.woken {
			return
		}
		t.woken = true
		if t.parked {
			c.ready = append(c.ready, t)
		}
	}
	return wait, wake
}

// run gives the turn to f, which may park, and then to all that it has woken.
func (c *clock) run(f func()) {
	var work chan func()
	if n := len(c.idle); n > 0 {
		work, c.idle = c.idle[n-1], c.idle[:n-1]
	} else {
		work = make(chan func())
		go func() {
			for f := range work {
				f()
				c.idle = append(c.idle, work)
				c.yield <- struct{}{}
			}
		}()
	}
	work <- f
	<-c.yield
	c.settle()
}

// settle gives the turn to all that were woken.
func (c *clock) settle() {
	for len(c.ready) > 0 {
		t := c.ready[0]
		c.ready = c.ready[1:]
		t.turn <- struct{}{}
		<-c.yield
	}
}

// advance goes to a time, and does what is on the agenda until then.
func (c *clock) advance(to time.Time) {
	for len(c.agenda) > 0 && !c.agenda[0].at.After(to) {
		c.next()
	}
	c.now = to
}

// finish does all that is on the agenda.
func (c *clock) finish() {
	for len(c.agenda) > 0 {
		c.next()
	}
	for _, work := range c.idle {
		close(work)
	}
}

func (c *clock) next() {
	a, _ := heap.Pop(&c.agenda).(*alarm)
	if a.do == nil {
		return
	}
	c.now = a.at
	a.do()
	c.settle()
}

// thread is a goroutine that waits.
type thread struct {
	woken, parked bool
	turn          chan struct{}
}

// alarm is something that happens at a time.
type alarm struct {
	at  time.Time
	seq uint64 // those of one time happen in the order in which they were made
	do  func() // nil: nothing any more
}

// agenda is a heap of alarms.
type agenda []*alarm

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements [heap.Interface].
func (a *agenda) Push(x any) {
	if one, ok := x.(*alarm); ok {
		*a = append(*a, one)
	}
}

// Pop implements [heap.Interface].
func (a *agenda) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return x
}
