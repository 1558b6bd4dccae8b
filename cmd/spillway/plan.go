package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
)

const planHelp = `Usage: spillway plan [LOG...] [--rpm 300] [--input 1200] [--output 400]
  [--cached 0] [--peak 1] [--for 1h] [--model MODEL] [--location global]
  [--gsus 3-10] [--spill 1] [--tokens-per-second N] [--burndown output=6]
  [--prices FILE] [--term week] [--pool FILE] [--json] [--svg FILE]

Plan says how much Provisioned Throughput some traffic needs, in GSUs: the units
in which Google sells it. It makes the calls of LOG again, or calls at the rates
that are stated, in virtual time: the pool that routes real calls decides, before
a model of how Google enforces orders. Nothing is sent.

LOG is Spillway's call log, LiteLLM's spend logs, or Vertex AI's request-response
logs, each as JSON, JSON lines or CSV with a header. It may be compressed. "-" is
the standard input. Rotated call logs are read too.

For each number of GSUs, plan shows which part of the tokens the order serves and
which spills to pay-as-you-go, with the shortest and the longest window that
Google documents, and why it spills:

  BURST      for some seconds more came than the window takes
  SUSTAINED  in a whole minute more came than was bought
  TOO LARGE  the call alone is larger than the window
  REFUSED    how often the full order was asked in vain, for each call
  IDLE       the part of what was bought that served nothing
  USD        what the order and the spilled tokens cost in 30 days

It recommends the fewest GSUs with which less than --spill percent spills, and
prints the TOML for them. How Google foresees the length of responses is not
published; from the shortest windows, about three percent more or less may spill.

Flags:

  --rpm       calls a minute, in the mean, in place of a LOG; it takes --model,
              --input and --output, the tokens of one call; --cached of the input
              are cached, --peak is how many times the mean the busiest minute
              has, --for how long they come
  --model     the model; default: the one that LOG has most calls for
  --location  where the order is
  --gsus      one number, or a range such as 3-10; default: eight that fit
  --spill     percent of the tokens that may spill
  --tokens-per-second, --burndown
              what a GSU of a model serves, and what tokens cost, both for models
              that Spillway has no figures of: --burndown input=1,cached=0.1,output=6
  --prices    a file of prices, in the form of internal/price/prices.json, whose
              rows go before those that Spillway knows
  --term      week, month, quarter or year: for how long the order is bought
  --pool      a file of Spillway's: instead of an order, show what becomes of the
              calls in its pool: where they go, at which price, refusals, waits,
              and the limit that is the bottleneck; the orders are those of the
              file, so that --gsus and other flags of an order do not go with it
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
	q, wrong := f.question(flags)
	if wrong != "" {
		return misused("plan", stderr, wrong)
	}
	if f.pool == "" {
		f.warnOfLocation(stderr)
	}
	err := f.run(ctx, q, stdout, stderr)
	switch {
	case errors.Is(err, context.Canceled):
		writef(stderr, "spillway plan: it was interrupted\n")
		return statusFailed
	case err != nil:
		writef(stderr, "spillway plan: %s\n", err)
		return statusFailed
	default:
		return statusOK
	}
}

// warnOfLocation warns of a location that is not known, as check does of one in a file. A newer one
// works all the same.
func (f *planFlags) warnOfLocation(stderr io.Writer) {
	known, meant := config.KnownLocation(f.location)
	switch {
	case known:
	case meant != "":
		writef(stderr, "spillway plan: warning: --location %s is no location that is known; did you mean %s?\n", f.location, meant)
	default:
		writef(stderr, "spillway plan: warning: --location %s is no location that is known; check its spelling\n", f.location)
	}
}

// run reads what there is, asks, and prints the answer.
func (f *planFlags) run(ctx context.Context, q plan.Question, stdout, stderr io.Writer) (err error) {
	q.Prices = price.BuiltIn()
	if f.prices != "" {
		if q.Prices, err = pricesOf(f.prices); err != nil {
			return err
		}
	}
	var d drawing
	if f.svg != "" { // a path that cannot be written is found before the work
		if err := d.open(f.svg); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, d.close()) }()
	}
	log, err := f.demand(ctx)
	if err != nil {
		return err
	}
	if f.pool != "" {
		return f.within(ctx, log, q.Prices, stdout, stderr)
	}
	a, err := askPlan(ctx, q, log, stderr)
	if err != nil {
		return err
	}
	if f.json {
		printJSON(stdout, plannedOf(a, log))
	} else {
		printPlan(stdout, a, log)
	}
	if f.svg != "" {
		return d.draw(a)
	}
	return nil
}

// askPlan asks for the calls of a log for one model.
func askPlan(ctx context.Context, q plan.Question, log *demand.Log, stderr io.Writer) (*plan.Answer, error) {
	if q.Model == "" {
		q.Model = log.Models()[0].Name
	}
	if q.Calls = log.Only(q.Model); len(q.Calls) == 0 {
		return nil, errors.New("the log has no calls for " + plain.Text(q.Model, maxShown) + "; it has some for " + names(log.Models()))
	}
	bar := progressOn(stderr)
	q.Progress = bar.set
	a, err := plan.Ask(ctx, q)
	bar.clear()
	if others := othersOf(log, q.Model); errors.Is(err, plan.ErrNoFigures) && len(others) > 0 {
		return nil, fmt.Errorf("%w; the log has calls for %s, which --model plans for", err, names(others))
	}
	return a, withMeantModel(err, q.Model)
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
