package demand

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
)

// vertexEntry is a row of the table in BigQuery to which Vertex AI logs requests and responses.
// https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/request-response-logging
type vertexEntry struct {
	Time     string          `json:"logging_time"`
	Model    string          `json:"model"`
	Method   string          `json:"api_method"`
	Request  json.RawMessage `json:"full_request"`
	Response json.RawMessage `json:"full_response"`
}

type vertexResponse struct {
	ModelVersion string `json:"modelVersion"`
	Usage        struct {
		Prompt     float64       `json:"promptTokenCount"`
		ToolUse    float64       `json:"toolUsePromptTokenCount"`
		Cached     float64       `json:"cachedContentTokenCount"`
		Candidates float64       `json:"candidatesTokenCount"`
		Thoughts   float64       `json:"thoughtsTokenCount"`
		PromptIn   []vertexCount `json:"promptTokensDetails"`
		Output     []vertexCount `json:"candidatesTokensDetails"`
	} `json:"usageMetadata"`
}

type vertexCount struct {
	Modality string  `json:"modality"`
	Tokens   float64 `json:"tokenCount"`
}

func (e *vertexEntry) call() (Call, bool) {
	r, ok := e.response()
	if !ok {
		return Call{}, false
	}
	of := func(counts []vertexCount, modality string) int64 {
		sum := 0.0
		for _, c := range counts {
			if strings.EqualFold(c.Modality, modality) {
				sum += c.Tokens
			}
		}
		return tokens(sum)
	}
	name := e.Model
	if name == "" {
		name = r.ModelVersion
	}
	u := &r.Usage
	image, audio := of(u.Output, "IMAGE"), of(u.Output, "AUDIO")
	c := Call{At: timeOf(e.Time), Model: modelOf(name), Label: e.label(), Usage: quota.Usage{
		Input: tokens(u.Prompt + u.ToolUse), InputAudio: of(u.PromptIn, "AUDIO"), InputImage: of(u.PromptIn, "IMAGE"),
		Cached: tokens(u.Cached), Output: max(tokens(u.Candidates+u.Thoughts)-image-audio, 0), OutputImage: image, OutputAudio: audio,
	}}
	generates := e.Method == "" || strings.HasSuffix(strings.ToLower(e.Method), "generatecontent")
	return c, generates && c.Usage.Input > 0
}

// response returns the response, or the last part of a stream that has counts.
func (e *vertexEntry) response() (r vertexResponse, ok bool) {
	if len(bytes.TrimSpace(e.Response)) == 0 {
		return r, false
	}
	if unquote(e.Response, &r) == nil {
		return r, true
	}
	var parts []vertexResponse
	if unquote(e.Response, &parts) != nil {
		return r, false
	}
	for _, p := range parts {
		if p.Usage.Prompt > 0 {
			r, ok = p, true
		}
	}
	return r, ok
}

// label is the first of the labels that the request has, in the order of their keys.
func (e *vertexEntry) label() string {
	var request struct {
		Labels map[string]string `json:"labels"`
	}
	if unquote(e.Request, &request) != nil || len(request.Labels) == 0 {
		return ""
	}
	key := slices.Min(slices.Collect(maps.Keys(request.Labels)))
	return plain.Text(key+"="+request.Labels[key], maxName)
}
