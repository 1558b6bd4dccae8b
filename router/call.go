package router

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/spelling"
	"github.com/spillway-go/spillway/pool"
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
// thing, Call wins. Other Spillway-… headers, and values that make no sense, are refused with 400.
type Call struct {
	// Affinity is any string. Calls with the same affinity go to the same endpoint of a tier, in
	// every process. They leave it while it is not ready, or has more than its fair share of the
	// tier's calls: 1.15 to 1.25 times that, by affinity. Google then bills less for what their
	// prompts have in common, and responds sooner.
	//
	// Empty means that the turns of a conversation share an affinity, from the second turn on, and
	// other calls have none. A conversation is recognized by the bytes of its system instruction,
	// tools and first content. Set Affinity to keep together all conversations of a user, or the
	// questions about one document. At most 1,024 bytes. Header: Spillway-Affinity.
	Affinity string
	// Locations are the only locations that may serve the call, failover included. Empty means all.
	// One that the pool does not have is refused with 400. Header: Spillway-Locations, separated by
	// commas.
	Locations []string
	// MaxWait is the longest time that the call queues for an endpoint. Zero means
	// [Config.MaxWait], negative means that the call never queues. Header: Spillway-Max-Wait, a
	// duration with its unit such as "5s"; "0s" means that the call never queues.
	MaxWait time.Duration
	// Priority is PriorityInteractive if empty. Header: Spillway-Priority, "interactive" or "batch".
	// Batch calls go to the service tiers of [pool.Project.BatchOnDemand]. Where flex is one of them,
	// and not the only one, they wait for it for half of MaxWait, and leave it in time for their
	// deadline.
	Priority Priority
	// Share is the part, up to 1, of every limit, order and pace that the call may use, together with
	// all other calls of this process that have a share: 0.3 leaves the rest to those that have none. A
	// limit of a day, or of concurrent calls, allows one call at least; where the share of a minute is
	// less than one call, they come less often. Capacity that Google has refused nothing of has no limit,
	// and no share. Zero means all of it. Header: Spillway-Share, such as "0.3".
	Share float64
	// InputTokens are the tokens of the whole prompt, including a cached content, as countTokens
	// gives them. OutputTokens are the expected tokens of all candidates and their thoughts;
	// maxOutputTokens bounds them. The router reserves them in place of its own estimate, which
	// they do not change for other calls. Zero or less means the estimate.
	InputTokens, OutputTokens int64
	// Label says who makes the call, such as "team-a", for counters and the call log. It changes
	// nothing else, but that a project may be for some labels, see [pool.Project], and that cached
	// responses are kept apart by it, see Namespace. At most 64 characters, none of them a control
	// character. The router tells the first 1,000 labels apart; later ones are counted as "other". Empty
	// means none. Header: Spillway-Label.
	Label string
	// Explain adds the header Spillway-Explain to the response: one line that says where the call
	// went, in which attempt, how the earlier ones ended, and which endpoints were passed over at the
	// last choice and why. It has at most 1,000 bytes, printable ASCII without any key. Header:
	// Spillway-Explain, "1" or "0".
	Explain bool
	// Cache is how long the response is kept for equal calls, and how old a kept one may be, also where
	// no [Config.Caches] matches. Zero means what that says; negative means that the call neither takes
	// nor leaves a response. Header: Spillway-Cache, a duration with its unit such as "10m", or "off".
	Cache time.Duration
	// Namespace keeps the responses of the call apart from those of other namespaces. Empty means that
	// Label does. At most 1,024 bytes. There is no header for it: a server that knows its callers sets
	// it, as spillway serve does for each token.
	Namespace string
	// Scope is what the caller may use, whatever the call asks for. There is no header for it.
	Scope Scope
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
	headerShare     = headerPrefix + "Share"
	headerLabel     = headerPrefix + "Label"
	headerExplain   = headerPrefix + "Explain" // of responses as well
	headerCache     = headerPrefix + "Cache"   // of responses as well

	headerCall     = headerPrefix + "Call"
	headerWhy      = headerPrefix + "Why"
	headerEndpoint = headerPrefix + "Endpoint"
	headerAttempts = headerPrefix + "Attempts"
	headerTraffic  = headerPrefix + "Traffic"
	headerModel    = headerPrefix + "Model"
)

