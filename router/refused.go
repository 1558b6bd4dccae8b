package router

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// maxError bounds what is read of an error.
const maxError = 256 << 10

// refused judges a response that is an error.
func (a *attempt) refused() result {
	body, err := a.exchange.in.router.bodies.readError(a.upstream)
	if err != nil && (a.exchange.in.ctx.Err() != nil || !tells(a.resp.StatusCode, body)) {
		return a.failTransport(err)
	}
	if cause := context.Cause(a.ctx); err != nil && tooLate(cause) {
		a.exchange.patience.learn(&a.watch, cause)
	}
	return a.judged(a.resp.StatusCode, body)
}

// tells reports whether an error that broke off says enough: all of it, or one of the statuses that
// need no words. Of others nobody knows what they are about.
func tells(status int, body []byte) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return true
	default:
		return status >= http.StatusInternalServerError || len(body) > 0 && !cut(body)
	}
}

// readError reads an error, as far as there is room. What it said before it broke off counts.
func (m *bodyMemory) readError(upstream io.Reader) ([]byte, error) {
	var broke error
	body, s, _, _ := m.read(endless{upstream, &broke}, -1, maxError-1)
	// It has no share while its caller reads it: few errors are longer than a small body.
	s.release()
	return bytes.Clone(body), broke // it may be remembered for long, without the room around it
}

// endless is a reader whose errors are its end.
type endless struct {
	io.Reader

	broke *error
}

func (e endless) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		*e.broke, err = err, io.EOF
	}
	return n, err
}

// judged ends an attempt that Google refused: by its status or, with status 0, by an error inside a
// good response.
func (a *attempt) judged(status int, body []byte) result {
	x := a.exchange
	body = a.scrub(body)
	v := verdict.Judge(verdict.Answer{
		Backend: a.endpoint.Backend, Keyed: a.endpoint.Keyed, Linked: x.payload.call.Use.Links, Tools: x.request.Asked.Tools,
		Status: status, Header: a.resp.Header, Body: body, Now: time.Now(),
	})
	if v.Foreign {
		return a.foreign(status, v.Message)
	}
	if v.Class == pool.ClassOK { // an error event without anything that names the error
		v.Class = pool.ClassServerFault
	}
	if x.ladder.flex && a.endpoint.Traffic == pool.TrafficFlex && max(status, v.Code) == http.StatusGatewayTimeout {
		return endLate(a, a.reply(http.StatusGatewayTimeout, body))
	}
	reconsider(a, &v, max(status, v.Code))
	if status == 0 { // it was good before Google knew better
		a.resp.Header["Content-Type"] = []string{"application/json; charset=UTF-8"}
		delete(a.resp.Header, "Content-Encoding")
		if status = v.Code; status < http.StatusBadRequest {
			status = http.StatusInternalServerError
		}
	}
	o := outcome(v, status, body)
	o.Call = fingerprint(&x.payload, x.in.req)
	a.settle(&o)
	doubt := v.Suspected && v.Class == pool.ClassProjectNotReady
	return result{lease: a.lease, class: v.Class, doubt: doubt, hint: v.Hint, unsigned: refusesSignature(v), resp: a.reply(status, body)}
}

// reconsider makes a verdict what it means for such a call at its endpoint.
func reconsider(a *attempt, v *verdict.Verdict, status int) {
	x := a.exchange
	if tierIsFull(a, v) {
		v.Class, v.Cause = pool.ClassContention, remedy.Contention
	}
	if v.Class == pool.ClassServerFault && a.watch.overCallersTime(status) {
		v.Class = pool.ClassCallerFault
	}
	if x.payload.pinned() && (ofModel(v.Class) || v.Class == pool.ClassProjectNotReady && v.Suspected) {
		v.Class = pool.ClassCallerFault // the resource does not exist, and it lives nowhere else
	}
	if v.Class == pool.ClassModelMissing && (x.payload.resumes || request.Shared(&x.request.Asked)) {
		v.Scope = pool.ScopeCall
	}
	if x.request.Home != (pool.Home{}) && v.Class == pool.ClassProjectMisconfigured &&
		strings.HasPrefix(v.Reason, "IAM_") {
		v.Class = pool.ClassCallerFault // what may not be done to a resource says nothing of the project
	}
}

