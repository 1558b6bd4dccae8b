package router

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/pool"
)

// Reason is why one endpoint could not serve a call.
type Reason = pool.Reason

// The metadata of a response say of each endpoint why it could not serve the call: its name leads to
// a few words, and its name with one of these behind it to the fields of its [Reason].
const (
	markCause   = "#cause"
	markSubject = "#subject"
	markUntil   = "#until"
	markRemedy  = "#remedy"
	markPage    = "#page"
)

// metadataOf writes reasons into metadata.
func metadataOf(reasons []Reason) map[string]string {
	metadata := make(map[string]string, 6*len(reasons))
	for _, r := range reasons {
		metadata[r.Endpoint] = cmp.Or(r.Why, "ready again, too late for this call")
		until := remedy.Cause(r.Cause).Ends()
		if !r.Until.IsZero() {
			until = r.Until.UTC().Format(time.RFC3339Nano)
		}
		for _, field := range [...]struct{ mark, value string }{
			{markCause, r.Cause}, {markSubject, r.Subject}, {markUntil, until}, {markRemedy, r.Remedy}, {markPage, r.Page},
		} {
			if field.value != "" {
				metadata[r.Endpoint+field.mark] = field.value
			}
		}
	}
	return metadata
}

// reasonsOf reads reasons from metadata, sorted by endpoint.
func reasonsOf(metadata map[string]any) []Reason {
	byEndpoint := make(map[string]*Reason)
	of := func(endpoint string) *Reason {
		if byEndpoint[endpoint] == nil {
			byEndpoint[endpoint] = &Reason{Endpoint: endpoint}
		}
		return byEndpoint[endpoint]
	}
	for name, value := range metadata {
		text, _ := value.(string)
		endpoint, mark := name, ""
		for _, m := range [...]string{markCause, markSubject, markUntil, markRemedy, markPage} {
			if before, ok := strings.CutSuffix(name, m); ok {
				endpoint, mark = before, m
			}
		}
		switch r := of(endpoint); mark {
		case markCause:
			r.Cause = text
		case markSubject:
			r.Subject = text
		case markUntil:
			r.Until, _ = time.Parse(time.RFC3339Nano, text)
		case markRemedy:
			r.Remedy = text
		case markPage:
			r.Page = text
		default:
			r.Why = text
		}
	}
	reasons := make([]Reason, 0, len(byEndpoint))
	for _, r := range byEndpoint {
		reasons = append(reasons, *r)
	}
	slices.SortFunc(reasons, func(a, b Reason) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return reasons
}

// sentence says a reason in one: what refuses, until when, and what to do.
func sentence(r *Reason) string {
	if r.Cause == "" {
		return r.Why
	}
	text := r.Cause + " of " + plain.Text(r.Subject, maxMessage)
	if !r.Until.IsZero() {
		text += " until " + moment(r.Until)
	} else if end := remedy.Cause(r.Cause).Ends(); end != "" {
		text += " until " + end
	} else if r.Why != "" { // nothing ends it
		text += ", " + plain.Text(r.Why, maxMessage)
	}
	if !r.Probe.IsZero() && r.Probe.Before(r.Until) {
		text += ", tried again at " + moment(r.Probe)
	}
	return strings.TrimSpace(text + ": " + r.Remedy + " " + r.Page)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
