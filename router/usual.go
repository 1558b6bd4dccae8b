package router

import (
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/spillway-go/spillway/pool"
)

const (
	// enoughAnswers are needed before the usual time is known.
	enoughAnswers = 20
	// rememberedAnswers are what the usual time is of.
	rememberedAnswers = 128
	// mostUsual bounds the models and methods whose usual time is remembered.
	mostUsual = 1000
	// usualTokens is the thinking budget and the maxOutputTokens of a usual call. Twice as much may
	// take twice the time.
	usualTokens = 8 << 10
	// mostEffort bounds what a call is taken to need: 2 to this power times the usual.
	mostEffort = 4
)

// kind is what calls have in common that usually take the same time.
type kind struct {
	model, method string
	effort        int // 2 to this power times usualTokens bound the call's output
	flex          bool
}

// effort returns what a call may need, see kind.
func effort(e *pool.Estimate) int {
	tokens := max(e.MaxThoughts, e.MaxOutput, 1)
	return min(bits.Len64(uint64((tokens-1)/usualTokens)), mostEffort)
}

// usual is the usual time from a request to the first content of its response, thinking included.
type usual struct {
	answers int           // so many are known
	time    time.Duration // 95 of 100 take no longer; if answers are too few, none did
	guesses int           // suspicions before the first answer
}

// usualTimes learns from good answers. The zero value knows nothing.
type usualTimes struct {
	mu     sync.Mutex
	kinds  map[kind]*answers
	clock  uint64
	sorted []uint32 // room for a computation
}

// answers are the times of the last answers to a kind of call.
type answers struct {
	times   []uint32 // milliseconds
	next    int
	guesses int
	used    uint64
	p95     time.Duration
	stale   bool // p95 is to be computed
}

// observe notes how long a good answer took.
func (u *usualTimes) observe(k kind, took time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.makeLocked(k)
	ms := uint32(min(max(took.Milliseconds(), 0), 1<<31))
	if a.stale = true; len(a.times) < rememberedAnswers {
		a.times = append(a.times, ms)
		return
	}
	a.times[a.next] = ms
	a.next = (a.next + 1) % rememberedAnswers
}

// guess notes a suspicion without an answer to go by.
func (u *usualTimes) guess(k kind) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if a := u.makeLocked(k); len(a.times) == 0 {
		a.guesses++
	}
}

// of returns the usual time of a kind of call. If there are too few answers to calls of its effort,
// it is that of a usual call, multiplied.
func (u *usualTimes) of(k kind) usual {
	u.mu.Lock()
	defer u.mu.Unlock()
	own := u.ofLocked(k)
	if k.effort == 0 || own.answers >= enoughAnswers {
		return own
	}
	plain := k
	plain.effort = 0
	base := u.ofLocked(plain)
	if base.time <<= k.effort; base.answers >= enoughAnswers || own.answers == 0 && base.answers > 0 {
		return base
	}
	return own
}

func (u *usualTimes) ofLocked(k kind) usual {
	a := u.kinds[k]
	if a == nil {
		return usual{}
	}
	u.clock++
	a.used = u.clock
	if n := len(a.times); a.stale && n > 0 {
		u.sorted = append(u.sorted[:0], a.times...)
		slices.Sort(u.sorted)
		i := n - 1
		if n >= enoughAnswers {
			i = (n*95+99)/100 - 1
		}
		a.p95, a.stale = time.Duration(u.sorted[i])*time.Millisecond, false
	}
	return usual{answers: len(a.times), time: a.p95, guesses: a.guesses}
}

// makeLocked returns what is known of a kind. Over the bound it forgets the one least recently
// used.
func (u *usualTimes) makeLocked(k kind) *answers {
	u.clock++
	a := u.kinds[k]
	if a == nil {
		if u.kinds == nil {
			u.kinds = make(map[kind]*answers)
		}
		if len(u.kinds) >= mostUsual {
			u.forgetLocked()
		}
		a = &answers{}
		u.kinds[k] = a
	}
	a.used = u.clock
	return a
}

func (u *usualTimes) forgetLocked() {
	var oldest kind
	used := ^uint64(0)
	for k, a := range u.kinds {
		if a.used < used {
			oldest, used = k, a.used
		}
	}
	delete(u.kinds, oldest)
}
