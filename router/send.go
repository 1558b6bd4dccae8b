package router

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

// carry hands the request of an attempt to the transport, which may be of another package.
func carry(a *attempt, req *http.Request) (*http.Response, error) {
	resp, err := a.watch.carrier(req).RoundTrip(req)
	if err == nil && resp == nil {
		return nil, errors.New("router: the transport gave neither a response nor an error")
	}
	if resp != nil && resp.Header == nil {
		resp.Header = http.Header{}
	}
	if resp != nil && resp.Body == nil {
		resp.Body = http.NoBody
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// addBody gives an attempt's request its body for a target.
func (p *payload) addBody(req *http.Request, a *attempt, target request.Target) {
	body, k := p.outgoing(a.translation)
	if p.tail == nil && p.pinned() {
		body, k = p.move(target, body, k)
	}
	if a.exchange.signed.has {
		body, k = unsign(a, body, k)
	}
	if fit := fitting(a); fit != nil && p.tail == nil {
		body, k = rewrite(p, body, k, fit)
	}
	switch {
	case k != nil:
		opened, err := k.open()
		if err != nil {
			p.fail(err)
			return
		}
		req.Body = translated{&sending{opened, &a.watch}, opened}
		req.GetBody, req.ContentLength = k.open, k.size
	case len(body) > 0:
		a.sent.Reset(body)
		// net/http knows what this is, and sends it together with the header.
		req.Body, req.ContentLength = io.NopCloser(&a.sent), int64(len(body))
		if len(body) > sentAtOnce {
			req.Body = io.NopCloser(&sending{&a.sent, &a.watch})
		}
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	case p.tail != nil:
		req.Body = http.NoBody
	}
	if p.tail != nil {
		all := io.MultiReader(req.Body, p.tail)
		req.Body = translated{&sending{all, &a.watch}, req.Body}
		req.GetBody, req.ContentLength = nil, p.length
	}
}

// unsign puts placeholders for the thought signatures in a body that the endpoint's back end did not
// make.
func unsign(a *attempt, body []byte, k *kept) ([]byte, *kept) {
	x, b, p := a.exchange, a.endpoint.Backend, &a.exchange.payload
	if !k.inFile() {
		if fit := x.signed.body(x, b, body); !unchanged(body, fit) {
			return fit, nil
		}
		return body, k
	}
	p.fail(p.router.bodies.atDesk(p.ctx, func() error {
		all, err := k.load()
		if fit := x.signed.body(x, b, all); err == nil && !unchanged(all, fit) {
			p.unsigned.release()
			p.unsigned = p.router.bodies.put(fit)
			body, k = p.unsigned.body, p.unsigned
		}
		return err
	}))
	return body, k
}

// fitting returns what makes the body fit for the endpoint: a streamed chat in OpenAI's dialect tells
// what it costs, and a request names the service tier of the endpoint. It is nil if nothing does.
func fitting(a *attempt) func(body []byte) []byte {
	call, e := &a.exchange.payload.call, a.endpoint
	if a.translation != nil {
		call = &a.translation.Call
	}
	usage := request.HidesUsage(&a.exchange.payload.call, e.Backend)
	step := e.Traffic == pool.TrafficFlex || e.Traffic == pool.TrafficPriority
	tier := step && e.Backend == pool.BackendGemini && request.ServiceTier(&a.exchange.payload.call) == ""
	if !usage && !tier {
		return nil
	}
	return func(body []byte) []byte {
		if usage {
			body = request.WithUsage(body)
		}
		if tier {
			body = request.WithServiceTier(call, body, translate.Tier(e.Traffic))
		}
		return body
	}
}

// rewrite makes a body fit for its endpoint.
func rewrite(p *payload, body []byte, k *kept, fit func([]byte) []byte) ([]byte, *kept) {
	if len(body) <= longBody && !k.inFile() {
		return fit(body), nil
	}
	p.fail(p.router.bodies.atDesk(p.ctx, func() (err error) {
		all := body
		if k.inFile() {
			if all, err = k.load(); err != nil {
				return err
			}
		}
		p.asking.release()
		p.asking = p.router.bodies.put(fit(all))
		body, k = p.asking.body, p.asking
		return nil
	}))
	return body, k
}

// failBody ends an attempt whose body cannot be loaded any more. Nothing was sent.
func failBody(a *attempt) result {
	err := a.exchange.in.ctx.Err()
	if err == nil {
		err = fmt.Errorf("router: the request's body: %w", a.exchange.payload.err)
	}
	return a.abandon(true, err)
}
