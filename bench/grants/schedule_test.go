package grants_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/spillway-go/spillway/store"
)

const (
	members = 4
	asks    = 40 // of each member
	keys    = 2
)

// use is what a member may use of a grant, at any moment between two.
type use struct {
	key              store.Key
	from, to         time.Time
	requests, tokens int64
}

// schedule is one random run of all members over one Memory.
type schedule struct {
	memory *store.Memory
	limits [keys]store.Limits
	ahead  time.Duration // the store's clock

	mu      sync.Mutex
	history []porcupine.Operation
	uses    []use
}

func newSchedule(seed uint64) *schedule {
	random := rand.New(rand.NewPCG(seed, 0))
	s := &schedule{
		memory: store.NewMemory(time.Duration(random.IntN(3)) * 10 * time.Millisecond),
		ahead:  time.Duration(random.IntN(61)-30) * time.Second,
	}
	s.memory.SetClock(s.ahead)
	for i := range s.limits {
		s.limits[i].RPM = 2 + random.Int64N(12)
		if random.IntN(3) > 0 {
			s.limits[i].TPM = 50 + random.Int64N(300)
		}
	}
	return s
}

// run lets all members ask until they are done.
func (s *schedule) run(seed uint64) {
	var running sync.WaitGroup
	for i := range members {
		m := &member{
			schedule: s, number: i, replica: s.memory.Replica(),
			random: rand.New(rand.NewPCG(seed, uint64(i+1))),
		}
		running.Go(func() {
			for range asks {
				m.step()
			}
		})
	}
	running.Wait()
}

// member asks, uses some of what it is granted and gives back the rest.
type member struct {
	schedule *schedule
	number   int
	replica  *store.Replica
	random   *rand.Rand
	books    [keys]book
}

// book is what a member has yet to give back to one window. What was sent is sent again under its
// number until an answer comes.
type book struct {
	number     int64
	sent, next []store.Change
}

func (m *member) step() {
	if m.random.IntN(3) > 0 {
		time.Sleep(time.Duration(m.random.Int64N(int64(10 * time.Second))))
	}
	m.breakSomething()
	timeout := time.Duration(50+m.random.IntN(800)) * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()

	var asked []store.Ask
	var indices []int
	for _, i := range m.random.Perm(keys)[:1+m.random.IntN(keys)] {
		asked = append(asked, m.ask(i))
		indices = append(indices, i)
	}
	left := time.Now()
	grants, _, err := m.replica.Take(ctx, fmt.Sprintf("%016x", m.number), asked)
	for n, i := range indices {
		var g store.Grant
		if err == nil {
			g = grants[n]
			m.books[i].sent = nil
			m.use(i, asked[n].Key, g, left)
		}
		m.schedule.record(m.number, asked[n], left, err == nil, g)
	}
}

// breakSomething gives the member's way to the store a fault, more often than not none.
func (m *member) breakSomething() {
	f := store.Fault{Delay: time.Duration(m.random.IntN(200)) * time.Millisecond}
	switch m.random.IntN(20) {
	case 0:
		f.LosesReplies = true
	case 1:
		f.Err = errors.New("gone")
	case 2:
		f.Hangs = true
		after := time.Duration(m.random.IntN(900)) * time.Millisecond
		time.AfterFunc(after, func() { m.replica.SetFault(store.Fault{}) })
	case 3:
		f.Delay = time.Second // longer than any call waits
	}
	m.replica.SetFault(f)
}

func (m *member) ask(i int) store.Ask {
	limits, b := m.schedule.limits[i], &m.books[i]
	a := store.Ask{
		Key: store.Key{Kind: store.KindWindow, Name: fmt.Sprint(i)}, Limits: limits,
		Requests: m.random.Int64N(8),
	}
	if limits.TPM > 0 {
		a.Least = 1 + m.random.Int64N(40)
		a.Tokens = a.Requests * (a.Least + m.random.Int64N(20))
	}
	if len(b.sent) == 0 && len(b.next) > 0 {
		b.number++
		b.sent, b.next = b.next, nil
	}
	if len(b.sent) > 0 {
		a.Number, a.Changes = b.number, b.sent
	}
	return a
}

// use decides what of a grant is used. A grant that came after its Life is not.
func (m *member) use(i int, key store.Key, g store.Grant, left time.Time) {
	u := use{key: key, from: time.Now(), to: left.Add(store.Life)}
	if !u.from.After(u.to) && g.Requests > 0 {
		u.requests = m.random.Int64N(g.Requests + 1)
		if u.requests > 0 {
			u.tokens = m.random.Int64N(g.Tokens + 1)
		}
	}
	back := store.Change{At: g.At, Requests: u.requests - g.Requests, Tokens: u.tokens - g.Tokens}
	if back.Requests != 0 || back.Tokens != 0 {
		m.books[i].next = append(m.books[i].next, back)
	}
	m.schedule.mu.Lock()
	defer m.schedule.mu.Unlock()
	m.schedule.uses = append(m.schedule.uses, u)
}

func (s *schedule) record(member int, a store.Ask, left time.Time, known bool, g store.Grant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.history = append(s.history, porcupine.Operation{
		ClientId: member,
		Input:    asked{member, a, left.Add(s.ahead), now.Add(s.ahead)},
		Call:     left.UnixNano(),
		Output:   answered{known, g},
		Return:   now.UnixNano(),
	})
}
