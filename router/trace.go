package router

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// Trace is a set of functions that receive the steps of each call, like net/http/httptrace.
// Functions that are nil are skipped. The goroutine that does the work calls them, concurrently for
// different calls; they must return soon. The functions of one call get the context that CallStart
// returned. The requests that search for the owner of a resource, or read a page of a list, are
// calls of their own, nested: their CallStart gets the context of the outer call, which counts no
// attempts for them. If a function panics, the panic is logged to [slog.Default], and the call goes on.
type Trace struct {
	// CallStart is called when a request has been read. The other functions get the context that it
	// returns; nil means ctx.
	CallStart func(ctx context.Context, c CallStart) context.Context
	// WaitEnd is called when an endpoint was leased, or when none could be.
	WaitEnd func(ctx context.Context, w WaitEnd)
	// AttemptStart is called before a request goes to Google. AttemptEnd is called when the caller
	// has read or closed the response, or when the attempt has failed and another may follow. The
	// attempt of a Live session lasts until it is released.
	AttemptStart func(ctx context.Context, a AttemptStart)
	// Header is called after AttemptStart, before each request to Google, and may set headers of it
	// in h, which is empty. It is for the context of a trace, such as traceparent. Without Header none
	// goes out: the router removes what the caller sent. Credentials and the headers of the router are
	// not to be set. Of Live
	// sessions only those of [Router.DialLive] have a request here: the handshake.
	Header     func(ctx context.Context, h http.Header)
	AttemptEnd func(ctx context.Context, a AttemptEnd)
	// CallEnd is called once, when the response has been read or the call has failed.
	CallEnd func(ctx context.Context, c CallEnd)
}

// CallStart describes a call.
type CallStart struct {
	At time.Time
	// ID is the call's, 16 hex digits drawn at random. The response header Spillway-Call has it.
	ID string
	// Model is the name in the call. Method is "generateContent" or the like, "openai.chat" or
	// "openai.embeddings" in OpenAI's dialect, and empty if it is unknown.
	Model, Method string
	Stream        bool
	// Label says who makes the call, see [Call]: one of at most 1,000 and "other". Priority is never
	// empty.
	Label    string
	Priority Priority
}

// WaitEnd says how long a call waited for an endpoint.
type WaitEnd struct {
	Began, At time.Time
	// Endpoint is the leased endpoint. Nil means that there is none, because of Err.
	Endpoint *pool.Endpoint
	Err      error

	others func() []pool.Reason
}

// Others says why each other endpoint that takes the call's model cannot serve the call now. An
// empty Why means that it can: it is as good as the leased one, or a later choice. Others walks over
// the endpoints, so call it where it is needed, and before WaitEnd returns. Without a leased
// endpoint it returns nil, because Err says why.
func (w WaitEnd) Others() []pool.Reason {
	if w.others == nil {
		return nil
	}
	return w.others()
}

// AttemptStart describes one request to Google.
type AttemptStart struct {
	At       time.Time
	Number   int // 1 for the first of a call
	Model    string
	Endpoint *pool.Endpoint
}

// AttemptEnd is the outcome of an attempt. Outcome holds no key; Status is zero if there was no
// response.
type AttemptEnd struct {
	AttemptStart

	Ended time.Time
	// FirstByte is when the response began: the first piece with content of a stream, the header of
	// anything else. It is zero if there was no response.
	FirstByte time.Time
	Status    int
	Outcome   pool.Outcome
	// Traffic is what served the attempt, as the header Spillway-Traffic has it: "provisioned",
	// "on_demand", "on_demand_priority", "on_demand_flex", or another trafficType of Google's in lower
	// case. A priority call that Google downgrades is "on_demand". Of an attempt without a good
	// response it says for what it was sent.
	Traffic string
}

// CallEnd is the outcome of a call. Status is zero if there was no response, because of Err.
type CallEnd struct {
	Began, At time.Time
	Attempts  int
	// Model is the model of the last attempt.
	Model  string
	Status int
	Err    error
	// Refused says why no endpoint could serve the call, and when one could, if the response is the
	// router's own because of that, or what Google says of the keys and projects that are all out.
	// Else it is nil.
	Refused *pool.ExhaustedError
	// Cache says what the response cache did for the call, see [Cache]. A hit has made no attempt.
	Cache CacheUse
	// Absent means that the caller wanted a kept response alone, by Cache-Control: only-if-cached, and
	// none was there.
	Absent bool
}

