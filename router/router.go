// Package router provides an [http.RoundTripper] that sends requests for Gemini to an endpoint of a
// pool that is ready to serve them.
//
// A client (google.golang.org/genai, or anything that speaks the Gemini API over HTTP) makes a
// request for a placeholder key or project. The router picks an endpoint and puts its host, path
// and credential into the request. It sends the request, judges the response, and tries another
// endpoint where that helps. Every method of the client is routed this way, and nothing of the
// client is replaced.
//
// Most programs use package spillway, which makes the client as well.
package router

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// ErrClosed is returned for calls that begin, or still wait for an endpoint, after [Router.Close].
var ErrClosed = errors.New("router: closed")

// Router is an [http.RoundTripper] over a pool of endpoints. Create one with [New]. It is safe for
// concurrent use.
type Router struct {
	cfg       atomic.Pointer[Config]
	pool      *pool.Pool
	transport http.RoundTripper
	own       *hostTransport // the transport if it is the router's
	budget    budget
	tracing   tracing
	saver     saver
	lookups   *lookups
	scrubbers scrubbers
	tokens    tokenLog
	listening listening

	signatures signatures
	bodies     *bodyMemory

	reloading sync.Mutex
	ending    shutdown
}

// shutdown ends a router, once.
type shutdown struct {
	closing sync.Once
	closed  chan struct{}
}

// New returns a router over the pool that p describes. Errors are those of [pool.New] and
// [Config.Validate].
func New(p pool.Config, cfg Config, opts ...Option) (*Router, error) {
	o := choose(opts)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if o.store != nil {
		p.Store = o.store
	}
	r := &Router{
		transport: o.transport, tracing: tracing{trace: joinTraces(o.traces)},
		ending: shutdown{closed: make(chan struct{})}, signatures: newSignatures(), bodies: newBodyMemory(), lookups: newLookups(),
	}
	if r.transport == nil {
		r.own = newHostTransport()
		r.transport = r.own
	}
	if p.Discover == nil {
		p.Discover = discoverer{r.transport}.discover
	}
	made, err := pool.New(p, o.observer())
	if err != nil {
		return nil, err
	}
	r.pool = made
	r.tokens.log, r.saver.log = o.log, o.log
	r.restore(cfg.State)
	r.configure(cfg.effective(p.Projects))
	return r, nil
}

// Backend returns the dialect that clients of the router speak.
func (r *Router) Backend() pool.Backend { return r.cfg.Load().Backend }

// RoundTrip sends one request through the pool, as an [http.RoundTripper] does. It returns when the
// response, or the first piece of a stream, is there. Google's failures are returned as Google's
// own responses. An error means that the request's context ended, that no endpoint responded, or
// [ErrClosed].
//
// When no endpoint can serve the call in time, the response is HTTP 429 in Google's shape, with
// status RESOURCE_EXHAUSTED. Its Retry-After and its RetryInfo hold the earliest time at which an
// endpoint could serve the call, if one is known. Its ErrorInfo {reason: "POOL_EXHAUSTED", domain:
// "spillway"} says in its metadata why, endpoint by endpoint: see [Exhausted]. Spillway-Why is what
// keeps most of them from the call: cause, subject, end, what to do, and Google's page for it. While
// every endpoint is out for something that Google said of a key, a project or the model, the response
// is Google's, with Spillway-Why and, unless it is of the model, a further ErrorInfo with the same
// metadata and the reason ENDPOINTS_OUT. A call that no endpoint may ever serve, such as one for a
// model that no project takes, gets HTTP 400 with FAILED_PRECONDITION and the reason NO_ENDPOINT.
// One that is wrong in itself gets 400 with INVALID_ARGUMENT.
//
// Google's responses carry Spillway-Endpoint (project/location/traffic), Spillway-Attempts and
// Spillway-Traffic: "provisioned", "on_demand" or, of a service tier that Google confirms, such as
// "on_demand_priority". If the router has a [Trace], Spillway-Call is the id of the call; responses
// of the router's own have it too. Spillway-Model names the model if another one than the call's responded.
// The router removes the request's own credential, its Spillway-… headers (see [Call]), and what says
// which trace it belongs to (see [Trace]).
//
// Where there is a response cache for the call, Spillway-Cache says what it did, see [Cache].
//
// Google and proxies may echo credentials. RoundTrip replaces every key of the pool, and the access
// tokens that went out lately, by "[redacted]", also where they are escaped: in the headers of every
// response, in errors of every kind, also inside a good response or after content, in its own
// errors, and in what the pool, its observers and a [Trace] are told. A panic of the transport goes
// on without them. It does not search what a model generates, nor files that are downloaded, and it
// drops trailers.
//
// Cancelling the request's context ends waiting, attempts and the reading of the response at once.
func (r *Router) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.isClosed() {
		closeBody(req.Body)
		return nil, ErrClosed
	}
	x, refused, err := r.newExchange(req)
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return refused, nil
	}
	defer x.close()
	if c := consult(x); c != nil {
		return c.answer()
	}
	return marked(x, ask(x))
}

