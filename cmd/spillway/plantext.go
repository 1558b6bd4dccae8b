package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
)

// printPlan prints an answer for people.
func printPlan(out io.Writer, a *plan.Answer, log *demand.Log) {
	var v view
	if t, ok := terminalOf(out); ok {
		v = t.view()
	}
	to := shown(out)
	v.linef(to, "%s for %s in %s, from %s", plain.Plural(len(a.Calls), "call"), a.Model, a.Span.Round(time.Second), log.Format)
	for _, note := range leftOut(log) {
		v.linef(to, "%s", note)
	}
	if others := othersOf(log, a.Model); len(others) > 0 {
		v.linef(to, "%s for other models left out, each of which --model plans for: %s", plain.Plural(len(log.Calls)-len(a.Calls), "call"), names(others))
	}
	if log.Format != statedRates && a.Span < 24*time.Hour {
		costs := ", and costs are as if it went on for 30 days"
		if !a.OnDemand.Known && a.Once.Known {
			costs = ""
		}
		v.linef(to, "the log is of less than a day: peaks at other times are not in it%s", costs)
	}
	v.linef(to, "one GSU serves %s tokens a second", whole(a.PerGSU))
	printText(to, "\n"+v.table(loadTable(a), nil))
	printText(to, "\n"+v.table(sizeTable(a), nil)+"\n")
	if last := a.Sizes[0].Long; idle(a, last) == nil {
		v.linef(to, "what idles is unknown: the calls are over sooner than a window of %s", last.Window)
	}
	recommend(v, to, a)
	printMoney(v, to, a)
	if a.OnDemand.Known {
		printText(to, "\n"+v.table(stepTable(a), nil))
	}
	if len(a.Changed) > 0 {
		printText(to, "\n"+v.table(changeTable(a), nil))
	}
	if a.Recommended > 0 {
		printText(to, "\n"+orderTOML(a))
	}
}

// leftOut says what of a log does not count, or counts otherwise: a text for each reason.
func leftOut(log *demand.Log) (notes []string) {
	if log.Filled > 0 {
		notes = append(notes, plain.Plural(log.Filled, "call")+" that had been refused, taken to have the usual tokens")
	}
	for _, l := range log.Left {
		number, verb, first := "1 entry", " left out: ", ", in "
		if l.Entries > 1 {
			number, first = plain.Number(int64(l.Entries))+" entries", ", the first in "
		}
		if l.Broken {
			verb = " cannot be read: "
		}
		note := number + verb + l.Why
		if l.Line > 0 {
			note += first + "line " + strconv.Itoa(l.Line) + " of " + l.File
		}
		notes = append(notes, note)
	}
	return notes
}

// whole writes a number without a fraction.
func whole(n float64) string {
	return plain.Number(int64(math.Round(min(max(n, -mostWhole), mostWhole))))
}

const mostWhole = 1e18 // which an int64 has room for

func loadTable(a *plan.Answer) string {
	var b strings.Builder
	b.WriteString("LOAD, tokens a second\tMEAN\tP99\tMAX\n")
	row := func(name string, l plan.Load) {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", name, whole(l.Mean), whole(l.P99), whole(l.Max))
	}
	row("over a second", a.Second)
	for i, w := range a.Windows {
		name := "the longest window, "
		if i == 0 {
			name = "the shortest window, "
		}
		row(name+w.Over.String(), w)
	}
	row("over a minute", a.Minute)
	return b.String()
}

func percent(part float64) string { return fmt.Sprintf("%.1f %%", 100*part) }

// between is a range of percentages, or one if both are the same.
func between(one, other float64) string {
	low, high := fmt.Sprintf("%.1f", 100*min(one, other)), percent(max(one, other))
	if low+" %" == high {
		return high
	}
	return low + "–" + high
}

func sizeTable(a *plan.Answer) string {
	var b strings.Builder
	b.WriteString("GSUS\tSERVED\tSPILLS\tBURST\tSUSTAINED\tTOO LARGE\tREFUSED\tIDLE\tUSD ORDER\tSPILL\tTOTAL\n")
	for i := range a.Sizes {
		s := &a.Sizes[i]
		part := func(of func(*plan.Tally) float64) string {
			return between(of(s.Short)/max(s.Short.Tokens, 1), of(s.Long)/max(s.Long.Tokens, 1))
		}
		asked := func(t *plan.Tally) float64 { return float64(t.Asked) / float64(max(t.Calls, 1)) }
		mark := ""
		if s.GSUs == a.Recommended {
			mark = " *"
		}
		fmt.Fprintf(&b, "%d%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.GSUs, mark,
			between(1-s.Short.Spill(), 1-s.Long.Spill()), between(s.Short.Spill(), s.Long.Spill()),
			part(func(t *plan.Tally) float64 { return t.Burst }), part(func(t *plan.Tally) float64 { return t.Sustained }),
			part(func(t *plan.Tally) float64 { return t.TooLarge }), between(asked(s.Short), asked(s.Long)),
			idleTime(a, s), dollars(s.Order), dollars(s.Spilled), dollars(s.Total))
	}
	return b.String()
}

// idleTime is what idles of an order, "-" where the calls do not tell.
func idleTime(a *plan.Answer, s *plan.Size) string {
	short, long := idle(a, s.Short), idle(a, s.Long)
	if short == nil || long == nil {
		return "-"
	}
	return between(*short, *long)
}

