package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/quota"
)

const planHelp = `Usage: spillway plan [LOG...] [--rpm 300] [--input 1200] [--output 400]
  [--cached 0] [--peak 1] [--for 1h] [--model MODEL] [--location global]
  [--gsus 3-10] [--spill 1] [--tokens-per-second N] [--burndown output=6]
  [--prices FILE] [--term week] [--pool FILE] [--json] [--svg FILE]

Plan says how much Provisioned Throughput some traffic needs. It makes the calls
of LOG again, or calls at the rates that are stated, in virtual time: the pool
that routes real calls decides, before a model of how Google enforces orders.
Nothing is sent.

LOG is Spillway's call log, LiteLLM's spend logs, or Vertex AI's request-response
logs, each as JSON, JSON lines or CSV with a header. It may be compressed. "-" is
the standard input. Rotated call logs are read too.

For each number of GSUs, plan shows which part of the tokens the order serves and
which spills to pay-as-you-go, with the shortest and the longest window that
Google documents, and why it spills:

  BURST      for some seconds more came than the window takes
  SUSTAINED  in a whole minute more came than was bought
  TOO LARGE  the call alone is larger than the window
  IDLE       the part of what was bought that served nothing

It recommends the fewest GSUs with which less than --spill percent spills, and
prints the TOML for them. How Google foresees the length of responses is not
published; from the shortest windows, about three percent more or less may spill.

Flags:

  --rpm       calls a minute, in the mean, without a LOG; --input, --output and
              --cached are the tokens of one, --peak how many times the mean the
              busiest minute has, --for how long
  --model     the model; default: the one that LOG has most calls for
  --location  where the order is
  --gsus      one number, or a range such as 3-10; default: eight that fit
  --spill     percent of the tokens that may spill
  --tokens-per-second, --burndown
              what a GSU of a model serves, and what tokens cost, for models that
              Spillway has no figures of: --burndown input=1,cached=0.1,output=6
  --prices    a file of prices, in the form of internal/price/prices.json, whose
              rows go before those that Spillway knows
  --term      week, month, quarter or year: for how long the order is bought
  --pool      a file of Spillway's: instead of an order, show what becomes of the
              calls in its pool: where they go, at which price, refusals, waits,
              and the limit that is the bottleneck
  --json      as one JSON object
  --svg       writes a drawing too, for a browser; not with --pool

Exit status: 1 if a file cannot be read, has no calls, or a figure is missing.
`

// planFlags is what a user of the command "plan" asks for.
type planFlags struct {
	logs                        []string
	rates                       demand.Rates
	model, location, gsus, term string
	spill, tokensPerSecond      float64
	burndown, prices, pool, svg string
	json                        bool
}

// runPlan runs the command "plan".
func runPlan(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var f planFlags
	flags := flag.NewFlagSet("plan", flag.ContinueOnError)
	flags.Float64Var(&f.rates.RPM, "rpm", 0, "")
	flags.Float64Var(&f.rates.Input, "input", 0, "")
	flags.Float64Var(&f.rates.Output, "output", 0, "")
	flags.Float64Var(&f.rates.Cached, "cached", 0, "")
	flags.Float64Var(&f.rates.Peak, "peak", 1, "")
	flags.DurationVar(&f.rates.Length, "for", time.Hour, "")
	flags.StringVar(&f.model, "model", "", "")
	flags.StringVar(&f.location, "location", "global", "")
	flags.StringVar(&f.gsus, "gsus", "", "")
	flags.Float64Var(&f.spill, "spill", 1, "")
	flags.Float64Var(&f.tokensPerSecond, "tokens-per-second", 0, "")
	flags.StringVar(&f.burndown, "burndown", "", "")
	flags.StringVar(&f.prices, "prices", "", "")
	flags.StringVar(&f.term, "term", string(price.Week), "")
	flags.StringVar(&f.pool, "pool", "", "")
	flags.BoolVar(&f.json, "json", false, "")
	flags.StringVar(&f.svg, "svg", "", "")
	rest, status, ok := parse(flags, args, planHelp, stdout, stderr)
	if !ok {
		return status
	}
	f.logs, f.model = rest, bareModel(f.model)
	q, wrong := f.question()
	if wrong != "" {
		return misused("plan", stderr, wrong)
	}
	if err := f.run(ctx, q, stdout, stderr); err != nil {
		writef(stderr, "spillway plan: %s\n", err)
		return statusFailed
	}
	return statusOK
}

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
	default:
		return ""
	}
}

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

// question returns what is asked, without the calls; wrong says what is wrong with the flags.
func (f *planFlags) question() (q plan.Question, wrong string) {
	if wrong = f.wrongRates(); wrong != "" {
		return q, wrong
	}
	switch {
	case !(f.spill > 0 && f.spill < 100):
		return q, "--spill is not a percentage between 0 and 100"
	case f.tokensPerSecond != 0 && !(f.tokensPerSecond >= 1 && f.tokensPerSecond <= 1e9):
		return q, "--tokens-per-second is not between 1 and 1,000,000,000"
	case f.pool != "" && f.svg != "":
		return q, "--svg draws orders; leave it out with --pool, or --pool with it"
	case !slices.Contains(price.Terms(), price.Term(f.term)):
		return q, "--term is none of week, month, quarter and year"
	}
	q = plan.Question{
		Buy:   plan.Buy{Model: f.model, Location: f.location, TokensPerSecond: f.tokensPerSecond},
		Spill: f.spill / 100, Term: price.Term(f.term), Changes: true,
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

// run reads what there is, asks, and prints the answer.
func (f *planFlags) run(ctx context.Context, q plan.Question, stdout, stderr io.Writer) error {
	q.Prices = price.BuiltIn()
	if f.prices != "" {
		own, err := pricesOf(f.prices)
		if err != nil {
			return err
		}
		q.Prices = own
	}
	log, err := f.demand()
	if err != nil {
		return err
	}
	if f.pool != "" {
		return f.within(ctx, log, q.Prices, stdout, stderr)
	}
	if q.Model == "" {
		q.Model = log.Models()[0].Name
	}
	if q.Calls = log.Only(q.Model); len(q.Calls) == 0 {
		return errors.New("the log has no calls for " + plain.Text(q.Model, maxShown) + "; it has some for " + names(log.Models()))
	}
	bar := progressOn(stderr)
	q.Progress = bar.set
	a, err := plan.Ask(ctx, q)
	bar.clear()
	if err != nil {
		return withMeantModel(err, q.Model)
	}
	if f.svg != "" {
		if err := writeSVG(f.svg, a); err != nil {
			return err
		}
	}
	if f.json {
		printJSON(stdout, plannedOf(a, log))
		return nil
	}
	printPlan(stdout, a, log)
	return nil
}

// pricesOf reads a file of prices.
func pricesOf(path string) (*price.Table, error) {
	file, err := os.Open(path) //nolint:gosec // the user of the command names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	t, err := price.BuiltIn().Override(file)
	if err != nil {
		return nil, errors.New(path + ": " + err.Error())
	}
	return t, nil
}

// withMeantModel adds to an error about a model without figures which one was probably meant.
func withMeantModel(err error, model string) error {
	if known, likely := config.KnownModel(model); errors.Is(err, plan.ErrNoFigures) && !known && likely != "" {
		return fmt.Errorf("%w; did you mean %s?", err, likely)
	}
	return err
}

func writeSVG(path string, a *plan.Answer) error {
	file, err := os.Create(path) //nolint:gosec // the user of the command names it
	if err != nil {
		return err
	}
	return errors.Join(a.WriteSVG(file), file.Close())
}
