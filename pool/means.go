package pool

import "sync"

// means learns, for one model, how many tokens Google counts for one that we estimate, and how long its answers are.
type means struct {
	mu     sync.Mutex
	scale  float64 // prompt tokens counted for one estimated
	output float64 // tokens of an answer, thoughts included
	known  bool
}

const (
	firstOutput = 256  // until an answer was seen
	learn       = 0.05 // weight of a new answer: a memory of about 20
	minScale    = 0.25 // an estimate is never corrected beyond these, so that one odd call cannot
	maxScale    = 8
)

func (m *means) read() (scale, output float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.known {
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
	if !m.known {
		m.scale, m.output, m.known = scale, float64(output), true
		return
	}
	m.scale += learn * (scale - m.scale)
	m.output += learn * (float64(output) - m.output)
}
