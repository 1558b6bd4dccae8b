package plan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// some are calls that burn down so many tokens a second in the mean.
func some(tokensPerSecond float64, length time.Duration, seed uint64) demand.Rates {
	return demand.Rates{
		Model: flash, RPM: 60 * tokensPerSecond / (meanInput + outputRate*meanOutput), Input: meanInput, Output: meanOutput,
		Length: length, Start: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), Seed: seed,
	}
}

// logged returns calls as Spillway's call log has them, read again.
func logged(t *testing.T, all []demand.Call) []demand.Call {
	t.Helper()
	var text bytes.Buffer
	for _, c := range all {
		r := calls.Record{Time: calls.Time{Time: c.At}, Outcome: calls.OutcomeServed}
		r.Model, r.Method, r.Priority = c.Model, "generateContent", "interactive"
		r.Tokens = calls.Tokens{Input: c.Usage.Input, Cached: c.Usage.Cached, Output: c.Usage.Output}
		r.LatencyMS = float64(c.Took.Milliseconds())
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(line, '\n'))
	}
	log, err := demand.Read(&text)
	if err != nil {
		t.Fatal(err)
	}
	return log.Calls
}

// A log has other calls than those that stand for the rates that are stated.
func TestStatedRatesAgreeWithALogOfThem(t *testing.T) {
	for _, load := range []float64{0.8, 1.37} {
		length := time.Duration(amount(30, 240)) * time.Minute
		stated := ask(t, some(load*5*perGSU, length, 1).Calls(), 5, 5)
		read := ask(t, logged(t, some(load*5*perGSU, length, 2).Calls()), 5, 5)
		for _, pair := range [][2]float64{
			{stated.Sizes[0].Short.Spill(), read.Sizes[0].Short.Spill()}, {stated.Sizes[0].Long.Spill(), read.Sizes[0].Long.Spill()},
		} {
			t.Logf("load %v: stated %.3f, from a log %.3f", load, pair[0], pair[1])
			if math.Abs(pair[0]-pair[1]) > 0.03 {
				t.Errorf("load %v: %.3f of the tokens spill with stated rates, %.3f with a log of them", load, pair[0], pair[1])
			}
		}
	}
}

func TestWhatSpillsHasAReason(t *testing.T) {
	start := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	call := func(at time.Duration, input int64) demand.Call {
		return demand.Call{At: start.Add(at), Took: time.Second, Model: flash, Usage: quota.Usage{Input: input, Output: 10}}
	}
	every := func(gap, length time.Duration, input int64) (all []demand.Call) {
		for at := time.Duration(0); at < length; at += gap {
			all = append(all, call(at, input))
		}
		return all
	}
	// Five GSUs serve 13,450 tokens a second: 67,250 in the shortest window, of 5 s.
	large := every(time.Minute, 10*time.Minute, 1000)
	large[5].Usage.Input = 150_000
	burst := every(time.Minute, 10*time.Minute, 1000)
	for range 9 {
		burst = append(burst, call(10*time.Minute, 10_000))
	}
	for _, tt := range []struct {
		name  string
		calls []demand.Call
		of    func(*plan.Tally) float64
	}{
		{"too large", large, func(t *plan.Tally) float64 { return t.TooLarge }},
		{"a burst", burst, func(t *plan.Tally) float64 { return t.Burst }},
		{"sustained", every(200*time.Millisecond, 10*time.Minute, 5000), func(t *plan.Tally) float64 { return t.Sustained }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tally := ask(t, tt.calls, 5, 5).Sizes[0].Short
			if tally.SpilledTokens == 0 || tt.of(tally) < 0.8*tally.SpilledTokens {
				t.Errorf("of %.0f tokens that spill, %.0f do for that: %+v", tally.SpilledTokens, tt.of(tally), tally)
			}
			if sum := tally.TooLarge + tally.Burst + tally.Sustained; math.Abs(sum-tally.SpilledTokens) > 1 {
				t.Errorf("the reasons add up to %.0f of %.0f tokens", sum, tally.SpilledTokens)
			}
		})
	}
}

