package demand

import (
	"bytes"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
)

// vertexCall reads a row of the table in BigQuery to which Vertex AI logs requests and responses.
// https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/request-response-logging
func vertexCall(f fields) (c Call, skip string) {
	r := vertexResponse(f)
	u := r.object("usageMetadata")
	image, audio := ofModality(u.list("candidatesTokensDetails"), "IMAGE"), ofModality(u.list("candidatesTokensDetails"), "AUDIO")
	c = Call{At: f.moment("logging_time"), Model: modelOf(f.text("model")), Label: vertexLabel(f), Usage: quota.Usage{
		Input:      u.tokens("promptTokenCount") + u.tokens("toolUsePromptTokenCount"),
		InputAudio: ofModality(u.list("promptTokensDetails"), "AUDIO"), InputImage: ofModality(u.list("promptTokensDetails"), "IMAGE"),
		Cached:      u.tokens("cachedContentTokenCount"),
		CachedAudio: ofModality(u.list("cacheTokensDetails"), "AUDIO"),
		Output:      max(u.tokens("candidatesTokenCount")+u.tokens("thoughtsTokenCount")-image-audio, 0), OutputImage: image, OutputAudio: audio,
	}}
	if c.Model == "" {
		c.Model = modelOf(r.text("modelVersion"))
	}
	if method := f.text("api_method"); method != "" && !strings.HasSuffix(strings.ToLower(method), "generatecontent") {
		return c, otherMethods
	}
	if c.Usage.Input == 0 {
		return c, noTokens
	}
	return c, ""
}

// ofModality adds up the tokens of one modality.
func ofModality(counts [][]byte, modality string) int64 {
	sum := int64(0)
	for _, raw := range counts {
		if one := (fields{members(raw), new(string)}); strings.EqualFold(one.text("modality"), modality) {
			sum += one.tokens("tokenCount")
		}
	}
	return min(sum, mostTokens)
}

// vertexResponse returns the response, or the last part of a stream that has counts.
func vertexResponse(f fields) (r fields) {
	for _, key := range [...]string{"full_response", "response_payload"} {
		for _, raw := range f.list(key) {
			part := fields{members(bytes.TrimSpace(unquoted(raw))), new(string)}
			if part.object("usageMetadata").number("promptTokenCount") > 0 {
				r = part
			}
		}
		if len(r.of) == 0 {
			r = f.object(key)
		}
		if len(r.of) > 0 {
			break
		}
	}
	r.wrong = f.wrong
	return r
}

// vertexLabel is the first of the labels that the request has, in the order of their keys.
func vertexLabel(f fields) string {
	labels := f.object("full_request").object("labels").of
	if len(labels) == 0 {
		return ""
	}
	first := slices.MinFunc(labels, func(a, b field) int { return bytes.Compare(a.key, b.key) })
	return plain.Text(string(first.key)+"="+string(unquoted(first.value)), maxName)
}
