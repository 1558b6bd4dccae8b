// Package tokens estimates how many tokens calls cost. An [Estimator] expects a number of tokens
// of each call before it is sent. It learns from the tokens that Google counts for the call.
package tokens

// Kind is a kind of content in a prompt.
type Kind int

// The kinds up to Document are measured in tokens, as the request shows them. The kinds of files
// are numbers of files. The request names these files and does not hold them.
const (
	Text Kind = iota
	Image
	Audio
	Video // with its sound
	Document
	AudioFile
	VideoFile
	DocumentFile
	Kinds // the number of kinds
)

// Sizes is an amount of each kind of content.
type Sizes [Kinds]int64

// Request is what is known of a call before it is sent.
type Request struct {
	// Sizes is what the prompt is made of.
	Sizes Sizes
	// Cached says that the request names a cached content, which goes before the prompt.
	Cached bool
	// Tools says that the model may use tools. Google counts their results as input.
	Tools bool
	// Candidates is how many responses the caller asks for. Zero means 1.
	Candidates int64
	// MaxOutput bounds the tokens of each response, thoughts included. Zero means no bound.
	MaxOutput int64
	// MaxThoughts bounds the tokens of the thoughts. Zero means no bound.
	MaxThoughts int64
	// NoThoughts says that the model does not think.
	NoThoughts bool
	// NoOutput says that the model writes nothing, as for embeddings.
	NoOutput bool
	// Input is the caller's own figure for the tokens of the whole prompt. Zero means none.
	Input int64
	// Output is the caller's own figure for the tokens of all responses, thoughts included. Zero
	// means none.
	Output int64
}

// Expectation is what a call is expected to cost, in tokens.
type Expectation struct {
	// Input is the whole prompt, with cached content and results of tools. InputAudio, InputImage
	// and Cached are parts of it.
	Input, InputAudio, InputImage, Cached int64
	// CachedAudio is a part of Cached.
	CachedAudio int64
	// Output is all responses with their thoughts. OutputImage and OutputAudio are parts of it.
	Output, OutputImage, OutputAudio int64
	// Usual is the output of a call of the model that bounds nothing. It is 0 if this one has none.
	Usual int64
}

// Counted is what Google counted for a call, in tokens.
type Counted struct {
	// Input is the whole prompt. Cached and ToolUse are parts of it.
	Input, Cached, ToolUse int64
	// CachedAudio is a part of Cached.
	CachedAudio int64
	// Output is the text and the thoughts of all responses. Thoughts is a part of it.
	Output, Thoughts int64
	// OutputImage and OutputAudio come on top of Output.
	OutputImage, OutputAudio int64
	// PromptSizes and CachedSizes are the tokens of the prompt and of its cached part, by kind up
	// to Document. Google does not always report them.
	PromptSizes, CachedSizes Sizes
	// Complete says that the response arrived as a whole. Output teaches nothing otherwise.
	Complete bool
}

// Larger figures are cut down to these, so that no sum overflows.
const (
	maxTokens     = 1 << 40
	maxFiles      = 1 << 20
	maxCandidates = 1 << 20
)

// candidates returns how many responses the caller asks for.
func (r *Request) candidates() float64 { return float64(min(max(r.Candidates, 1), maxCandidates)) }

// amounts are sizes within their bounds.
type amounts [Kinds]float64

// put puts the sizes into a.
func (s *Sizes) put(a *amounts) {
	for k, n := range s {
		most := int64(maxTokens)
		if Kind(k) >= AudioFile {
			most = maxFiles
		}
		a[k] = float64(min(max(n, 0), most))
	}
}

func (s *Sizes) sum() int64 {
	var sum int64
	for _, n := range s {
		sum += n
	}
	return sum
}

// without returns the sizes less those of the cached part. Sizes that already add up to fresh do
// not include the cached part, and are returned as they are.
func (s Sizes) without(cached *Sizes, fresh int64) Sizes {
	if s.sum() != fresh {
		for k, n := range cached {
			s[k] -= n
		}
	}
	return s
}
