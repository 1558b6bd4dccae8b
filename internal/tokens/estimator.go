package tokens

import "sync"

const (
	priorOutput   = 256   // tokens of a response
	priorThoughts = 1_024 // tokens of the thoughts of a call that bounds them
	// priorCached is the minimum of most models, https://ai.google.dev/gemini-api/docs/caching.
	priorCached = 4_096
	// videoSound is the sound's share of the tokens of a video: 32 a second beside 263 of the
	// picture, https://ai.google.dev/gemini-api/docs/tokens.
	videoSound = 32.0 / 295
)

// An Estimator learns how many tokens Google counts for the prompts of one model, and how long the
// model's responses are. The zero value is ready for use and knows only priors. It stays small
// until the first call to Observe. It is safe for concurrent use.
type Estimator struct {
	mu    sync.Mutex
	model *model // nil: nothing was observed
}

// Expect returns what a call is expected to cost.
func (e *Estimator) Expect(r *Request) Expectation {
	e.mu.Lock()
	m := e.model
	if m == nil {
		m = &model{}
	}
	var in input
	m.input(&in, r)
	out := m.output(r)
	usual := m.usual()
	e.mu.Unlock()

	var x Expectation
	total := in.cached + in.toolUse
	for _, tokens := range in.prompt {
		total += tokens
	}
	scale := 1.0
	if r.Input > 0 { // the parts keep their proportions
		given := float64(min(r.Input, maxTokens))
		total, scale = given, given/max(total, 1)
	}
	x.Input = round(total)
	x.InputAudio = round(in.audio() * scale)
	x.InputImage = round(in.prompt[Image] * scale)
	x.Cached, x.CachedAudio = round(in.cached*scale), round(in.cachedAudio*scale)
	if r.NoOutput {
		return x
	}

	x.Usual = round(usual)
	total = out.sum()
	if r.Output > 0 {
		total = float64(min(r.Output, maxTokens))
	}
	if r.MaxOutput > 0 {
		total = min(total, float64(r.MaxOutput)*r.candidates())
	}
	scale = total / max(out.sum(), 1)
	x.Output = round(total)
	x.OutputImage, x.OutputAudio = round(out.image*scale), round(out.audio*scale)
	return x
}

// Observe learns from what Google counted for a call.
func (e *Estimator) Observe(r *Request, c *Counted) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.model == nil {
		e.model = &model{}
	}
	e.model.observePrompt(r, c)
	if c.Complete && !r.NoOutput {
		e.model.observeOutput(r, c)
	}
}

func round(tokens float64) int64 { return int64(tokens + 0.5) }

// model is what an Estimator has learned. The mutex of the Estimator guards it.
type model struct {
	ratios [Kinds]ratio

	cached, cachedAudio mean // of calls that name a cached content
	toolUse             mean // of calls with tools

	text, image, audio mean // of one response
	thoughts           mean // of a call that may think
}

// input is what a prompt is made of, in tokens.
type input struct {
	prompt                       amounts
	cached, cachedAudio, toolUse float64 // cachedAudio is a part of cached
}

// audio returns the tokens of all sound.
func (i *input) audio() float64 {
	video := i.prompt[Video] + i.prompt[VideoFile]
	return i.prompt[Audio] + i.prompt[AudioFile] + videoSound*video + i.cachedAudio
}

// input puts what is expected of a prompt into in.
func (m *model) input(in *input, r *Request) {
	r.Sizes.put(&in.prompt)
	m.prompt(&in.prompt)
	if r.Cached {
		in.cached, in.cachedAudio = m.cached.or(priorCached), m.cachedAudio.or(0)
	}
	if r.Tools {
		in.toolUse = m.toolUse.or(0)
	}
}

// prompt turns so much of each kind into the tokens that Google is expected to count for it.
func (m *model) prompt(a *amounts) {
	for k := range a {
		if a[k] > 0 {
			value, _ := m.ratios[k].belief(Kind(k))
			a[k] *= value
		}
	}
}

// output is what the responses to a call are made of, in tokens.
type output struct {
	text, image, audio, thoughts float64
}

func (o *output) sum() float64 { return o.text + o.image + o.audio + o.thoughts }