func TestMoneyAddsUp(t *testing.T) {
	prices, err := price.BuiltIn().Override(strings.NewReader(`{
		"models": [{"model": "gemini-2.5-flash", "usd": {"input": 1, "cached": 1, "output": 9}}],
		"orders": [{"term": "month", "location": "global", "usd": 1000}]}`))
	if err != nil {
		t.Fatal(err)
	}
	all := some(2*perGSU, 20*time.Minute, 1).Calls()
	question := plan.Question{
		Buy: plan.Buy{Model: flash, Location: "global"}, Calls: all, Spill: 0.01, From: 1, To: 6, Prices: prices, Term: price.Month,
	}
	a, err := plan.Ask(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got/want-1) > 1e-6 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	// Each burned-down token costs a millionth of a dollar by the token.
	scale := 30 * 24 * 3600 / a.Span.Seconds()
	tally := a.Sizes[0].Short
	near("all by the token", a.OnDemand.USD, tally.Tokens*scale/1e6)
	near("break-even", a.BreakEven, 1000*12.0/365*30/(perGSU*30*24*3600/1e6))
	for i := range a.Sizes {
		s := &a.Sizes[i]
		worse := max(s.Short.SpilledTokens, s.Long.SpilledTokens)
		near("the order", s.Order.USD, float64(s.GSUs)*1000*12/365*30)
		if worse > 0 {
			near("what spills", s.Spilled.USD, worse*scale/1e6)
		}
		near("both", s.Total.USD, s.Order.USD+s.Spilled.USD)
		if a.Cheapest > 0 && s.Total.USD < a.Sizes[a.Cheapest-1].Total.USD {
			t.Errorf("%d GSUs cost %v, and the cheapest are said to be %d", s.GSUs, s.Total.USD, a.Cheapest)
		}
	}
	if a.Cheapest == 0 {
		t.Error("no order is cheaper than tokens, of which a GSU serves seven times its price")
	}
	question.Prices, question.Term = price.BuiltIn(), price.Year
	if a, err = plan.Ask(t.Context(), question); err != nil || a.Sizes[0].Order.Known || a.Sizes[0].Total.Known || a.Cheapest != 0 || !a.OnDemand.Known {
		t.Errorf("nobody knows what a year costs: %+v, %v", a.Sizes[0], err)
	}
}

