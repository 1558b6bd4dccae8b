package verdict

import (
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// told fills in what id and metric tell of period and dimension; the id first.
func (v Violation) told() Violation {
	for _, s := range [...]string{foldWords(v.ID), foldWords(v.Metric)} {
		if v.Per == "" {
			v.Per = periodOf(s)
		}
		if v.Of == "" {
			v.Of = dimensionOf(s)
		}
	}
	return v
}

// foldWords makes "PerDay", "per_day" and "per day" one.
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
//   - Quota exceeded for metric: generativelanguage.googleapis.com/…_requests, limit: 10, model: gemini-2.5-flash
//     Quota exceeded for aiplatform.googleapis.com/…_per_minute_per_project_per_base_model with base model: gemini-pro.
//     Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service '…'
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
			v.ID = clip(v.ID, maxName)
		}
		all = append(all, v.told())
	}
	return all
}

// metricIn finds the word with a slash that is no address.
func metricIn(text string) string {
	for word := range strings.FieldsSeq(text) {
		if strings.Contains(word, "googleapis.com/") && !strings.Contains(word, "://") {
			return clip(strings.Trim(word, "'\",.;"), maxName)
		}
	}
	return ""
}

// wordAfter returns the word that follows a lower-case label, without punctuation behind it.
func wordAfter(text, label string) string {
	at := jsonscan.IndexFold(text, label)
	if at < 0 {
		return ""
	}
	word := text[at+len(label):]
	if end := strings.IndexAny(word, " ,;\t\r\n"); end >= 0 {
		word = word[:end]
	}
	return clip(strings.TrimRight(word, ".'\""), maxName)
}

// addLimits gives violations without a value the one that the message states for their metric, in the order of both.
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

// quotaMeaning is what violations mean together: zero if every limit is, else the longest period, else some; "" if there are none.
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
		// protobuf leaves a zero out: a project without quota violates every limit of the model, none of them with a value.
		return zero
	case daily:
		return day
	case minutely:
		return minute
	}
	return some
}
