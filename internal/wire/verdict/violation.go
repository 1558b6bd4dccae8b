package verdict

import (
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// told fills in period and dimension from id and metric; the id comes first.
func (v Violation) told() Violation {
	for _, s := range [...]string{foldWords(v.ID), foldWords(v.Metric)} {
		if v.Per == "" {
			v.Per = periodOf(s)
		}
		if v.Of == "" {
			v.Of = dimensionOf(s)
		}
		if v.Tool == "" {
			v.Tool = toolOf(s)
		}
		v.Region = v.Region || strings.Contains(s, "perregion") || strings.Contains(s, "perlocation")
	}
	return v
}

// foldWords makes "PerDay", "per_day" and "per day" the same.
func foldWords(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		switch b := s[i]; {
		case b == '_' || b == ' ' || b == '-':
		case b >= 'A' && b <= 'Z':
			out = append(out, b+'a'-'A')
		default:
			out = append(out, b)
		}
	}
	return string(out)
}

func periodOf(folded string) Period {
	switch {
	case strings.Contains(folded, "perday"):
		return Day
	case strings.Contains(folded, "perminute"):
		return Minute
	}
	return ""
}

// toolOf returns the tool that a quota counts, by our name for it.
func toolOf(folded string) string {
	folded = strings.ReplaceAll(folded, "research", "") // which is a kind of call
	for _, t := range [...]struct{ word, tool string }{
		{"googlemaps", "google_maps"}, {"mapsgrounding", "google_maps"}, {"groundingwithmaps", "google_maps"},
		{"enterprisewebsearch", "enterprise_web_search"}, {"webgrounding", "enterprise_web_search"},
		{"filesearch", "file_search"}, {"search", "google_search"}, {"grounding", "google_search"},
		{"urlcontext", "url_context"}, {"codeexecution", "code_execution"},
		{"computeruse", "computer_use"},
	} {
		if strings.Contains(folded, t.word) {
			return t.tool
		}
	}
	return ""
}

func dimensionOf(folded string) Dimension {
	switch {
	case strings.Contains(folded, "token"):
		return Tokens
	case strings.Contains(folded, "request"):
		return Requests
	}
	return ""
}

// messageViolations reads the quotas that a message names:
//
//	Quota exceeded for metric: …googleapis.com/…_requests, limit: 10, model: gemini-2.5-flash
//	Quota exceeded for …googleapis.com/…_per_minute_per_… with base model: gemini-pro.
//	Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service '…'
func messageViolations(message string) []Violation {
	const sign = "quota exceeded for "
	var all []Violation
	at := jsonscan.IndexFold(message, sign)
	for at >= 0 && len(all) < maxViolations {
		message = message[at+len(sign):]
		text := message
		if at = jsonscan.IndexFold(message, sign); at >= 0 {
			text = message[:at]
		}
		text, _, _ = strings.Cut(text, "\n")
		v := Violation{Limit: -1, Metric: metricIn(text), Model: wordAfter(text, "model: ")}
		if digits := wordAfter(text, "limit: "); digits != "" {
			v.Limit = limit([]byte(digits))
		}
		if _, quoted, ok := strings.Cut(text, "limit '"); ok {
			v.ID, _, _ = strings.Cut(quoted, "'")
			v.ID = nameOf(v.ID)
		}
		all = append(all, v.told())
	}
	return all
}

// metricIn returns the word with a slash that is not an address.
func metricIn(text string) string {
	for word := range strings.FieldsSeq(text) {
		if strings.Contains(word, "googleapis.com/") && !strings.Contains(word, "://") {
			return nameOf(strings.Trim(word, "'\",.;"))
		}
	}
	return ""
}

// wordAfter returns the word after a lower-case label, without punctuation at its end.
func wordAfter(text, label string) string {
	at := jsonscan.IndexFold(text, label)
	if at < 0 {
		return ""
	}
	word := text[at+len(label):]
	if end := strings.IndexAny(word, " ,;\t\r\n"); end >= 0 {
		word = word[:end]
	}
	return nameOf(strings.TrimRight(word, ".'\""))
}

// addLimits fills in missing limits from the message: it states them by metric, in the same order.
func addLimits(violations, stated []Violation) {
	used := make([]bool, len(stated))
	for i := range violations {
		for j := range stated {
			v := &violations[i]
			if v.Limit < 0 && !used[j] && v.Metric != "" && strings.EqualFold(v.Metric, stated[j].Metric) {
				v.Limit, used[j] = stated[j].Limit, true
			}
		}
	}
}

// quotaMeaning returns the meaning of violations together: zero if every limit is, else the longest
// period, else some. It returns "" if there are no violations.
func quotaMeaning(violations []Violation) string {
	zeros, unknown, daily, minutely := 0, 0, false, false
	for _, v := range violations {
		switch v.Limit {
		case 0:
			zeros++
		case -1:
			unknown++
		}
		daily = daily || v.Per == Day
		minutely = minutely || v.Per == Minute
	}
	switch n := len(violations); {
	case n == 0:
		return ""
	case zeros > 0 && zeros+unknown == n:
		return zero
	case n >= 3 && unknown == n:
		// protobuf leaves a zero out. A project without quota violates every limit of the model,
		// each without a value.
		return zero
	case daily:
		return day
	case minutely:
		return minute
	}
	return some
}
