package router

import (
	"strconv"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// empty hands on a stream of Google's that has ended without candidates. It is no fault of the
// servers: some models begin so.
func (b *streamBody) empty() result {
	a := b.attempt
	o := pool.Outcome{Class: pool.ClassOK}
	use(&o, b.events.Usage())
	a.settle(&o)
	setBody(a.resp, b.buffer[b.at:], nil)
	a.sign(b.events.Usage())
	return result{lease: a.lease, class: pool.ClassOK, served: true, empty: true, resp: a.resp}
}

// askAnother asks one more endpoint than the one that gave an empty response, if there is one at
// once. Google's own response is as good as none, but better than an error.
func askAnother(x *exchange, first result, attempt func(pool.Lease) result) result {
	if x.payload.tail != nil || x.costly+1 >= x.in.cfg.MaxAttempts {
		return first
	}
	x.request.MaxWait = -1 // it can do without
	x.request.Failed(first.lease, true, time.Now().Add(time.Hour))
	lease, err := x.in.router.pool.Acquire(x.in.ctx, x.request)
	if err != nil {
		return first
	}
	x.attempts++
	second := attempt(lease)
	if second.served {
		closeBody(first.resp.Body)
		return second
	}
	if second.resp != nil {
		closeBody(second.resp.Body)
	}
	first.resp.Header[headerAttempts] = []string{strconv.Itoa(x.attempts)}
	return first
}
