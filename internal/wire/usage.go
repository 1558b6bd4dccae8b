package wire

import "math"

// Usage is what a call cost, as usageMetadata tells it.
type Usage struct {
	Known bool // token counts were sent; {"trafficType": …} alone, as first chunks have it, tells nothing

	Prompt   int // promptTokenCount, cached ones included
	Cached   int // cachedContentTokenCount, or what its details add up to: that is sent without it at times
	Output   int // candidatesTokenCount
	Thoughts int // thoughtsTokenCount
	ToolUse  int // toolUsePromptTokenCount
	Total    int // totalTokenCount

	// Parts of the above, from the …TokensDetails; zero where there are none.
	PromptDetails, CachedDetails, OutputDetails Modalities

	Traffic string // trafficType as sent: "PROVISIONED_THROUGHPUT", "ON_DEMAND", …
}

// Modalities are tokens by what they are of. Those of no modality that we know are left out.
type Modalities struct {
	Text, Image, Audio, Video, Document int64
}

// Sum adds them up.
func (m Modalities) Sum() int64 { return m.Text + m.Image + m.Audio + m.Video + m.Document }

// ParseUsage reads the usage of a whole answer, an object or an array of them as streamGenerateContent sends it. Where
// usageMetadata comes more than once the last one counts. An answer without it, as embeddings and countTokens have, is
// not Known.
func ParseUsage(body []byte) Usage {
	var u Usage
	c := cursor{b: body}
	if c.enter('[') {
		for c.element() {
			u.readAnswer(&c)
		}
		return u
	}
	u.readAnswer(&c)
	return u
}

func (u *Usage) readAnswer(c *cursor) {
	if !c.enter('{') {
		return
	}
	for c.member() {
		switch string(c.key) {
		case "usageMetadata", "usage_metadata":
			u.read(c)
		}
	}
}

// read takes the usageMetadata that comes next. Counts replace those known so far, all or none of them: within a stream
// each event carries running totals, and a chunk without counts leaves them.
func (u *Usage) read(c *cursor) {
	if !c.enter('{') {
		return
	}
	next := Usage{Traffic: u.Traffic}
	for c.member() {
		switch string(c.key) {
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
		case "candidatesTokensDetails", "candidates_tokens_details":
			next.OutputDetails = modalities(c)
		case "trafficType", "traffic_type":
			if t := c.text(); len(t) > 0 {
				next.Traffic = traffic(t)
			}
		}
	}
	if !next.Known {
		u.Traffic = next.Traffic
		return
	}
	if next.Cached == 0 {
		next.Cached = tokens(next.CachedDetails.Sum())
	}
	*u = next
}

func (u *Usage) count(into *int, c *cursor) {
	n, ok := c.number()
	if !ok {
		return
	}
	*into = tokens(n)
	u.Known = true
}

// modalities reads a …TokensDetails array. A modality may come more than once.
func modalities(c *cursor) (m Modalities) {
	if !c.enter('[') {
		return m
	}
	for c.element() {
		if !c.enter('{') {
			continue
		}
		var kind []byte
		var n int64
		for c.member() {
			switch string(c.key) {
			case "modality":
				kind = c.text()
			case "tokenCount", "token_count":
				n, _ = c.number()
			}
		}
		if into := m.of(kind); into != nil {
			*into = int64(tokens(*into + n))
		}
	}
	return m
}

// of returns the count of a modality, nil if it is none of ours.
func (m *Modalities) of(modality []byte) *int64 {
	switch string(modality) {
	case "TEXT":
		return &m.Text
	case "IMAGE":
		return &m.Image
	case "AUDIO":
		return &m.Audio
	case "VIDEO":
		return &m.Video
	case "DOCUMENT":
		return &m.Document
	}
	return nil
}

// tokens holds a count between 0 and what an int has on every machine.
func tokens(n int64) int { return int(max(0, min(n, math.MaxInt32))) }

// traffic returns the usual values without allocating.
func traffic(t []byte) string {
	switch string(t) {
	case "ON_DEMAND":
		return "ON_DEMAND"
	case "PROVISIONED_THROUGHPUT":
		return "PROVISIONED_THROUGHPUT"
	}
	return unquote(t[:min(len(t), 64)])
}
