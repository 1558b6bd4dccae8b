package pool

import "sync"

const (
	firstOutput   = 256   // tokens of an answer, until one was seen
	firstThoughts = 1_024 // of the thoughts of a call that says how many it may have, until some were seen
	firstCached   = 4_096 // of a cached content, until one was seen: what the smallest has at most, https://ai.google.dev/gemini-api/docs/caching
	// videoSound is the share of a video's tokens that are its sound: 32 a second beside 263 of the picture,
	// https://ai.google.dev/gemini-api/docs/tokens.
	videoSound = 32.0 / 295
)

// means learns, for one model, how many tokens Google counts for what we estimate, and how long its answers are. The zero value knows
// nothing yet.
type means struct {
	mu     sync.Mutex
	scales [kinds]scale

	cached, cachedAudio mean // tokens, of calls that name a cached content
	toolUse             mean // of calls with tools

	// Of one answer.
	answer, outputImage, outputAudio mean
	thoughts                         mean // of a call that may think
}

// promptLocked returns how many tokens of each kind Google is expected to count.
func (m *means) promptLocked(sizes [kinds]float64) [kinds]float64 {
	for k, size := range sizes {
		if size > 0 {
			value, _ := m.scales[k].now(kind(k))
			sizes[k] = size * value
		}
	}
	return sizes
}

// output is what a call's answers are made of, in tokens.
type output struct {
	text, image, audio, thoughts float64
}

func (o *output) sum() float64 { return o.text + o.image + o.audio + o.thoughts }

// outputLocked returns what the model is expected to answer if nothing but the thinking budget bounds it.
func (m *means) outputLocked(e *Estimate) output {
	n, first := float64(e.answers()), 0.0
	if e.MaxThoughts > 0 {
		first = firstThoughts
	}
	o := output{m.answer.or(firstOutput) * n, m.outputImage.or(0) * n, m.outputAudio.or(0) * n, m.thoughts.or(first)}
	switch {
	case e.NoThoughts:
		o.thoughts = 0
	case e.MaxThoughts > 0:
		o.thoughts = min(o.thoughts, float64(e.MaxThoughts))
	}
	return o
}

// expect returns what a call will cost.
func (m *means) expect(e *Estimate) Need {
	m.mu.Lock()
	prompt := m.promptLocked(e.Prompt.sizes())
	var cached, cachedAudio, toolUse float64
	if e.Prompt.Cached {
		cached, cachedAudio = m.cached.or(firstCached), m.cachedAudio.or(0)
	}
	if e.Prompt.Tools {
		toolUse = m.toolUse.or(0)
	}
	answer := m.outputLocked(e)
	m.mu.Unlock()

	input := cached + toolUse
	for _, tokens := range prompt {
		input += tokens
	}
	heard := prompt[kindAudio] + prompt[kindAudioFile] + videoSound*(prompt[kindVideo]+prompt[kindVideoFile]) + cachedAudio
	right := 1.0 // what the caller knows beside what is expected
	if e.Input > 0 {
		right = float64(min(e.Input, mostTokens)) / max(input, 1)
		input = float64(min(e.Input, mostTokens))
	}
	n := Need{
		Input: whole(input), InputAudio: whole(heard * right), InputImage: whole(prompt[kindImage] * right),
		Cached: whole(cached * right), CachedAudio: whole(cachedAudio * right),
	}
	if e.NoOutput {
		return n
	}
	expected := answer.sum()
	out := expected
	if e.Output > 0 {
		out = float64(min(e.Output, mostTokens))
	}
	if e.MaxOutput > 0 {
		out = min(out, float64(e.MaxOutput)*float64(e.answers()))
	}
	right = out / max(expected, 1)
	n.Output, n.OutputImage, n.OutputAudio = whole(out), whole(answer.image*right), whole(answer.audio*right)
	return n
}

func whole(tokens float64) int64 { return int64(tokens + 0.5) }

// observe learns from what Google counted for a call that was estimated so.
func (m *means) observe(e *Estimate, o *Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observePromptLocked(&e.Prompt, o)
	if o.Class == ClassOK && !e.NoOutput { // else the answer was not complete
		m.observeOutputLocked(e, o)
	}
}

func (m *means) observePromptLocked(p *Prompt, o *Outcome) {
	u, d := &o.Usage, &o.Details
	if p.Tools {
		m.toolUse.add(float64(d.ToolUse), firstOutput)
	}
	fresh, by := u.Input-d.ToolUse, d.Prompt
	if p.Cached {
		if u.Cached <= 0 {
			return // how much of the prompt it was is not known
		}
		m.cached.add(float64(u.Cached), firstCached)
		m.cachedAudio.add(float64(u.CachedAudio), firstCached)
		fresh -= u.Cached
		by = by.without(&d.Cached, fresh)
	}
	if fresh <= 0 {
		return
	}
	m.learnLocked(p.sizes(), fresh, &by)
}

// learnLocked learns from a prompt of these sizes, for which so many tokens were counted. How many of each modality is used if it adds up,
// and if all that was counted is of a family that the prompt has.
func (m *means) learnLocked(sizes [kinds]float64, tokens int64, by *Modalities) {
	expected := m.promptLocked(sizes)
	family, counted := families, [...]float64{float64(by.Text), float64(by.Image + by.Document), float64(by.Audio + by.Video)}
	told := by.sum() == tokens
	var sums, doubts [3]float64
	if told {
		sums, doubts = m.sumsLocked(&expected, &family)
		for f := range sums {
			told = told && (sums[f] > 0) == (counted[f] > 0)
		}
	}
	if !told {
		family, counted = [kinds]int{}, [...]float64{float64(tokens), 0, 0}
		sums, doubts = m.sumsLocked(&expected, &family)
	}
	for k, of := range expected {
		if of > 0 {
			f := family[k]
			m.scales[k].learn(kind(k), sizes[k], of/sums[f], doubts[f], counted[f]/sums[f])
		}
	}
}

// sumsLocked adds up what is expected of each family, and how far the sum may be off, as the variance of a share of it.
func (m *means) sumsLocked(expected *[kinds]float64, family *[kinds]int) (sums, doubts [3]float64) {
	for k, tokens := range expected {
		if tokens > 0 {
			_, doubt := m.scales[k].now(kind(k))
			sums[family[k]] += tokens
			doubts[family[k]] += tokens * tokens * doubt
		}
	}
	for f, sum := range sums {
		if sum > 0 {
			doubts[f] /= sum * sum
		}
	}
	return sums, doubts
}

func (m *means) observeOutputLocked(e *Estimate, o *Outcome) {
	u, answers := &o.Usage, float64(e.answers())
	expected := m.outputLocked(e)
	total := float64(u.Output + u.OutputImage + u.OutputAudio)
	if e.MaxOutput > 0 && total >= float64(e.MaxOutput)*answers && total < expected.sum() && m.answer.seen > 0 {
		return // it was cut short: how long it would have been is not known
	}
	thoughts := float64(min(max(o.Details.Thoughts, 0), u.Output))
	m.answer.add((float64(u.Output)-thoughts)/answers, firstOutput)
	m.outputImage.add(float64(u.OutputImage)/answers, firstOutput)
	m.outputAudio.add(float64(u.OutputAudio)/answers, firstOutput)
	cut := e.MaxThoughts > 0 && thoughts >= float64(e.MaxThoughts) && thoughts < m.thoughts.or(0)
	if !e.NoThoughts && !cut {
		m.thoughts.add(thoughts, firstThoughts)
	}
}
