package geminitest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The bodies of this file are those of the Gemini Developer API when a project's quota is used up,
// as users reported them in 2025 and 2026.

const (
	helpURL     = "https://ai.google.dev/gemini-api/docs/rate-limits"
	paidMessage = "You exceeded your current quota, please check your plan and billing details."
	freeMessage = paidMessage + " For more information on this error, head to: " + helpURL +
		". To monitor your current usage, head to: https://ai.dev/rate-limit. "
	metricPrefix   = "generativelanguage.googleapis.com/"
	freeRequests   = metricPrefix + "generate_content_free_tier_requests"
	freeTokens     = metricPrefix + "generate_content_free_tier_input_token_count"
	paidTokens     = metricPrefix + "generate_content_paid_tier_input_token_count"
	paidPerMinute  = metricPrefix + "generate_requests_per_model_per_minute"
	paidPerDay     = metricPrefix + "generate_requests_per_model_per_day"
	typePrefix     = "type.googleapis.com/google.rpc."
	exhausted      = "RESOURCE_EXHAUSTED"
	requestsMinute = "GenerateRequestsPerMinutePerProjectPerModel"
	requestsDay    = "GenerateRequestsPerDayPerProjectPerModel"
	freeTier       = "-FreeTier"
)

// violation is one quota that a call exceeds.
type violation struct {
	metric string
	id     string
	model  string
	limit  int // negative: not said
}

// requestsPerMinute, tokensPerMinute and requestsPerDay are the three quotas of a project and
// model.
func requestsPerMinute(model string, limit int, paid bool) violation {
	if paid {
		return violation{paidPerMinute, requestsMinute, model, limit}
	}
	return violation{freeRequests, requestsMinute + freeTier, model, limit}
}

func tokensPerMinute(model string, limit int, paid bool) violation {
	if paid {
		return violation{paidTokens, "GenerateContentPaidTierInputTokensPerModelPerMinute", model, limit}
	}
	return violation{freeTokens, "GenerateContentInputTokensPerModelPerMinute" + freeTier, model, limit}
}

func requestsPerDay(model string, limit int, paid bool) violation {
	if paid {
		return violation{paidPerDay, requestsDay, model, limit}
	}
	return violation{freeRequests, requestsDay + freeTier, model, limit}
}

// quotaExceeded is the 429 that names exceeded quotas and a time to wait.
func quotaExceeded(violations []violation, retry time.Duration, paid bool) Answer {
	var text strings.Builder
	if paid {
		text.WriteString(paidMessage)
	} else {
		text.WriteString(freeMessage)
	}
	named := make([]map[string]any, len(violations))
	for i, v := range violations {
		_, _ = fmt.Fprintf(&text, "\n* Quota exceeded for metric: %s, limit: %d, model: %s", v.metric, max(v.limit, 0), v.model)
		named[i] = map[string]any{
			"quotaMetric":     v.metric,
			"quotaId":         v.id,
			"quotaDimensions": map[string]any{"location": "global", "model": v.model},
		}
		if v.limit >= 0 {
			named[i]["quotaValue"] = strconv.Itoa(v.limit)
		}
	}
	_, _ = fmt.Fprintf(&text, "\nPlease retry in %v.", retry)
	details := []map[string]any{
		{"@type": typePrefix + "QuotaFailure", "violations": named},
		helpDetail("Learn more about Gemini API quotas", helpURL),
		{"@type": typePrefix + "RetryInfo", "retryDelay": durationJSON(retry)},
	}
	if paid {
		details = append(details[:1], details[2])
	}
	return fault(429, exhausted, text.String(), details...)
}

// durationJSON is a google.protobuf.Duration in JSON: seconds with 0, 3, 6 or 9 digits after the
// point.
func durationJSON(d time.Duration) string {
	d = max(d, 0)
	seconds, nanos := d/time.Second, d%time.Second
	switch {
	case nanos == 0:
		return fmt.Sprintf("%ds", seconds)
	case nanos%time.Millisecond == 0:
		return fmt.Sprintf("%d.%03ds", seconds, nanos/time.Millisecond)
	case nanos%time.Microsecond == 0:
		return fmt.Sprintf("%d.%06ds", seconds, nanos/time.Microsecond)
	default:
		return fmt.Sprintf("%d.%09ds", seconds, nanos)
	}
}

// MinuteQuota is the 429 of a free-tier project that has made its requests of this minute.
func MinuteQuota(model string, limit int, retry time.Duration) Answer {
	return quotaExceeded([]violation{requestsPerMinute(model, limit, false)}, retry, false)
}

// TokenQuota is the 429 of a free-tier project that has sent its input tokens of this minute.
func TokenQuota(model string, limit int, retry time.Duration) Answer {
	return quotaExceeded([]violation{tokensPerMinute(model, limit, false)}, retry, false)
}

// DayQuota is the 429 of a free-tier project that has made its requests of this day. Google's retry
// is misleading there: 20 to 60 s, though the quota comes back at midnight in California. RetryInfo
// has it in whole seconds, rounded down; only the message has the fraction, as in Google's.
func DayQuota(model string, limit int, retry time.Duration) Answer {
	return wholeSeconds(quotaExceeded([]violation{requestsPerDay(model, limit, false)}, retry, false), retry)
}

// PaidMinuteQuota is [MinuteQuota] of a paid project.
func PaidMinuteQuota(model string, limit int, retry time.Duration) Answer {
	return quotaExceeded([]violation{requestsPerMinute(model, limit, true)}, retry, true)
}

