package router

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Priority orders calls that wait for an endpoint.
type Priority string

const (
	// PriorityInteractive calls go first. The default.
	PriorityInteractive Priority = "interactive"
	// PriorityBatch calls go when no interactive call waits.
	PriorityBatch Priority = "batch"
)

// Call is what one call asks of the router. The zero value asks for nothing in particular. Set it
// with [WithCall] or, from other programs, with the Spillway-… headers. Where both set the same
// thing, Call wins.
type Call struct {
	// Affinity is any string. Calls with the same affinity go to the same endpoint of a tier, in
	// every process. They leave it while it is not ready, or has more than 1.25 times its fair
	// share of the tier's calls. Google then bills less for what their prompts have in common, and
	// responds sooner.
	//
	// Empty means that the turns of a conversation share an affinity, from the second turn on, and
	// other calls have none. A conversation is recognized by the bytes of its system instruction,
	// tools and first content. Set Affinity to keep together all conversations of a user, or the
	// questions about one document. Header: Spillway-Affinity.
	Affinity string
	// Locations are the only locations that may serve the call, failover included. Empty means all.
	// Header: Spillway-Locations, separated by commas.
	Locations []string
	// MaxWait is the longest time that the call queues for an endpoint. Zero means
	// [Config.MaxWait], negative means that the call never queues. Header: Spillway-Max-Wait, a
	// duration such as "5s"; "0s" means that the call never queues.
	MaxWait time.Duration
	// Priority is PriorityInteractive if empty. Header: Spillway-Priority.
	Priority Priority
	// InputTokens are the tokens of the whole prompt, including a cached content, as countTokens
	// gives them. OutputTokens are the expected tokens of all candidates and their thoughts;
	// maxOutputTokens bounds them. The router reserves them in place of its own estimate, which
	// they do not change for other calls. Zero or less means the estimate.
	InputTokens, OutputTokens int64
}

type callKey struct{}

// WithCall returns a context whose calls are routed as c says.
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

// locations returns the locations that a call's headers name, and whether the header is there,
// however it is spelled. An empty header counts: a call must not go everywhere because its bound
// was misread.
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

// optionsOf reads what a request asks of the router, or returns what is wrong with it.
func optionsOf(req *http.Request) (c Call, wrong string) {
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
			return c, fmt.Sprintf("header %s is %q and names no location; "+
				"write e.g. \"eu, europe-west4\", or leave it out", headerLocations, v)
		}
	}
	if v := h.Get(headerMaxWait); c.MaxWait == 0 && v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return c, fmt.Sprintf("header %s is %q; write a duration with its unit, e.g. \"5s\"",
				headerMaxWait, v)
		}
		if c.MaxWait = d; d == 0 {
			c.MaxWait = -1
		}
	}
	if c.Priority == "" {
		c.Priority = Priority(h.Get(headerPriority))
	}
	switch c.Priority {
	case "", PriorityInteractive, PriorityBatch:
		return c, ""
	default:
		return c, fmt.Sprintf("priority is %q; write %q or %q",
			c.Priority, PriorityInteractive, PriorityBatch)
	}
}