// callTrace reports one exchange to a [Trace]. Only this file calls its functions.
type callTrace struct {
	x     *exchange
	trace *Trace          // nil: there is none
	ctx   context.Context //nolint:containedctx // what CallStart returned, for the functions of one call
	began time.Time
	start AttemptStart
	// refused is why the response is the router's own; nil if it is not.
	refused *pool.ExhaustedError
	cache   CacheUse
	absent  bool      // a response that is kept was wanted alone
	once    sync.Once // of CallEnd
}

func (t *callTrace) begin(x *exchange) {
	t.ctx = x.in.ctx
	if t.trace = x.in.router.tracing.trace; t.trace == nil {
		return
	}
	t.x, t.began = x, time.Now()
	if t.trace.CallStart == nil {
		return
	}
	c := &x.payload.call
	start := CallStart{
		At: t.began, ID: x.id, Model: x.model, Method: request.MethodName(c), Stream: c.Stream,
		Label: x.in.router.tracing.labels.bounded(x.in.options.Label), Priority: cmp.Or(x.in.options.Priority, PriorityInteractive),
	}
	if ctx := t.trace.CallStart(t.ctx, start); ctx != nil {
		t.ctx = ctx
	}
}

// context returns the context of the calls that the call makes: the one that CallStart returned.
func (t *callTrace) context() context.Context { return t.ctx }

func (t *callTrace) waited(began time.Time, lease pool.Lease, err error) {
	if t.trace != nil && t.trace.WaitEnd != nil {
		w := WaitEnd{Began: began, At: time.Now(), Endpoint: lease.Endpoint(), Err: err}
		if w.Endpoint != nil {
			w.others = func() []pool.Reason { return others(t.x.in.router.pool, t.x.request, lease.Endpoint().Name) }
		}
		t.trace.WaitEnd(t.ctx, w)
	}
}

// others says why the endpoints but one cannot serve a request now; Why is empty where one can. Those
// of another service tier than the call may have are no choice.
func others(p *pool.Pool, r *pool.Request, but string) []pool.Reason {
	return slices.DeleteFunc(p.Explain(r).Reasons, func(reason pool.Reason) bool {
		return reason.Endpoint == but || reason.Cause == "" && strings.HasPrefix(reason.Why, "carries ")
	})
}

func (t *callTrace) attemptStart(a *attempt) {
	if t.trace == nil {
		return
	}
	t.start = AttemptStart{
		At: time.Now(), Number: t.x.attempts, Model: t.x.request.Model, Endpoint: a.endpoint,
	}
	if t.trace.AttemptStart != nil {
		t.trace.AttemptStart(t.ctx, t.start)
	}
}

// attemptEnd reports an attempt's end, and the call's if its response was being read.
func (t *callTrace) attemptEnd(a *attempt, o *pool.Outcome) {
	if t.trace == nil {
		return
	}
	status := 0
	if a.resp != nil {
		status = a.resp.StatusCode
	}
	if t.trace.AttemptEnd != nil {
		t.trace.AttemptEnd(t.ctx, AttemptEnd{
			AttemptStart: t.start, Ended: time.Now(), FirstByte: a.began, Status: status, Outcome: *o, Traffic: trafficOf(a, o),
		})
	}
	if a.open {
		t.callEnd(status, nil)
	}
}

// trafficOf returns what served an attempt, or for what it was sent.
func trafficOf(a *attempt, o *pool.Outcome) string {
	if o.Class != pool.ClassOK && o.Traffic == "" {
		return string(a.endpoint.Traffic)
	}
	return servedBy(o.Traffic, a.endpoint)
}

// refuse notes why no endpoint could serve the call, and when one could.
func (t *callTrace) refuse(e *pool.ExhaustedError, retryAt time.Time) {
	refused := *e
	refused.RetryAt, t.refused = retryAt, &refused
}

// end reports the call's end, unless its response is being read.
func (t *callTrace) end(res *result) {
	if t.trace == nil || res.open {
		return
	}
	status := 0
	if res.resp != nil {
		status = res.resp.StatusCode
	}
	t.callEnd(status, res.err)
}

func (t *callTrace) callEnd(status int, err error) {
	t.once.Do(func() {
		if t.trace.CallEnd != nil {
			t.trace.CallEnd(t.ctx, CallEnd{
				Began: t.began, At: time.Now(), Attempts: t.x.attempts,
				Model: t.x.request.Model, Status: status, Err: err, Refused: t.refused, Cache: t.cache, Absent: t.absent,
			})
		}
	})
}
