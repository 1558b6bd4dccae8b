package calls

import (
	"fmt"
	"strings"
	"time"

	"github.com/spillway-go/spillway/router"
)

// Explain says in plain lines why the call went where it went: how it ended, its attempts, and why
// other endpoints could not serve it.
func (r *Record) Explain() []string {
	lines := []string{r.summary()}
	for i, a := range r.Attempts {
		lines = append(lines, fmt.Sprintf("attempt %d: %s", i+1, a.words()))
	}
	switch {
	case r.Cache == router.CacheHit:
		lines = append(lines, "Google was not asked: the response cache had the response of an equal call")
	case len(r.Attempts) == 0 && r.Lookups == 0:
		lines = append(lines, "Google was not asked")
	}
	if r.Lookups > 0 {
		lines = append(lines, fmt.Sprintf("%d more requests to Google were for lists or to find resources", r.Lookups))
	}
	if !r.RetryAt.IsZero() {
		lines = append(lines, "an endpoint could next serve it at "+r.RetryAt.String())
	}
	for _, p := range r.PassedOver {
		lines = append(lines, "not "+p.Endpoint+": "+p.Why)
	}
	if len(r.PassedOver) == maxPassedOver {
		lines = append(lines, "more endpoints are not listed")
	}
	if r.Unlisted {
		lines = append(lines, "why not elsewhere was not looked at: too many calls ask that now")
	}
	if len(r.PassedOver) == 0 && !r.Unlisted && r.Outcome == OutcomeServed && len(r.Attempts) == 1 {
		lines = append(lines, "nothing kept the call from the endpoint")
	}
	return lines
}

// summary says what was called and how it ended.
func (r *Record) summary() string {
	var b strings.Builder
	b.WriteString(r.Time.String() + " " + r.Method)
	if r.Method == "" {
		b.WriteString("a call")
	}
	if r.Model != "" {
		b.WriteString(" of " + r.Model)
	}
	if r.Label != "" {
		b.WriteString(" for " + r.Label)
	}
	fmt.Fprintf(&b, " (%s): %s", r.Priority, r.Outcome)
	if r.Endpoint != "" && r.Outcome == OutcomeServed {
		b.WriteString(" by " + r.Endpoint)
	}
	if r.ServedModel != "" && r.ServedModel != r.Model {
		b.WriteString(" with " + r.ServedModel)
	}
	if r.Status > 0 {
		fmt.Fprintf(&b, ", status %d", r.Status)
	}
	b.WriteString(" after " + duration(r.LatencyMS))
	if r.WaitedMS >= 1 {
		b.WriteString(", of which it waited " + duration(r.WaitedMS))
	}
	if r.Error != "" {
		b.WriteString(": " + r.Error)
	}
	return b.String()
}

// words says what an attempt asked and got.
func (a *Attempt) words() string {
	var b strings.Builder
	b.WriteString(a.Endpoint)
	if a.Model != "" {
		b.WriteString(" with " + a.Model)
	}
	b.WriteString(": " + string(a.Class))
	if a.Status > 0 {
		fmt.Fprintf(&b, ", status %d", a.Status)
	}
	b.WriteString(" after " + duration(a.DurationMS))
	if a.WaitedMS >= 1 {
		b.WriteString(", having waited " + duration(a.WaitedMS))
	}
	if a.Message != "" {
		b.WriteString(" (" + a.Message + ")")
	}
	return b.String()
}

// duration shows milliseconds as people read them.
func duration(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	if d < time.Second {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
