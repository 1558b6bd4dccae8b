package observed

import (
	"context"
	"errors"
	"net/http"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// Outcome is what became of a call, for its caller.
type Outcome string

const (
	OK          Outcome = "ok"
	Refused     Outcome = "refused"      // 429, or what Google says while all keys and projects are out
	CallerFault Outcome = "caller_fault" // another 4xx, or a kept response was wanted alone
	Error       Outcome = "error"        // 5xx, no response, or one that broke off
	Cancelled   Outcome = "cancelled"    // the caller left, or the deadline passed
)

// OutcomeOf returns what became of a call. last is the class of its last attempt, empty if there was
// none.
func OutcomeOf(e *router.CallEnd, last pool.Class) Outcome {
	switch {
	case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, context.DeadlineExceeded):
		return Cancelled
	case e.Absent:
		return CallerFault
	case e.Err != nil, e.Status >= http.StatusInternalServerError:
		return Error
	case e.Status == http.StatusTooManyRequests, e.Refused != nil && !e.Refused.Never:
		return Refused
	case e.Status >= http.StatusBadRequest:
		return CallerFault
	case last == pool.ClassCancelled:
		return Cancelled
	case last != "" && last != pool.ClassOK: // its stream broke off
		return Error
	default:
		return OK
	}
}
