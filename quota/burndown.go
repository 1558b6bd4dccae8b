package quota

// over returns b with the fields that are 0 taken from base.
func (b Burndown) over(base Burndown) Burndown {
	for _, f := range []struct{ to, from *float64 }{
		{&b.Input, &base.Input}, {&b.InputAudio, &base.InputAudio}, {&b.InputImage, &base.InputImage},
		{&b.Cached, &base.Cached}, {&b.CachedAudio, &base.CachedAudio},
		{&b.Output, &base.Output}, {&b.OutputImage, &base.OutputImage}, {&b.OutputAudio, &base.OutputAudio},
		{&b.LongInput, &base.LongInput}, {&b.LongInputAudio, &base.LongInputAudio}, {&b.LongCached, &base.LongCached},
		{&b.LongCachedAudio, &base.LongCachedAudio}, {&b.LongOutput, &base.LongOutput},
	} {
		if !(*f.to > 0) {
			*f.to = *f.from
		}
	}
	return b
}

// complete fills the fields that are still 0, so that Cost needs to know no default.
func (b Burndown) complete() Burndown {
	b = b.over(Burndown{Input: 1, Cached: 0.1, Output: 1})
	b = b.over(Burndown{InputAudio: b.Input, InputImage: b.Input, OutputImage: b.Output, OutputAudio: b.Output})
	b = b.over(Burndown{CachedAudio: b.Cached * b.InputAudio / b.Input, LongInput: b.Input, LongOutput: b.Output})
	b = b.over(Burndown{
		LongInputAudio: b.InputAudio * b.LongInput / b.Input,
		LongCached:     b.Cached * b.LongInput / b.Input,
	})
	return b.over(Burndown{LongCachedAudio: b.LongCached * b.LongInputAudio / b.LongInput})
}

// Cost returns what a call of that usage takes at the rates of b. Rates of 0 are as in an order for a
// model that the table does not have.
func (b Burndown) Cost(u Usage) Cost {
	b = b.complete()
	return b.cost(u)
}

// cost returns what u costs. The rates must be complete.
func (b *Burndown) cost(u Usage) Cost {
	input, audio, cached, cachedAudio, output := b.Input, b.InputAudio, b.Cached, b.CachedAudio, b.Output
	image := b.InputImage
	if u.Input > longPrompt {
		image *= b.LongInput / b.Input
		input, audio, cached, cachedAudio, output = b.LongInput, b.LongInputAudio, b.LongCached, b.LongCachedAudio, b.LongOutput
	}
	// What is cached is paid at its own rate and not once more with its kind. Counts that
	// contradict each other must not turn a part negative.
	heard := min(max(u.CachedAudio, 0), max(u.Cached, 0))
	fresh := max(u.InputAudio-heard, 0)
	seen := max(u.Cached-heard, 0)
	images := max(u.InputImage, 0)
	rest := u.Input - fresh - heard - seen - images
	if rest < 0 { // some of what is cached are the images
		images = max(images+rest, 0)
		rest = 0
	}
	prompt := float64(rest)*input + float64(images)*image + float64(fresh)*audio +
		float64(seen)*cached + float64(heard)*cachedAudio
	answer := float64(max(u.Output, 0))*output + float64(max(u.OutputImage, 0))*b.OutputImage + float64(max(u.OutputAudio, 0))*b.OutputAudio
	return Cost{Input: prompt, Output: answer}
}
