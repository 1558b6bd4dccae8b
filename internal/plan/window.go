package plan

import "time"

// window is a model of how Google enforces an order: a call is taken if what was used in the window
// before it, and what its output is estimated to cost, stay within what was bought for the window.
// When the call has ended, its real cost stands in the place of the estimate.
// https://cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput/use-provisioned-throughput
//
// How the output is estimated is not published. Here it is the mean of the last ones.
type window struct {
	length time.Duration
	most   float64 // tokens, in the window

	charges []charge // of the calls in the window, the earliest first
	first   int64    // the number of the first of these
	used    float64
	outputs []float64 // what the last responses cost
	oldest  int       // of outputs, once they are all there
	sum     float64   // of outputs
}

type charge struct {
	at   time.Time
	cost float64
}

// outputs is of how many responses the estimate is the mean. With half or twice as many, about two
// percent more or less spills from the shortest windows.
const outputs = 75

// estimate is what the next response is expected to cost.
func (w *window) estimate() float64 { return w.sum / max(float64(len(w.outputs)), 1) }

// learn adds what a response cost to the estimate.
func (w *window) learn(output float64) {
	w.sum += output
	if len(w.outputs) < outputs {
		w.outputs = append(w.outputs, output)
		return
	}
	w.sum -= w.outputs[w.oldest]
	w.outputs[w.oldest] = output
	w.oldest = (w.oldest + 1) % outputs
}

// admit takes a call whose prompt costs input, or reports false. The number is for settle.
func (w *window) admit(now time.Time, input float64) (number int64, ok bool) {
	w.forget(now)
	cost := input + w.estimate()
	if w.used+cost > w.most {
		return 0, false
	}
	w.used += cost
	w.charges = append(w.charges, charge{now, cost})
	return w.first + int64(len(w.charges)) - 1, true
}

// settle puts the real cost of a call in the place of its estimate.
func (w *window) settle(now time.Time, number int64, input, output float64) {
	w.learn(output)
	w.forget(now)
	if i := number - w.first; i >= 0 {
		w.used += input + output - w.charges[i].cost
		w.charges[i].cost = input + output
	}
}

// forget drops what has left the window.
func (w *window) forget(now time.Time) {
	from := now.Add(-w.length)
	n := 0
	for n < len(w.charges) && !w.charges[n].at.After(from) {
		w.used -= w.charges[n].cost
		n++
	}
	w.charges, w.first = w.charges[n:], w.first+int64(n)
	if len(w.charges) == 0 {
		w.used = 0 // without what adding and taking away has left
	}
}
