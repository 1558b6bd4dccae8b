package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/tokens"
	"github.com/spillway-go/spillway/quota"
)

// Prompt is the size of a prompt as its request shows it, in tokens by kind of part. Google's count
// for one of them differs by model and is learned.
type Prompt struct {
	// Text to Document are tokens of the parts that the request contains. Video includes its sound.
	Text, Image, Audio, Video, Document int64
	// AudioFiles, VideoFiles and DocumentFiles count the files that the request names but does not
	// contain. Their size is unknown.
	AudioFiles, VideoFiles, DocumentFiles int64
	// Cached means that the request names a cached content, which precedes the prompt.
	Cached bool
	// Tools means that the model may use tools. Google counts their results as input.
	Tools bool
}

// Estimate is what is known of a call's tokens before it is sent.
type Estimate struct {
	// Prompt is the size of the prompt.
	Prompt Prompt
	// Candidates is how many candidates the caller wants; 0 means 1.
	Candidates int64
	// MaxOutput bounds the tokens of each candidate, thoughts included. MaxThoughts bounds the
	// tokens of its thoughts. 0 means no bound.
	MaxOutput, MaxThoughts int64
	// NoThoughts means that the model must not think. NoOutput means that it writes nothing, as for
	// embeddings.
	NoThoughts, NoOutput bool
	// Unmetered means that Google counts the call against no limit and no order.
	Unmetered bool
	// Input and Output override the estimate with the caller's own: tokens of the whole prompt, and
	// of all candidates with their thoughts. 0 means no override.
	Input, Output int64
}

// need is what a call needs of an endpoint.
type need struct {
	// Input and Output are all estimated tokens. The fields below are parts of them.
	Input, Output int64
	// InputAudio, InputImage and Cached are parts of Input, CachedAudio of Cached. An order may
	// have a rate of its own for each.
	InputAudio, InputImage, Cached, CachedAudio int64
	// OutputImage and OutputAudio are parts of Output.
	OutputImage, OutputAudio int64
	// Usual is the output of a usual call of the model at this moment, estimated as Output is.
	Usual int64
	// Deadline is when the caller gives up; zero means never.
	Deadline time.Time
	// Unmetered means that Google counts the call against no limit and no order.
	Unmetered bool

	asked    Asked
	estimate tokens.Request // its source, compared with the response
	ties     ties
}

// ties are what a call's need is tied to in the pool.
type ties struct {
	order *order // that it would go to first
	asks  *asks  // where the store has to be asked
	// An endpoint that called the call wrong: its service tier may lack the model.
	doubted *entry
	// The call may go to priority at once. It has drawn a number, see toll.
	dearer bool
	drawn  float64
}

// usage returns what an order would be charged for the call.
func (n *need) usage() quota.Usage {
	return quota.Usage{
		Input: n.Input, InputAudio: n.InputAudio, InputImage: n.InputImage,
		Cached: n.Cached, CachedAudio: n.CachedAudio,
		Output:      n.Output - n.OutputImage - n.OutputAudio,
		OutputImage: n.OutputImage, OutputAudio: n.OutputAudio,
	}
}

// Modalities are tokens by kind of content.
type Modalities struct {
	Text, Image, Audio, Video, Document int64
}
