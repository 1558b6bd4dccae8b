package router

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/spillway-go/spillway/internal/wire"
	"github.com/spillway-go/spillway/pool"
)

// maxReasons bounds how many endpoints an exhausted answer speaks of.
const maxReasons = 64

// giveUp answers a call that no endpoint can serve.
func (s *session) giveUp() (*http.Response, error) {
	last := s.last
	if last != nil && (last.class.Fault() || s.tail != nil) {
		return last.resp, last.err
	}
	if resp := s.remembered(); resp != nil {
		return resp, nil
	}
	if last != nil && last.class.Lasting() && last.resp != nil {
		return last.resp, nil
	}
	return s.exhausted(), nil
}

// remembered is the answer that Google gave when everything eligible was refused for good: a caller who misspelled a model is told so
// every time, not to come back later.
func (s *session) remembered() *http.Response {
	var first *pool.Answer
	for _, c := range s.plan.All() {
		if !s.eligible(c) {
			continue
		}
		a := c.Resting(s.now).Answer
		if a == nil {
			return nil
		}
		if first == nil {
			first = a
		}
	}
	if first == nil {
		return nil
	}
	return s.reply(first.Status, first.Body)
}

// exhausted is the answer when the call cannot be served in time, in Google's own shape, so that code that knows Google's knows ours.
func (s *session) exhausted() *http.Response {
	reasons := make(map[string]string)
	eligible := false
	for _, c := range s.plan.All() {
		reason := s.refusal(c)
		if reason == "" {
			eligible = true
			if reason = c.Reason(s.now, s.need); reason == "" {
				reason = "failed for this call"
			}
		}
		if len(reasons) < maxReasons {
			reasons[c.String()] = reason
		}
	}
	if !eligible {
		return s.nowhere(reasons)
	}

	retry := time.Duration(0)
	if wake, ok := s.wake(); ok {
		retry = max(wake.Sub(s.now), 0)
	}
	why := "every endpoint rests"
	if s.attempts >= s.router.cfg.MaxAttempts {
		why = "max_attempts is used up"
	}
	resp := s.reply(http.StatusTooManyRequests, wire.Exhausted{
		Message:  "spillway: no endpoint can serve " + s.name() + " in time: " + why + "; see the details for each",
		Retry:    retry,
		Metadata: reasons,
	}.Body())
	resp.Header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(retry.Seconds())), 10))
	return resp
}

// nowhere is the answer to a call that the pool has no endpoint for, whatever the time.
func (s *session) nowhere(reasons map[string]string) *http.Response {
	message := "spillway: no endpoint of the pool may serve " + s.name() + "; see the details for each"
	if len(reasons) == 0 {
		message = "spillway: no project of the pool takes " + s.name() + "; add it to a [[project]]'s models"
	}
	return s.reply(http.StatusBadRequest, wire.NoEndpoint(message, reasons))
}

func (s *session) name() string {
	if s.plan.Model == "" {
		return "the call"
	}
	return s.plan.Model
}

// refuse answers a request that cannot be understood.
func (s *session) refuse(status int, code, message string) *http.Response {
	return s.reply(status, wire.ErrorBody(status, code, message))
}

// reply is an answer of the router's own.
func (s *session) reply(status int, body []byte) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {"application/json; charset=UTF-8"},
			headerAttempts: {strconv.Itoa(s.attempts)},
		},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		Request: s.req,
	}
}
