package router

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/respcache"
	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/stream"
)

// cached is a call whose response the cache may have, or may keep.
type cached struct {
	x       *exchange
	shelf   *shelf
	request respcache.Request
	ttl     time.Duration
	anew    bool      // the call takes no response that it has not asked for itself
	only    bool      // the call takes a kept response alone
	until   time.Time // the call waits for an endpoint no longer
}

// consult returns a call as one for the cache; nil if it is none.
func consult(x *exchange) *cached {
	o := &x.in.options
	if len(x.in.cfg.shelves) == 1 && o.Cache == 0 { // nobody asks for it
		return nil
	}
	s := x.in.cfg.shelf(x.request.Model, o.Cache > 0)
	if s == nil || o.Cache == 0 && !request.Computes(&x.payload.call, x.payload.method) {
		if o.Cache < 0 {
			x.trace.cache = CacheOff
		}
		return nil
	}
	say := readCacheControl(x.in.req.Header)
	if say.noStore || !repeats(x) {
		return unkept(x, &say)
	}
	key, ok := keyOf(x, s)
	if !ok {
		return unkept(x, &say)
	}
	x.trace.cache = CacheMiss
	c := &cached{x: x, shelf: s, ttl: s.TTL, anew: say.maxAge <= 0, only: say.onlyKept}
	if o.Cache > 0 {
		c.ttl = o.Cache
	}
	now, wait := time.Now(), x.in.maxWait()
	c.until = now.Add(wait)
	if deadline, ok := x.in.ctx.Deadline(); ok && deadline.Before(c.until) {
		c.until = deadline
	}
	c.request = respcache.Request{
		Key: key, Fresh: say.fresh(c.ttl), Left: say.minFresh,
		Terms: respcache.Terms{Batch: x.request.Batch, Share: o.Share, Wait: wait},
	}
	return c
}

// repeats reports whether the response to a call may be kept, and a kept one does for it.
func repeats(x *exchange) bool {
	p := &x.payload
	return x.in.options.Cache >= 0 && p.tail == nil && request.Computes(&p.call, p.method) && request.Repeatable(&p.call, x.in.req.Header)
}

// unkept returns a call whose response is not kept as one for the cache, if it wants a kept one alone;
// else nil.
func unkept(x *exchange, say *cacheControl) *cached {
	x.trace.cache = CacheOff
	if say.onlyKept {
		return &cached{x: x, only: true}
	}
	return nil
}

const (
	// mostFaults is how many requests of others go wrong for a call before it asks by itself: by faults
	// of servers, or because they are read slowly.
	mostFaults = 2
	// mostHeld is by how much longer a stream that others wait for may wait for its reader than the
	// reader for Google.
	mostHeld = 2 * time.Second
)

// answer returns a kept response, that of an equal call's request, or that of the call's own.
func (c *cached) answer() (*http.Response, error) {
	if c.only {
		return c.takeKept()
	}
	kept := c.shelf.kept
	for faults := 0; ; {
		if c.request.Now = time.Now(); c.anew || faults >= mostFaults {
			return c.lead(kept.Alone(c.request))
		}
		found := kept.Ask(c.request)
		switch {
		case found.Flight == nil:
			return c.replay(found.Value, found.Age, CacheHit)
		case found.Leads:
			return c.lead(found.Flight)
		}
		o, err := found.Flight.Wait(c.x.in.ctx, mostHeld)
		switch {
		case err != nil:
			return marked(c.x, c.x.ended(nil, err))
		case o.Fate == respcache.Answered:
			return c.replay(o.Value, max(time.Since(o.At), 0), CacheHit)
		case o.Fate == respcache.Refused && c.shares(o.Value):
			return c.replay(o.Value, 0, CacheMiss)
		case o.Fate == respcache.Failed, o.Fate == respcache.Held:
			faults++
		case o.Fate == respcache.Apart:
			faults = mostFaults
		}
	}
}

// takeKept returns a kept response, or else an error. Source: RFC 9111, section 5.2.1.7.
func (c *cached) takeKept() (*http.Response, error) {
	if c.shelf != nil {
		c.request.Now = time.Now()
		if kept, age, ok := c.shelf.kept.Get(c.request); ok {
			return c.replay(kept, age, CacheHit)
		}
	}
	c.x.trace.absent = true
	return marked(c.x, c.x.ended(c.x.refuse(http.StatusGatewayTimeout, "DEADLINE_EXCEEDED",
		"spillway: no response to this call is kept, and it has Cache-Control: only-if-cached"), nil))
}

// shares reports whether the call would get the same error. It would not if an endpoint will be ready
// while it waits or, where that is not known, if it has much of its patience left. Nor does what one
// label got say anything of another, which may have other projects.
func (c *cached) shares(a *answer) bool {
	switch r := a.refused; {
	case a.label != c.x.in.options.Label:
		return false
	case r == nil:
		return true
	case r.Never:
		return true
	case r.RetryAt.IsZero():
		return time.Until(c.until) <= c.request.Terms.Wait/10
	default:
		return r.RetryAt.After(c.until)
	}
}

// lead makes the request, and ends the flight with its response.
func (c *cached) lead(f *respcache.Flight[*answer]) (*http.Response, error) {
	led := false
	defer func() { // a transport may panic
		if !led {
			leave(f)
		}
	}()
	res := ask(c.x)
	if !c.record(f, &res) {
		f.End(c.outcome(&res))
	}
	led = true
	return marked(c.x, res)
}

