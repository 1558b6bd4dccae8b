package router

import (
	"bytes"
	"io"
	"net/http"
	"strconv"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// giveUp answers a call that no endpoint can serve.
func (s *session) giveUp() (*http.Response, error) {
	last := s.last
	if last != nil && (last.class.Fault() || s.tail != nil) {
		return last.resp, last.err
	}
	s.goBack()
	if resp := s.remembered(); resp != nil && !s.fallen.hope {
		if last != nil && ofModel(last.class) {
			return last.resp, nil // the same, and said to this very call
		}
		return resp, nil
	}
	if last != nil && last.class.Lasting() && last.resp != nil && !s.fallen.hope {
		return last.resp, nil
	}
	return s.exhausted(), nil
}

// remembered is the answer that Google gave when everything eligible was refused for good: a caller who misspelled a model is told so
// every time, not to come back later. What was said of the model is for its caller; what was said of a key or a project is for whoever keeps
// the pool, and is given only where there is nothing else.
func (s *session) remembered() *http.Response {
	var best pool.Rest
	for _, c := range s.plan.All() {
		if !s.eligible(c) {
			continue
		}
		r := c.Resting(s.now)
		if r.Answer == nil {
			return nil
		}
		if best.Answer == nil || ofModel(r.Class) && !ofModel(best.Class) {
			best = r
		}
	}
	if best.Answer == nil {
		return nil
	}
	return s.reply(best.Answer.Status, best.Answer.Body)
}

// ofModel reports whether an answer of the class speaks of the model that was asked for.
func ofModel(c pool.Class) bool { return c == pool.ClassModelMissing || c == pool.ClassModelForbidden }

func (s *session) name() string {
	if s.plan.Model == "" {
		return "the call"
	}
	if s.fallen.any {
		return s.plan.Model + ", or what stands in for it,"
	}
	return s.plan.Model
}

// refuse answers a request that cannot be understood.
func (s *session) refuse(status int, code, message string) *http.Response {
	return s.reply(status, verdict.ErrorBody(status, code, message))
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
