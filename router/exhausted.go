package router

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
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
	// Reasons say why each endpoint could not, sorted by endpoint. Of very large pools it lists the
	// first 64 endpoints.
	Reasons []Reason

	err genai.APIError
}

// Reason is why one endpoint could not serve a call.
type Reason = pool.Reason

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
		for name, v := range metadata {
			text, _ := v.(string)
			if name == metadataRetryAt {
				e.RetryAt, _ = time.Parse(time.RFC3339Nano, text)
				continue
			}
			e.Reasons = append(e.Reasons, Reason{Endpoint: name, Why: text})
		}
		slices.SortFunc(e.Reasons, func(a, b Reason) int {
			return cmp.Compare(a.Endpoint, b.Endpoint)
		})
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
