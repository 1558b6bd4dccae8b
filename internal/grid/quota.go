package grid

import (
	"net/http"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

func quote(s string) string { return strconv.Quote(s) }

// exhausted is a 429.
func exhausted(message string, details ...string) answer {
	return refused(http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", message, details...)
}

// violation is a QuotaFailure among the details of an error.
func violation(metric, id, value string) string {
	return `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/` + metric +
		`","quotaId":"` + id + `","quotaDimensions":{"location":"global","model":"MODEL"},"quotaValue":"` + value + `"}]}`
}

// retryInfo is a hint among the details of an error.
func retryInfo(d time.Duration) string {
	return `{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"` + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + `s"}`
}

const help = `{"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Learn more about Gemini API quotas",` +
	`"url":"https://ai.google.dev/gemini-api/docs/rate-limits"}]}`

// planMessage begins most 429s of the Developer API.
const planMessage = "You exceeded your current quota, please check your plan and billing details. " +
	"For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."

// rateLimit is an ErrorInfo of Vertex AI's quotas.
func rateLimit(unit, value string) string {
	return info("RATE_LIMIT_EXCEEDED", "googleapis.com", `"service":"aiplatform.googleapis.com","consumer":"projects/000000000000",`+
		`"quota_metric":"aiplatform.googleapis.com/generate_content_requests_per_minute_per_project_per_base_model",`+
		`"quota_limit":"GenerateContentRequestsPer`+unit+`PerProjectPerBaseModel","quota_limit_value":"`+value+`"`)
}

// vertexMessage begins the 429s of Vertex AI's quotas.
func vertexMessage(unit string) string {
	return "Quota exceeded for aiplatform.googleapis.com/generate_content_requests_per_" + unit +
		"_per_project_per_base_model with base model: MODEL. Please submit a quota increase request."
}

// quotaFaults are the 429s of each kind.
func quotaFaults() []*fault {
	const again = "Resource exhausted. Please try again later. Please refer to " +
		"https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
	bare := both("429 bare", exhausted("Resource has been exhausted (e.g. check quota)."), exhausted("Quota exceeded"))
	bare.rareVertex = rarest // by its status it is contention there
	contention := both("429 contention", exhausted(again), exhausted("Resource exhausted. Please try again later."))
	contention.rare = rarest
	spend := both("429 spend rate",
		exhausted("You exceeded your spend-based rate limit. Your spending rate has exceeded the allowed limit for your account's billing "+
			"history and tier."),
		exhausted("You exceeded your spend-based rate limit.",
			`{"@type":"type.googleapis.com/google.rpc.QuotaFailure"}`, retryInfo(31*time.Second)))
	tool := both("429 tool", exhausted(planMessage, help))
	tool.tool = true
	return []*fault{
		minuteQuota("429 minute, hint 17 s", 17*time.Second),
		minuteQuota("429 minute, hint 0.5 s", time.Second/2),
		dayQuota(), noQuota(), bare, contention, spend, tool,
	}
}

func minuteQuota(name string, hint time.Duration) *fault {
	return &fault{
		name: name,
		gemini: []answer{
			exhausted(planMessage+"\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, "+
				"limit: 10\nPlease retry in "+hint.String()+".",
				violation("generate_content_free_tier_requests", "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "10"),
				help, retryInfo(hint)),
			exhausted(planMessage,
				violation("generate_content_paid_tier_input_token_count", "GenerateContentPaidTierInputTokensPerModelPerMinute", "4000000"),
				help, retryInfo(hint)),
		},
		vertex: []answer{exhausted(vertexMessage("minute"), rateLimit("Minute", "60"), retryInfo(hint))},
		rare:   max(hint, rarest),
	}
}

func dayQuota() *fault {
	return &fault{
		name: "429 day",
		gemini: []answer{
			exhausted(planMessage+"\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, "+
				"limit: 500, model: MODEL\nPlease retry in 21.497994s.", help,
				violation("generate_content_free_tier_requests", "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "500"),
				retryInfo(21*time.Second)),
			exhausted(planMessage+"\nPlease retry in 20h3m13.257628674s.",
				violation("generate_requests_per_model_per_day", "GenerateRequestsPerDayPerProjectPerModel", "1000"),
				retryInfo(72193*time.Second)),
		},
		vertex: []answer{exhausted(vertexMessage("day"), rateLimit("Day", "1000"))},
		rare:   21 * time.Second,
	}
}

func noQuota() *fault {
	return &fault{
		name: "429 no quota",
		gemini: []answer{
			exhausted(planMessage+" \n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, "+
				"limit: 0, model: MODEL\nPlease retry in 20.04466179s.", help),
			exhausted(planMessage, violation("generate_content_free_tier_requests", "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "0")),
		},
		vertex: []answer{exhausted(vertexMessage("minute"), rateLimit("Minute", "0"))},
	}
}
