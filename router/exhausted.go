package router

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// maxReasons bounds how many endpoints an exhausted answer speaks of.
const maxReasons = 64

// metadataRetryAt is the metadata of an exhausted answer that is no endpoint: the moment that RetryInfo counts to.
const metadataRetryAt = "retry_at"

// ExhaustedError says that no endpoint of the pool could serve a call in time, when to come back, and why. See [Exhausted].
type ExhaustedError struct {
	// RetryAt is the earliest moment at which the router knew that an endpoint could serve the call. The zero time means that it knew none:
	// every endpoint waits for somebody to do something.
	RetryAt time.Time
	// Reasons say why each endpoint could not, sorted by endpoint. Of very large pools it is the first 64 endpoints.
	Reasons []Reason

	err genai.APIError
}

// Reason is why one endpoint could not serve a call.
type Reason struct {
	// Endpoint is "project/location/traffic".
	Endpoint string
	// Why is a few words for people: "day_quota until 2026-11-23T08:00:00.000Z (GenerateRequestsPerDayPerProjectPerModel)".
	Why string
}

// Exhausted returns what an error of the SDK's says if it is the router's own answer that the pool is exhausted; ok is false for every
// other error, Google's 429s among them.
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
			e.Reasons = append(e.Reasons, Reason{name, text})
		}
		slices.SortFunc(e.Reasons, func(a, b Reason) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
		return e, true
	}
	return nil, false
}

// Error says when to come back, and why each endpoint could not serve the call.
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

// Unwrap returns the genai.APIError (a value) that the SDK made of the answer.
func (e *ExhaustedError) Unwrap() error { return e.err }

// exhausted is the answer when the call cannot be served in time, in Google's own shape, so that code that knows Google's knows ours.
func (s *session) exhausted() *http.Response {
	reasons := make(map[string]string)
	eligible := false
	for _, c := range s.plan.All() {
		eligible = eligible || s.eligible(c)
		if len(reasons) < maxReasons {
			reasons[c.String()] = s.reason(c)
		}
	}
	if !eligible && s.fallen.soonest.IsZero() {
		return s.nowhere(reasons)
	}

	why := "none of the endpoints can be asked"
	if s.attempts >= s.cfg.MaxAttempts {
		why = "max_attempts is used up"
	}
	e := verdict.Exhausted{
		Message:  "spillway: no endpoint can serve " + s.name() + " in time: " + why + "; see the details for each",
		Metadata: reasons,
	}
	wake, ok := s.comeBack()
	if s.fallen.any {
		wake, ok = s.fallen.soonest, !s.fallen.soonest.IsZero()
	}
	if ok {
		e.Retry = max(wake.Sub(s.now), time.Millisecond)
		reasons[metadataRetryAt] = wake.UTC().Format(time.RFC3339Nano)
	}
	resp := s.reply(http.StatusTooManyRequests, e.Body())
	if e.Retry > 0 {
		resp.Header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(e.Retry.Seconds())), 10))
	}
	return resp
}

// reason says why a candidate cannot serve the call.
func (s *session) reason(c *pool.Candidate) string {
	switch s.bar(c) {
	case barBackend:
		return s.inexpressible()
	case barHome:
		return "is not where " + cmp.Or(s.wire.Resource, "the answer that the call continues") + " lives"
	case barTraffic:
		return "carries " + string(c.Traffic()) + " traffic"
	case barLocation:
		return "location not allowed by the call"
	default:
		return cmp.Or(c.Reason(s.now, s.need), "failed for this call")
	}
}

// nowhere is the answer to a call that the pool has no endpoint for, whatever the time.
func (s *session) nowhere(reasons map[string]string) *http.Response {
	message := "spillway: no endpoint of the pool may serve " + s.name() + "; see the details for each"
	if len(reasons) == 0 {
		message = "spillway: no project of the pool takes " + s.name() + "; add it to a [[project]]'s models"
	}
	return s.reply(http.StatusBadRequest, verdict.NoEndpoint(message, reasons))
}
