package router

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// maxReplay bounds how much of a request's body is kept for another attempt: more than any inline request may have (20 MB,
// https://ai.google.dev/gemini-api/docs/document-processing). A longer one is sent once.
const maxReplay = 64 << 20

// requestType is Vertex AI's header that asks for a kind of traffic, as net/http spells it; a caller's own is obeyed.
// Source: https://cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput/use-provisioned-throughput.
const (
	requestType = "X-Vertex-Ai-Llm-Request-Type"
	dedicated   = "dedicated"
	shared      = "shared"
)

// session is one call on its way: from the request, over its attempts, to the answer.
type session struct {
	router *Router
	cfg    *Config // as it was when the call came
	ctx    context.Context
	req    *http.Request
	asked  Call

	wire request.Call
	body []byte
	tail io.Reader // what did not fit into body: then there is one attempt

	expressed translation // the call as the other back end takes it

	model    string // as the caller named it; the plan's differs for aliases and fallbacks
	plan     *pool.Plan
	need     pool.Need
	traffic  pool.Traffic // the only one allowed; empty: both
	belongs  bool         // it makes, reads, uses or lists what lives in one project
	home     pool.Home    // where that lives; the zero Home where it is not known, or does not live yet
	affinity affinity     // what it has in common with calls that prefer the same endpoint

	began    time.Time
	now      time.Time
	attempts int
	waited   time.Duration
	waits    *waiter           // while it stands in line
	ahead    int               // calls that were, when it last asked for an endpoint
	retryAt  time.Time         // not before: the servers that failed this call
	faulted  []*pool.Candidate // one of each
	faults   int               // attempts that they failed
	last     *answer           // Google's last, if it is one to give back
	fallen   fallen            // what became of the models that were asked so far, once another stands in
}

