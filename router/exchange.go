package router

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

// incoming is a request as it came, with the settings of that moment.
type incoming struct {
	router  *Router
	cfg     *Config
	ctx     context.Context //nolint:containedctx // the state of one call holds its context, as http.Request does
	req     *http.Request
	options Call
}

// exchange is one call on its way: from the request, over its attempts, to the response.
type exchange struct {
	in        incoming
	id        string // empty: nobody hears of it
	model     string // as the caller named it; the request's differs for aliases and fallbacks
	payload   payload
	request   *pool.Request
	attempts  int
	costly    int     // attempts at the model that ended in a fault, or in nothing that keeps the next from the same
	tokenless int     // attempts for which there was no access token
	last      *result // Google's last, if the caller may get it
	fallback  fallback
	ladder    ladder
	patience  patience
	signed    signed
	trace     callTrace
	explained *explained // nil: the call does not ask for it
}

// result is the outcome of one attempt, or of an exchange.
type result struct {
	lease  pool.Lease
	class  pool.Class
	doubt  bool // another project may prove it wrong, one is enough
	hint   time.Duration
	served bool // a good response, or the beginning of one
	unsent bool // the request never left
	noAuth bool // for there was no access token
	open   bool // the attempt continues while its response is read
	empty  bool // a good response without candidates
	// A thought signature of the call is not the back end's.
	unsigned bool
	resp     *http.Response  // what the caller would get; nil if there is none
	live     *Live           // of a Live session, in place of a response
	late     bool            // flex has no more time for the call
	closed   *LiveCloseError // how Google has refused a Live session; nil if by a response
	err      error           // why there is no response
}

// newExchange reads the request. It refuses a request that it does not understand with a response
// in Google's shape.
func (r *Router) newExchange(req *http.Request) (_ *exchange, refused *http.Response, err error) {
	x := &exchange{in: incoming{router: r, cfg: r.cfg.Load(), ctx: req.Context(), req: req}, id: r.tracing.newCallID()}
	x.payload.router = r
	made := false
	defer func() { // also if a body or a function of a Trace panics
		if !made {
			x.close()
		}
	}()
	if err := x.payload.read(x.in.ctx, req); err != nil {
		return nil, nil, err
	}
	options, wrong := optionsOf(req, x.in.cfg.places)
	if wrong == "" {
		wrong = x.payload.tooMuch(req.URL.Path)
	}
	if wrong == "" && unprintable(x.payload.call.Model) { // it would get into logs
		wrong = "the model's name has control characters; write a name such as gemini-3.5-flash"
	}
	if wrong == "" && x.payload.call.Use.Named.Unclear() {
		wrong = `the body names its model twice, or not as plain JSON; write "model" once, in double quotes and without escapes`
	}
	if wrong != "" {
		return nil, x.refuse(http.StatusBadRequest, "INVALID_ARGUMENT", "spillway: "+wrong), nil
	}
	if x.payload.err == nil {
		model := x.in.cfg.alias(x.payload.call.Model)
		if beyond := options.beyond(model, nameless(&x.payload), x.in.cfg.places); beyond != "" {
			return nil, x.refuse(http.StatusForbidden, "PERMISSION_DENIED", "spillway: "+beyond), nil
		}
	}
	x.in.options = options
	x.explained = newExplained(options.Explain)
	x.model = x.payload.call.Model
	x.request = x.newRequest()
	x.patience = newPatience(&x.in, time.Now())
	x.selectModel(x.in.cfg.alias(x.model))
	if x.payload.err != nil {
		return nil, nil, x.payload.err
	}
	now := time.Now()
	x.fallback.begin(x, now)
	x.trace.begin(x)
	made = true
	return x, nil, nil
}

// unprintable reports whether a name has control characters, or escapes of such.
func unprintable(name string) bool {
	if text, err := url.PathUnescape(name); err == nil {
		name = text
	}
	return !plain.Is(name)
}

// newRequest returns what the call asks of the pool, independent of its model.
func (x *exchange) newRequest() *pool.Request {
	c, o := &x.payload.call, &x.in.options
	deadline, _ := x.in.ctx.Deadline()
	r := &pool.Request{
		Deadline: deadline,
		Batch:    o.Priority == PriorityBatch, Policy: x.in.cfg.Policy, Locations: o.Locations,
		Speaks: x.signed.speaks(&x.payload), Prefix: c.Prefix, Asked: c.Asked(x.in.req.Method),
	}
	r.Asked.Label, r.Asked.Share = o.Label, o.Share
	r.Asked.OnDemand = tierOf(&x.payload)
	r.Asked.Names = cmp.Or(c.Resource, "the response that the call continues")
	if x.payload.pinned() {
		r.Policy = pool.PolicyFirst
	}
	r.Affinity = x.affinity()
	switch x.in.req.Header.Get(requestType) {
	case dedicated:
		r.Traffic = pool.TrafficProvisioned
	case shared:
		r.Traffic = pool.TrafficOnDemand
	}
	if !x.payload.metered() && !x.payload.caches() {
		r.Traffic = pool.TrafficOnDemand
	}
	return r
}

