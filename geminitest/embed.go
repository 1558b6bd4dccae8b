package geminitest

import (
	"math"
	"strconv"
	"strings"
)

// isEmbedding reports whether a model makes embeddings, and nothing else.
func isEmbedding(model string) bool { return strings.Contains(model, "embedding") }

// embedAnswer is the answer to the methods that make embeddings, each in its own shape.
func embedAnswer(c call, asked prompt, traffic string) any {
	vectors := make([]any, len(asked.inputs))
	for i, tokens := range asked.inputs {
		values := vector(c.model, asked, i)
		switch c.method {
		case predict:
			vectors[i] = map[string]any{"embeddings": map[string]any{
				"values": values, "statistics": map[string]any{"truncated": false, "token_count": tokens},
			}}
		default:
			vectors[i] = map[string]any{"values": values}
		}
	}
	switch c.method {
	case predict:
		return map[string]any{
			"predictions": vectors,
			"metadata":    map[string]any{"billableCharacterCount": asked.tokens * bytesPerToken},
		}
	case batchEmbedContents:
		return map[string]any{"embeddings": vectors}
	}
	answer := map[string]any{"embedding": vectors[0]}
	if c.backend == vertex {
		answer["truncated"] = false
		answer["usageMetadata"] = map[string]any{
			"promptTokenCount": asked.tokens, "totalTokenCount": asked.tokens, "promptTokensDetails": asked.modalities(), "trafficType": traffic,
		}
	}
	return answer
}

// vector is a unit vector that depends on nothing but model, prompt and place.
func vector(model string, asked prompt, place int) []float64 {
	n := asked.dimensions
	if n == 0 {
		n = 768
		if strings.HasPrefix(model, "gemini-") {
			n = maxDimensions
		}
	}
	values := make([]float64, n)
	angle := seeded(asked.digest, model, strconv.Itoa(place)) * 2 * math.Pi
	for i := range values {
		values[i] = math.Round(math.Sin(angle+float64(i))*math.Sqrt(2/float64(n))*1e6) / 1e6
	}
	return values
}

// countAnswer is the answer to countTokens.
func countAnswer(c call, asked prompt) any {
	answer := map[string]any{"totalTokens": asked.tokens, "promptTokensDetails": asked.modalities()}
	if asked.cached.tokens > 0 {
		answer["cachedContentTokenCount"] = asked.cached.tokens
	}
	if c.backend == vertex {
		answer["totalBillableCharacters"] = asked.tokens * bytesPerToken
	}
	return answer
}
