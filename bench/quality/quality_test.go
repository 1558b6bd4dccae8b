package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// named returns a scenario of the table.
func named(t *testing.T, name string) scenario {
	t.Helper()
	for _, s := range scenarios() {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("no scenario %q", name)
	return scenario{}
}

func TestRouterHoldsItsFiguresInTwoShortTrials(t *testing.T) {
	e := experiment{scenarios: []scenario{named(t, "known-0.8x"), named(t, "order-10-0.5x")}, seeds: 1, baselineSeeds: 1, length: 0.3}
	r := e.run(t)
	var table bytes.Buffer
	r.print(&table)
	t.Logf("\n%s", table.String())
	if r.missed() {
		t.Error("the router misses a figure")
	}
	if rows := len(r.rows); rows != 2+len(everyBaseline)+1 {
		t.Errorf("%d rows, want the router's two and those of the baselines", rows)
	}
}

func TestMemorylessRetriesAreWorseThanTheRouterWhereQuotasAreShort(t *testing.T) {
	tr := named(t, "known-1.5x").trial(draw{seed: 1, of: 1, length: 0.3})
	oracle := tr.reference(t)
	router := tr.judge(tr.run(t, spillway), oracle)
	naive := tr.judge(tr.run(t, through(elsewhere)), oracle)
	if router[wasted] > 0.01 || naive[wasted] < 1 {
		t.Errorf("429 per success: router %.3f, elsewhere at once %.3f; want the difference that memory makes", router[wasted], naive[wasted])
	}
}

func TestBurstsKeepTheRateAndCrowdASecond(t *testing.T) {
	a := arrivals{rate: 50, to: 1000 * time.Second, burst: 0.5, sizes: chat}
	calls := a.draw(rand.New(rand.NewPCG(1, 1)))
	crowded := 0
	for _, c := range calls {
		if c.at%(burstPeriod*time.Second) < time.Second {
			crowded++
		}
	}
	if n := float64(len(calls)); math.Abs(n/50_000-1) > 0.05 || math.Abs(float64(crowded)/n-0.5) > 0.05 {
		t.Errorf("%d calls, %d of them in bursts; want about 50,000 and half", len(calls), crowded)
	}
}

func TestAPromptCostsTheTokensItSays(t *testing.T) {
	for _, tokens := range []int{leastTokens, 257, 258, 259, 5_000} {
		for quota, want := range map[int]float64{tokens - 1: 0, tokens: 1, 2*tokens - 1: 1, 2 * tokens: 2} {
			tr := named(t, "reset").trial(draw{seed: 1, of: 1, length: 1})
			tr.google.Projects[0].Limits = []geminitest.Limit{{TPM: quota}}
			c := call{prompt: tokens, output: 20, parts: partsOf(tokens)}
			tr.calls = []call{c, c}
			got := tr.run(t, through(orderFirst))
			if served := servedIn(got, span{0, time.Hour}); served != want {
				t.Errorf("%d tokens: a quota of %d served %v, want %v", tokens, quota, served, want)
			}
		}
	}
}

func TestOracleServesWhatWindowsHaveAndNoMore(t *testing.T) {
	calls := make([]call, 600)
	for i := range calls {
		calls[i] = call{at: time.Duration(i) * time.Second / 2, prompt: 10}
	}
	tests := []struct {
		name  string
		limit geminitest.Limit
		want  float64 // calls in the four whole minutes from the first on
	}{
		{"enough for all", geminitest.Limit{RPM: 1000, TPM: 1_000_000}, 480},
		{"half the requests", geminitest.Limit{RPM: 60, TPM: 1_000_000}, 240},
		{"a quarter of the tokens", geminitest.Limit{RPM: 1000, TPM: 300}, 120},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(5) {
				got := servedIn(fixedWindows(rand.New(rand.NewPCG(seed, 1)), calls, 1, tt.limit), span{time.Minute, 5 * time.Minute})
				if math.Abs(got-tt.want) > 1 {
					t.Errorf("served %v, want %v", got, tt.want)
				}
			}
		})
	}
}

func TestOracleFollowsCapacity(t *testing.T) {
	calls := arrivals{rate: 100, to: time.Minute, sizes: small}.draw(rand.New(rand.NewPCG(1, 1)))
	pools := []geminitest.Capacity{
		{Requests: 10, Steps: []geminitest.Step{{At: 30 * time.Second, Requests: 40}}},
		{Requests: 20, Steps: []geminitest.Step{{At: 30 * time.Second, Requests: 0}}},
	}
	results := hiddenCapacity(calls, pools)
	for _, tt := range []struct {
		in   span
		want float64
	}{{span{0, 30 * time.Second}, 900}, {span{30 * time.Second, time.Minute}, 1200}} {
		if got := servedIn(results, tt.in); math.Abs(got/tt.want-1) > 0.03 {
			t.Errorf("from %v to %v: served %v, want about %v", tt.in.from, tt.in.to, got, tt.want)
		}
	}
}

func TestFairnessIsOneWhenShareAlikeAndFallsWhenNot(t *testing.T) {
	calls := make([]call, 40)
	even, unfair := make([]result, 40), make([]result, 40)
	for i := range calls {
		calls[i].caller = min(i/20, 1)
		even[i].served = i%2 == 0
		unfair[i].served = i < 20
	}
	all := span{0, time.Hour}
	if got := fairness(calls, even, all); math.Abs(got-1) > 1e-9 {
		t.Errorf("half of everybody's calls served: %v, want 1", got)
	}
	if got := fairness(calls, unfair, all); math.Abs(got-0.5) > 1e-9 {
		t.Errorf("one of two callers served: %v, want 1/2", got)
	}
}

func TestMedianAndWorstLookTheRightWay(t *testing.T) {
	outcomes := []outcome{nothing(), nothing(), nothing(), nothing()}
	for i, v := range []float64{0.9, 0.7, 0.8} {
		outcomes[i][goodput], outcomes[i][wasted] = v, v
	}
	for _, tt := range []struct {
		measure
		median, worst float64
	}{{goodput, 0.8, 0.7}, {wasted, 0.8, 0.9}} {
		if m, w := median(tt.measure, outcomes), worst(tt.measure, outcomes); m != tt.median || w != tt.worst {
			t.Errorf("%s: median %v and worst %v, want %v and %v", tt.measure, m, w, tt.median, tt.worst)
		}
	}
}

func TestAFigureThatWasNotMeasuredIsMissed(t *testing.T) {
	w := row{scenario{figures: []figure{{goodput, 0.5}, {wasted, 0.5}}}, routerName, []outcome{nothing()}}
	if n := len(w.misses()); n != 2 {
		t.Errorf("%d figures missed, want both", n)
	}
}

func TestPlotIsWellFormedAndHasAllCurves(t *testing.T) {
	calls := arrivals{rate: 20, to: time.Minute, sizes: small}.draw(rand.New(rand.NewPCG(1, 1)))
	served := firstComeFirstServed(calls, func(time.Duration, *call) bool { return true })
	picture := newPlot("a <title> & more", calls, served, served, time.Minute).svg()
	lines := 0
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 4 {
		t.Errorf("%d curves, want 4", lines)
	}
	if strings.Contains(string(picture), "NaN") {
		t.Error("NaN in the picture")
	}
}
