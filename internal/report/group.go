package report

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// Group is a sum of calls that have something in common.
type Group struct {
	Name string

	Calls, Served, Refused, Failed, Cancelled int64
	// Attempts are the requests to Google, TooMany those that got a 429, Lookups the requests for
	// lists and to find resources, which are no attempts.
	Attempts, TooMany, Lookups int64
	Tokens                     calls.Tokens

	failures map[string]int64 // attempts by class
	traffic  map[string]int64 // calls that were served

	waited, firstByte, latency digest
}

func newGroup(name string) *Group {
	return &Group{Name: name, failures: map[string]int64{}, traffic: map[string]int64{}}
}

func (g *Group) add(c *calls.Record) {
	g.Calls++
	switch c.Outcome {
	case calls.OutcomeServed:
		g.Served++
		g.serve(c)
	case calls.OutcomeRefused:
		g.Refused++
	case calls.OutcomeCancelled:
		g.Cancelled++
	case calls.OutcomeFailed:
		g.Failed++
	}
	g.Lookups += int64(c.Lookups)
	for _, a := range c.Attempts {
		g.Attempts++
		if a.Status == http.StatusTooManyRequests {
			g.TooMany++
		}
		if a.Class != pool.ClassOK && a.Class != pool.ClassCancelled {
			count(g.failures, string(a.Class))
		}
	}
	g.waited.add(c.WaitedMS)
	g.spend(&c.Tokens)
}

// serve adds what is of calls that were served alone. The length of a Live session is no latency.
func (g *Group) serve(c *calls.Record) {
	count(g.traffic, servedBy(c))
	if c.Live() {
		return
	}
	g.latency.add(c.LatencyMS)
	if c.FirstByteMS > 0 {
		g.firstByte.add(c.FirstByteMS)
	}
}

// fromCache stands in the place of a traffic for what the response cache has served.
const fromCache = "cache"

// servedBy returns what served a call, with its service tier if that is not the standard one, as the
// header Spillway-Traffic has it.
func servedBy(c *calls.Record) string {
	switch {
	case c.Cache == router.CacheHit:
		return fromCache
	case c.Tier == "" || c.Tier == pool.TierStandard:
		return c.Traffic
	default:
		return c.Traffic + "_" + c.Tier
	}
}

func (g *Group) spend(t *calls.Tokens) {
	for _, x := range []struct{ sum, one *int64 }{
		{&g.Tokens.Input, &t.Input},
		{&g.Tokens.Cached, &t.Cached},
		{&g.Tokens.ToolUse, &t.ToolUse},
		{&g.Tokens.InputAudio, &t.InputAudio},
		{&g.Tokens.InputImage, &t.InputImage},
		{&g.Tokens.Output, &t.Output},
		{&g.Tokens.Thoughts, &t.Thoughts},
		{&g.Tokens.OutputAudio, &t.OutputAudio},
		{&g.Tokens.OutputImage, &t.OutputImage},
	} {
		*x.sum += *x.one
	}
}

// maxCounts bounds what is counted in a group. There are 20 classes; a file may have anything.
const maxCounts = 100

// count counts one more of a name.
func count(counts map[string]int64, name string) {
	name = cmp.Or(plain.Text(name, maxName), none)
	if _, known := counts[name]; !known && len(counts) >= maxCounts {
		name = others
	}
	counts[name]++
}

// share is a part of the calls or attempts of a group.
type share struct {
	name  string
	count int64
}

// shares returns counts, the largest first.
func shares(counts map[string]int64) []share {
	var all []share
	for name, n := range counts {
		all = append(all, share{name, n})
	}
	slices.SortFunc(all, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.name, b.name))
	})
	return all
}
