package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// call is one call that the experiment offers: when it comes, who makes it, and how large it and
// its answer are.
type call struct {
	at     time.Duration // since the experiment began
	caller int
	prompt int // tokens, as Google counts them
	output int // tokens that the answer will have
	parts  []byte

	bounded bool // the caller says how long the answer may be, and is right
}

// sizes are the lognormal laws of prompts and answers: half of them are smaller than the median,
// and the mean is median × exp(sigma²/2).
type sizes struct {
	prompt, promptSigma float64
	output, outputSigma float64
}

// Chat, roughly: an answer of 400 tokens takes two and a half seconds, one in a hundred takes 13.
var chat = sizes{prompt: 1_500, promptSigma: 1, output: 400, outputSigma: 0.8}

// The least and the most that is drawn. Of an answer the emulator says the least and thinks the
// rest.
const (
	leastTokens = 8
	mostPrompt  = 60_000
	mostOutput  = 4_096
)

// How long answers take: the emulator's Latency.
const (
	firstToken = 500 * time.Millisecond
	perToken   = 5 * time.Millisecond
)

func (z sizes) draw(rng *rand.Rand) (prompt, output int) {
	lognormal := func(median, sigma float64, most int) int {
		return min(max(int(median*math.Exp(sigma*rng.NormFloat64())), leastTokens), most)
	}
	return lognormal(z.prompt, z.promptSigma, mostPrompt), lognormal(z.output, z.outputSigma, mostOutput)
}

// meanPrompt and meanOutput are the means of the laws; what is cut off is little.
func (z sizes) meanPrompt() float64 { return z.prompt * math.Exp(z.promptSigma*z.promptSigma/2) }
func (z sizes) meanOutput() float64 { return z.output * math.Exp(z.outputSigma*z.outputSigma/2) }

// arrivals is an open-loop stream of calls: they come whatever happened to those before.
type arrivals struct {
	rate    float64 // calls a second, in the mean
	from    time.Duration
	to      time.Duration
	burst   float64   // this share of the calls comes within one second of every ten; 0: none, a Poisson stream
	callers []float64 // share of each caller; default: one has all
	sizes   sizes
}

// draw makes the calls. The same generator gives the same calls.
func (a arrivals) draw(rng *rand.Rand) []call {
	var calls []call
	// Time is stretched so that a Poisson stream of even rate gives the bursts.
	for u := rng.ExpFloat64() / a.rate; ; u += rng.ExpFloat64() / a.rate {
		at := a.from + time.Duration(a.stretched(u)*float64(time.Second))
		if at >= a.to {
			return calls
		}
		c := call{at: at, caller: a.drawCaller(rng)}
		c.prompt, c.output = a.sizes.draw(rng)
		c.parts = partsOf(c.prompt)
		calls = append(calls, c)
	}
}

// burstPeriod is how far apart bursts are, in seconds; a burst lasts one.
const burstPeriod = 10

func (a arrivals) stretched(u float64) float64 {
	if a.burst == 0 {
		return u
	}
	period := math.Floor(u / burstPeriod)
	share := u/burstPeriod - period
	if share < a.burst {
		return period*burstPeriod + share/a.burst
	}
	return period*burstPeriod + 1 + (share-a.burst)/(1-a.burst)*(burstPeriod-1)
}

func (a arrivals) drawCaller(rng *rand.Rand) int {
	x := rng.Float64()
	for i, share := range a.callers {
		if x -= share; x < 0 {
			return i
		}
	}
	return max(len(a.callers)-1, 0)
}

// byTime merges streams.
func byTime(streams ...[]call) []call {
	all := slices.Concat(streams...)
	slices.SortStableFunc(all, func(a, b call) int { return int(a.at - b.at) })
	return all
}

// imageTokens is what Google counts for an image, and what the emulator counts for a film. The
// router takes a film for more (295 a second), so it has to learn by how much it is wrong.
const imageTokens = 258

// partsOf is a prompt of so many tokens that takes few bytes: images, some films, and text for the
// rest.
func partsOf(tokens int) []byte {
	var b bytes.Buffer
	images := (tokens - 1) / imageTokens
	for n := range images {
		kind := "image/png"
		if n%3 == 2 {
			kind = "video/mp4"
		}
		fmt.Fprintf(&b, `{"inlineData":{"mimeType":%q,"data":"AA=="}},`, kind)
	}
	fmt.Fprintf(&b, `{"text":"%s"}`, strings.Repeat("dam ", tokens-images*imageTokens))
	return b.Bytes()
}

// body is the request as the caller sends it.
func (c *call) body() []byte { return c.request("") }

// told is the request as it reaches the emulator, which thinks as long as it is told to: that costs
// tokens and time but no bytes. It is no bound to Google's estimate, unlike what the caller says.
func (c *call) told() []byte {
	return c.request(fmt.Sprintf(`"thinkingConfig":{"thinkingBudget":%d}`, c.output-leastTokens))
}

func (c *call) request(config string) []byte {
	if c.bounded {
		bound := fmt.Sprintf(`"maxOutputTokens":%d`, c.output)
		if config != "" {
			bound += ","
		}
		config = bound + config
	}
	return fmt.Appendf(nil, `{"contents":[{"role":"user","parts":[%s]}],"generationConfig":{%s}}`, c.parts, config)
}