func dollars(m plan.Money) string {
	if !m.Known {
		return "-"
	}
	return whole(m.USD)
}

func recommend(v view, to io.Writer, a *plan.Answer) {
	if a.Recommended == 0 {
		v.linef(to, "with all of these more than %s spills: look at more GSUs, with --gsus", percent(a.Spill))
		return
	}
	v.linef(to, "* recommended: %s, the fewest with which less than %s of the tokens spills, with some to spare",
		plain.Plural(a.Recommended, "GSU"), percent(a.Spill))
}

// printMoney says what is cheaper. Costs are those of 30 days of such calls.
func printMoney(v view, to io.Writer, a *plan.Answer) {
	at := a.Calls[0].At
	m, ok := a.Prices.Model(a.Model, at)
	switch {
	case ok && a.OnDemand.Known:
		v.linef(to, "by the token all would cost %s dollars in 30 days (prices of %s)", dollars(a.OnDemand), ofDay(m.Origin))
	case ok && a.Once.Known:
		v.linef(to, "by the token these calls cost %.2f dollars (prices of %s); they are of less than a minute, which says nothing of 30 days",
			a.Once.USD, ofDay(m.Origin))
	case ok:
		v.linef(to, "some of the calls were made before there was a price for %s: state it by --prices FILE", a.Model)
	default:
		v.linef(to, "no price for %s: state it by --prices FILE", a.Model)
	}
	o, ok := a.Prices.Order(a.Term, a.Location)
	if !ok {
		v.linef(to, "no price for a GSU for a %s in %s: state it by --prices FILE", a.Term, a.Location)
		return
	}
	note := ""
	if o.Note != "" {
		note = ", " + plain.Text(o.Note, maxShown)
	}
	v.linef(to, "a GSU for a %s costs %s dollars (of %s%s)", a.Term, whole(o.USD), ofDay(o.Origin), note)
	switch {
	case a.BreakEven == 0:
	case a.BreakEven > 1:
		v.linef(to, "a GSU never pays for itself against the price of tokens: it would have to serve %.1f times what it does", a.BreakEven)
	default:
		v.linef(to, "a GSU pays for itself if %s of it is used", percent(a.BreakEven))
	}
	if a.Cheapest > 0 {
		v.linef(to, "the cheapest of these is %s", plain.Plural(a.Cheapest, "GSU"))
	}
}

// ofDay says how old a price is.
func ofDay(o price.Origin) string {
	if o.Read.IsZero() {
		return "your own"
	}
	return o.Read.Format(time.DateOnly)
}

// stepTable is the ladder of prices.
func stepTable(a *plan.Answer) string {
	var b strings.Builder
	gsus := cmp.Or(a.Recommended, a.Sizes[len(a.Sizes)-1].GSUs)
	fmt.Fprintf(&b, "SERVICE TIER\tPRICE\tUSD ALL CALLS\tSPILL OF %s\n", strings.ToUpper(plain.Plural(gsus, "GSU")))
	for _, s := range a.Steps {
		factor := "-"
		if s.Factor > 0 {
			factor = fmt.Sprintf("× %.4g", s.Factor)
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", s.Tier, factor, dollars(s.All), dollars(s.Spilled))
	}
	return b.String()
}

func changeTable(a *plan.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "WHAT WOULD CHANGE\tSPILLS OF %s\tNEEDS ABOUT\tUSD ORDER\tNO ORDER\n", strings.ToUpper(plain.Plural(a.Changed[0].GSUs, "GSU")))
	row := func(what string, spill float64, needs int, withOrder, byToken plan.Money) {
		gsus := "-"
		if needs > 0 {
			gsus = plain.Plural(needs, "GSU")
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\n", what, percent(spill), gsus, dollars(withOrder), dollars(byToken))
	}
	row("nothing", a.Changed[0].Before, a.Recommended, a.WithOrder(), a.OnDemand)
	for _, c := range a.Changed {
		row(c.What, c.Spill, c.Needs, c.WithOrder, c.ByToken)
	}
	return b.String()
}

// orderTOML is the recommended order as a file has it.
func orderTOML(a *plan.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[project.provisioned]]\nmodel    = %q\nlocation = %q\ngsus     = %d\n", a.Model, a.Location, a.Recommended)
	if a.TokensPerSecond > 0 {
		fmt.Fprintf(&b, "tokens_per_second = %g\n", a.TokensPerSecond*float64(a.Recommended))
	}
	if a.Burndown != nil {
		var rates []string
		for _, r := range []struct {
			name string
			rate float64
		}{
			{"input", a.Burndown.Input}, {"input_audio", a.Burndown.InputAudio}, {"input_image", a.Burndown.InputImage},
			{"cached", a.Burndown.Cached}, {"cached_audio", a.Burndown.CachedAudio}, {"output", a.Burndown.Output},
			{"output_image", a.Burndown.OutputImage}, {"output_audio", a.Burndown.OutputAudio},
			{"long_input", a.Burndown.LongInput}, {"long_cached", a.Burndown.LongCached}, {"long_output", a.Burndown.LongOutput},
		} {
			if r.rate > 0 {
				rates = append(rates, fmt.Sprintf("%s = %g", r.name, r.rate))
			}
		}
		fmt.Fprintf(&b, "burndown = { %s }\n", strings.Join(rates, ", "))
	}
	return b.String()
}
