package pool

import (
	"hash/fnv"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// One refusal is evidence about one call. A thing that others share is put on cooldown when more
// speaks against it: different calls that are refused alike, or one call that is refused again and
// again while others answer its method. A thing that has answered well of late needs more than one
// that never has.
const (
	// evidenceFor is how long an answer speaks for or against a thing, at least.
	evidenceFor = 5 * time.Minute
	// The same call counts as different ones after so many refusals over so much time.
	sameCalls = 3
	sameOver  = 2 * time.Second
	// What has answered well lately needs so many refusals of different calls, with nothing good
	// between them, over so much time, and for several times the longest pause between its good
	// answers. Such a pause is forgotten after so many times its length. Nothing is known of the
	// pauses of what answered first: they are as good as a minute then.
	provenCalls   = 5
	provenOver    = 10 * time.Second
	provenPauses  = 5
	pauseMemory   = 32
	firstPause    = evidenceFor / provenPauses
	longestPause  = 12 * time.Minute
	shortestPause = time.Second
	// witnesses bounds the calls that are told apart.
	witnesses = 8
)

// evidence is what answers say for and against one thing. The zero value knows nothing.
type evidence struct {
	well  atomic.Int64 // instant of the last good answer, plus one; to the second. Zero: none
	pause atomic.Int64 // the longest between good answers of late, less what is forgotten of it

	mu      sync.Mutex
	against []refusal
	count   int   // of refusals since the last good answer
	since   int64 // instant of the first of them
	last    int64 // instant of the last one
}

// refusal is one call that was refused in certain words, perhaps several times.
type refusal struct {
	call, words uint64
	count       int
	first       int64
}

// answered notes a good answer.
func (v *evidence) answered(at int64) {
	last := v.well.Load()
	if last > 0 && at+1-last < int64(shortestPause) {
		return // most answers end here
	}
	switch {
	case !v.well.CompareAndSwap(last, at+1):
	case last == 0:
		v.pause.Store(int64(firstPause))
	default:
		pause := at + 1 - last
		v.pause.Store(max(min(pause, int64(longestPause)), v.pause.Load()-pause/pauseMemory))
	}
}

// wellSince reports whether there was a good answer since an instant.
func (v *evidence) wellSince(at int64) bool {
	well := v.well.Load()
	return well > 0 && well > at
}

// proven reports whether there was a good answer in the last minutes.
func (v *evidence) proven(at int64) bool { return v.wellSince(at - int64(evidenceFor)) }

// patience returns how long after its last good answer a thing is not doubted: its good answers may
// well be as far apart.
func (v *evidence) patience() int64 { return max(int64(provenOver), provenPauses*v.pause.Load()) }

// convicts takes note of a refusal, and reports whether that and the earlier ones are enough. named
// means that the answer says itself what is wrong: one is enough where nothing speaks against it.
// elsewhere reports whether others answer the same method.
func (v *evidence) convicts(at int64, call, words uint64, named bool, elsewhere func() bool) bool {
	well, patience := v.well.Load(), v.patience()
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
	same, different := v.noteLocked(at, call, words)
	agree := different || same.count >= sameCalls && at-same.first >= int64(sameOver) && elsewhere()
	switch {
	case v.wellSince(at - max(patience, int64(evidenceFor))):
		return agree && v.count >= provenCalls && at-well >= patience && at-v.since >= int64(provenOver)
	case named:
		return true
	default:
		return agree
	}
}

// noteLocked takes note of a call that was refused, and reports whether another one was refused
// alike. The caller holds v.mu.
func (v *evidence) noteLocked(at int64, call, words uint64) (same refusal, different bool) {
	same = refusal{call: call, words: words, first: at}
	known := -1
	for i, r := range v.against {
		if r.words == words && r.call == call {
			known, same = i, r
		}
		different = different || r.words == words && r.call != call
	}
	same.count++
	switch {
	case known >= 0:
		v.against[known] = same
	case len(v.against) < witnesses:
		v.against = append(v.against, same)
	default: // the newest ones speak
		copy(v.against, v.against[1:])
		v.against[witnesses-1] = same
	}
	return same, different
}

// words returns a number for what Google said, by which refusals are alike or not. Numbers in the
// text are left out: they may be the call's own.
func (o *Outcome) words() uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, string(o.Class))
	for _, c := range []byte(o.Message) {
		if c < '0' || c > '9' {
			_, _ = h.Write([]byte{c})
		}
	}
	return h.Sum64()
}

// versionProofs are what good answers and refusals say of a thing, for each version of the API. The
// zero value knows nothing.
type versionProofs struct {
	newest atomic.Pointer[versionProof]
}

type versionProof struct {
	evidence

	version string
	older   *versionProof
	nth     int
}

// of returns what is known of a version. Versions beyond the number that there are share the last.
func (vs *versionProofs) of(version string) *evidence {
	for {
		newest := vs.newest.Load()
		for v := newest; v != nil; v = v.older {
			if v.version == version {
				return &v.evidence
			}
		}
		if newest != nil && newest.nth >= versions {
			return &newest.evidence
		}
		v := &versionProof{version: strings.Clone(version), older: newest, nth: 1}
		if newest != nil {
			v.nth = newest.nth + 1
		}
		if vs.newest.CompareAndSwap(newest, v) {
			return &v.evidence
		}
	}
}

// proofOf returns the evidence for and against what an outcome is about. That of a version is kept
// before anything was refused.
func (r *lease) proofOf(accused *entry) *evidence {
	if accused.subject.Version != "" {
		return r.own.versions.of(accused.subject.Version)
	}
	return &accused.proof
}
