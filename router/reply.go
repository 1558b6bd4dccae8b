package router

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// giveUp returns the result of a call that no endpoint can serve.
func (x *exchange) giveUp(e *pool.ExhaustedError) result {
	last := x.last
	if last != nil && (last.class.Fault() || x.payload.tail != nil || last.doubt && x.fallback.doubt > 1) {
		return *last
	}
	e = x.goBack(e)
	if e.Answer != nil && !x.fallback.hope {
		if last != nil && ofModel(last.class) {
			return *last // the same response, to this very call
		}
		return result{resp: keptReply(x, e)}
	}
	if last != nil && ofModel(last.class) && (last.resp != nil || last.err != nil) && !x.fallback.hope &&
		(!e.Exists || x.costly >= x.in.cfg.MaxAttempts) {
		// A misspelled model is one whatever else is on cooldown, and a call that those refuse who
		// answer others is refused by the rest as well.
		return *last
	}
	return result{resp: x.exhausted(e)}
}

// keptReply returns the response of Google's that goes to every caller while all endpoints are out. What it
// says of a key or a project is for the operator, so it also says what to do; what it says of the
// model is Google's alone.
func keptReply(x *exchange, e *pool.ExhaustedError) *http.Response {
	body, leading := e.Answer.Body, &e.Leading
	for i := range e.Reasons {
		if strings.HasPrefix(e.Reasons[i].Why, string(e.Class)) {
			leading = &e.Reasons[i]
			break
		}
	}
	if ofModel(e.Class) { // a mistake of the caller's, as when Google says it
		x.explained.refused(e)
	} else {
		noteRefused(x, e)
		body = verdict.Explained(body, metadataOf(e.Reasons))
	}
	resp := x.reply(e.Answer.Status, body)
	setWhy(resp.Header, leading)
	return resp
}

// setWhy puts a reason into the header of a response.
func setWhy(h http.Header, r *Reason) {
	if r.Cause != "" {
		h.Set(headerWhy, sentence(r))
	}
}

// ofModel reports whether a response of the class is about the model of the call.
func ofModel(c pool.Class) bool {
	return c == pool.ClassModelMissing || c == pool.ClassModelForbidden
}

// exhausted returns the response to a call that cannot be served in time. It has Google's own
// shape, so that code that handles Google's 429 handles it too.
func (x *exchange) exhausted(e *pool.ExhaustedError) *http.Response {
	wake := noteRefused(x, e)
	reasons := metadataOf(e.Reasons)
	if e.Never && x.fallback.soonest.IsZero() && !e.MemoryFull {
		return x.nowhere(e.Reasons)
	}
	why := "no endpoint is ready"
	switch {
	case e.MemoryFull:
		why = "the router's memory is full of other models (raise memory under [router])"
	case x.costly >= x.in.cfg.MaxAttempts:
		why = "max_attempts is used up"
	}
	if leading := sentence(&e.Leading); leading != "" {
		why += "; " + leading
	}
	answer := verdict.Exhausted{
		Message: "spillway: no endpoint can serve " + x.name() + " in time: " + why +
			"; see the details for each",
		Metadata: reasons,
	}
	if !wake.IsZero() {
		answer.Retry = max(time.Until(wake), time.Millisecond)
		reasons[metadataRetryAt] = wake.UTC().Format(time.RFC3339Nano)
	}
	resp := x.tooMany(answer)
	setWhy(resp.Header, &e.Leading)
	return resp
}

// noteRefused tells those who ask and listen why no endpoint can serve the call. It returns when one
// could.
func noteRefused(x *exchange, e *pool.ExhaustedError) (wake time.Time) {
	wake = x.fallback.wake(e)
	x.explained.refused(e)
	x.trace.refuse(e, wake)
	return wake
}

// tooMany returns a 429 of the router's own. Its header says as well when to come back, if that is
// known.
func (x *exchange) tooMany(answer verdict.Exhausted) *http.Response {
	resp := x.reply(http.StatusTooManyRequests, answer.Body())
	if answer.Retry > 0 {
		seconds := int64(math.Ceil(answer.Retry.Seconds()))
		resp.Header.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	return resp
}

// nowhere returns the response to a call that no endpoint of the pool may ever serve. Clients that
// show the message alone learn from it why, if there is not a reason for each endpoint.
func (x *exchange) nowhere(reasons []Reason) *http.Response {
	var whys []string
	for i := range reasons {
		if !slices.Contains(whys, reasons[i].Why) {
			whys = append(whys, reasons[i].Why)
		}
	}
	message := "spillway: no endpoint may serve " + x.name()
	switch n := len(whys); {
	case n == 0:
		message = "spillway: no project of the pool takes " + x.name() + "; add it to a [[project]]'s models"
	case n <= mostWhys:
		message += ": " + strings.Join(whys, ", and ")
	default:
		message += "; see the details for each"
	}
	return x.reply(http.StatusBadRequest, verdict.NoEndpoint(message, metadataOf(reasons)))
}

// mostWhys is how many reasons a message has room for.
const mostWhys = 2

// refuse returns the response to a request that is not understood.
func (x *exchange) refuse(status int, code, message string) *http.Response {
	return x.reply(status, verdict.ErrorBody(status, code, message))
}

// reply returns a response of the router's own, in the shape of errors in the caller's dialect.
func (x *exchange) reply(status int, body []byte) *http.Response {
	if c := &x.payload.call; status >= http.StatusBadRequest && (c.OpenAI() || c.OfOpenAI()) {
		body = verdict.OpenAI(status, body)
	}
	resp := &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {"application/json; charset=UTF-8"},
			headerAttempts: {strconv.Itoa(x.attempts)},
		},
		Request: x.in.req,
	}
	setBody(resp, body, nil)
	if x.id != "" {
		resp.Header[headerCall] = []string{x.id}
		setRequestID(x, resp.Header)
	}
	if x.explained != nil {
		resp.Header[headerExplain] = []string{x.explained.line(x, "")}
	}
	return resp
}
