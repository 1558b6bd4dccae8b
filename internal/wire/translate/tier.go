package translate

import (
	"net/http"
	"strings"
)

// The service tiers that are asked for by name. The Gemini API takes them as serviceTier of the body and says the tier
// that served in a header of the answer; Vertex AI takes them as a header and answers in usageMetadata.trafficType.
// Sources: https://ai.google.dev/gemini-api/docs/rate-limits, ServiceTier in types.go of genai v1.77.0,
// https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo and …/priority-paygo.
const (
	tierFlex     = "flex"
	tierPriority = "priority"
	tierStandard = "standard"

	sharedRequestType = "X-Vertex-Ai-Llm-Shared-Request-Type" // as net/http spells it
	servedTier        = "X-Gemini-Service-Tier"               // as net/http spells it
)

// tierOf reads a tier; "unspecified" and nothing at all are the standard one. Of an unknown one it says false.
func parseTier(name string) (tier string, ok bool) {
	switch strings.ToLower(name) {
	case tierFlex:
		return tierFlex, true
	case tierPriority:
		return tierPriority, true
	case "", tierStandard, "unspecified":
		return tierStandard, true
	}
	return "", false
}

// Traffic returns the trafficType of a response: sent, which usageMetadata said, or else what the Gemini API's header
// means in the same words. It is "" where neither tells.
func Traffic(h http.Header, sent string) string {
	if sent != "" {
		return sent
	}
	switch strings.ToLower(h.Get(servedTier)) {
	case tierFlex:
		return "ON_DEMAND_FLEX"
	case tierPriority:
		return "ON_DEMAND_PRIORITY"
	case tierStandard:
		return "ON_DEMAND"
	}
	return ""
}

// ServedTier is what the Gemini API calls a trafficType: "flex", "priority" or "standard", and "" for what it does not have.
func ServedTier(traffic string) string {
	switch traffic {
	case "ON_DEMAND_FLEX":
		return tierFlex
	case "ON_DEMAND_PRIORITY":
		return tierPriority
	case "ON_DEMAND":
		return tierStandard
	}
	return ""
}