// foreign ends an attempt whose answer is not Google's. Who asked has nothing from it: it goes
// elsewhere, like a connection that broke.
func (a *attempt) foreign(status int, message string) result {
	message = fmt.Sprintf("status %d, and not from Google: %s", status, cmp.Or(message, "no text"))
	a.settle(&pool.Outcome{Class: pool.ClassTransport, Evidence: pool.Evidence{Foreign: true}, Message: message})
	return result{
		lease: a.lease, class: pool.ClassTransport,
		err: fmt.Errorf("router: %s answers with %s", a.endpoint.Name, message),
	}
}

// scrub takes the credentials of the pool out of what Google said.
func (a *attempt) scrub(body []byte) []byte { return a.exit.scrub(body) }

// outcome is what the pool needs of a verdict.
func outcome(v verdict.Verdict, status int, body []byte) pool.Outcome {
	o := pool.Outcome{
		Class: v.Class, Evidence: pool.Evidence{Cause: string(v.Cause), Scope: v.Scope, Tools: v.Tools, Suspected: v.Suspected},
		Hint: v.Hint, Quota: v.Quota(), Message: v.Message,
		Answer: &pool.Answer{Status: status, Body: body},
	}
	for _, q := range v.Violations {
		switch {
		case q.Limit <= 0:
		case q.Of == verdict.Requests && q.Per == verdict.Minute:
			o.Stated.RPM = q.Limit
		case q.Of == verdict.Tokens && q.Per == verdict.Minute:
			o.Stated.TPM = q.Limit
		case q.Of == verdict.Requests && q.Per == verdict.Day:
			o.Stated.RPD = q.Limit
		}
	}
	return o
}

// reply is Google's error with its body, which has been read, and our headers. In OpenAI's dialect
// Google puts errors into a list, where no client of OpenAI's looks for them.
func (a *attempt) reply(status int, body []byte) *http.Response {
	resp := *a.resp
	if a.exchange.payload.call.OpenAI() {
		body = verdict.OpenAI(status, body)
		resp.Header["Content-Type"] = []string{"application/json; charset=UTF-8"}
		delete(resp.Header, "Content-Encoding")
	}
	if status != resp.StatusCode {
		resp.StatusCode, resp.Status = status, strconv.Itoa(status)+" "+http.StatusText(status)
	}
	setBody(&resp, body, nil)
	a.exchange.sign(resp.Header, a.endpoint, "")
	return &resp
}

// sign puts our headers on a response. traffic is Google's word for what served it, if it said one.
func (x *exchange) sign(h http.Header, e *pool.Endpoint, traffic string) {
	values := [4]string{e.Name, strconv.Itoa(x.attempts), servedBy(traffic, e), x.id}
	h[headerEndpoint] = values[0:1:1]
	h[headerAttempts] = values[1:2:2]
	h[headerTraffic] = values[2:3:3]
	if x.id != "" {
		h[headerCall] = values[3:4:4]
		setRequestID(x, h)
	}
	if x.request.Model != x.in.cfg.alias(x.model) {
		h[headerModel] = []string{x.request.Model}
	}
	if x.explained != nil {
		h[headerExplain] = []string{x.explained.line(x, e.Name)}
	}
}

// setRequestID puts the call's id where clients of OpenAI's look for one. Google sends none there. Source:
// https://platform.openai.com/docs/api-reference/debugging-requests.
func setRequestID(x *exchange, h http.Header) {
	if x.payload.call.OpenAI() {
		h["X-Request-Id"] = []string{x.id}
	}
}

// servedBy is our word for what served a call. Where Google does not say, that is the endpoint's
// traffic; but a service tier counts only if Google says so.
func servedBy(said string, e *pool.Endpoint) string {
	switch name := trafficName(said); {
	case name != "":
		return name
	case e.Traffic == pool.TrafficProvisioned:
		return string(pool.TrafficProvisioned)
	default:
		return string(pool.TrafficOnDemand)
	}
}

// trafficName is our word for a trafficType of Google's; unknown ones are passed on in lower case.
func trafficName(t string) string {
	switch t {
	case "", "TRAFFIC_TYPE_UNSPECIFIED":
		return ""
	case "PROVISIONED_THROUGHPUT":
		return string(pool.TrafficProvisioned)
	case "ON_DEMAND":
		return string(pool.TrafficOnDemand)
	default:
		return plain.Text(strings.ToLower(t), maxMessage)
	}
}
