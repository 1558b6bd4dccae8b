package pool

import (
	"sync"
	"sync/atomic"
	"time"
)

// One refusal is evidence about one call. A thing that others share is put on cooldown when more
// speaks against it: different calls that are refused alike, or one call that is refused again and
// again while others answer its method. A thing that has answered well of late needs more than one
// that never has.
const (
	// evidenceFor is how long an answer speaks for or against a thing.
	evidenceFor = 5 * time.Minute
	// The same call counts as different ones after so many refusals over so much time.
	sameCalls = 3
	sameOver  = 2 * time.Second
	// What has answered well needs so many refusals of different calls, with nothing good between
	// them, for several times as long as it usually takes until the next good answer.
	provenCalls   = 5
	provenOver    = 10 * time.Second
	provenRhythms = 4
	// witnesses bounds the calls that are told apart.
	witnesses = 8
)

// evidence is what answers say for and against one thing. The zero value knows nothing.
type evidence struct {
	well   atomic.Int64 // instant of the last good answer, plus one; to the second. Zero: none
	rhythm atomic.Int64 // time between the last two, at least a second

	mu      sync.Mutex
	against []refusal
	count   int   // of refusals since the last good answer
	since   int64 // instant of the first of them
	last    int64 // instant of the last one
}

// refusal is one call that was refused, perhaps several times.
type refusal struct {
	call  uint64
	count int
	first int64
}

// answered notes a good answer.
func (v *evidence) answered(at int64) {
	last := v.well.Load()
	if last > 0 && at+1-last < int64(time.Second) {
		return // most answers end here
	}
	if v.well.CompareAndSwap(last, at+1) && last > 0 {
		v.rhythm.Store(at + 1 - last)
	}
}

// wellSince reports whether there was a good answer since an instant.
func (v *evidence) wellSince(at int64) bool {
	well := v.well.Load()
	return well > 0 && well > at
}

// proven reports whether there was a good answer in the last minutes.
func (v *evidence) proven(at int64) bool { return v.wellSince(at - int64(evidenceFor)) }

// convicts takes note of a refusal, and reports whether that and the earlier ones are enough. named
// means that the answer says itself what is wrong: one is enough where nothing speaks against it.
// elsewhere reports whether others answer the same method.
func (v *evidence) convicts(at int64, call uint64, named bool, elsewhere func() bool) bool {
	well := v.well.Load()
	proven := v.proven(at)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.count > 0 && (well > 0 && v.last < well || at-v.last > int64(evidenceFor)) {
		v.against, v.count = nil, 0
	}
	if v.count == 0 {
		v.since = at
	}
	v.count++
	v.last = at
	same := v.noteLocked(at, call)
	different := len(v.against) > 1
	agree := different || same.count >= sameCalls && at-same.first >= int64(sameOver) && elsewhere()
	switch {
	case proven:
		patience := min(max(int64(provenOver), provenRhythms*v.rhythm.Load()), int64(evidenceFor))
		return agree && v.count >= provenCalls && at-well >= patience && at-v.since >= int64(provenOver)
	case named:
		return true
	default:
		return agree
	}
}

// noteLocked takes note of a call that was refused. The caller holds v.mu.
func (v *evidence) noteLocked(at int64, call uint64) refusal {
	for i := range v.against {
		if v.against[i].call == call {
			v.against[i].count++
			return v.against[i]
		}
	}
	r := refusal{call: call, count: 1, first: at}
	if len(v.against) < witnesses {
		v.against = append(v.against, r)
	}
	return r
}
