package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// roundTripper is a function as a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// header is what Google's front end puts on an answer.
var header = http.Header{
	"Vary":                   {"Origin", "X-Origin", "Referer"},
	"Date":                   {"Sun, 22 Nov 2026 05:03:00 GMT"},
	"Server":                 {"scaffolding on HTTPServer2"},
	"X-Xss-Protection":       {"0"},
	"X-Frame-Options":        {"SAMEORIGIN"},
	"X-Content-Type-Options": {"nosniff"},
	"Server-Timing":          {"gfet4t7; dur=734"},
	"Alt-Svc":                {`h3=":443"; ma=2592000,h3-29=":443"; ma=2592000`},
}

// unary answers every request with the same text.
func unary(text string) roundTripper {
	body := chunk(text, true)
	return func(req *http.Request) (*http.Response, error) {
		drain(req)
		return inJSON(req, http.StatusOK, body), nil
	}
}

// stream answers every request with so many events, of which each read returns one.
func stream(events int, text string) roundTripper {
	middle, end := "data: "+chunk(text, false)+"\r\n\r\n", "data: "+chunk(text, true)+"\r\n\r\n"
	return func(req *http.Request) (*http.Response, error) {
		drain(req)
		body := &eventReader{left: events, middle: middle, end: end}
		return response(req, http.StatusOK, "text/event-stream", -1, body), nil
	}
}

type eventReader struct {
	left        int // events after this one
	middle, end string
	event       string // what is left of this one
}

func (r *eventReader) Read(p []byte) (int, error) {
	if r.event == "" {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.left--; r.left > 0 {
			r.event = r.middle
		} else {
			r.event = r.end
		}
	}
	n := copy(p, r.event)
	r.event = r.event[n:]
	return n, nil
}

// chunk is an answer of the model, or a piece of one.
func chunk(text string, last bool) string {
	reason := ""
	if last {
		reason = `,"finishReason":"STOP"`
	}
	return fmt.Sprintf(`{"candidates":[{"content":{"role":"model","parts":[{"text":%q}]}%s,"index":0}],`+
		`"usageMetadata":{"promptTokenCount":250,"candidatesTokenCount":500,"totalTokenCount":750},`+
		`"modelVersion":"gemini-2.5-flash","responseId":"p1QjaZ6nAcKjkdUPxvS5iAo"}`, text, reason)
}

// minuteQuota is Google's refusal of a call that the quota of the minute has no room for.
func minuteQuota(req *http.Request, hint time.Duration) *http.Response {
	drain(req)
	body := fmt.Sprintf(`{"error":{"code":429,"status":"RESOURCE_EXHAUSTED",`+
		`"message":"You exceeded your current quota.","details":[`+
		`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{`+
		`"quotaMetric":"generativelanguage.googleapis.com/generate_content_paid_tier_requests",`+
		`"quotaId":"GenerateRequestsPerMinutePerProjectPerModel",`+
		`"quotaDimensions":{"model":"gemini-2.5-flash","location":"global"}}]},`+
		`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"%.0fs"}]}}`, hint.Seconds())
	return inJSON(req, http.StatusTooManyRequests, body)
}

func inJSON(req *http.Request, status int, body string) *http.Response {
	const contentType = "application/json; charset=UTF-8"
	return response(req, status, contentType, int64(len(body)), strings.NewReader(body))
}

func response(
	req *http.Request, status int, contentType string, length int64, body io.Reader,
) *http.Response {
	h := header.Clone()
	h.Set("Content-Type", contentType)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/2.0", ProtoMajor: 2,
		Request: req, Header: h, ContentLength: length, Body: io.NopCloser(body),
	}
}

func drain(req *http.Request) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
}
