package router

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

const (
	// mostIDs and maxID bound what is kept of the ids of one response.
	mostIDs = 8
	maxID   = 128
)

// identify puts into the outcome what a server error can be found by at Google, and whether a response
// had begun well: it may be evidence, see [Router.OrderFaults].
func identify(a *attempt, o *pool.Outcome) {
	if o.Answer == nil || o.Answer.Status < http.StatusInternalServerError {
		return
	}
	o.Answer.Inside = a.resp == nil || a.resp.StatusCode < http.StatusInternalServerError
	if a.resp != nil {
		o.Answer.IDs = idsOf(a.resp.Header, o.Answer.Body)
	}
}

// idsOf returns what Google sent to find a call by, as "name=value", in order: headers whose names
// speak of a request or a trace, and the ids in the body.
func idsOf(h http.Header, body []byte) []string {
	var ids []string
	add := func(name, value string) {
		if value = plain.Text(value, maxID); value != "" {
			ids = append(ids, plain.Text(name, maxID)+"="+value)
		}
	}
	for name, values := range h {
		if lower := strings.ToLower(name); !isOurs(name) && (strings.Contains(lower, "trace") || strings.HasSuffix(lower, "request-id") ||
			strings.HasSuffix(lower, "correlation-id") || strings.HasSuffix(lower, "response-id")) {
			add(lower, strings.Join(values, ","))
		}
	}
	for name, value := range bodyIDs(body) {
		add(name, value)
	}
	slices.Sort(ids)
	return ids[:min(len(ids), mostIDs)]
}

// bodyIDs returns the ids in an error, by their names: a responseId, and the requestId of a
// google.rpc.RequestInfo.
func bodyIDs(body []byte) map[string]string {
	var said struct {
		ResponseID any `json:"responseId"`
		Error      struct {
			Details []struct {
				RequestID any `json:"requestId"`
			} `json:"details"`
		} `json:"error"`
	}
	ids := make(map[string]string)
	if json.Unmarshal(body, &said) != nil {
		return ids
	}
	if id, ok := said.ResponseID.(string); ok {
		ids["responseId"] = id
	}
	for _, d := range said.Error.Details {
		if id, ok := d.RequestID.(string); ok {
			ids["requestId"] = id
		}
	}
	return ids
}
