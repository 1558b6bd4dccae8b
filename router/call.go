package router

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Priority orders calls that wait.
type Priority string

const (
	// Interactive calls go first. The default.
	Interactive Priority = "interactive"
	// Batch calls go when no interactive call waits.
	Batch Priority = "batch"
)

// Call is what one call asks of the router. The zero value asks for nothing in particular. Set it with [WithCall], or, from other
// programs, with the Spillway-… headers; where both speak of the same thing, Call holds.
type Call struct {
	// Affinity is any string; calls with the same one go to the same endpoint of a tier while it is ready and does not carry more than 1.25
	// times its fair share of the tier's calls. In every process it is the same endpoint. Google then bills less for what its prompts have
	// in common, and answers sooner. Empty: the calls of a conversation have one of their own, from the second turn on: the bytes of system
	// instruction, tools and first content; other calls have none. Name one where the conversations of a user, or the questions about one
	// document, are to stay together. Header: Spillway-Affinity.
	Affinity string
	// Locations are the only locations that may serve the call, failover included. Empty: all. Header: Spillway-Locations, with commas
	// between them.
	Locations []string
	// MaxWait is the longest the call queues for an endpoint, in place of [Config.MaxWait]. Zero: that one; negative: not at all.
	// Header: Spillway-Max-Wait, a duration such as "5s"; "0s": not at all.
	MaxWait time.Duration
	// Priority is Interactive if empty. Header: Spillway-Priority.
	Priority Priority
	// InputTokens are the tokens of the whole prompt, a cached content included, as countTokens gives them; OutputTokens those expected
	// of all answers with their thoughts, of which no more are taken than maxOutputTokens allows. They are reserved in place of what the
	// router estimates, which they do not change for other calls. Zero or less: estimate.
	InputTokens, OutputTokens int64
}

type callKey struct{}

// WithCall returns a context whose calls are routed as c asks.
func WithCall(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

const (
	headerPrefix    = "Spillway-"
	headerAffinity  = headerPrefix + "Affinity"
	headerLocations = headerPrefix + "Locations"
	headerMaxWait   = headerPrefix + "Max-Wait"
	headerPriority  = headerPrefix + "Priority"

	headerEndpoint = headerPrefix + "Endpoint"
	headerAttempts = headerPrefix + "Attempts"
	headerTraffic  = headerPrefix + "Traffic"
	headerModel    = headerPrefix + "Model"
)

// locations returns the locations that a call's headers name, and whether they name any: however the header is spelled, and if it is empty
// too, for a call must not go everywhere because the bound that its caller meant was not understood.
func locations(h http.Header) (values []string, named bool) {
	if values, named = h[headerLocations]; named {
		return values, true
	}
	for name, values := range h {
		if len(name) == len(headerLocations) && strings.EqualFold(name, headerLocations) {
			return values, true
		}
	}
	return nil, false
}

// askedOf reads what a request asks of the router, or says what is wrong with it.
func askedOf(req *http.Request) (c Call, wrong string) {
	c, _ = req.Context().Value(callKey{}).(Call)
	h := req.Header
	if c.Affinity == "" {
		c.Affinity = h.Get(headerAffinity)
	}
	if values, named := locations(h); len(c.Locations) == 0 && named {
		v := strings.Join(values, ",")
		for l := range strings.SplitSeq(v, ",") {
			if l = strings.TrimSpace(l); l != "" {
				c.Locations = append(c.Locations, l)
			}
		}
		if len(c.Locations) == 0 {
			return c, fmt.Sprintf("header %s is %q and names no location; write e.g. \"eu, europe-west4\", or leave it out", headerLocations, v)
		}
	}
	if v := h.Get(headerMaxWait); c.MaxWait == 0 && v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return c, fmt.Sprintf("header %s is %q; write a duration with its unit, e.g. \"5s\"", headerMaxWait, v)
		}
		if c.MaxWait = d; d == 0 {
			c.MaxWait = -1
		}
	}
	if c.Priority == "" {
		c.Priority = Priority(h.Get(headerPriority))
	}
	switch c.Priority {
	case "", Interactive, Batch:
		return c, ""
	default:
		return c, fmt.Sprintf("priority is %q; write %q or %q", c.Priority, Interactive, Batch)
	}
}
