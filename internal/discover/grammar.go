package discover

import (
	"regexp"
	"slices"
	"strings"
)

// kind is what a quota counts.
type kind int

const (
	requestsMinute kind = iota
	tokensMinute
	requestsDay
	kinds // how many there are
)

var (
	// Metrics of calls that generate or embed:
	//
	//	generate_requests_per_model_per_minute, generate_requests_per_model_per_day
	//	generate_content_free_tier_requests, generate_content_free_tier_input_token_count
	//	generate_content_paid_tier_2_input_token_count, embed_content_…
	//	[global_]generate_content_requests_per_minute_per_project_per_base_model
	//	[global_]generate_content_input_tokens_per_minute_per_base_model
	//	online_prediction_requests_per_base_model (older models, embeddings)
	metricSyntax = regexp.MustCompile(`^(global_)?(generate_requests_per_model|generate_content_|embed_content_|online_prediction_)[a-z0-9_]*$`)
	// The words of such metrics and their ids: "…_per_base_model", "…PerBaseModel".
	wordSyntax = regexp.MustCompile(`[A-Z]*[a-z]+`)
	words      = strings.Fields(`generate embed content contents online prediction predictions request requests input token tokens
		count free paid tier per minute day project region location global base model models`)
	tierSyntax = regexp.MustCompile(`(free|paid)_?tier_?(\d*)`)
)

// newQuota reads what a quota counts from its metric, its id and its interval, of which the id and
// the interval may be empty. It is not ok for a quota that does not limit single models, or counts
// something that the pool does not.
func newQuota(metric, id, interval string) (q quota, ok bool) {
	name := strings.ToLower(metric[strings.LastIndexByte(metric, '/')+1:])
	if !metricSyntax.MatchString(name) || !knowsAll(name) || !knowsAll(id) {
		return q, false // Google adds things: a word that is not known may say what else it counts
	}
	id = strings.ToLower(id)
	if id != "" && !strings.Contains(id, "model") {
		return q, false // of the project as a whole
	}
	q.global, q.values = strings.HasPrefix(name, "global_"), map[part]int64{}
	q.tier = tierIn(name, strings.ReplaceAll(id, "-", "_"))
	if interval == "" {
		interval = intervalOf(name, id)
	}
	tokens, requests := strings.Contains(name, "token"), strings.Contains(name, "request")
	switch {
	case interval == "minute" && tokens && strings.Contains(name, "input"):
		q.kind = tokensMinute
	case interval == "minute" && requests && !tokens:
		q.kind = requestsMinute
	case interval == "day" && requests && !tokens:
		q.kind = requestsDay
	default:
		return q, false
	}
	return q, true
}

// tierIn returns the tier that the last of some texts names which names one: the id's "…-PaidTier2"
// goes before the metric's, which may be that of all paid tiers.
func tierIn(texts ...string) (tier string) {
	for _, text := range texts {
		if found := tierSyntax.FindStringSubmatch(text); found != nil {
			tier = found[1] + found[2]
		}
	}
	return tier
}

// knowsAll reports whether every word of a metric or an id is known: none says that the quota is of
// images, tools, batches, output or users.
func knowsAll(name string) bool {
	for _, word := range wordSyntax.FindAllString(name, -1) {
		if !slices.Contains(words, strings.ToLower(word)) {
			return false
		}
	}
	return true
}

// intervalOf returns the interval that a metric or an id names; "" if neither does.
func intervalOf(name, id string) string {
	switch {
	case strings.Contains(id, "perday"), strings.Contains(name, "per_day"):
		return "day"
	case strings.Contains(id, "perminute"), strings.Contains(name, "per_minute"):
		return "minute"
	default:
		return ""
	}
}