// record records a response that is handed on while it is read, if it may be kept. It reports whether
// it does.
func (c *cached) record(f *respcache.Flight[*answer], res *result) bool {
	if !res.open || res.resp.StatusCode != http.StatusOK {
		return false
	}
	if _, ok := res.resp.Body.(*streamBody); !ok {
		return false
	}
	form := readForm(c.x, strings.HasPrefix(res.resp.Header.Get("Content-Type"), "text/event-stream"))
	form.Signed = false
	res.resp.Body = newRecording(c, f, res.resp, stream.New(form))
	return true
}

// outcome says what the response to the call's own request means for equal calls.
func (c *cached) outcome(res *result) (o respcache.Outcome[*answer]) {
	o.Fate = respcache.Apart
	switch gone := c.x.in.ctx.Err() != nil; {
	case res.err != nil && gone:
		o.Fate = respcache.Left
	case res.resp == nil, res.class.Fault(), transient(res.resp.StatusCode) && c.x.trace.refused == nil:
		o.Fate = respcache.Failed
	case res.open, res.resp.Header.Get("Content-Encoding") != "", res.resp.StatusCode != http.StatusOK && res.resp.StatusCode < http.StatusBadRequest:
	default:
		body, ok := held(res.resp)
		switch {
		case !ok || !c.shelf.kept.Fits(int64(len(body))):
		case res.resp.StatusCode >= http.StatusBadRequest:
			o.Fate, o.Value = respcache.Refused, c.toKeep(res.resp, bytes.Clone(body), nil)
		case c.complete(body):
			o = c.answered(c.toKeep(res.resp, bytes.Clone(body), nil))
		}
	}
	return o
}

// complete reports whether a whole good response is one to keep.
func (c *cached) complete(body []byte) bool {
	call := &c.x.payload.call
	if !call.Generates && !call.OpenAI() {
		object := jsonscan.Object(body)
		return object.Member() // an empty one says nothing
	}
	read := stream.Whole(readForm(c.x, false), body)
	return stream.Complete(&read)
}

// answered is the outcome of a request with a good response. What a fallback has answered is shared
// and not kept.
func (c *cached) answered(a *answer) respcache.Outcome[*answer] {
	o := respcache.Outcome[*answer]{Fate: respcache.Answered, Value: a, At: time.Now(), TTL: c.ttl}
	if a.model != c.x.in.cfg.alias(c.x.model) {
		o.TTL = 0
	}
	o.Bytes = answerBytes + int64(cap(a.body)+8*cap(a.ends)+len(a.model)) + bytesOf(a.header)
	return o
}

// answerBytes is what an answer takes beside its texts: itself, and the map of its header.
const answerBytes = 512

// toKeep returns the part of a response that is the same for all who get it.
func (c *cached) toKeep(resp *http.Response, body []byte, ends []int) *answer {
	a := &answer{
		status: resp.StatusCode, header: map[string][]string{}, body: body, ends: ends,
		model: strings.Clone(c.x.request.Model), refused: c.x.trace.refused,
	}
	if a.status >= http.StatusBadRequest {
		a.label = strings.Clone(c.x.in.options.Label)
	}
	for name, values := range resp.Header {
		switch {
		case name == "Content-Type", name == "Retry-After", name == headerWhy, strings.HasPrefix(name, "X-Gemini-"):
			a.header[name] = slices.Clone(values) // they are the caller's own
		}
	}
	return a
}

// bytesOf returns about what a header takes in memory.
func bytesOf(h map[string][]string) (n int64) {
	for name, values := range h {
		n += int64(len(name)) + 64
		for _, v := range values {
			n += int64(len(v)) + 16
		}
	}
	return n
}

// held returns the body of a response that is in memory whole and that nobody has read yet. It shares
// the response's memory.
func held(resp *http.Response) (body []byte, ok bool) {
	switch b := resp.Body.(type) {
	case *wholeBody:
		return b.peek(), true
	case *opened:
		return b.kept.body, b.kept.body != nil
	default:
		return nil, false
	}
}

// replay returns a kept or shared response to the call.
func (c *cached) replay(a *answer, age time.Duration, use CacheUse) (*http.Response, error) {
	x := c.x
	x.trace.cache, x.trace.refused, x.request.Model = use, a.refused, a.model
	h := make(http.Header, len(a.header)+6)
	for name, values := range a.header {
		h[name] = slices.Clone(values)
	}
	h[headerAttempts] = []string{"0"}
	if use == CacheHit {
		h["Age"] = []string{strconv.FormatInt(int64(age/time.Second), 10)}
	}
	if x.id != "" {
		h[headerCall] = []string{x.id}
		setRequestID(x, h)
	}
	if a.model != x.in.cfg.alias(x.model) {
		h[headerModel] = []string{a.model}
	}
	if x.explained != nil {
		h[headerExplain] = []string{"no request was made: the response is that of an equal call, " + age.Round(time.Second).String() + " ago"}
	}
	resp := &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: x.in.req,
	}
	if a.ends == nil {
		setBody(resp, a.body, nil)
	} else {
		resp.ContentLength, resp.Body = -1, &replayed{a.body, a.ends, 0}
	}
	res := result{resp: resp}
	x.trace.end(&res)
	return marked(x, res)
}

// marked is what the caller gets, which says what the cache did for it.
func marked(x *exchange, res result) (*http.Response, error) {
	if res.resp != nil && x.trace.cache != "" {
		res.resp.Header[headerCache] = []string{string(x.trace.cache)}
	}
	return res.resp, res.err
}