func TestChangesAreSeen(t *testing.T) {
	all := some(4*perGSU, time.Duration(amount(10, 60))*time.Minute, 1).Calls()
	for i := range all {
		all[i].Label = [...]string{"app", "nightly", ""}[i%3]
	}
	a, err := plan.Ask(t.Context(), plan.Question{
		Buy: plan.Buy{Model: flash, Location: "global"}, Calls: all, Spill: 0.01, Changes: true, Prices: price.BuiltIn(), Term: price.Week,
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.Recommended < 4 || a.Recommended > 8 {
		t.Errorf("%d GSUs are recommended for the load of four", a.Recommended)
	}
	if len(a.Changed) != 5 {
		t.Fatalf("the changes are %+v", a.Changed)
	}
	for _, c := range a.Changed {
		t.Logf("%+v", c)
		if c.Before <= 0 || c.Spill >= c.Before {
			t.Errorf("%s: %.3f instead of %.3f spill", c.What, c.Spill, c.Before)
		}
	}
}

func TestAModelWithoutFiguresNeedsThem(t *testing.T) {
	all := some(2*perGSU, 5*time.Minute, 1).Calls()
	for i := range all {
		all[i].Model = "gemini-9-ultra"
	}
	question := plan.Question{
		Buy: plan.Buy{Model: "gemini-9-ultra", Location: "global"}, Calls: all, Spill: 0.01, From: 2, To: 2, Prices: price.BuiltIn(), Term: price.Week,
	}
	if _, err := plan.Ask(t.Context(), question); !errors.Is(err, plan.ErrNoFigures) || !strings.Contains(err.Error(), "--tokens-per-second") {
		t.Errorf("the error is %v", err)
	}
	question.TokensPerSecond, question.Burndown = perGSU, &quota.Burndown{Input: 1, Output: 9}
	a, err := plan.Ask(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	same := ask(t, some(2*perGSU, 5*time.Minute, 1).Calls(), 2, 2)
	if a.PerGSU != perGSU || a.Sizes[0].Short.ServedTokens != same.Sizes[0].Short.ServedTokens || a.OnDemand.Known {
		t.Errorf("%+v, want %+v", a.Sizes[0].Short, same.Sizes[0].Short)
	}
	if _, err := plan.Ask(t.Context(), plan.Question{Buy: question.Buy}); !errors.Is(err, plan.ErrNoCalls) {
		t.Errorf("without calls: %v", err)
	}
}

func TestACancelledPlanEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := plan.Ask(ctx, plan.Question{
		Buy: plan.Buy{Model: flash, Location: "global"}, Calls: some(2*perGSU, time.Hour, 1).Calls(), Spill: 0.01, Prices: price.BuiltIn(), Term: price.Week,
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it is cancelled", err)
	}
}

// The same calls have the same fate each time.
func TestAPlanIsRepeatable(t *testing.T) {
	all := some(6*perGSU, 5*time.Minute, 1).Calls()
	first, second := ask(t, all, 5, 5).Sizes[0], ask(t, all, 5, 5).Sizes[0]
	if first.Short.ServedTokens != second.Short.ServedTokens || first.Long.Asked != second.Long.Asked {
		t.Errorf("%+v and then %+v", first.Short, second.Short)
	}
}

func TestDrawingIsXML(t *testing.T) {
	busy := some(3*perGSU, 5*time.Minute, 1).Calls()
	moment := slices.Clone(busy[:40])
	for i := range moment {
		moment[i].At = busy[0].At
	}
	years := slices.Clone(busy)
	for i := range years[len(years)/2:] {
		years[len(years)/2+i].At = busy[i].At.AddDate(70, 0, i)
	}
	for name, all := range map[string][]demand.Call{"busy": busy, "a moment": moment, "years": years, "one": busy[:1]} {
		a := ask(t, all, 0, 0)
		for _, model := range []string{`<script>"&'`, "]]>", "\x00\x1b[2J", "\xff\xfe", "\ufffe\uffff", "\u202e\u2028", "\U0001F600", strings.Repeat("&", 1000), "<!--"} {
			a.Model = model
			var text bytes.Buffer
			if err := a.WriteSVG(&text); err != nil {
				t.Fatal(err)
			}
			if bars := barsOf(t, name, text.String()); bars < 2*len(a.Sizes)+4 {
				t.Errorf("%s, %q: there are %d bars", name, model, bars)
			}
		}
	}
}

// barsOf parses a drawing, and counts its rectangles.
func barsOf(t *testing.T, name, text string) (bars int) {
	t.Helper()
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, `="-`) {
		t.Errorf("%s: a measure is none", name)
	}
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return bars
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if e, ok := token.(xml.StartElement); ok && !slices.Contains([]string{"svg", "style", "rect", "text", "line"}, e.Name.Local) {
			t.Errorf("%s: a name has become an element: %s", name, e.Name.Local)
		} else if ok && e.Name.Local == "rect" {
			bars++
		}
	}
}

// keyed is two projects of the Developer API with so many requests and tokens a minute each.
func keyed(rpm, tpm int64) (cfg pool.Config) {
	for _, name := range []string{"a", "b"} {
		cfg.Projects = append(cfg.Projects, pool.Project{
			Name: name, Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key-" + name)},
			Limits: []pool.Limit{{Model: "gemini-*", RPM: rpm, TPM: tpm}},
		})
	}
	return cfg
}

func TestCallsWithinAPool(t *testing.T) {
	all := demand.Rates{
		Model: flash, RPM: 300, Input: 2000, Output: 100, Length: 10 * time.Minute, Start: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), Seed: 1,
	}.Calls()
	for _, tt := range []struct {
		name       string
		cfg        pool.Config
		bottleneck string
		refuses    bool
	}{
		{"room for all", keyed(300, 1_000_000), "", false},
		{"too few requests", keyed(100, 10_000_000), "rpm of " + flash, true},
		{"too few tokens", keyed(1000, 200_000), "tpm of " + flash, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fit, err := plan.World{Pool: tt.cfg, MaxWait: 5 * time.Second}.Within(t.Context(), all, price.BuiltIn(), func(int) {})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", fit)
			bottleneck := ""
			if b := fit.Bounds[0]; b.Asked > b.Allowed {
				bottleneck = b.Name
			}
			if bottleneck != tt.bottleneck || (fit.Refused > len(all)/20) != tt.refuses || len(fit.Served) != 2 {
				t.Errorf("the bottleneck is %q, %d of %d calls are refused, by %v", bottleneck, fit.Refused, len(all), fit.Served)
			}
			served := fit.Served[0].Calls + fit.Served[1].Calls
			refused := 0
			for _, c := range fit.Causes {
				refused += c.Calls
				if c.Cause != "own_limit" {
					t.Errorf("calls are refused for %+v", c)
				}
			}
			if served+refused != len(all) || refused != fit.Refused {
				t.Errorf("%d served and %d refused are not %d", served, refused, len(all))
			}
			if tt.refuses && (fit.Waits == 0 || fit.Longest > 5*time.Second || fit.P95 == 0) {
				t.Errorf("%d calls waited, the longest %v", fit.Waits, fit.Longest)
			}
			if tt.name == "too few requests" { // two projects allow 200 a minute
				if most := 200 * 11; served > most || served < 200*9 {
					t.Errorf("%d are served, of at most %d", served, most)
				}
			}
		})
	}
}