// newSession reads the request. A request that cannot be understood is refused, with an answer of Google's shape.
func (r *Router) newSession(req *http.Request) (s *session, refused *http.Response, err error) {
	s = &session{router: r, cfg: r.cfg.Load(), ctx: req.Context(), req: req, now: time.Now()}
	s.began = s.now
	if req.Body != nil {
		s.body, s.tail, err = s.readBody()
		if s.tail == nil || err != nil {
			closeBody(req.Body)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	asked, wrong := askedOf(req)
	if wrong != "" {
		s.close()
		return nil, s.refuse(http.StatusBadRequest, "INVALID_ARGUMENT", "spillway: "+wrong), nil
	}
	s.asked = asked
	s.wire = request.Parse(req.Method, req.URL, s.body)
	s.belongs = s.wire.Resource != ""
	s.affinity = s.findAffinity()
	s.model = s.wire.Model
	s.use(s.cfg.alias(s.model))

	switch req.Header.Get(requestType) {
	case dedicated:
		s.traffic = pool.TrafficProvisioned
	case shared:
		s.traffic = pool.TrafficOnDemand
	}
	if !s.metered() && !s.caches() {
		s.traffic = pool.TrafficOnDemand
	}
	r.budget.call(s.now)
	return s, nil, nil
}

// close lets go of what is left of the request's body.
func (s *session) close() {
	if s.tail != nil {
		closeBody(s.req.Body)
	}
}

// readBody reads the request's body as far as it is kept.
func (s *session) readBody() (body []byte, tail io.Reader, err error) {
	req := s.req
	if req.GetBody == nil { // it comes from somewhere, and may be long in coming
		stop := context.AfterFunc(s.ctx, func() { closeBody(req.Body) })
		defer func() {
			if stop(); err != nil && s.ctx.Err() != nil {
				err = s.ctx.Err()
			}
		}()
	}
	if n := req.ContentLength; n > 0 && n <= maxReplay {
		body = make([]byte, n)
		_, err = io.ReadFull(req.Body, body)
		return body, nil, err
	}
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(req.Body, maxReplay+1))
	if n > maxReplay {
		tail = req.Body
	}
	return buf.Bytes(), tail, err
}

// use makes model the one to be asked.
func (s *session) use(model string) {
	if model != s.wire.Model {
		s.body = s.wire.Rename(model, s.body)
		s.expressed = translation{}
	}
	s.plan = s.router.pool.Plan(s.now, model)
	deadline, _ := s.ctx.Deadline()
	s.need = s.plan.Need(s.estimate(), deadline)
	s.need.Free = !s.metered()
}

// look sees what has become of the world after some time: what time it is, and what a reload has made of the plan.
func (s *session) look() {
	s.now = time.Now()
	s.plan = s.router.pool.Plan(s.now, s.plan.Model)
}

// estimate is what the request, or its caller, says of the call's tokens.
func (s *session) estimate() pool.Estimate {
	e := s.wire.Estimate
	e.NoOutput, e.Input, e.Output = !s.wire.Generates, s.asked.InputTokens, s.asked.OutputTokens
	return e
}

// metered reports whether Google counts the call against limits and orders: what asks a model for an answer, not what counts tokens
// or reads lists.
func (s *session) metered() bool {
	return s.wire.Model != "" && s.req.Method == http.MethodPost && s.wire.Method != "countTokens" && s.wire.Method != "computeTokens" && !s.caches()
}

// run makes attempts until there is an answer.
func (s *session) run() (*http.Response, error) {
	for {
		lease, err := s.acquire()
		switch {
		case err == nil:
		case errors.Is(err, errExhausted):
			if s.fallBack() {
				continue
			}
			return s.giveUp()
		default:
			return nil, err
		}

		s.attempts++
		a := s.attempt(lease)
		s.look()
		switch {
		case a.err != nil && s.ctx.Err() != nil:
			return nil, a.err
		case a.served, !a.class.Elsewhere():
			return a.resp, a.err
		}
		if !s.fallen.any || a.class.Fault() { // else it says of another model what its caller has not asked
			s.last = &a
		}
		if !s.again(&a) {
			return s.giveUp()
		}
	}
}

// again reports whether there may be another attempt after one that failed for a reason that may be different elsewhere.
func (s *session) again(a *answer) bool {
	if s.tail != nil || s.attempts >= s.cfg.MaxAttempts {
		return false
	}
	if !a.class.Fault() {
		return true // what failed rests now: moving on is free
	}
	if s.wire.NonIdempotent() && !a.unsent {
		return false // it may be made, for all that came back
	}
	if !s.router.budget.retry(s.now) {
		return false
	}
	s.faults++
	if !s.hasFaulted(a.candidate) {
		s.faulted = append(s.faulted, a.candidate)
	}
	s.retryAt = s.now.Add(s.cfg.Retry.backoff(s.faults, a.hint, rand.Float64()))
	return true
}

func (s *session) hasFaulted(c *pool.Candidate) bool {
	for _, f := range s.faulted {
		if f.SameServer(c) {
			return true
		}
	}
	return false
}

// bar is what keeps a call from a candidate for good.
type bar uint8

const (
	barNone bar = iota
	barBackend
	barHome
	barTraffic
	barLocation
)

// bar says what keeps the call from a candidate, now and ever.
func (s *session) bar(c *pool.Candidate) bar {
	switch {
	case !s.expressible(c.Backend()):
		return barBackend
	case s.home != (pool.Home{}) && !s.home.Has(c):
		return barHome
	case s.traffic != "" && c.Traffic() != s.traffic:
		return barTraffic
	case !s.allowed(c.Location()):
		return barLocation
	default:
		return barNone
	}
}

// eligible reports whether the call may go to a candidate at all.
func (s *session) eligible(c *pool.Candidate) bool { return s.bar(c) == barNone }

// anyEligible reports whether the call may go anywhere.
func (s *session) anyEligible() bool { return slices.ContainsFunc(s.plan.All(), s.eligible) }

func (s *session) allowed(location string) bool {
	if len(s.asked.Locations) == 0 {
		return true
	}
	for _, l := range s.asked.Locations {
		if strings.EqualFold(l, location) {
			return true
		}
	}
	return false
}

// ready reports whether a candidate may and can be asked now.
func (s *session) ready(c *pool.Candidate) bool {
	return s.wants(c, s.now) && c.Ready(s.now) && !s.keepsBack(c)
}