// output returns the expected output of a call if only MaxThoughts bounds it.
func (m *model) output(r *Request) output {
	n, prior := r.candidates(), 0.0
	if r.MaxThoughts > 0 {
		prior = priorThoughts
	}
	o := output{
		m.text.or(priorOutput) * n, m.image.or(0) * n, m.audio.or(0) * n, m.thoughts.or(prior),
	}
	switch {
	case r.NoThoughts:
		o.thoughts = 0
	case r.MaxThoughts > 0:
		o.thoughts = min(o.thoughts, float64(r.MaxThoughts))
	}
	return o
}

// usual returns the expected output of a call that bounds nothing.
func (m *model) usual() float64 {
	o := m.output(&Request{})
	return o.sum()
}

func (m *model) observePrompt(r *Request, c *Counted) {
	if r.Tools {
		m.toolUse.add(float64(c.ToolUse), priorOutput)
	}
	fresh, by := c.Input-c.ToolUse, &c.PromptSizes
	if r.Cached {
		if c.Cached <= 0 {
			return // the cached part of the prompt is not known
		}
		m.cached.add(float64(c.Cached), priorCached)
		m.cachedAudio.add(float64(c.CachedAudio), priorCached)
		fresh -= c.Cached
		own := by.without(&c.CachedSizes, fresh)
		by = &own
	}
	if fresh > 0 {
		m.learn(&r.Sizes, fresh, by)
	}
}

// families is the number of families. Google reports kinds by family: it may count a page as an
// image, and the sound of a video as audio.
const families = 3

var familyOf = [Kinds]uint8{
	Text: 0, Image: 1, Document: 1, DocumentFile: 1, Audio: 2, Video: 2, AudioFile: 2, VideoFile: 2,
}

// learn corrects the ratios by the tokens that were counted for a prompt of these sizes. It uses
// the count of each family if these counts add up and name the families of the prompt. It uses
// the sum otherwise.
func (m *model) learn(prompt *Sizes, tokens int64, by *Sizes) {
	var sizes, expected amounts
	prompt.put(&sizes)
	prompt.put(&expected)
	m.prompt(&expected)
	family := familyOf
	var counts [families]shared
	usable := by.sum() == tokens
	if usable {
		m.share(&counts, &expected, &family)
		for k, n := range by {
			counts[family[k]].counted += float64(n)
		}
		for _, c := range counts {
			usable = usable && (c.expected > 0) == (c.counted > 0)
		}
	}
	if !usable {
		family = [Kinds]uint8{}
		counts = [families]shared{}
		m.share(&counts, &expected, &family)
		counts[0].counted = float64(tokens)
	}
	for k, n := range expected {
		if n > 0 {
			m.ratios[k].learn(Kind(k), sizes[k], n, &counts[family[k]])
		}
	}
}

// share adds up the expected tokens of each family, and their variance.
func (m *model) share(counts *[families]shared, expected *amounts, family *[Kinds]uint8) {
	for k, tokens := range expected {
		if tokens == 0 {
			continue
		}
		_, variance := m.ratios[k].belief(Kind(k))
		c := &counts[family[k]]
		c.expected += tokens
		c.variance += tokens * tokens * variance
	}
	for f := range counts {
		if c := &counts[f]; c.expected > 0 {
			c.variance /= c.expected * c.expected
		}
	}
}

func (m *model) observeOutput(r *Request, c *Counted) {
	n, expected := r.candidates(), m.output(r)
	total := float64(c.Output + c.OutputImage + c.OutputAudio)
	atBound := r.MaxOutput > 0 && total >= float64(r.MaxOutput)*n
	if atBound && total < expected.sum() && m.text.seen > 0 {
		return // MaxOutput cut the responses short
	}
	thoughts := float64(min(max(c.Thoughts, 0), c.Output))
	m.text.add((float64(c.Output)-thoughts)/n, priorOutput)
	m.image.add(float64(c.OutputImage)/n, priorOutput)
	m.audio.add(float64(c.OutputAudio)/n, priorOutput)
	cut := r.MaxThoughts > 0 && thoughts >= float64(r.MaxThoughts) && thoughts < m.thoughts.or(0)
	if !r.NoThoughts && !cut {
		m.thoughts.add(thoughts, priorThoughts)
	}
}
