package tokens

// prior is the belief about a ratio before the first call, and the bounds of what is learned.
type prior struct{ value, least, most float64 }

// priors say how many tokens Google counts for one unit of each kind. The priors of files stand
// for a minute of sound, a minute of video and ten pages.
var priors = [Kinds]prior{
	Text:         {1, 1. / 4, 8},
	Image:        {1, 1. / 16, 16},
	Audio:        {1, 1. / 16, 16},
	Video:        {1, 1. / 16, 16},
	Document:     {1, 1. / 16, 16},
	AudioFile:    {60 * 32, 1, 1_000_000},
	VideoFile:    {60 * 295, 1, 1_000_000},
	DocumentFile: {10 * 258, 1, 1_000_000},
}

const (
	// memory is the number of responses that a mean runs over. It is long, because the ledger of an
	// order learns how Google's own estimate differs from this one. A jumpy estimate would hide
	// that.
	memory = 200
	// maxOutputRatio bounds what one response can say, as a multiple of what was expected.
	maxOutputRatio = 16
	// maxPromptRatio bounds what one prompt can say, as a multiple and as a fraction of what was
	// expected.
	maxPromptRatio = 4
	// priorVariance is the variance of a prior: it may be off by all of its value.
	priorVariance = 1
	// callVariance is how far calls of one kind differ in their ratio, as a variance. Texts differ
	// in their language, images in their size.
	callVariance = 0.02
)

// mean is a running mean.
type mean struct {
	value, seen float64
}

// or returns the mean, or the prior if nothing was seen.
func (m *mean) or(prior float64) float64 {
	if m.seen == 0 {
		return prior
	}
	return m.value
}

func (m *mean) add(value, prior float64) {
	value = min(max(value, 0), maxOutputRatio*max(m.value, prior), maxTokens)
	m.seen = min(m.seen+1, memory)
	m.value += (value - m.value) / m.seen
}

// ratio is the number of tokens that Google counts for one unit of a kind. It knows its own
// uncertainty, as a Kalman filter does. A count that several kinds share corrects the least
// certain of them most.
type ratio struct {
	value    float64 // zero: nothing was seen
	variance float64 // of the relative error of value
	size     mean    // of a call
}

// belief returns the ratio and its variance, or the prior if nothing was seen.
func (r *ratio) belief(k Kind) (value, variance float64) {
	if r.value == 0 {
		return priors[k].value, priorVariance
	}
	return r.value, r.variance
}

// shared is a count that several kinds share.
type shared struct {
	expected float64 // tokens
	variance float64 // of the relative error of expected
	counted  float64 // tokens
}

// learn corrects the ratio by a call with so much of the kind, of which so many of the shared
// tokens were expected.
func (r *ratio) learn(k Kind, size, expected float64, s *shared) {
	r.value, r.variance = r.belief(k)
	r.size.add(size, r.size.or(size))
	noise := callVariance
	if size < r.size.value { // most tokens of a small call are counted for something else
		noise *= r.size.value / size
	}
	share := expected / s.expected
	own, total := share*r.variance, s.variance+noise
	value := r.value * clampRatio(1+own/total*(clampRatio(s.counted/s.expected)-1))
	r.value = min(max(value, priors[k].least), priors[k].most)
	r.variance = max(r.variance*(total-own*share)/total, callVariance/memory)
}

// clampRatio bounds what one call can say.
func clampRatio(ratio float64) float64 { return min(max(ratio, 1./maxPromptRatio), maxPromptRatio) }
