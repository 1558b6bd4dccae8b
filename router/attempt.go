package router

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

// requestType is Vertex AI's header that asks for a kind of traffic, as net/http spells it; a
// caller's own is obeyed. Source:
// https://cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput/use-provisioned-throughput.
const (
	requestType = "X-Vertex-Ai-Llm-Request-Type"
	dedicated   = "dedicated"
	shared      = "shared"
)

// serverTimeout is the header in which the SDK passes the caller's deadline on, in whole seconds.
// Each attempt has what is left of it.
const serverTimeout = "X-Server-Timeout"

// attempt is one exchange with Google, for as long as it lasts.
type attempt struct {
	exchange *exchange
	lease    pool.Lease
	endpoint *pool.Endpoint
	exit     exit

	translation *translate.Translation // nil: the endpoint speaks the caller's dialect

	ctx      context.Context //nolint:containedctx // it is the attempt's own: it ends with its cause
	cancel   context.CancelCauseFunc
	watch    watch
	sent     bytes.Reader // the request's body
	resp     *http.Response
	began    time.Time     // of the response; zero: there is none
	awaited  awaited       // the response's body
	upstream io.ReadCloser // the same, or its translation
	open     bool          // its response is handed on while it is read
}

// attempt sends the request to the leased endpoint, judges the response and ends the lease. If the
// beginning of a good response is all there is yet, the lease goes over to the response's body.
func (x *exchange) attempt(l pool.Lease) result {
	a := x.newAttempt(l)
	a.translation = x.payload.translationTo(a.endpoint.Backend)
	return a.run(a.do)
}

func (x *exchange) newAttempt(l pool.Lease) *attempt {
	a := &attempt{exchange: x, lease: l, endpoint: l.Endpoint()}
	a.exit = exit{scrubbers: &x.in.router.scrubbers, lease: l}
	a.ctx, a.cancel = context.WithCancelCause(a.exit.traced(x.in.ctx))
	a.watch.start(a)
	return a
}

// run calls do, which ends the lease or hands it over. If a transport or a token provider of
// another package panics, the lease comes back, and the panic goes on to the caller, without the
// credentials that it may show.
func (a *attempt) run(do func() result) result {
	res, panicked := a.runGuarded(do)
	if panicked != nil {
		panic(panicked) //nolint:forbidigo // another package's panic goes on
	}
	return res
}

func (a *attempt) runGuarded(do func() result) (res result, panicked any) {
	returned := false
	defer a.exit.guard(&panicked)
	defer func() {
		if !returned {
			a.settle(&pool.Outcome{Class: pool.ClassCancelled})
		}
	}()
	a.exchange.trace.attemptStart(a)
	res = do()
	returned = true
	return res, nil
}

// do sends the request and judges the response.
func (a *attempt) do() result {
	x := a.exchange
	req, err := a.request()
	if x.payload.err != nil {
		return failBody(a)
	}
	if err != nil {
		return a.failAuth(err)
	}
	resp, err := a.send(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		again, noToken := a.renewed(req)
		switch {
		case noToken != nil:
			closeBody(resp.Body)
			return a.failAuth(noToken)
		case again != nil:
			closeBody(resp.Body)
			resp, err = a.send(again)
		}
	}
	if err == nil {
		resp, err = follow(a, req, resp)
	}
	if err != nil {
		return a.failTransport(err)
	}
	resp.Request = x.in.req
	a.resp, a.began, a.awaited = resp, time.Now(), awaited{resp.Body, &a.watch}
	a.upstream = &a.awaited
	a.watch.responded(resp.Body)
	call, arrived := &x.payload.call, arrivalOf(a)
	switch events := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"); {
	case arrived.foreignStatus():
		return noAnswer(a, "status "+strconv.Itoa(a.resp.StatusCode))
	case a.resp.StatusCode >= http.StatusBadRequest:
		return a.refused()
	case arrived.foreignKind(events) != "":
		return noAnswer(a, arrived.foreignKind(events))
	case arrived.streams(events):
		return a.stream(readForm(x, events))
	case call.Stream && !call.OpenAI(), events:
		return a.passEvents() // of a kind that only its caller knows
	default:
		return unary{a}.read()
	}
}

