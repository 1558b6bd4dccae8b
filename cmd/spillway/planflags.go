package main

import (
	"cmp"
	"flag"
	"slices"
	"strconv"
	"strings"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/quota"
)

// wrongRates says what is wrong with the rates, or that there are some beside a log.
func (f *planFlags) wrongRates() string {
	r := &f.rates
	switch stated := len(f.logs) == 0; {
	case stated && !(r.RPM > 0):
		return "it needs a LOG, or --rpm with --input and --output"
	case !stated && r.RPM != 0:
		return "it takes a LOG or --rpm, not both"
	case stated && f.model == "":
		return "stated rates need --model"
	case stated && r.Input == 0:
		return "stated rates need --input, and --output: the tokens of one call in the mean, such as --input 1200 --output 400"
	case stated && wrongTokens(r) != "":
		return wrongTokens(r)
	case !(r.Peak >= 1 && r.Peak <= 1000):
		return "--peak is not between 1 and 1000"
	case r.Length <= 0:
		return "--for is not above zero"
	case r.RPM*r.Length.Minutes() > demand.MostCalls:
		return "that is more than " + plain.Number(demand.MostCalls) + " calls; write a smaller --for"
	case r.RPM*r.Length.Minutes()*r.Peak > mostAtPeak:
		return "at the rate of the peak that is more than " + plain.Number(mostAtPeak) + " calls; write a smaller --for or --peak"
	default:
		return ""
	}
}

// mostAtPeak bounds what there would be if the peak went on: of so many calls those that are made are
// drawn.
const mostAtPeak = 10 * demand.MostCalls

// mostTokens bounds the tokens of one call: ten times those of Google's largest models.
const mostTokens = 10_000_000

// wrongTokens says what is wrong with the tokens of a call.
func wrongTokens(r *demand.Rates) string {
	switch {
	case !(r.Input > 0 && r.Output >= 0 && r.Cached >= 0 && r.Cached <= r.Input):
		return "--input or --output is negative, or --cached is more than --input"
	case !(r.Input <= mostTokens && r.Output <= mostTokens):
		return "--input and --output are at most " + plain.Number(mostTokens) + " tokens"
	default:
		return ""
	}
}

// wrongTogether says which of the flags that are set do not go with others. Flags that do nothing
// would let someone believe an answer that does not heed them.
func (f *planFlags) wrongTogether(flags *flag.FlagSet) (wrong string) {
	ofOrders := []string{"gsus", "location", "spill", "tokens-per-second", "burndown", "term", "svg"}
	ofRates := []string{"input", "output", "cached", "peak", "for"}
	flags.Visit(func(set *flag.Flag) {
		switch {
		case wrong != "":
		case f.pool != "" && slices.Contains(ofOrders, set.Name):
			wrong = "--" + set.Name + " is for an order to be bought; leave it out with --pool, whose file has the orders"
		case len(f.logs) > 0 && slices.Contains(ofRates, set.Name):
			wrong = "--" + set.Name + " is for stated rates; leave it out with a LOG"
		}
	})
	return wrong
}

// question returns what is asked, without the calls; wrong says what is wrong with the flags.
func (f *planFlags) question(flags *flag.FlagSet) (q plan.Question, wrong string) {
	if wrong = cmp.Or(f.wrongRates(), f.wrongTogether(flags)); wrong != "" {
		return q, wrong
	}
	switch {
	case !(f.spill > 0 && f.spill < 100):
		return q, "--spill is not a percentage between 0 and 100"
	case f.tokensPerSecond != 0 && !(f.tokensPerSecond >= 1 && f.tokensPerSecond <= 100_000):
		return q, "--tokens-per-second is not between 1 and 100,000"
	case !slices.Contains(price.Terms(), price.Term(f.term)):
		return q, "--term is none of week, month, quarter and year"
	}
	q = plan.Question{
		Buy:   plan.Buy{Model: f.model, Location: f.location, TokensPerSecond: f.tokensPerSecond},
		Spill: f.spill / 100, Term: price.Term(f.term), Changes: true,
	}
	if err := q.Check(); err != nil {
		return q, "--location: " + err.Error()
	}
	if q.From, q.To, wrong = rangeOf(f.gsus); wrong != "" {
		return q, wrong
	}
	q.Burndown, wrong = burndownOf(f.burndown)
	return q, wrong
}

// mostRange bounds how many sizes of an order are looked at.
const mostRange = 64

// rangeOf reads "5" or "3-10"; zeros if it is empty.
func rangeOf(text string) (from, to int, wrong string) {
	if text == "" {
		return 0, 0, ""
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, err := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if err != nil || err2 != nil || from < 1 || to < from || to-from >= mostRange || to > 1_000_000 {
		return 0, 0, "--gsus is no number and no range such as 3-10, of at most " + strconv.Itoa(mostRange) + " numbers"
	}
	return from, to, ""
}

// burndownOf reads "input=1,output=6"; nil if it is empty.
func burndownOf(text string) (*quota.Burndown, string) {
	if text == "" {
		return nil, ""
	}
	var b quota.Burndown
	rates := map[string]*float64{
		"input": &b.Input, "input_audio": &b.InputAudio, "input_image": &b.InputImage, "cached": &b.Cached,
		"cached_audio": &b.CachedAudio, "output": &b.Output, "output_image": &b.OutputImage, "output_audio": &b.OutputAudio,
		"long_input": &b.LongInput, "long_cached": &b.LongCached, "long_output": &b.LongOutput,
	}
	for one := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(one, "=")
		rate := rates[strings.TrimSpace(name)]
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if rate == nil || err != nil || !(n > 0 && n < 1e6) {
			return nil, "--burndown is not like input=1,cached=0.1,output=6"
		}
		*rate = n
	}
	return &b, ""
}
