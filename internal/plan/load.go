package plan

import (
	"maps"
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
	first, length := calls[0].At, calls[len(calls)-1].At.Sub(calls[0].At)
	some := make(map[time.Duration]float64) // spans with calls: a log may have gaps of years
	total := 0.0
	for i := range calls {
		tokens := cost(calls[i].Usage)
		some[calls[i].At.Sub(first)/span] += tokens
		total += tokens
	}
	spans := slices.Sorted(maps.Values(some))
	all, seconds := int64(length/span)+1, span.Seconds()
	if hundredth := len(spans) - 1 - int(all/100); hundredth >= 0 { // else there are fewer with calls
		l.P99 = spans[hundredth] / seconds
	}
	l.Mean, l.Max = total/max(length, span).Seconds(), spans[len(spans)-1]/seconds
	return l
}
