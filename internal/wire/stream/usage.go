package stream

import (
	"cmp"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/pool"
)

// Usage is the cost of a call, read from usageMetadata.
type Usage struct {
	Known bool // token counts were sent; first chunks have {"trafficType": …} alone

	Prompt   int // promptTokenCount, cached ones included
	Cached   int // cachedContentTokenCount, or the sum of its details where it is missing
	Output   int // candidatesTokenCount
	Thoughts int // thoughtsTokenCount
	ToolUse  int // toolUsePromptTokenCount
	Total    int // totalTokenCount

	// Parts of the counts, from the …TokensDetails; zero where there are none.
	PromptDetails, CachedDetails, OutputDetails pool.Modalities

	Traffic string // trafficType as sent: "PROVISIONED_THROUGHPUT", "ON_DEMAND", …
	// Served is the modelVersion as sent, if it is not [Form.Model].
	Served string
}

// ParseUsage reads the usage of a whole response: an object, or an array of them as
// streamGenerateContent sends it. The last usageMetadata counts. Embeddings and countTokens have
// none; their usage is not Known.
func ParseUsage(body []byte) Usage {
	var u Usage
	c := jsonscan.New(body)
	if c.Enter('[') {
		for c.Element() {
			u.readAnswer(&c)
		}
		return u
	}
	u.readAnswer(&c)
	return u
}

// Add adds the usage of another turn of the same session. What is named there last counts.
func (u *Usage) Add(turn Usage) {
	u.Known = u.Known || turn.Known
	u.Prompt, u.Cached = jsonscan.Count(int64(u.Prompt)+int64(turn.Prompt)), jsonscan.Count(int64(u.Cached)+int64(turn.Cached))
	u.Output, u.Thoughts = jsonscan.Count(int64(u.Output)+int64(turn.Output)), jsonscan.Count(int64(u.Thoughts)+int64(turn.Thoughts))
	u.ToolUse, u.Total = jsonscan.Count(int64(u.ToolUse)+int64(turn.ToolUse)), jsonscan.Count(int64(u.Total)+int64(turn.Total))
	addModalities(&u.PromptDetails, &turn.PromptDetails)
	addModalities(&u.CachedDetails, &turn.CachedDetails)
	addModalities(&u.OutputDetails, &turn.OutputDetails)
	u.Traffic = cmp.Or(turn.Traffic, u.Traffic)
	u.Served = cmp.Or(turn.Served, u.Served)
}

func addModalities(m, more *pool.Modalities) {
	for _, kind := range []struct {
		into *int64
		more int64
	}{
		{&m.Text, more.Text}, {&m.Image, more.Image}, {&m.Audio, more.Audio}, {&m.Video, more.Video}, {&m.Document, more.Document},
	} {
		*kind.into = int64(jsonscan.Count(*kind.into + kind.more))
	}
}

func (u *Usage) readAnswer(c *jsonscan.Scanner) {
	if !c.Enter('{') {
		return
	}
	for c.Member() {
		switch string(c.Key) {
		case "usageMetadata", "usage_metadata":
			u.read(c)
		}
	}
}

// read reads the next usageMetadata. New counts replace the earlier ones, all or none: in a stream,
// each event carries running totals. A chunk without counts changes nothing.
func (u *Usage) read(c *jsonscan.Scanner) {
	if !c.Enter('{') {
		return
	}
	next := Usage{Traffic: u.Traffic, Served: u.Served}
	for c.Member() {
		switch string(c.Key) {
		case "promptTokenCount", "prompt_token_count":
			next.count(&next.Prompt, c)
		case "cachedContentTokenCount", "cached_content_token_count":
			next.count(&next.Cached, c)
		case "candidatesTokenCount", "candidates_token_count", "responseTokenCount":
			next.count(&next.Output, c)
		case "thoughtsTokenCount", "thoughts_token_count":
			next.count(&next.Thoughts, c)
		case "toolUsePromptTokenCount", "tool_use_prompt_token_count":
			next.count(&next.ToolUse, c)
		case "totalTokenCount", "total_token_count":
			next.count(&next.Total, c)
		case "promptTokensDetails", "prompt_tokens_details":
			next.PromptDetails = modalities(c)
		case "cacheTokensDetails", "cache_tokens_details":
			next.CachedDetails = modalities(c)
		case "candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails":
			next.OutputDetails = modalities(c)
		case "trafficType", "traffic_type":
			if t := c.Text(); len(t) > 0 {
				next.Traffic = traffic(t)
			}
		}
	}
	if !next.Known {
		u.Traffic = next.Traffic
		return
	}
	if next.Cached == 0 {
		d := &next.CachedDetails
		next.Cached = jsonscan.Count(d.Text + d.Image + d.Audio + d.Video + d.Document)
	}
	*u = next
}

func (u *Usage) count(into *int, c *jsonscan.Scanner) {
	n, ok := c.Number()
	if !ok {
		return
	}
	*into = jsonscan.Count(n)
	u.Known = true
}

// served reads the next modelVersion. The last one counts.
func (u *Usage) served(c *jsonscan.Scanner, asked string) {
	u.serve(c.Text(), asked)
}

// serve takes the name of the model that served.
func (u *Usage) serve(name []byte, asked string) {
	switch {
	case len(name) == 0 || string(name) == u.Served:
	case string(name) == asked:
		u.Served = ""
	default:
		u.Served = jsonscan.Unquote(name[:min(len(name), maxServed)])
	}
}

// maxServed bounds the name of a model that is kept.
const maxServed = 256

// modalities reads a …TokensDetails array. A modality may come more than once.
func modalities(c *jsonscan.Scanner) (m pool.Modalities) {
	if !c.Enter('[') {
		return m
	}
	for c.Element() {
		if !c.Enter('{') {
			continue
		}
		var kind []byte
		var n int64
		for c.Member() {
			switch string(c.Key) {
			case "modality":
				kind = c.Text()
			case "tokenCount", "token_count":
				n, _ = c.Number()
			}
		}
		if into := modality(&m, kind); into != nil {
			*into = int64(jsonscan.Count(*into + n))
		}
	}
	return m
}

// modality returns the count of a modality, by its name or its number; nil if it is unknown.
func modality(m *pool.Modalities, name []byte) *int64 {
	switch string(name) {
	case "TEXT", "1":
		return &m.Text
	case "IMAGE", "2":
		return &m.Image
	case "AUDIO", "4":
		return &m.Audio
	case "VIDEO", "3":
		return &m.Video
	case "DOCUMENT", "5":
		return &m.Document
	}
	return nil
}

// traffic returns the usual values without allocating. Callers may ask for the numbers of enums.
func traffic(t []byte) string {
	switch string(t) {
	case "ON_DEMAND", "1":
		return "ON_DEMAND"
	case "PROVISIONED_THROUGHPUT", "2":
		return "PROVISIONED_THROUGHPUT"
	}
	return jsonscan.Unquote(t[:min(len(t), 64)])
}
