package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/tokens"
)

// fill says in n what a call with this estimate needs. What the model's earlier calls cost corrects
// the estimate.
func (n *need) fill(m *model, e *Estimate, deadline time.Time) {
	e.request(&n.estimate)
	x := m.tokens.Expect(&n.estimate)
	n.Input, n.InputAudio, n.InputImage = x.Input, x.InputAudio, x.InputImage
	n.Cached, n.CachedAudio = x.Cached, x.CachedAudio
	n.Output, n.OutputImage, n.OutputAudio, n.Usual = x.Output, x.OutputImage, x.OutputAudio, x.Usual
	n.Deadline = deadline
}

// request puts the estimate into r, in the terms of the token estimator.
func (e *Estimate) request(r *tokens.Request) {
	p := &e.Prompt
	r.Sizes = tokens.Sizes{
		tokens.Text: p.Text, tokens.Image: p.Image, tokens.Audio: p.Audio,
		tokens.Video: p.Video, tokens.Document: p.Document, tokens.AudioFile: p.AudioFiles,
		tokens.VideoFile: p.VideoFiles, tokens.DocumentFile: p.DocumentFiles,
	}
	r.Cached, r.Tools, r.Candidates = p.Cached, p.Tools, e.Candidates
	r.MaxOutput, r.MaxThoughts = e.MaxOutput, e.MaxThoughts
	r.NoThoughts, r.NoOutput = e.NoThoughts, e.NoOutput
	r.Input, r.Output = e.Input, e.Output
}

// counted returns what Google counted in the terms of the token estimator.
func (o *Outcome) counted() tokens.Counted {
	u, d := &o.Usage, o
	return tokens.Counted{
		Input: u.Input, Cached: u.Cached, CachedAudio: u.CachedAudio, ToolUse: d.ToolUse,
		Output: u.Output, Thoughts: d.Thoughts, OutputImage: u.OutputImage, OutputAudio: u.OutputAudio,
		PromptSizes: d.Prompt.sizes(), CachedSizes: d.Cached.sizes(), Complete: o.Class == ClassOK,
	}
}

func (m *Modalities) sizes() tokens.Sizes {
	return tokens.Sizes{
		tokens.Text: m.Text, tokens.Image: m.Image, tokens.Audio: m.Audio,
		tokens.Video: m.Video, tokens.Document: m.Document,
	}
}
