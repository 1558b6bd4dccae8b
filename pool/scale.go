package pool

// kind is a kind of what prompts are made of.
type kind int

const (
	kindText kind = iota
	kindImage
	kindAudio
	kindVideo
	kindDocument
	kindAudioFile
	kindVideoFile
	kindDocumentFile
	kinds
)

// mostOf is far beyond any call, so that its tokens stay far from where sums overflow.
var mostOf = [kinds]int64{mostTokens, mostTokens, mostTokens, mostTokens, mostTokens, mostFiles, mostFiles, mostFiles}

// sizes returns how much of each kind there is.
func (p *Prompt) sizes() [kinds]float64 {
	var s [kinds]float64
	for k, n := range [kinds]int64{p.Text, p.Image, p.Audio, p.Video, p.Document, p.AudioFiles, p.VideoFiles, p.DocumentFiles} {
		if n > 0 {
			s[k] = float64(min(n, mostOf[k]))
		}
	}
	return s
}

// families are what Google's modalities leave of the kinds: a page may be counted as an image, and a video's sound as audio.
var families = [kinds]int{kindText: 0, kindImage: 1, kindDocument: 1, kindDocumentFile: 1, kindAudio: 2, kindVideo: 2, kindAudioFile: 2, kindVideoFile: 2}

// guesses says for each kind how many tokens Google counts for one of ours: what is believed at first, and the bounds of what may be
// learned. Of files the first is a minute of sound, a minute of video, ten pages.
var guesses = [kinds]struct{ first, least, most float64 }{
	kindText:         {1, 1. / 4, 8},
	kindImage:        {1, 1. / 16, 16},
	kindAudio:        {1, 1. / 16, 16},
	kindVideo:        {1, 1. / 16, 16},
	kindDocument:     {1, 1. / 16, 16},
	kindAudioFile:    {60 * 32, 1, 1_000_000},
	kindVideoFile:    {60 * 295, 1, 1_000_000},
	kindDocumentFile: {10 * 258, 1, 1_000_000},
}

const (
	// memory is over how many answers the means run: long, because the ledger of an order learns how Google's own estimate differs from
	// this one, which it cannot while this one jumps.
	memory = 200
	// An answer counts as no more than oddOutput times what was expected, and a prompt as no more than oddPrompt times and no less than
	// an oddPrompt-th: one odd call cannot throw the means.
	oddOutput = 16
	oddPrompt = 4
	// spread is by how much calls of one kind differ in what is counted for one token of ours, as a variance: text of different languages,
	// images of different sizes.
	spread = 0.02
)

// mean is a running mean.
type mean struct {
	value, seen float64
}

// or returns the mean, or what stands for it until something was seen.
func (m *mean) or(first float64) float64 {
	if m.seen == 0 {
		return first
	}
	return m.value
}

func (m *mean) add(value, first float64) {
	value = min(max(value, 0), oddOutput*max(m.value, first), mostTokens)
	m.seen = min(m.seen+1, memory)
	m.value += (value - m.value) / m.seen
}

// scale is how many tokens are counted for one of a kind. Like a Kalman filter it knows how far it may be off, so that of a count which
// several kinds share the one that is known least is corrected most.
type scale struct {
	value float64 // 0: nothing was seen
	doubt float64 // how far it may be off, as the variance of a share of it
	size  mean    // of a call
}

// firstDoubt is entire.
const firstDoubt = 1

// now returns what is believed of a kind.
func (s *scale) now(k kind) (value, doubt float64) {
	if s.value == 0 {
		return guesses[k].first, firstDoubt
	}
	return s.value, s.doubt
}

// learn takes a call with so much of the kind. A share of what was counted is expected to be of it; doubt is how far what was expected may
// be off on account of all its kinds, ratio what was counted beside it.
func (s *scale) learn(k kind, size, share, doubt, ratio float64) {
	g := &guesses[k]
	s.value, s.doubt = s.now(k)
	s.size.add(size, s.size.or(size))
	around := spread
	if size < s.size.value {
		around *= s.size.value / size // a small call is mostly what is counted beside
	}
	own := share * s.doubt
	all := doubt + around
	s.value = min(max(s.value*odd(1+own/all*(odd(ratio)-1)), g.least), g.most)
	s.doubt = max(s.doubt*(all-own*share)/all, spread/memory)
}

// odd bounds what one call can say.
func odd(ratio float64) float64 { return min(max(ratio, 1./oddPrompt), oddPrompt) }
