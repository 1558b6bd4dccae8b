package plan

import (
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/quota"
)

// Load is what calls burn down, in tokens a second, added up over spans of one length: on average, in
// the hundredth busiest of a hundred spans, and in the busiest.
type Load struct {
	Over           time.Duration
	Mean, P99, Max float64
}

// loadOver adds up what calls cost over spans that follow each other.
func loadOver(calls []demand.Call, cost func(quota.Usage) float64, span time.Duration) Load {
	l := Load{Over: span}
	if len(calls) == 0 {
		return l
	}
	first := calls[0].At
	spans := make([]float64, calls[len(calls)-1].At.Sub(first)/span+1)
	total := 0.0
	for i := range calls {
		tokens := cost(calls[i].Usage)
		spans[calls[i].At.Sub(first)/span] += tokens
		total += tokens
	}
	slices.Sort(spans)
	n := len(spans)
	seconds := span.Seconds()
	l.Mean = total / max(calls[len(calls)-1].At.Sub(first), span).Seconds()
	l.P99, l.Max = spans[(n*99+99)/100-1]/seconds, spans[n-1]/seconds
	return l
}
