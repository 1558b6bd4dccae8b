package router

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/internal/wire/verdict"
)

// metadataRetryAt is the metadata key of an exhausted response that names no endpoint. Its value is
// the time that RetryInfo counts to.
const metadataRetryAt = "retry_at"

// ExhaustedError means that no endpoint of the pool could serve a call in time. It says why, and
// when to retry. See [Exhausted].
type ExhaustedError struct {
	// RetryAt is when an endpoint may next be asked for the call, as far as the router knew. That
	// may be a probe only. Zero means that the router knew no such time.
	RetryAt time.Time
	// Reasons say why each endpoint could not, until when, and what to do, sorted by endpoint. Of very
	// large pools it lists the first 64 endpoints.
	Reasons []Reason

	err genai.APIError
}

// Exhausted returns the details of an SDK error if it is the router's own response that the pool is
// exhausted. For every other error, including Google's own 429s, ok is false.
//
//	if e, ok := router.Exhausted(err); ok {
//		requeue(job, e.RetryAt)
//	}
func Exhausted(err error) (e *ExhaustedError, ok bool) {
	if errors.As(err, &e) {
		return e, true
	}
	var api genai.APIError
	if !errors.As(err, &api) {
		return nil, false
	}
	for _, d := range api.Details {
		if d["reason"] != verdict.ExhaustedReason || d["domain"] != verdict.ExhaustedDomain {
			continue
		}
		e = &ExhaustedError{err: api}
		metadata, _ := d["metadata"].(map[string]any)
		if value, ok := metadata[metadataRetryAt]; ok {
			text, _ := value.(string)
			e.RetryAt, _ = time.Parse(time.RFC3339Nano, text)
			metadata = maps.Clone(metadata) // it is the caller's
			delete(metadata, metadataRetryAt)
		}
		e.Reasons = reasonsOf(metadata)
		return e, true
	}
	return nil, false
}

// Error says when to retry, and why each endpoint could not serve the call.
func (e *ExhaustedError) Error() string {
	var b strings.Builder
	b.WriteString("router: exhausted")
	if !e.RetryAt.IsZero() {
		b.WriteString(", retry at " + e.RetryAt.UTC().Format(time.RFC3339))
	}
	for i, r := range e.Reasons {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		_, _ = fmt.Fprintf(&b, "%s%s: %s", sep, r.Endpoint, r.Why)
	}
	return b.String()
}

// Unwrap returns the genai.APIError (a value) that the SDK made of the response.
func (e *ExhaustedError) Unwrap() error { return e.err }