// known are the headers that a call may set, as net/http spells them.
var known = []string{headerAffinity, headerLocations, headerMaxWait, headerPriority, headerShare, headerLabel, headerExplain, headerCache}

// optionsOf reads what a request asks of the router, or returns what is wrong with it. places are the
// locations of the pool, in lower case and in order. A header that is not understood is refused: a
// call must not go everywhere because its bound was misspelled.
func optionsOf(req *http.Request, places []string) (c Call, wrong string) {
	c, _ = req.Context().Value(callKey{}).(Call)
	for name, values := range req.Header {
		if !isOurs(name) {
			continue
		}
		if canonical := http.CanonicalHeaderKey(name); canonical != name && req.Header[canonical] != nil {
			return c, "header " + canonical + " is there more than once; write it once"
		}
		if wrong = c.header(name, values); wrong != "" {
			return c, wrong
		}
	}
	return c, c.check(places)
}

// check says what is wrong with a call's values, and makes its locations the pool's.
func (c *Call) check(places []string) (wrong string) {
	if len(c.Affinity) > maxName {
		return tooLong("the affinity", c.Affinity)
	}
	if len(c.Namespace) > maxName {
		return tooLong("the namespace", c.Namespace)
	}
	if wrong = wrongLabel(c.Label); wrong != "" {
		return wrong
	}
	if !(c.Share >= 0 && c.Share <= 1) {
		return fmt.Sprintf("share is %v; write a part up to 1, such as 0.3", c.Share)
	}
	switch c.Priority {
	case "", PriorityInteractive, PriorityBatch:
	default:
		return fmt.Sprintf("priority is %s; write %q or %q",
			quoted(string(c.Priority)), PriorityInteractive, PriorityBatch)
	}
	return c.bound(places)
}

// isOurs reports whether a header is meant for the router, however it is spelled.
func isOurs(name string) bool {
	const word = "spillway"
	if len(name) > 1 && (name[0]|0x20) == 'x' && name[1] == '-' {
		name = name[2:]
	}
	return len(name) >= len(word) && strings.EqualFold(name[:len(word)], word) &&
		(len(name) == len(word) || name[len(word)] == '-' || name[len(word)] == '_')
}

// header reads one header into c, unless c says the same thing already.
func (c *Call) header(name string, values []string) (wrong string) {
	switch name = http.CanonicalHeaderKey(name); name {
	case headerAffinity, headerMaxWait, headerPriority, headerShare, headerLabel, headerExplain, headerCache:
		for _, v := range values {
			if v != values[0] {
				return "header " + name + " is there more than once, with different values; write it once"
			}
		}
	}
	value := strings.Join(values[:min(len(values), 1)], "")
	switch name {
	case headerAffinity:
		c.Affinity = cmp.Or(c.Affinity, value)
	case headerPriority:
		c.Priority = cmp.Or(c.Priority, Priority(value))
	case headerLabel:
		c.Label = cmp.Or(c.Label, value)
	case headerExplain:
		return c.explain(value)
	case headerMaxWait:
		return c.maxWait(value)
	case headerShare:
		return c.share(value)
	case headerCache:
		return c.cache(value)
	case headerLocations:
		return c.locations(values)
	case headerCall, headerWhy, headerEndpoint, headerAttempts, headerTraffic, headerModel:
		return "header " + name + " is one of responses; a request cannot set it"
	default:
		return unknownHeader(name)
	}
	return ""
}

// explain reads whether the response is to say where the call went.
func (c *Call) explain(value string) (wrong string) {
	if value != "" && value != "0" && value != "1" {
		return fmt.Sprintf("header %s is %s; write 1, or leave it out", headerExplain, quoted(value))
	}
	c.Explain = c.Explain || value == "1"
	return ""
}