// selectModel makes model the one that the call asks for.
func (x *exchange) selectModel(model string) {
	x.payload.rename(model)
	x.payload.prepare()
	x.request.Forget(model)
	e := x.payload.call.Estimate
	e.NoOutput, e.Unmetered = !x.payload.call.Generates, !x.payload.metered()
	e.Input, e.Output = x.in.options.InputTokens, x.in.options.OutputTokens
	x.request.Estimate = e
	x.ladder.begin(x)
}

// affinity returns the caller's affinity, or the conversation's once it has more than one turn. A
// call that names a resource of a project has its endpoint already.
func (x *exchange) affinity() uint64 {
	switch {
	case x.in.options.Affinity != "":
		return hash(x.in.options.Affinity)
	case x.payload.pinned(), x.payload.call.Turns < 2:
		return 0
	default:
		return x.payload.call.Prefix
	}
}

// close releases the request's body.
func (x *exchange) close() { x.payload.close(x.in.req) }

// do makes attempts until there is a result. It is the one loop: calls, lookups, lists and Live
// sessions all go through it.
func (x *exchange) do(attempt func(pool.Lease) result) (res result) {
	defer func() { x.trace.end(&res) }()
	x.in.router.budget.call(time.Now())
	for {
		lease, err := x.acquire()
		if err != nil {
			exhausted, ok := errors.AsType[*pool.ExhaustedError](err)
			switch {
			case !ok:
				return result{err: err}
			case x.fallBack(exhausted):
				continue
			default:
				return x.giveUp(exhausted)
			}
		}
		x.attempts++
		res := attempt(lease)
		if !res.served {
			x.explained.failed(x, &res)
		}
		switch {
		case res.err != nil && x.in.ctx.Err() != nil:
			return result{err: res.err}
		case x.signed.retry(x, &res), x.ladder.climbs(x, &res):
			continue
		case res.empty:
			return askAnother(x, res, attempt)
		case res.served, !mayDoBetter(res.class):
			return res
		}
		if !x.fallback.any || res.class.Fault() {
			// Other responses of a fallback are about a model that the caller did not ask for.
			last := res
			x.last = &last
		}
		again := x.shouldRetry(&res)
		if again && !x.fallback.Due(time.Now()) {
			continue
		}
		e := x.in.router.pool.Explain(x.request)
		if !x.fallBack(e) && !again {
			return x.giveUp(e)
		}
	}
}

// mayDoBetter reports whether another endpoint may do better with a call that ended so: it was not
// answered, is not wrong in itself, and did not end on this side.
func mayDoBetter(c pool.Class) bool {
	return c != pool.ClassOK && c != pool.ClassCallerFault && c != pool.ClassCancelled
}

// ended tells the trace of a call that ended without an attempt of its own.
func (x *exchange) ended(resp *http.Response, err error) result {
	res := result{resp: resp, err: err}
	x.trace.end(&res)
	return res
}

// acquire leases an endpoint.
func (x *exchange) acquire() (pool.Lease, error) {
	began := time.Now()
	x.request.MaxWait, x.request.StandIn = x.fallback.Patience(x.in.maxWait(), began), x.fallback.Next != ""
	lease, err := x.ladder.lease(x)
	if errors.Is(err, pool.ErrClosed) {
		err = ErrClosed
	}
	x.trace.waited(began, lease, err)
	x.explained.chose(x, lease)
	x.fallback.Waited(began, time.Now(), x.attempts == 0)
	return lease, err
}

// shouldRetry reports whether another attempt may follow one whose failure another endpoint may not
// share. Moving on from what is on cooldown now is free.
func (x *exchange) shouldRetry(res *result) bool {
	if x.payload.tail != nil {
		return false
	}
	fault := res.class.Fault()
	switch {
	case res.noAuth && fault: // nothing was sent: it is the wait that is bounded
		x.tokenless++
	case fault, x.request.Refused(res.lease, res.class) && !x.ladder.sheds(res):
		x.costly++
	}
	if x.costly >= x.in.cfg.MaxAttempts || res.doubt && x.fallback.doubts() {
		return false
	}
	if !fault {
		return true
	}
	if x.payload.call.NonIdempotent() && !res.unsent {
		return false // Google may have created it already; sending again could create a second one
	}
	now, strikes := time.Now(), x.costly
	if !x.patience.take() && !x.in.router.budget.retry(now) && !res.noAuth { // nothing was sent to Google
		return false
	}
	if res.noAuth {
		strikes = min(x.tokenless, 2) // token servers are soon back
	}
	x.request.Failed(res.lease, !res.noAuth, now.Add(x.in.cfg.Retry.backoff(strikes, res.hint, rand.Float64())))
	return true
}

// servedIn reports whether an endpoint of a home may ever serve the call.
func (x *exchange) servedIn(h pool.Home) bool {
	r := *x.request
	r.Home = h
	ever, _ := x.in.router.pool.Serves(&r)
	return ever
}

// name returns the call's model for messages.
func (x *exchange) name() string {
	switch {
	case x.request.Model == "":
		return "the call"
	case x.fallback.any:
		return x.request.Model + ", or what stands in for it,"
	default:
		return x.request.Model
	}
}
