package router

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// liveCodes are the HTTP statuses that stand for the codes with which Google closes a session. No
// list of the codes is public; these are inferred from Google's wording. The text of a policy
// violation (1008) tells more than its code.
var liveCodes = map[int]int{
	websocket.CloseInvalidFramePayloadData: http.StatusBadRequest,
	websocket.ClosePolicyViolation:         http.StatusBadRequest,
	websocket.CloseInternalServerErr:       http.StatusInternalServerError,
	websocket.CloseServiceRestart:          http.StatusServiceUnavailable,
	websocket.CloseTryAgainLater:           http.StatusServiceUnavailable,
}

// judge returns the verdict on a session's error, and the response of Google's that the error
// stands for, if any.
func (l *Live) judge(err error) (v verdict.Verdict, body []byte) {
	heard := verdict.Answer{
		Backend: l.lease.Endpoint().Backend, Keyed: l.lease.Endpoint().Keyed,
		Header: http.Header{}, Now: time.Now(),
	}
	var closed *websocket.CloseError
	var network *net.OpError
	_, said, isError := strings.Cut(err.Error(), "received error in response: ")
	switch {
	case errors.As(err, &closed):
	case isError:
		heard.Body = l.attempt.scrub([]byte(said))
		return verdict.Judge(heard), heard.Body
	case errors.Is(err, websocket.ErrBadHandshake):
		// The handshake was refused, and the SDK does not pass on the reason. The class gives an order,
		// or else the project and model, a short cooldown.
		v := verdict.Verdict{Class: pool.ClassQuotaUnknown, Message: "the websocket's handshake was refused"}
		if l.lease.Endpoint().Traffic == pool.TrafficProvisioned {
			v.Class = pool.ClassProvisionedFull
		}
		return v, nil
	case errors.Is(err, errFirstByte):
		return verdict.Verdict{Class: pool.ClassTransport}, nil
	case errors.Is(err, net.ErrClosed), !errors.As(err, &network) &&
		(errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return verdict.Verdict{Class: pool.ClassCancelled}, nil
	case network != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		strings.HasPrefix(err.Error(), "Connect to "):
		return verdict.Verdict{Class: pool.ClassTransport}, nil
	default:
		// The SDK's own: the back end does not take a field.
		return verdict.Verdict{Class: pool.ClassCallerFault}, nil
	}
	return l.judgeClose(&heard, closed)
}

// judgeClose returns the verdict on the code and the text with which Google closed a session.
func (l *Live) judgeClose(heard *verdict.Answer, closed *websocket.CloseError) (verdict.Verdict, []byte) {
	if closed.Code == websocket.CloseNormalClosure || closed.Code == websocket.CloseGoingAway {
		return verdict.Verdict{Class: pool.ClassOK}, nil
	}
	status, known := closeStatus(closed.Code, closed.Text)
	if !known { // 1006: the connection broke
		return verdict.Verdict{Class: pool.ClassTransport}, nil
	}
	text := l.attempt.exit.scrubber().ScrubText(closed.Text) // as it came: Google may have cut it
	heard.Status, heard.Body = status, l.attempt.scrub(verdict.ErrorBody(status, "", text))
	return verdict.Judge(*heard), heard.Body
}

// sessionMissing is what Google says of the handle of a session that it does not know: "BidiGenerateContent
// session not found". Seen by users, https://github.com/googleapis/python-genai/issues.
const sessionMissing = "session not found"

// closeStatus returns the HTTP status that stands for the code and the text of a close. It is not
// known for codes that Google does not close sessions with.
func closeStatus(code int, text string) (status int, known bool) {
	status, known = liveCodes[code]
	text = strings.ToLower(text)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case !known:
		return 0, false
	case has("quota", "resource exhausted", "resource has been exhausted", "too many requests",
		"rate limit"):
		return http.StatusTooManyRequests, true
	case status == http.StatusBadRequest && has("is not found", "was not found", sessionMissing):
		return http.StatusNotFound, true
	case status == http.StatusBadRequest &&
		has("leaked", "permission", "denied", "suspended", "blocked"):
		return http.StatusForbidden, true
	case has("unavailable", "overloaded", "high demand"):
		return http.StatusServiceUnavailable, true
	}
	return status, true
}