// send hands the request to the transport, and returns a response without credentials.
func (a *attempt) send(req *http.Request) (*http.Response, error) {
	resp, err := carry(a, req)
	if err != nil {
		return nil, err
	}
	return a.exit.response(resp), nil
}

// request builds the request for the leased endpoint. It shares nothing with the caller's that a
// transport would change.
func (a *attempt) request() (*http.Request, error) {
	p, in := &a.exchange.payload, a.exchange.in
	e := a.endpoint
	target := request.Target{
		Backend: e.Backend, Base: e.BaseURL, Project: e.ProjectID, Location: e.Location,
	}
	u := p.call.URL(target)
	if a.translation != nil {
		u = a.translation.Call.URL(target)
	}
	h, err := a.header("")
	if err != nil {
		return nil, err
	}
	req := in.req.WithContext(a.ctx) // a copy
	req.URL, req.Host, req.RequestURI, req.Header = u, u.Host, "", h
	req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	req.TransferEncoding, req.Trailer, req.Close = nil, nil, false
	p.addBody(req, a, target)
	return req, nil
}

// header returns the header of the request for the leased endpoint, with its credential. refused is
// an access token that Google has refused; empty if it has not.
func (a *attempt) header(refused string) (http.Header, error) {
	x, e := a.exchange, a.endpoint
	h := make(http.Header, len(x.in.req.Header)+3)
	for k, v := range x.in.req.Header {
		if travels(k) {
			h[k] = v
		}
	}
	if a.translation != nil {
		a.translation.Header(h)
	}
	x.trace.header(h)
	if err := a.lease.Authorize(a.ctx, h, refused); err != nil {
		return nil, err
	}
	x.in.router.tokens.had(e.Project)
	a.exit.sending(h)
	setTraffic(a, h)
	if deadline, ok := x.in.ctx.Deadline(); ok && h[serverTimeout] != nil {
		left := max(math.Ceil(time.Until(deadline).Seconds()), 1)
		h[serverTimeout] = []string{strconv.FormatFloat(left, 'f', 0, 64)}
	}
	a.watch.limit = seconds(h.Get(serverTimeout))
	if atFlex(a) && x.request.Asked.OnDemand == "" { // its end is the router's, not the caller's
		h[serverTimeout] = []string{strconv.FormatFloat(math.Ceil(a.watch.wait.firstByte.Seconds()), 'f', 0, 64)}
		a.watch.limit = 0
	}
	return h, nil
}

// setTraffic asks for the traffic of the endpoint, where the call is metered. An order that does not
// spill over is asked for no service tier: Google does not say what both mean together, and the caller's
// counts where the call goes on demand.
func setTraffic(a *attempt, h http.Header) {
	x, e := a.exchange, a.endpoint
	switch {
	case e.Backend != pool.BackendVertex || !x.payload.metered():
	case e.Traffic != pool.TrafficProvisioned:
		h[requestType] = []string{shared}
		translate.Ask(h, tierAt(a))
	case e.Overflow == pool.OverflowRouter || x.request.Traffic == pool.TrafficProvisioned:
		h[requestType] = []string{dedicated}
		translate.Ask(h, e.Traffic)
	}
}

// travels reports whether a header of the caller's is sent on: all but what is meant for the
// router, the caller's own credentials, what the router sets itself, what says which trace the call
// belongs to, and what belongs to the caller's connection. Nor does another method than the
// request's, which is what was understood.
func travels(name string) bool {
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "X-Goog-Api-Key", "X-Api-Key", "Api-Key", "Authorization", "Proxy-Authorization", "Cookie",
		"X-Goog-User-Project", "X-Goog-Iam-Authorization-Token", "X-Goog-Iam-Authority-Selector",
		"X-Http-Method-Override", "X-Http-Method", "X-Method-Override",
		requestType, "Accept-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Content-Length", "Host":
		return false
	}
	return !isOurs(name) && !carriesContext(name)
}

