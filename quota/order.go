package quota

import "time"

// Order is what was bought as Provisioned Throughput: so many units (GSUs) for one model, in one
// project and location.
type Order struct {
	// Model is the model of the order, as in "gemini-3.5-flash". Suffixes of versions ("-001",
	// "-preview-09-2025") are understood.
	Model string
	// GSUs is the number of units bought. It decides the range in which the enforcement window
	// lies.
	GSUs int
	// TokensPerSecond is the bought throughput in burned-down tokens a second; 0 means GSUs times
	// the table's throughput for the model.
	TokensPerSecond float64
	// Burndown overrides rates of the built-in table; nil and fields of 0 mean the table's.
	Burndown *Burndown
	// Window is the time over which Google enforces the order; 0 means learn it, which is right
	// unless Google told you.
	Window time.Duration
}

// Burndown says how many tokens of the order one token of each kind costs. Zero means the built-in
// table's rate; for a model that the table does not have, zero means: Input 1, Cached 0.1, the
// other kinds of input like Input, cached audio as much cheaper than audio as Cached is than Input,
// other kinds of output like Output.
type Burndown struct {
	Input       float64 `json:"input,omitzero"` // text and video in the prompt, and every kind that has no rate of its own
	InputAudio  float64 `json:"input_audio,omitzero"`
	InputImage  float64 `json:"input_image,omitzero"`
	Cached      float64 `json:"cached,omitzero"` // prompt tokens served from a cache, implicit or explicit
	CachedAudio float64 `json:"cached_audio,omitzero"`
	Output      float64 `json:"output,omitzero"` // text and thoughts
	OutputImage float64 `json:"output_image,omitzero"`
	OutputAudio float64 `json:"output_audio,omitzero"`

	// The rates of requests whose prompt is longer than 200,000 tokens; zero means the rate of a
	// short one.
	LongInput       float64 `json:"long_input,omitzero"`
	LongInputAudio  float64 `json:"long_input_audio,omitzero"`
	LongCached      float64 `json:"long_cached,omitzero"`
	LongCachedAudio float64 `json:"long_cached_audio,omitzero"`
	LongOutput      float64 `json:"long_output,omitzero"`
}

// Usage counts the tokens of one call, as usageMetadata reports them.
type Usage struct {
	Input       int64 // the whole prompt: everything below that is called input or cached is a part of it
	InputAudio  int64 // audio in the prompt, cached or not
	InputImage  int64 // images in the prompt, cached or not
	Cached      int64 // tokens of the prompt that came from a cache, of every kind
	CachedAudio int64 // the audio among Cached
	Output      int64 // text and thoughts of all candidates, without the two below
	OutputImage int64
	OutputAudio int64
}

// Minus returns what u counts beyond v.
func (u Usage) Minus(v Usage) Usage {
	return Usage{
		Input: u.Input - v.Input, InputAudio: u.InputAudio - v.InputAudio, InputImage: u.InputImage - v.InputImage,
		Cached: u.Cached - v.Cached, CachedAudio: u.CachedAudio - v.CachedAudio,
		Output: u.Output - v.Output, OutputImage: u.OutputImage - v.OutputImage, OutputAudio: u.OutputAudio - v.OutputAudio,
	}
}
