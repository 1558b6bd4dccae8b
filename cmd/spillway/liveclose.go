package main

import (
	"errors"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/router"
)

// ephemeral is what a client with an ephemeral token is told. The token is a credential of its own: it
// belongs to one project, and names no client of the sidecar's.
const ephemeral = "spillway: an ephemeral token is for Google's own address; connect there, or here with any API key or a sidecar's token"

// stopping is the close of a sidecar that is being stopped.
func stopping() (code int, reason string) {
	return int(websocket.StatusGoingAway), "spillway: the sidecar is being stopped"
}

// ending is the close that a client gets when the session with Google has ended.
func ending(err error) (code int, reason string) {
	if closed, ok := errors.AsType[*router.LiveCloseError](err); ok {
		return closed.Code, closed.Reason
	}
	return int(websocket.StatusInternalError), "spillway: the connection to Google has broken"
}

// refusal is the close that a client gets for a session that could not be had. Google has no public
// list of its codes; these are those that it was seen to use, and 1013 for what is worth another try.
func refusal(err error) (code int, reason string) {
	if closed, ok := errors.AsType[*router.LiveCloseError](err); ok {
		return closed.Code, closed.Reason
	}
	if e, ok := router.Exhausted(err); ok {
		return int(websocket.StatusTryAgainLater), exhaustedReason(e)
	}
	said, ok := errors.AsType[genai.APIError](err)
	if !ok {
		return int(websocket.StatusInternalError), closeReason("spillway: no session could be had: " + err.Error())
	}
	status := websocket.StatusInternalError
	switch {
	case said.Code == http.StatusTooManyRequests, said.Code == http.StatusServiceUnavailable:
		status = websocket.StatusTryAgainLater
	case said.Code == http.StatusForbidden, said.Code == http.StatusNotFound:
		status = websocket.StatusPolicyViolation
	case said.Code < http.StatusInternalServerError:
		status = websocket.StatusInvalidFramePayloadData
	}
	return int(status), closeReason(said.Message)
}

// exhaustedReason says of a pool that is exhausted when to come back, and why.
func exhaustedReason(e *router.ExhaustedError) string {
	text := "spillway: no endpoint is ready"
	if !e.RetryAt.IsZero() {
		text = "spillway: try again at " + e.RetryAt.UTC().Format(time.TimeOnly+"Z")
	}
	if len(e.Reasons) > 0 {
		text += "; " + e.Reasons[0].Why
	}
	return closeReason(text)
}

// closeReason cuts a text to the 123 bytes that a close has room for.
func closeReason(text string) string {
	for len(text) > 123 {
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	return text
}