// end lets go of the connection.
func (a *attempt) end() {
	a.watch.stop()
	if a.upstream != nil {
		_ = a.upstream.Close()
	}
	a.cancel(nil)
	a.watch.letGo()
}

// settle ends the attempt and its lease.
func (a *attempt) settle(o *pool.Outcome) {
	if o.Traffic == "" && a.resp != nil && o.Class == pool.ClassOK {
		o.Traffic = translate.Traffic(a.resp.Header, "")
	}
	a.watch.ended(o)
	a.end()
	identify(a, o)
	a.exit.outcome(o)
	a.lease.Settle(time.Now(), *o)
	a.exchange.trace.attemptEnd(a, o)
}

// failTransport ends an attempt to which no whole response came.
func (a *attempt) failTransport(err error) result {
	if outOfTime(a) {
		return endLate(a, nil)
	}
	class, message := a.transportClass(), "no whole answer"
	if cause := context.Cause(a.ctx); tooLate(cause) {
		err, message = cause, strings.TrimPrefix(cause.Error(), "router: ")
		a.exchange.patience.learn(&a.watch, cause)
	} else if a.exchange.in.ctx.Err() != nil {
		err = a.exchange.in.ctx.Err()
	}
	a.settle(&pool.Outcome{Class: class, Message: message, Evidence: pool.Evidence{Unsent: a.watch.isLost()}})
	return result{
		lease: a.lease, class: class, unsent: unsent(err),
		err: fmt.Errorf("router: %s: %w", a.endpoint.Name, a.exit.err(redacted(err))),
	}
}

// abandon ends an attempt, and its call, that cannot go on for a reason of this side. It says nothing
// of the endpoint.
func (a *attempt) abandon(unsent bool, err error) result {
	a.settle(&pool.Outcome{Class: pool.ClassCancelled, Evidence: pool.Evidence{Unsent: unsent}})
	return result{lease: a.lease, class: pool.ClassCancelled, unsent: unsent, err: err}
}

// unsent reports whether an error of a transport means that there was no connection to send
// anything over.
func unsent(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// transportClass is the class of an attempt that broke off: the way to Google, unless the caller
// left. His deadline says nothing about an endpoint, unless it was suspected to be silent before.
func (a *attempt) transportClass() pool.Class {
	err := a.exchange.in.ctx.Err()
	switch {
	case err == nil, tooLate(context.Cause(a.ctx)):
		return pool.ClassTransport
	case errors.Is(err, context.DeadlineExceeded) && a.watch.missed():
		return pool.ClassTransport
	default:
		return pool.ClassCancelled
	}
}

// redacted takes the URL out of an error of net/http: transports may add what they like to it.
func redacted(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// failAuth ends an attempt for which there was no access token.
func (a *attempt) failAuth(err error) result {
	class := a.exchange.authClass(a.ctx, err)
	if class == pool.ClassCancelled {
		err = a.exchange.in.ctx.Err()
	}
	err = a.exit.authErr(err)
	if class == pool.ClassTransport {
		a.exchange.in.router.tokens.failed(a.endpoint.Project, err)
	}
	a.settle(&pool.Outcome{Class: class, Message: "no access token: " + err.Error(), Evidence: pool.Evidence{Unsent: true}})
	return result{
		lease: a.lease, class: class, unsent: true, noAuth: true,
		err: fmt.Errorf("router: access token for %s: %w", a.endpoint.Name, err),
	}
}

// authClass is the class of a failure to get an access token. A definite refusal needs an operator.
// A token server that cannot be reached, or fails, is a transport fault: it passes.
func (x *exchange) authClass(ctx context.Context, err error) pool.Class {
	switch {
	case x.in.ctx.Err() != nil:
		return pool.ClassCancelled
	case ctx.Err() != nil, credential.Passing(err):
		return pool.ClassTransport
	default:
		return pool.ClassProjectMisconfigured
	}
}

func transient(status int) bool {
	return status >= http.StatusInternalServerError ||
		status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}
