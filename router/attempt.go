package router

import (
	"bytes"
	"compress/gzip"
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

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

const (
	// maxAnswer bounds what is read of an answer before it is handed on. A longer one passes through as it comes.
	maxAnswer = 32 << 20
	// maxTranslated is the same for one in the other dialect, which cannot pass: nobody would understand it.
	maxTranslated = 256 << 20
	// maxError bounds what is read of an error.
	maxError = 1 << 20
)

// answer is what came of one attempt.
type answer struct {
	candidate *pool.Candidate
	class     pool.Class
	hint      time.Duration
	served    bool           // a good answer, or the beginning of one
	unsent    bool           // the request never left
	resp      *http.Response // what the caller would get; nil if nothing came
	err       error          // why nothing came
}

// errFirstByte ends an attempt that has stayed without an answer for Config.FirstByteTimeout.
var errFirstByte = errors.New("router: no byte within first_byte_timeout")

// errTooLong ends an attempt whose answer is too long to be translated.
var errTooLong = errors.New("router: the answer is too long to be translated")

// attempt sends the request to the leased endpoint, judges the answer and ends the lease. If the beginning of a good answer is all there
// is yet, the lease goes over to the answer's body.
func (s *session) attempt(l pool.Lease) answer {
	ctx, cancel := context.WithCancelCause(s.ctx)
	patience := time.AfterFunc(s.cfg.FirstByteTimeout, func() { cancel(errFirstByte) })
	t := &transfer{session: s, lease: l, translation: s.translation(l.Candidate()), ctx: ctx, cancel: cancel, patience: patience}

	req, err := t.request()
	if err != nil {
		return t.unsigned(err)
	}
	resp, err := t.send(req)
	if err != nil {
		return t.broken(err)
	}
	resp.Request = s.req
	t.resp, t.upstream = resp, &awaited{resp.Body, patience}
	switch {
	case resp.StatusCode >= 400:
		return t.refused()
	case s.wire.Stream && s.wire.Generates:
		return t.stream()
	case s.wire.Stream, strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		return t.pass(nil) // of a kind that only its caller knows
	default:
		return t.whole()
	}
}

// send hands the request to the transport. Whatever a transport of somebody else's does, the lease comes back.
func (t *transfer) send(req *http.Request) (resp *http.Response, err error) {
	returned := false
	defer func() {
		if !returned { // it panics, which goes on to whoever may know why
			t.settle(pool.Outcome{Class: pool.ClassCancelled})
		}
	}()
	resp, err = t.session.router.transport.RoundTrip(req)
	returned = true
	if err == nil && resp == nil {
		return nil, errors.New("router: the transport gave neither an answer nor an error")
	}
	if resp != nil && resp.Header == nil {
		resp.Header = http.Header{}
	}
	if resp != nil && resp.Body == nil {
		resp.Body = http.NoBody
	}
	return resp, err
}

// unsigned ends an attempt for which no access token was to be had. Only one that will not be had later either is the project's trouble.
func (t *transfer) unsigned(err error) answer {
	class := pool.ClassProjectMisconfigured
	var passing interface{ Temporary() bool }
	switch {
	case t.session.ctx.Err() != nil:
		class, err = pool.ClassCancelled, t.session.ctx.Err()
	case t.ctx.Err() != nil, errors.As(err, &passing) && passing.Temporary():
		class = pool.ClassTransport
	}
	c := t.lease.Candidate()
	t.settle(pool.Outcome{Class: class, Message: "no access token: " + err.Error()})
	return answer{candidate: c, class: class, unsent: true, err: fmt.Errorf("router: access token for %s: %w", c, err)}
}

// awaited is the body of an answer; its first byte ends the waiting for it.
type awaited struct {
	io.ReadCloser
	patience *time.Timer
}

func (a *awaited) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if n > 0 {
		a.patience.Stop()
	}
	return n, err
}

// sending is a request's body that is read while it is sent: for so long there is no answer to wait for.
type sending struct {
	io.Reader
	patience *time.Timer
	timeout  time.Duration
}

func (s *sending) Read(p []byte) (int, error) {
	s.patience.Reset(s.timeout)
	return s.Reader.Read(p)
}

