package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/tokens"
)

// Need returns what a call with this estimate needs. The call has to end by the deadline; the zero
// deadline means any time. What the model's earlier calls cost corrects the estimate.
func (p *Plan) Need(e Estimate, deadline time.Time) Need {
	x := p.tokens.Expect(e.request())
	return Need{
		Input: x.Input, InputAudio: x.InputAudio, InputImage: x.InputImage,
		Cached: x.Cached, CachedAudio: x.CachedAudio,
		Output: x.Output, OutputImage: x.OutputImage, OutputAudio: x.OutputAudio,
		Deadline: deadline, estimate: e,
	}
}

// request returns the estimate in the terms of the token estimator.
func (e *Estimate) request() tokens.Request {
	p := &e.Prompt
	return tokens.Request{
		Sizes: tokens.Sizes{
			tokens.Text: p.Text, tokens.Image: p.Image, tokens.Audio: p.Audio,
			tokens.Video: p.Video, tokens.Document: p.Document, tokens.AudioFile: p.AudioFiles,
			tokens.VideoFile: p.VideoFiles, tokens.DocumentFile: p.DocumentFiles,
		},
		Cached: p.Cached, Tools: p.Tools, Candidates: e.Candidates,
		MaxOutput: e.MaxOutput, MaxThoughts: e.MaxThoughts,
		NoThoughts: e.NoThoughts, NoOutput: e.NoOutput,
		Input: e.Input, Output: e.Output,
	}
}

// counted returns what Google counted in the terms of the token estimator.
func (o *Outcome) counted() tokens.Counted {
	u, d := &o.Usage, &o.Details
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