// ask has Google answer a call.
func ask(x *exchange) result {
	if x.payload.call.OfOpenAI() {
		return x.ended(x.refuse(http.StatusNotFound, "NOT_FOUND", "spillway: Spillway speaks the Gemini API; "+
			"its OpenAI dialect is at /v1beta/openai, or /openai/v1"), nil)
	}
	if asksForModels(x) {
		return x.ended(listModels(x), nil)
	}
	if x.lists() {
		return x.ended(lister{x}.list())
	}
	if refused, err := (resolver{x}).resolve(); refused != nil || err != nil {
		return x.ended(refused, err)
	}
	x.signed.begin(x)
	return x.do(x.attempt)
}

// Stat returns a snapshot of every project, key and endpoint: cooldowns, calls in flight, and what
// is left of limits and orders.
func (r *Router) Stat() Stat {
	retries := r.budget.stat(time.Now())
	retries.Stat, retries.LookupCount = r.pool.Stat(time.Now()), r.lookups.made.Load()
	retries.Caches = r.cfg.Load().cacheStats()
	return retries
}

// OrderFaults returns what Provisioned Throughput orders answered with HTTP status 5XX, by the order's
// [pool.Subject], the earliest first: the last 1,000 of each since the router was made. Those below
// the purchase count towards Google's service level agreement:
// https://cloud.google.com/vertex-ai/generative-ai/sla.
func (r *Router) OrderFaults() map[string][]quota.Fault { return r.pool.OrderFaults() }

// Stat is a snapshot of a router. Counts are cumulative.
type Stat struct {
	pool.Stat

	// RetryCount counts the retries after a fault that the retry budget granted, RetryRefusedCount
	// those that it refused. A granted retry that finds no endpoint in time is not made.
	// RetryBudget is how many retries it allows now.
	RetryCount, RetryRefusedCount int64
	RetryBudget                   int
	// LookupCount counts the searches for the owner of a resource.
	LookupCount int64
	// Caches are what responses are kept of each [Cache], in the order of [Config.Caches].
	Caches []CacheStat
}

// Plan returns how calls for a model, or an alias, are served, tier by tier. [Router.Explain] takes a
// call's bounds and fallbacks into account.
func (r *Router) Plan(model string) pool.Plan {
	return r.pool.Plan(&pool.Request{Model: r.cfg.Load().alias(model)})
}

// PlanBatch is [Router.Plan] for batch calls, which may go to other service tiers, and to flex first.
func (r *Router) PlanBatch(model string) pool.Plan {
	cfg := r.cfg.Load()
	return cfg.climbing.plan(r.pool, &pool.Request{Model: cfg.alias(model), Batch: true}, cfg.patience(&Call{}))
}

// Close closes the router. Calls that wait for an endpoint fail with [ErrClosed], as do later ones.
// Calls under way run to their end. Close writes [Config.State] a last time and returns the error
// of that. It closes idle connections of the default transport, not of one set by [WithTransport].
// It may be called more than once.
func (r *Router) Close() (err error) {
	r.ending.closing.Do(func() {
		close(r.ending.closed)
		r.pool.Close()
		err = r.saver.stop()
	})
	if r.own != nil {
		r.own.CloseIdleConnections()
	}
	return err
}

func closeBody(b io.Closer) {
	if b != nil {
		_ = b.Close()
	}
}
