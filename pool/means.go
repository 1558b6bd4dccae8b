package pool

import "sync"

// means learns, for one model, how many tokens Google counts for one that we estimate, and how long its answers are.
type means struct {
	mu     sync.Mutex
	scale  float64 // prompt tokens counted for one estimated
	output float64 // tokens of an answer, thoughts included
	seen   int     // answers, up to memory
}

const (
	firstOutput = 256  // until an answer was seen
	minScale    = 0.25 // an estimate is never corrected beyond these, so that one odd call cannot
	maxScale    = 8
	// memory is over how many answers the means run: long, because the ledger of an order learns how Google's own estimate differs from
	// this one, which it cannot while this one jumps.
	memory = 200
)

func (m *means) read() (scale, output float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == 0 {
		return 1, firstOutput
	}
	return m.scale, m.output
}

// observe learns from one answer: estimated and counted tokens of its prompt, and the tokens of the answer.
func (m *means) observe(estimated, counted, output int64) {
	scale := 1.0
	if estimated > 0 && counted > 0 {
		scale = min(max(float64(counted)/float64(estimated), minScale), maxScale)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = min(m.seen+1, memory)
	weight := 1 / float64(m.seen)
	m.scale += weight * (scale - m.scale)
	m.output += weight * (float64(output) - m.output)
}
