package router

import (
	"bytes"
	"io"
	"net/http"
	"strconv"

	"github.com/spillway-go/spillway/internal/wire"
	"github.com/spillway-go/spillway/pool"
)

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
