package translate

import (
	"net/http"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// The service tiers that a caller can name. The Gemini API takes them as serviceTier in the body,
// and names the serving tier in a header of the response. Vertex AI takes them as a header, and
// answers in usageMetadata.trafficType. Sources: https://ai.google.dev/gemini-api/docs/rate-limits,
// ServiceTier in types.go of genai v1.77.0,
// https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo and …/priority-paygo.
const (
	tierFlex     = "flex"
	tierPriority = "priority"
	tierStandard = "standard"

	sharedRequestType = "X-Vertex-Ai-Llm-Shared-Request-Type" // as net/http spells it
	servedTier        = "X-Gemini-Service-Tier"               // as net/http spells it
)

// parseTier reads a tier; "unspecified" and an empty name are the standard one. It returns false
// for an unknown tier.
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

// Asked returns the service tier that a caller asks for, as traffic: in the body, else in a header of
// the call. The body is the call's own, and headers are often those of all calls of a client. Either
// may name it in each dialect. It is "" if the caller leaves it open. A tier that is not known goes to
// Google as it is, where the standard one goes.
func Asked(c *request.Call, h http.Header) pool.Traffic {
	name := request.ServiceTier(c)
	if name == "" {
		name = strings.ToLower(h.Get(sharedRequestType))
	}
	switch name {
	case "", "unspecified":
		return ""
	case tierFlex:
		return pool.TrafficFlex
	case tierPriority:
		return pool.TrafficPriority
	default:
		return pool.TrafficOnDemand
	}
}

// Ask makes the header of a request to Vertex AI ask for the service tier of some traffic, whatever it
// asked for. An order has none. A tier that is not known stays at the standard one.
func Ask(h http.Header, t pool.Traffic) {
	tier := Tier(t)
	switch asked, known := parseTier(h.Get(sharedRequestType)); {
	case tier == "":
		delete(h, sharedRequestType)
	case tier != tierStandard:
		h[sharedRequestType] = []string{tier}
	case known && asked != tierStandard:
		delete(h, sharedRequestType)
	}
}

// Tier returns Google's name of the service tier of traffic on demand; "" for other traffic.
func Tier(t pool.Traffic) string {
	return ServedTier(strings.ToUpper(string(t)))
}

// Traffic returns the trafficType of a response. If usageMetadata sent one, that is it; else the
// Gemini API's header tells. It is "" if neither does.
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

// ServedTier returns the Gemini API's name for a trafficType: "flex", "priority" or "standard". It
// returns "" if there is none.
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