// A million calls: one number of GSUs in less than a minute, eight in less than five, on two processors.
func TestALargeLogIsPlannedSoon(t *testing.T) {
	n := 10_000
	if os.Getenv("SPILLWAY_PLAN") == "1" { // alone on its machine: it is measured
		n = 1_000_000
	}
	calls := demand.Rates{
		Model: flash, RPM: 3000, Input: 1200, Output: 400, Peak: 2, Length: time.Duration(n) * 20 * time.Millisecond, Seed: 1,
		Start: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC),
	}.Calls()
	for _, tt := range []struct {
		to   int
		most time.Duration
	}{{100, time.Minute}, {107, 5 * time.Minute}} {
		began := time.Now()
		a := ask(t, calls, 100, tt.to)
		took := time.Since(began)
		t.Logf("%d calls, %d sizes: %v", len(calls), len(a.Sizes), took)
		if took > tt.most {
			t.Errorf("%d calls and %d sizes take %v, want at most %v", len(calls), len(a.Sizes), took, tt.most)
		}
	}
}

// In a file's pool an order is used first, and what does not fit goes where the file says.
func TestAnOrderWithinAPool(t *testing.T) {
	all := some(2*perGSU, 10*time.Minute, 1).Calls()
	cfg := pool.Config{Projects: []pool.Project{{
		Name: "prod", Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Locations: []string{"global"},
		Provisioned: []pool.Order{{Model: flash, Location: "eu", TokensPerSecond: perGSU}},
	}}}
	fit, err := plan.World{Pool: cfg}.Within(t.Context(), all, price.BuiltIn(), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]int{}
	for _, s := range fit.Served {
		served[s.Endpoint] = s.Calls
	}
	ordered, others := served["prod/eu/provisioned"], served["prod/global/on_demand"]
	if ordered+others != len(all) || fit.Refused > 0 || ordered < len(all)/3 || ordered > len(all)*2/3 || len(fit.Bounds) > 0 {
		t.Errorf("of %d calls the order serves %d, and on demand are %d; %+v", len(all), ordered, others, fit)
	}
}

// Endpoints are drawn by chance, which is the same each time.
func TestAPlanWithinAPoolIsRepeatable(t *testing.T) {
	all := some(perGSU, 5*time.Minute, 1).Calls()
	for _, policy := range []pool.Policy{"", pool.PolicyRandom, pool.PolicyRoundRobin, pool.PolicyFirst} {
		w := plan.World{Pool: keyed(60, 1_000_000), MaxWait: 2 * time.Second, Policy: policy}
		var first *plan.Fit
		for i := range 3 {
			f, err := w.Within(t.Context(), all, price.BuiltIn(), func(int) {})
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = f
			}
			if diff := cmp.Diff(first, f); diff != "" {
				t.Errorf("%q: -first +now:\n%s", policy, diff)
			}
		}
	}
}

// An order that follows another in the time of the calls has the size that it has.
func TestOrdersThatFollowEachOtherWithinAPool(t *testing.T) {
	all := some(2*perGSU, 20*time.Minute, 1).Calls()
	change := all[0].At.Add(10 * time.Minute)
	served := func(later float64) int {
		cfg := pool.Config{Projects: []pool.Project{{
			Name: "prod", Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Locations: []string{"global"},
			Provisioned: []pool.Order{
				{Model: flash, Location: "eu", TokensPerSecond: perGSU, Until: change},
				{Model: flash, Location: "eu", TokensPerSecond: later * perGSU, From: change},
			},
		}}}
		fit, err := plan.World{Pool: cfg}.Within(t.Context(), all, price.BuiltIn(), func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range fit.Served {
			if s.Endpoint == "prod/eu/provisioned" {
				return s.Calls
			}
		}
		return 0
	}
	same, larger, smaller := served(1), served(8), served(0.25)
	if larger < same+len(all)/6 || smaller > same-len(all)/10 {
		t.Errorf("of %d calls the order serves %d, %d if the next one is large, and %d if it is small", len(all), same, larger, smaller)
	}
}
