package router

import (
	"strconv"
	"strings"

	"github.com/spillway-go/spillway/pool"
)

// maxExplained bounds the header that explains a call, in bytes.
const maxExplained = 1_000

// explained is what became of a call that asked for it. The nil explained notes nothing.
type explained struct {
	ended  []string      // attempts, in their order
	passed []pool.Reason // why the other endpoints were passed over at the last choice
}

// newExplained returns what a call notes of itself.
func newExplained(asked bool) *explained {
	if !asked {
		return nil
	}
	return &explained{}
}

// chose notes why the endpoints that were not leased cannot serve the call.
func (e *explained) chose(x *exchange, l pool.Lease) {
	if e == nil || l.Endpoint() == nil {
		return
	}
	e.passed = others(x.in.router.pool, x.request, l.Endpoint().Name)
}

// failed notes an attempt that another one follows, or nothing.
func (e *explained) failed(x *exchange, res *result) {
	if e == nil || res.lease.Endpoint() == nil {
		return
	}
	how := res.lease.Endpoint().Name
	if x.request.Model != x.in.cfg.alias(x.model) {
		how += " for " + x.request.Model
	}
	e.ended = append(e.ended, how+": "+string(res.class))
}

// refused notes why no endpoint can serve the call.
func (e *explained) refused(x *pool.ExhaustedError) {
	if e != nil {
		e.passed = x.Reasons
	}
}

// line returns one line of printable ASCII: where the call went and in which attempt, how earlier
// ones ended, and what was passed over and why. to is empty for a call that went nowhere.
func (e *explained) line(x *exchange, to string) string {
	var b strings.Builder
	if to == "" {
		b.WriteString("refused by the router")
	} else {
		b.WriteString("attempt " + strconv.Itoa(x.attempts) + " at " + to)
		if x.request.Model != x.model {
			b.WriteString(" for " + x.request.Model)
		}
	}
	sep := "; before: "
	for _, how := range e.ended {
		b.WriteString(sep + how)
		sep = ", "
	}
	sep = "; passed over: "
	for _, r := range e.passed {
		if r.Why == "" {
			continue
		}
		b.WriteString(sep + r.Endpoint + " (" + r.Why + ")")
		sep = ", "
	}
	return ascii(b.String(), maxExplained)
}

// ascii returns a text for a header: what is not printable ASCII becomes "?", and what is longer than
// most bytes is cut.
func ascii(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	if len(text) > most {
		text = text[:most-3] + "..."
	}
	return text
}
