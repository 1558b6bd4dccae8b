package pool

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// outageWindow is how long an answer counts in the judgement of what endpoints share.
	outageWindow = 10 * time.Second
	// What they share is out when more than half of those that were asked failed: at least so many
	// endpoints, in so many answers.
	outageEndpoints = 2
	outageAnswers   = 5
	// outageMemory bounds the answers that are looked at.
	outageMemory = 64
)

// outage judges what endpoints share, such as the servers of a model in a location, by what these
// endpoints answered in the last seconds. One endpoint can fail alone. The zero value knows
// nothing.
type outage struct {
	failedAt atomic.Int64 // instant of the last failure, plus one; zero: none

	mu      sync.Mutex
	answers []answer // made at the first failure
	next    int
}

// answer is how an endpoint answered once.
type answer struct {
	at   int64
	by   *entry // the endpoint's
	well bool
}

// answered notes that an endpoint answered well. It costs a load where nothing has failed of late.
func (o *outage) answered(at int64, by *entry) {
	failed := o.failedAt.Load()
	if failed == 0 || at-failed > int64(outageWindow) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addLocked(answer{at, by, true})
}

// failed notes that an endpoint failed. It reports whether most of those that were asked did.
func (o *outage) failed(at int64, by *entry) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failedAt.Store(at + 1)
	o.addLocked(answer{at, by, false})
	return o.outLocked(at)
}

func (o *outage) addLocked(a answer) {
	if o.answers == nil {
		o.answers = make([]answer, outageMemory)
	}
	o.answers[o.next%outageMemory] = a
	o.next++
}

// outLocked judges. An endpoint failed if it has answered nothing well. The caller holds o.mu.
func (o *outage) outLocked(at int64) bool {
	asked := make(map[*entry]bool, 8) // whether it answered well
	answers := 0
	for i := range min(o.next, outageMemory) {
		a := &o.answers[i]
		if at-a.at > int64(outageWindow) {
			continue
		}
		answers++
		asked[a.by] = asked[a.by] || a.well || a.by.proof.wellSince(at-int64(outageWindow))
	}
	failed := 0
	for _, well := range asked {
		if !well {
			failed++
		}
	}
	return answers >= outageAnswers && failed >= outageEndpoints && 2*failed > len(asked)
}