// PaidTokenQuota is [TokenQuota] of a paid project.
func PaidTokenQuota(model string, limit int, retry time.Duration) Answer {
	return quotaExceeded([]violation{tokensPerMinute(model, limit, true)}, retry, true)
}

// PaidDayQuota is [DayQuota] of a paid project, where Google's retry is the truth.
func PaidDayQuota(model string, limit int, retry time.Duration) Answer {
	return wholeSeconds(quotaExceeded([]violation{requestsPerDay(model, limit, true)}, retry, true), retry)
}

// wholeSeconds cuts the fraction off RetryInfo's delay.
func wholeSeconds(a Answer, retry time.Duration) Answer {
	whole := strconv.Quote(durationJSON(retry.Truncate(time.Second)))
	a.Body = []byte(strings.Replace(string(a.Body), strconv.Quote(durationJSON(retry)), whole, 1))
	return a
}

// NoQuota is the 429 of a project that has no quota for a model at all, which waiting does not
// change: "limit: 0", with a delay nevertheless.
func NoQuota(model string) Answer {
	requests, tokens := requestsPerDay(model, -1, false), tokensPerMinute(model, -1, false)
	perMinute := requestsPerMinute(model, -1, false)
	retry := 20044661790 * time.Nanosecond
	var message strings.Builder
	message.WriteString(freeMessage)
	for _, v := range []violation{tokens, requests, perMinute, tokens} {
		fmt.Fprintf(&message, "\n* Quota exceeded for metric: %s, limit: 0, model: %s", v.metric, model)
	}
	fmt.Fprintf(&message, "\nPlease retry in %s.", retry)
	violations := make([]map[string]any, 0, 3)
	for _, v := range []violation{tokens, requests, perMinute} {
		violations = append(violations, map[string]any{
			"quotaMetric": v.metric, "quotaId": v.id, "quotaDimensions": map[string]any{"location": "global", "model": model},
		})
	}
	return fault(429, exhausted, message.String(),
		helpDetail("Learn more about Gemini API quotas", helpURL),
		map[string]any{"@type": typePrefix + "QuotaFailure", "violations": violations},
		map[string]any{"@type": typePrefix + "RetryInfo", "retryDelay": durationJSON(retry.Truncate(time.Second))},
	)
}

// BaseModelQuota is the 429 of Vertex AI for a project that has used up a per-minute quota of a
// base model. What is the quota's name, such as
// "generate_content_requests_per_minute_per_project_per_base_model".
func BaseModelQuota(what, model string) Answer {
	return fault(429, exhausted, fmt.Sprintf("Quota exceeded for aiplatform.googleapis.com/%s with base model: %s. "+
		"Please submit a quota increase request. https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai.", what, model))
}

// unknownProject is the number of a project in bodies that name none of ours.
const unknownProject = "000000000000"

// regionMessage and regionLimit are what Google calls a quota of a base model in a location.
func regionMessage(what string) string {
	sentence := strings.ToUpper(what[:min(1, len(what))]) + strings.ReplaceAll(what[min(1, len(what)):], "_", " ")
	return fmt.Sprintf("Quota exceeded for quota metric '%s' and limit '%s per minute per region per base_model' of service '%s' "+
		"for consumer 'project_number:%s'.", sentence, sentence, vertexService, unknownProject)
}

func regionLimit(what string) string { return camel(what) + "PerMinutePerRegion" }

// RegionQuota is the 429 of Vertex AI that names the location whose quota is used up, in its
// metadata. The project's other locations have quotas of their own. What is as in [BaseModelQuota].
func RegionQuota(location, what string, limit int) Answer {
	return fault(429, exhausted, regionMessage(what), errorInfo("RATE_LIMIT_EXCEEDED", "googleapis.com", map[string]any{
		"service": vertexService, "consumer": "projects/" + unknownProject, "quota_location": location,
		"quota_metric": vertexService + "/" + what, "quota_limit": regionLimit(what), "quota_limit_value": strconv.Itoa(limit),
	}))
}

// RegionViolation is [RegionQuota] with the location in the dimensions of a violated quota instead.
func RegionViolation(location, model, what string, limit int) Answer {
	return fault(429, exhausted, regionMessage(what), map[string]any{"@type": typePrefix + "QuotaFailure", "violations": []map[string]any{{
		"quotaMetric": vertexService + "/" + what, "quotaId": regionLimit(what), "quotaValue": strconv.Itoa(limit),
		"quotaDimensions": map[string]any{"location": location, "base_model": model},
	}}})
}

// camel turns a quota's name into its id.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		b.WriteString(strings.ToUpper(word[:min(1, len(word))]) + word[min(1, len(word)):])
	}
	return b.String()
}

// ToolQuota is the 429 of a call that uses a tool whose own quota is used up, such as grounding. It
// has the words of a model's quota, and names none. Calls without the tool are served.
func ToolQuota() Answer {
	return fault(429, exhausted, freeMessage, helpDetail("Learn more about Gemini API quotas", helpURL))
}

// SpendRate is the 429 of a project whose billing account spends too fast, over ten minutes.
func SpendRate() Answer {
	return fault(429, exhausted, "You exceeded your spend-based rate limit. Your spending rate has exceeded the allowed limit for your account's "+
		"billing history and tier.")
}
