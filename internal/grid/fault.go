package grid

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// fault is one way in which a project is broken. Each back end has its own words for most, and
// several for some.
type fault struct {
	name           string
	gemini, vertex []answer
	rare           time.Duration // so often at most may A be asked; zero: by share
	rareVertex     time.Duration // the same, if A is on Vertex AI
	tool           bool          // only calls that use a tool meet it
	stall          bool
}

// answers are those of a back end.
func (f *fault) answers(b pool.Backend) []answer {
	if b == pool.BackendVertex {
		return f.vertex
	}
	return f.gemini
}

// atLeast is how far apart requests to A have to be, zero if only their share counts.
func (f *fault) atLeast(b pool.Backend) time.Duration {
	if b == pool.BackendVertex && f.rareVertex > 0 {
		return f.rareVertex
	}
	return f.rare
}

// rarest is how often a project may be asked at most that refuses for contention, or for longer
// than its hint says.
const rarest = 2 * time.Second

// faults are those of the grid.
func faults() []*fault {
	return slices.Concat(serverFaults(), refusals(), quotaFaults())
}

// errorBody is an error in Google's form. The credential that was sent is among its details.
func errorBody(code int, status, message string, details ...string) string {
	details = append(details, `{"@type":"type.googleapis.com/google.rpc.DebugInfo","detail":"x-goog-api-key: ECHO"}`)
	return `{"error":{"code":` + itoa(code) + `,"message":` + quote(message) + `,"status":"` + status + `","details":[` +
		strings.Join(details, ",") + `]}}`
}

// refused is an answer with such a body.
func refused(code int, status, message string, details ...string) answer {
	return answer{status: code, body: errorBody(code, status, message, details...)}
}

// page is an answer that is not Google's.
func page(status int, title string) answer {
	return answer{status: status, html: true, body: "<!DOCTYPE html>\n<html lang=en>\n<title>" + title + "</title>\n<p>" + title +
		"\n<!-- ECHO -->\n</html>\n"}
}

// both are the same answers on both back ends.
func both(name string, answers ...answer) *fault {
	return &fault{name: name, gemini: answers, vertex: answers}
}

func serverFaults() []*fault {
	stalled := func(name string, a answer) *fault {
		f := both(name, a)
		f.stall = true
		return f
	}
	const sorry = "Sorry... your computer or network may be sending automated queries."
	return []*fault{
		both("500",
			refused(http.StatusInternalServerError, "INTERNAL",
				"An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"),
			refused(http.StatusInternalServerError, "INTERNAL", "Internal error encountered.")),
		both("503",
			refused(http.StatusServiceUnavailable, "UNAVAILABLE", "The model is overloaded. Please try again later."),
			refused(http.StatusServiceUnavailable, "UNAVAILABLE",
				"This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later."),
			refused(http.StatusServiceUnavailable, "UNAVAILABLE", "The service is currently unavailable.")),
		both("reset", answer{}),
		stalled("silence", answer{silent: true}),
		stalled("stall after headers", answer{status: http.StatusOK, stalls: true}),
		stalled("stall after first byte", answer{status: http.StatusOK, stalls: true, body: "FIRST"}),
		both("HTML 200",
			page(http.StatusOK, "Sign in to the network"),
			page(http.StatusOK, "Checking your browser")),
		both("200 without answer",
			answer{status: http.StatusOK},
			answer{status: http.StatusOK, body: `{"status":"ok"}`},
			answer{status: http.StatusNoContent},
			page(http.StatusFound, "302 Moved")),
		both("HTML 403", page(http.StatusForbidden, sorry), page(http.StatusForbidden, "403 Forbidden")),
	}
}

// answerOf returns the answer of a variant to one request: a stream stalls within its events.
func (f *fault) answerOf(q *query, variant int) *answer {
	all := f.answers(q.backend)
	a := all[variant%len(all)]
	if a.stalls {
		a.events = q.stream
		if a.body == "FIRST" {
			a.body = "{"
			if q.stream {
				a.body = "d"
			}
		}
	}
	a.body = strings.ReplaceAll(a.body, "MODEL", q.model)
	a.body = strings.ReplaceAll(a.body, "METHOD", q.method)
	return &a
}

// usesTool reports whether a request uses the tool.
func usesTool(q *query) bool { return strings.Contains(q.body, "googleSearch") }