// request builds the request for the leased endpoint. It shares nothing with the caller's that a transport would change.
func (t *transfer) request() (*http.Request, error) {
	s, ctx, l := t.session, t.ctx, t.lease
	c := l.Candidate()
	target := request.Target{Backend: c.Backend(), Base: c.BaseURL(), Project: c.ProjectID(), Location: c.Location()}
	u, body := s.wire.URL(target), s.body
	if t.translation != nil {
		u, body = t.translation.Call.URL(target), t.translation.Body
	}
	h := make(http.Header, len(s.req.Header)+3)
	for k, v := range s.req.Header {
		if travels(k) {
			h[k] = v
		}
	}
	if t.translation != nil {
		t.translation.Header(h)
	}
	if err := l.Authorize(ctx, h); err != nil {
		return nil, err
	}
	if c.Backend() == pool.BackendVertex && s.metered() {
		switch {
		case c.Traffic() == pool.TrafficOnDemand:
			h[requestType] = []string{shared}
		case c.Overflow() == pool.OverflowRouter || s.traffic == pool.TrafficProvisioned:
			h[requestType] = []string{dedicated}
		}
	}
	if deadline, ok := s.ctx.Deadline(); ok && h[serverTimeout] != nil {
		left := max(math.Ceil(deadline.Sub(s.now).Seconds()), 1)
		h[serverTimeout] = []string{strconv.FormatFloat(left, 'f', 0, 64)}
	}

	req := s.req.WithContext(ctx) // a copy
	req.URL, req.Host, req.RequestURI, req.Header = u, u.Host, "", h
	req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	req.TransferEncoding, req.Trailer, req.Close = nil, nil, false
	switch {
	case s.tail != nil:
		req.Body = io.NopCloser(&sending{io.MultiReader(bytes.NewReader(s.body), s.tail), t.patience, s.cfg.FirstByteTimeout})
		req.ContentLength = s.req.ContentLength
	case len(body) > 0:
		if s.belongs {
			body = s.wire.RewriteNames(target, body)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	return req, nil
}

// serverTimeout is the header in which the SDK passes the caller's deadline on, in whole seconds. Each attempt has what is left of it.
const serverTimeout = "X-Server-Timeout"

// travels reports whether a header of the caller's is sent on: all but what is meant for the router, the caller's own credentials, what
// the router sets itself, and what belongs to the caller's connection.
func travels(name string) bool {
	switch name = http.CanonicalHeaderKey(name); name {
	case "X-Goog-Api-Key", "Authorization", "Proxy-Authorization", "Cookie", "X-Goog-User-Project", requestType, "Accept-Encoding",
		"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Host":
		return false
	}
	return len(name) < len(headerPrefix) || !strings.EqualFold(name[:len(headerPrefix)], headerPrefix)
}

// transfer is one attempt's exchange with Google, for as long as it lasts.
type transfer struct {
	session *session
	lease   pool.Lease

	translation *translate.Translation // nil: the endpoint speaks the caller's dialect

	ctx      context.Context
	cancel   context.CancelCauseFunc
	patience *time.Timer
	resp     *http.Response
	upstream io.ReadCloser
}

// end lets go of the connection.
func (t *transfer) end() {
	t.patience.Stop()
	if t.upstream != nil {
		_ = t.upstream.Close()
	}
	t.cancel(nil)
}

// settle ends the exchange and the lease.
func (t *transfer) settle(o pool.Outcome) {
	t.end()
	t.lease.Settle(time.Now(), o)
}

// broken ends an attempt to which no whole answer came.
func (t *transfer) broken(err error) answer {
	class := t.breach()
	a := answer{candidate: t.lease.Candidate(), class: class, unsent: unsent(err), err: err}
	if cause := context.Cause(t.ctx); errors.Is(cause, errFirstByte) {
		a.err = cause
	} else if t.session.ctx.Err() != nil {
		a.err = t.session.ctx.Err()
	}
	t.settle(pool.Outcome{Class: class, Message: "no whole answer"})
	a.err = fmt.Errorf("router: %s: %w", a.candidate, redacted(a.err))
	return a
}

// unsent reports whether an error of a transport's means that there was no connection to send anything over.
func unsent(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// breach is the class of an exchange that broke off: the way to Google, unless it was the caller who left. A caller whose deadline passed
// without a byte has left too, if the same servers have answered others meanwhile: else a black hole would hide behind its callers'
// patience.
func (t *transfer) breach() pool.Class {
	err := t.session.ctx.Err()
	switch {
	case err == nil:
		return pool.ClassTransport
	case errors.Is(err, context.DeadlineExceeded) && t.resp == nil && !t.lease.AnsweredSince():
		return pool.ClassTransport
	default:
		return pool.ClassCancelled
	}
}

// redacted takes the URL out of an error of net/http's: transports may add what they like to it.
func redacted(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// refused judges an answer that is an error.
func (t *transfer) refused() answer {
	body, err := io.ReadAll(io.LimitReader(t.upstream, maxError))
	if err != nil && t.session.ctx.Err() != nil {
		return t.broken(err)
	}
	return t.judged(t.resp.StatusCode, unzipped(t.resp.Header, body))
}

// unzipped is an error's body in plain text, which it has to be for its keys to be found. net/http unzips by itself; a transport that was
// given to us may not.
func unzipped(h http.Header, body []byte) []byte {
	if !strings.EqualFold(h.Get("Content-Encoding"), "gzip") {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxError))
	if err != nil && len(plain) == 0 {
		return body
	}
	h.Del("Content-Encoding")
	return plain
}

// judged ends an attempt that Google refused: by its status or, with status 0, by an error inside a good answer.
func (t *transfer) judged(status int, body []byte) answer {
	s, c := t.session, t.lease.Candidate()
	body = verdict.Scrub(body, t.lease.Secrets()...)
	v := verdict.Judge(verdict.Answer{Backend: c.Backend(), Keyed: t.lease.Keyed(), Status: status, Header: t.resp.Header, Body: body, Now: time.Now()})
	if v.Class == pool.ClassOK { // an error event without anything that names the error
		v.Class = pool.ClassServerFault
	}
	if s.belongs && (v.Class == pool.ClassModelMissing || v.Class == pool.ClassModelForbidden) {
		v.Class = pool.ClassCallerFault // it is the resource that is not there, and it lives nowhere else
	}
	if s.home != (pool.Home{}) && v.Class == pool.ClassProjectMisconfigured && strings.HasPrefix(v.Reason, "IAM_") {
		v.Class = pool.ClassCallerFault // what may not be done to a resource says nothing of the project
	}
	if status == 0 { // it was good before Google knew better
		if status = v.Code; status < http.StatusBadRequest {
			status = http.StatusInternalServerError
		}
	}
	t.settle(outcome(v, status, body))
	return answer{
		candidate: c, class: v.Class, hint: v.Hint,
		resp: t.reply(status, body),
	}
}

// outcome is what the pool needs of a verdict.
func outcome(v verdict.Verdict, status int, body []byte) pool.Outcome {
	o := pool.Outcome{Class: v.Class, Hint: v.Hint, Message: v.Message, Answer: &pool.Answer{Status: status, Body: body}}
	for _, q := range v.Violations {
		if o.Quota == "" || q.Per == verdict.Day {
			if o.Quota = q.ID; o.Quota == "" {
				o.Quota = q.Metric
			}
		}
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

// reply is Google's answer with a body that has been read, and our headers.
func (t *transfer) reply(status int, body []byte) *http.Response {
	resp := *t.resp
	if status != resp.StatusCode {
		resp.StatusCode, resp.Status = status, strconv.Itoa(status)+" "+http.StatusText(status)
	}
	resp.Header.Del("Content-Length")
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	t.session.sign(resp.Header, t.lease.Candidate(), "")
	return &resp
}

// sign puts our headers on an answer. traffic is Google's word for what served it, if it said one.
func (s *session) sign(h http.Header, c *pool.Candidate, traffic string) {
	if traffic = trafficName(traffic); traffic == "" {
		traffic = string(c.Traffic())
	}
	values := [3]string{c.String(), strconv.Itoa(s.attempts), traffic}
	h[headerEndpoint] = values[0:1:1]
	h[headerAttempts] = values[1:2:2]
	h[headerTraffic] = values[2:3:3]
	if s.plan.Model != s.cfg.alias(s.model) {
		h[headerModel] = []string{s.plan.Model}
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
		return strings.ToLower(t)
	}
}
