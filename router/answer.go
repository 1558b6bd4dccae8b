package router

import (
	"bytes"
	"errors"
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
func (a *attempt) noAnswer(what string) result {
	return a.failTransport(errors.New("the answer is not from Google: " + what))
}

// foreignStatus reports whether the response has a status that Google does not give: none at all,
// one of the connection's, one of a proxy's, or a redirect where nothing was asked for that moves.
func (a *attempt) foreignStatus() bool {
	x, status := a.exchange, a.resp.StatusCode
	h := x.in.req.Header
	switch {
	case status < http.StatusOK, status > 599, status == http.StatusProxyAuthRequired:
		return true
	case status < http.StatusMultipleChoices || status >= http.StatusBadRequest:
		return false
	case status == http.StatusNotModified:
		return h.Get("If-None-Match") == "" && h.Get("If-Modified-Since") == ""
	case status == http.StatusPermanentRedirect:
		// A resumable upload goes on where no other address is named.
		return !strings.HasSuffix(x.payload.call.Method, ".upload") || a.resp.Header.Get("Location") != ""
	default:
		return true
	}
}

// foreignPage reports whether a good response is a page for people in place of JSON.
func (a *attempt) foreignPage() bool {
	x := a.exchange
	return strings.HasPrefix(a.resp.Header.Get("Content-Type"), "text/html") &&
		x.in.req.Method != http.MethodHead && x.payload.call.JSON(x.in.req.Header)
}

// form says how the response to the call is read. events says that it is server-sent events.
func (x *exchange) form(events bool) stream.Form {
	c, h := &x.payload.call, x.in.req.Header
	f := stream.Form{SSE: c.SSE}
	switch {
	case c.OpenAI():
		f.Dialect, f.SSE = stream.OpenAI, true
	case !c.Generates:
		f.Dialect, f.SSE = stream.Other, f.SSE || events
	default:
		f.Plain = !c.Selects(h, "candidates", "content")
		f.Endless = !c.Selects(h, "candidates", "finishReason")
	}
	return f
}

// read reads a whole response that generates, and reports whether the response is an error despite
// its status.
func (a *attempt) read(body []byte) (read stream.Stream, failed bool) {
	x := a.exchange
	c := &x.payload.call
	if c.Generates || c.OpenAI() {
		read = stream.Whole(x.form(false), body)
		return read, read.Failure() != nil
	}
	return read, c.JSON(x.in.req.Header) && stream.IsError(body)
}

// foreign says why the whole body of a good response is no answer of Google's; "" if it is one, or
// may be. read is the body as a response that generates.
func (a *attempt) foreign(body []byte, read *stream.Stream) string {
	x, h := a.exchange, a.exchange.in.req.Header
	c := &x.payload.call
	if a.translation != nil {
		c = &a.translation.Call // as it was sent
	}
	switch {
	case a.resp.Header.Get("Content-Encoding") != "", a.resp.StatusCode >= http.StatusPartialContent,
		!c.JSON(h), c.Method == "" && !c.OpenAI():
		return "" // the router does not know what it looks like
	case len(bytes.TrimSpace(body)) == 0:
		if x.in.req.Method == http.MethodDelete {
			return ""
		}
		return "status " + strconv.Itoa(a.resp.StatusCode) + " without a body"
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

// looksLike reports whether an object may be the answer to a call: it has a field of Google's, or
// none at all, for protobuf leaves out what is zero.
func looksLike(c *request.Call, body []byte) bool {
	known := fields
	switch c.Method {
	case "generateContent", "streamGenerateContent", "countTokens", "computeTokens", "embedContent", "batchEmbedContents",
		"predict", "models.get", "models.list":
	default:
		if known = openAIFields; !c.OpenAI() {
			return true // the answers to others have all kinds of fields
		}
	}
	empty := true
	for c := jsonscan.Object(jsonscan.TrimByteOrderMark(body)); c.Member(); empty = false {
		if slices.Contains(known, jsonscan.CamelCase(c.Key)) {
			return true
		}
	}
	return empty
}
