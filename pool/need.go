package pool

import (
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Prompt is how large a prompt looks from the request that holds it, in tokens by kind of part. How many Google counts for one of each
// differs by model: it is learned.
type Prompt struct {
	// Text to Document are tokens of what the request holds. Video is counted with its sound.
	Text, Image, Audio, Video, Document int64
	// AudioFiles, VideoFiles and DocumentFiles are numbers of files that the request names and does not hold, so that their size is
	// unknown.
	AudioFiles, VideoFiles, DocumentFiles int64
	// Cached says that the request names a cached content, which goes before the prompt.
	Cached bool
	// Tools says that the model may use tools, whose results Google counts as input.
	Tools bool
}

// Estimate is what can be said of a call's tokens before it is sent.
type Estimate struct {
	// Prompt is what its request shows.
	Prompt Prompt
	// Candidates is how many answers the caller wants; 0 is 1.
	Candidates int64
	// MaxOutput bounds the tokens of each answer, thoughts included, MaxThoughts those of the thoughts; 0: no bound.
	MaxOutput, MaxThoughts int64
	// NoThoughts says that the model is not to think, NoOutput that it writes nothing, as for embeddings.
	NoThoughts, NoOutput bool
	// Input and Output are what the caller knows better: tokens of the whole prompt, and of all answers with their thoughts. 0: nothing.
	Input, Output int64
}

// Need is what a call needs of an endpoint, see [Plan.Need].
type Need struct {
	// Input and Output are estimated tokens, all of them. The fields below are parts of them.
	Input, Output int64
	// InputAudio, InputImage and Cached are of the Input, CachedAudio of Cached: kinds for which an order may have its own rate.
	InputAudio, InputImage, Cached, CachedAudio int64
	// OutputImage and OutputAudio are of the Output.
	OutputImage, OutputAudio int64
	// Deadline is when the caller gives up; zero: never.
	Deadline time.Time
	// Free says that Google counts the call against no limit and no order.
	Free bool

	estimate Estimate // what it was made of: the answer is compared with it
}

// usage is what an order would be charged for the call.
func (n *Need) usage() quota.Usage {
	return quota.Usage{
		Input: n.Input, InputAudio: n.InputAudio, InputImage: n.InputImage, Cached: n.Cached, CachedAudio: n.CachedAudio,
		Output: n.Output - n.OutputImage - n.OutputAudio, OutputImage: n.OutputImage, OutputAudio: n.OutputAudio,
	}
}

// Modalities are tokens by what they are of.
type Modalities struct {
	Text, Image, Audio, Video, Document int64
}

// Details are what Google tells of the tokens that it counted, beyond what they cost. All of it is optional; estimates learn more from an
// answer that has it.
type Details struct {
	// Prompt and Cached are the tokens of the prompt, cached ones included, and of what was cached.
	Prompt, Cached Modalities
	// ToolUse are those of the input that tools returned, Thoughts those of the output that were thoughts.
	ToolUse, Thoughts int64
}
