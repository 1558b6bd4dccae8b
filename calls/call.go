package calls

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	// maxPassedOver bounds the endpoints that a record speaks of, apart from attempts.
	maxPassedOver = 16
	// maxText bounds each text of others in a record, in bytes.
	maxText = 200
)

// call is a record while its call is under way. Its lookups may end on other goroutines.
type call struct {
	mu      sync.Mutex
	done    bool
	record  Record
	room    [2]Attempt           // for Attempts: most calls need no more
	waited  time.Duration        // for the attempt that comes next
	total   time.Duration        // of all waits
	refused *pool.ExhaustedError // why a lookup was refused
}

func (c *call) wait(w router.WaitEnd, look *lookout) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	d := w.At.Sub(w.Began)
	c.waited, c.total = c.waited+d, c.total+d
	if none, ok := errors.AsType[*pool.ExhaustedError](w.Err); ok {
		c.passOver(none.Reasons)
	}
	if w.Endpoint != nil && (w.Endpoint.Tier > 0 || len(c.record.Attempts) > 0) {
		others, ok := look.others(w.At, w.Others)
		c.record.Unlisted = !ok
		c.passOver(others)
	}
}

// passOver notes why endpoints did not serve the call: as they stand last.
func (c *call) passOver(others []pool.Reason) {
	c.record.PassedOver = nil
	for _, o := range others {
		if o.Why == "" {
			continue
		}
		if c.record.PassedOver == nil {
			c.record.PassedOver = make([]PassedOver, 0, min(len(others), maxPassedOver))
		}
		c.record.PassedOver = append(c.record.PassedOver, PassedOver{o.Endpoint, plain.Text(o.Why, maxText)})
		if len(c.record.PassedOver) == maxPassedOver {
			return
		}
	}
}

func (c *call) attempt(a *router.AttemptEnd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	r, o := &c.record, &a.Outcome
	model := r.Model
	if a.Model != model { // it may be a part of a long text
		model = strings.Clone(a.Model)
	}
	r.Attempts = append(r.Attempts, Attempt{
		Endpoint: a.Endpoint.Name, Model: model, Class: o.Class, Status: a.Status,
		WaitedMS: ms(c.waited), DurationMS: since(a.At, a.Ended), Message: message(o),
	})
	c.waited = 0
	if o.Counted {
		r.Tokens.add(o)
	}
	if r.ServedModel != "" { // it has a response, and another one was no better
		return
	}
	r.Endpoint, r.Project = a.Endpoint.Name, a.Endpoint.Project
	r.Traffic, r.Tier = traffic(o.Traffic, a.Endpoint.Traffic)
	r.FirstByteMS = 0
	if o.Class == pool.ClassOK || o.Class == pool.ClassCancelled && a.Status > 0 {
		r.FirstByteMS = since(r.Time.Time, a.FirstByte)
	}
	if o.Class == pool.ClassOK {
		if r.ServedModel = plain.Text(o.Served, maxText); r.ServedModel == "" {
			r.ServedModel = model
		}
	}
}

// lookup notes the end of a call that this one has made.
func (c *call) lookup(e *router.CallEnd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		c.record.Lookups += e.Attempts
		c.refused = e.Refused
	}
}

// end returns the record, which nothing changes any more.
func (c *call) end(e *router.CallEnd) *Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, refused := &c.record, e.Refused
	if refused == nil && e.Status == http.StatusTooManyRequests && len(r.Attempts) == 0 {
		refused = c.refused // the response is the lookup's
	}
	c.done = true
	r.WaitedMS, r.LatencyMS, r.Status = ms(c.total), since(r.Time.Time, e.At), e.Status
	r.Outcome = r.outcome(e.Err, refused != nil)
	if r.Cache = e.Cache; r.Cache == router.CacheHit {
		r.ServedModel = strings.Clone(e.Model)
	}
	if r.Outcome != OutcomeServed {
		r.ServedModel = ""
	}
	r.Error = errorText(e.Err)
	if refused != nil {
		r.RetryAt, r.Unlisted = Time{refused.RetryAt}, false
		c.passOver(refused.Reasons)
	}
	return r
}

// outcome says how the call ended.
func (r *Record) outcome(err error, refused bool) Outcome {
	var last pool.Class
	if n := len(r.Attempts); n > 0 {
		last = r.Attempts[n-1].Class
	}
	left := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case refused:
		return OutcomeRefused
	case left:
		return OutcomeCancelled
	case err != nil:
		return OutcomeFailed
	case r.Live() && r.Status == 0 && (last == pool.ClassOK || last == pool.ClassCancelled):
		return OutcomeServed // whether an order has served it is unknown
	case r.Status == 0, r.Status >= http.StatusBadRequest:
		return OutcomeFailed
	case len(r.Attempts) == 0, r.ServedModel != "", last == pool.ClassOK:
		return OutcomeServed
	case last == pool.ClassCancelled:
		return OutcomeCancelled
	default:
		return OutcomeFailed
	}
}

// add adds what Google counted for an attempt.
func (t *Tokens) add(o *pool.Outcome) {
	u := &o.Usage
	t.Input += u.Input
	t.Cached += u.Cached
	t.ToolUse += o.ToolUse
	t.InputAudio += u.InputAudio
	t.InputImage += u.InputImage
	t.Output += u.Output + u.OutputAudio + u.OutputImage
	t.Thoughts += o.Thoughts
	t.OutputAudio += u.OutputAudio
	t.OutputImage += u.OutputImage
}

// traffic splits a trafficType of Google's, such as ON_DEMAND_FLEX, into traffic and tier. Source:
// https://pkg.go.dev/google.golang.org/genai#TrafficType.
func traffic(said string, endpoint pool.Traffic) (traffic, tier string) {
	const onDemand = "ON_DEMAND"
	rest, of := strings.CutPrefix(said, onDemand)
	switch {
	case (said == "" || said == "TRAFFIC_TYPE_UNSPECIFIED") && endpoint != pool.TrafficProvisioned:
		return string(pool.TrafficOnDemand), "" // at which service tier, Google does not say
	case said == "", said == "TRAFFIC_TYPE_UNSPECIFIED":
		return string(endpoint), ""
	case said == "PROVISIONED_THROUGHPUT":
		return string(pool.TrafficProvisioned), ""
	case of && rest == "":
		return string(pool.TrafficOnDemand), "standard"
	case of && rest[0] == '_':
		return string(pool.TrafficOnDemand), plain.Text(strings.ToLower(rest[1:]), maxText)
	default:
		return plain.Text(strings.ToLower(said), maxText), ""
	}
}

// message says why an attempt failed, where that is about a quota, a key or a project. What Google
// says of a call may quote it, and a page of a proxy may quote anything: neither is shown.
func message(o *pool.Outcome) string {
	switch o.Class {
	case pool.ClassOK, pool.ClassCancelled, pool.ClassCallerFault, pool.ClassModelMissing, pool.ClassOverloaded, pool.ClassServerFault:
		return ""
	default:
	}
	switch {
	case o.Foreign:
		return "the response is not Google's"
	case o.Quota != "":
		return plain.Text(o.Quota, maxText)
	case o.Suspected: // it may be about the call after all
		return ""
	default:
		return plain.Text(o.Message, maxText)
	}
}

// errorText says why there was no response. An error of a transport may quote anything that came, so
// only the kinds that cannot are shown.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	_, network := errors.AsType[*net.OpError](err)
	_, name := errors.AsType[*net.DNSError](err)
	if network || name {
		return plain.Text(err.Error(), maxText)
	}
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, router.ErrClosed, io.EOF, io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "the request failed"
}