// maxWait reads how long the call may queue.
func (c *Call) maxWait(value string) (wrong string) {
	if c.MaxWait != 0 || value == "" {
		return ""
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return fmt.Sprintf("header %s is %s; write a duration with its unit, e.g. \"5s\"", headerMaxWait, quoted(value))
	}
	if c.MaxWait = d; d == 0 {
		c.MaxWait = -1
	}
	return ""
}

// share reads the part of everything that the call may use.
func (c *Call) share(value string) (wrong string) {
	if c.Share != 0 || value == "" {
		return ""
	}
	share, err := strconv.ParseFloat(value, 64)
	if err != nil || !(share > 0 && share <= 1) {
		return fmt.Sprintf("header %s is %s; write a part up to 1, such as 0.3", headerShare, quoted(value))
	}
	c.Share = share
	return ""
}

// cache reads how long the response is kept.
func (c *Call) cache(value string) (wrong string) {
	if c.Cache != 0 || value == "" {
		return ""
	}
	if value == string(CacheOff) {
		c.Cache = -1
		return ""
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return fmt.Sprintf("header %s is %s; write a duration with its unit, e.g. \"10m\", or \"off\"", headerCache, quoted(value))
	}
	c.Cache = d
	return ""
}

// locations reads the locations that a header names. An empty header names none, which is refused.
func (c *Call) locations(values []string) (wrong string) {
	if len(c.Locations) > 0 {
		return ""
	}
	v := strings.Join(values, ",")
	for l := range strings.SplitSeq(v, ",") {
		if l = strings.TrimSpace(l); l != "" {
			c.Locations = append(c.Locations, l)
		}
	}
	if len(c.Locations) == 0 {
		return fmt.Sprintf("header %s is %s and names no location; "+
			"write e.g. \"eu, europe-west4\", or leave it out", headerLocations, quoted(v))
	}
	return ""
}

// bound makes Locations a subset of the pool's, each once, in one spelling and order: calls that
// allow the same share what the router remembers of them. One that the pool lacks is refused: made-up
// ones would each need room, and a misspelled one would keep the call from where it may go.
func (c *Call) bound(places []string) (wrong string) {
	if len(c.Locations) == 0 {
		return ""
	}
	allowed := make([]bool, len(places))
	for _, l := range c.Locations {
		i, ok := slices.BinarySearch(places, strings.ToLower(l))
		if !ok {
			return "location " + quoted(l) + " is none of the pool's; " + meant(l, places)
		}
		allowed[i] = true
	}
	c.Locations = make([]string, 0, len(places)) // those were the caller's own
	for i, l := range places {
		if allowed[i] {
			c.Locations = append(c.Locations, l)
		}
	}
	return ""
}

func unknownHeader(name string) string {
	bare := make([]string, len(known))
	for i, k := range known {
		bare[i] = strings.TrimPrefix(k, headerPrefix)
	}
	said := strings.TrimPrefix(strings.ReplaceAll(name, "_", "-"), "X-")
	if near, ok := spelling.Nearest(said[min(len(headerPrefix), len(said)):], bare); ok {
		return "unknown header " + quoted(name) + "; did you mean " + headerPrefix + near + "?"
	}
	return "unknown header " + quoted(name) + "; write one of " + strings.Join(known, ", ")
}

// mostNamed is how many words of the pool a message lists.
const mostNamed = 20

// meant says which of some words was likely meant.
func meant(text string, words []string) string {
	if near, ok := spelling.Nearest(text, words); ok {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	list := strings.Join(words[:min(len(words), mostNamed)], ", ")
	if len(words) > mostNamed {
		list += ", …"
	}
	return "it has " + list
}

// quoted is a caller's text for a message: cut, and without control characters.
func quoted(text string) string {
	const most = 64
	if len(text) > most {
		return strconv.Quote(text[:most]) + "…"
	}
	return strconv.Quote(text)
}

// placesOf returns the locations of a pool, in lower case and in order.
func placesOf(p *pool.Pool) []string {
	var places []string
	for _, b := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
		for _, h := range p.Homes(b) {
			places = append(places, strings.ToLower(h.Location))
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}
