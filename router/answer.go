package router

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/stream"
)

// Not all that comes with a good status is an answer of Google's: proxies, load balancers and login
// pages of networks answer in its place. Such an answer is a fault of the way to the endpoint. It
// is never handed on.

// noAnswer ends an attempt to which something came that is no answer of Google's.
func noAnswer(a *attempt, what string) result {
	return a.foreign(a.resp.StatusCode, what)
}

// arrival is a response of which nobody knows yet whose it is.
type arrival struct {
	call *request.Call // as it was sent
	req  *http.Request // the caller's
	resp *http.Response
}

func arrivalOf(a *attempt) arrival {
	call := &a.exchange.payload.call
	if a.translation != nil {
		call = &a.translation.Call
	}
	return arrival{call, a.exchange.in.req, a.resp}
}

// foreignStatus reports whether the response has a status that Google does not give: none at all,
// one of the connection's, one of a proxy's, or a redirect where nothing was asked for that moves.
func (r arrival) foreignStatus() bool {
	switch status, h := r.resp.StatusCode, r.req.Header; {
	case status < http.StatusOK, status > 599, status == http.StatusProxyAuthRequired:
		return true
	case status < http.StatusMultipleChoices || status >= http.StatusBadRequest:
		return false
	case status == http.StatusNotModified:
		return h.Get("If-None-Match") == "" && h.Get("If-Modified-Since") == ""
	case status == http.StatusPermanentRedirect:
		// A resumable upload goes on where no other address is named.
		return !strings.HasSuffix(r.call.Method, ".upload") || r.resp.Header.Get("Location") != ""
	default:
		return true
	}
}

// streams reports whether the response is read event by event. A chat in OpenAI's dialect may come
// whole though a stream was asked for.
func (r arrival) streams(events bool) bool {
	return r.call.Stream && r.call.Generates && !r.call.OpenAI() || events && r.call.JSON(r.req.Header)
}

// partial reports whether the body is not to be read as an answer: its caller asked for a range of
// bytes, or has the answer already.
func (r arrival) partial() bool {
	return r.resp.StatusCode == http.StatusNotModified ||
		r.resp.StatusCode == http.StatusPartialContent && r.req.Header.Get("Range") != ""
}

// foreignKind says what a good response is that comes in place of JSON: a page for people, or a
// stream of events that nobody asked for. It is "" if it is neither.
func (r arrival) foreignKind(events bool) string {
	c, h := r.call, r.req.Header
	page := strings.HasPrefix(r.resp.Header.Get("Content-Type"), "text/html") && r.req.Method != http.MethodHead
	switch {
	case page && (c.JSON(h) || strings.HasSuffix(c.Method, ".upload")):
		return "a page of HTML"
	case events && ofModels(c) && c.JSON(h) && !c.Stream && !c.SSE && !c.Generates:
		return "a stream of events"
	default:
		return ""
	}
}

// foreignBody says why the whole body of a good response is no answer of Google's; "" if it is one,
// or may be. read is the body as a response that generates.
func (r arrival) foreignBody(body []byte, read *stream.Stream) string {
	c, h := r.call, r.req.Header
	switch {
	case r.resp.Header.Get("Content-Encoding") != "", r.partial(),
		!c.JSON(h), c.Method == "" && !c.OpenAI():
		return "" // the router does not know what it looks like
	case len(bytes.TrimSpace(body)) == 0:
		if r.req.Method == http.MethodDelete {
			return ""
		}
		return "status " + strconv.Itoa(r.resp.StatusCode) + " without a body"
	case !isValue(body):
		return "a body that is not JSON"
	case c.Masked(h):
		return ""
	case (c.OpenAI() || !read.Known()) && !looksLike(c, body):
		return "a body without a field of Google's"
	default:
		return ""
	}
}

// readForm says how the response to a call is read. events says that it is server-sent events.
func readForm(x *exchange, events bool) stream.Form {
	c, h := &x.payload.call, x.in.req.Header
	f := stream.Form{SSE: c.SSE || events, Signed: x.in.cfg.mixed && c.Generates, Model: x.request.Model}
	switch {
	case c.OpenAI():
		f.Dialect = stream.OpenAI
	case !c.Generates:
		f.Dialect = stream.Other
	default:
		f.Plain = !c.Selects(h, "candidates", "content")
		f.Endless = !c.Selects(h, "candidates", "finishReason")
	}
	return f
}

// readWhole reads a whole response that generates, and reports whether the response is an error
// despite its status.
func readWhole(x *exchange, body []byte) (read stream.Stream, failed bool) {
	c := &x.payload.call
	if c.Generates || c.OpenAI() {
		read = stream.Whole(readForm(x, false), body)
		return read, read.Failure() != nil
	}
	return read, c.JSON(x.in.req.Header) && stream.IsError(body)
}

// isValue reports whether a body begins as an object or a list of JSON.
func isValue(body []byte) bool {
	c := jsonscan.New(jsonscan.TrimByteOrderMark(body))
	return c.Peek() == '{' || c.Peek() == '['
}

// fields are those of the answers to the methods of models. Source: models.go and types.go of genai
// v1.77.0.
var fields = []string{
	"candidates", "usageMetadata", "modelVersion", "promptFeedback", "responseId", // generateContent
	"totalTokens", "totalBillableCharacters", "promptTokensDetails", "cachedContentTokenCount", "tokensInfo",
	"embedding", "embeddings", "truncated", "metadata", "predictions", "deployedModelId", "model",
	"name", "models", "publisherModels", "nextPageToken",
}

// openAIFields are those of the answers in OpenAI's dialect.
var openAIFields = []string{"object", "choices", "data", "id", "model", "usage"}

// ofModels reports whether fields are those of the answer to a call.
func ofModels(c *request.Call) bool {
	switch c.Method {
	case "generateContent", "streamGenerateContent", "countTokens", "computeTokens", "embedContent", "batchEmbedContents",
		"predict", "models.get", "models.list":
		return true
	default:
		return false
	}
}

// looksLike reports whether a value may be the answer to a call: it has a field of Google's, or
// none at all, for protobuf leaves out what is zero.
func looksLike(c *request.Call, body []byte) bool {
	known := fields
	if !ofModels(c) {
		if known = openAIFields; !c.OpenAI() {
			return true // the answers to others have all kinds of fields
		}
	}
	scan, empty := jsonscan.New(jsonscan.TrimByteOrderMark(body)), true
	if !scan.Enter('{') {
		return false
	}
	for ; scan.Member(); empty = false {
		if slices.Contains(known, jsonscan.CamelCase(scan.Key)) {
			return true
		}
	}
	return empty
}
