package pace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
)

const (
	// maxWait is how long a request waits in the server's queue before it asks anew, and this process
	// can be asked to end.
	maxWait = time.Minute
	// Between two tries of a request it waits for the first pause, doubling to the last, or as long as
	// the server says, at most longest: more may have changed by then.
	firstPause, lastPause, longest = time.Second, time.Minute, 10 * time.Minute
	// mostFaults is how often a request may end in a fault of the server's.
	mostFaults = 6
	// maxResponse bounds a response, in bytes.
	maxResponse = 256 << 20
)

// response is how a request ended: with a status of HTTP and a body, which is JSON.
type response struct {
	status int
	body   []byte
	after  time.Duration // when the server says to come back; 0: it does not
	kept   bool          // it is that of an equal request, and cost nothing
	out    bool          // it is the server's own: no endpoint is left that could be asked
}

// send sends one line until it has ended, and writes its line. A run that is over leaves it as it is.
func (r *run) send(ctx context.Context, l numbered) {
	defer r.room.give(int64(len(l.text)))
	q, err := r.read(&l)
	if l.tooLong {
		err = fmt.Errorf("the line has more than %d bytes", maxLine)
	}
	var end response
	if err == nil {
		var ok bool
		if end, ok = r.persist(ctx, &q); !ok {
			return
		}
	} else {
		end = response{status: http.StatusBadRequest, body: failure(http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())}
		if err := r.out.start(l.line); err != nil {
			r.stop(err)
			return
		}
	}
	if err := r.out.add(q.result(end.status, end.body)); err != nil {
		r.stop(err)
		return
	}
	if said := r.tally.ended(&q, &end); said != "" {
		r.stop(fmt.Errorf("%w: %s", ErrRefused, said))
	}
}

// read makes a request of a line, one at a time: meanwhile a line is there twice.
func (r *run) read(l *numbered) (request, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	d := defaults{r.cfg.Dialect, r.cfg.Model, r.cfg.Label}
	q, err := d.read(l.line, l.text)
	l.text = nil
	return q, err
}

// persist sends a request again and again until it has ended. It reports false if the run is over
// first.
func (r *run) persist(ctx context.Context, q *request) (end response, ok bool) {
	pause, faults := firstPause, 0
	for {
		if err := r.out.start(q.line); err != nil {
			r.stop(err)
			return end, false
		}
		var sent error
		// A request that is under way when the run is over comes to its end.
		end, sent = r.once(context.WithoutCancel(ctx), q)
		if sent != nil {
			end = response{status: http.StatusBadGateway, body: failure(http.StatusBadGateway, "UNAVAILABLE", plain.Text(sent.Error(), 500))}
		}
		switch retry, fault := end.passing(); {
		case away(sent): // it was not sent
		case !retry:
			return end, true
		case fault:
			if faults++; faults >= mostFaults {
				return end, true
			}
		}
		r.tally.retried(end.status)
		wait := max(time.Duration(rand.Int64N(int64(pause))), min(end.after, longest))
		if pause = min(2*pause, lastPause); !sleep(ctx, wait) {
			return end, false
		}
	}
}

// away reports whether a request was not sent because no server was there: a sidecar that starts again.
func away(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// passing reports whether a request that ended so may be served later, and whether that is a fault,
// which is not waited out for ever.
func (e *response) passing() (retry, fault bool) {
	switch {
	case e.status == http.StatusTooManyRequests:
		return true, false
	case e.status == http.StatusRequestTimeout, e.status == statusGone, e.status >= 500 && e.status != http.StatusNotImplemented:
		return true, true
	default:
		return false, false
	}
}

// statusGone is Google's status of a request that was cancelled, also by its own servers under load.
const statusGone = 499

// once sends a request once, and reads the response.
func (r *run) once(ctx context.Context, q *request) (response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.cfg.Base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return response{}, err
	}
	maps.Copy(req.Header, r.cfg.Header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Spillway-Priority", "batch")
	req.Header.Set("Spillway-Max-Wait", r.patience().String())
	if r.cfg.Share > 0 {
		req.Header.Set("Spillway-Share", strconv.FormatFloat(r.cfg.Share, 'g', -1, 64))
	}
	if q.label != "" {
		req.Header.Set("Spillway-Label", q.label)
	}
	resp, err := r.cfg.Transport.RoundTrip(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil:
		return response{}, err
	case len(text) > maxResponse:
		return response{}, errors.New("the response is larger than any of Google's")
	}
	end := response{
		status: resp.StatusCode, kept: resp.Header.Get("Spillway-Cache") == "hit", out: resp.Header.Get("Spillway-Why") != "",
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		end.after = time.Duration(min(seconds, int(longest/time.Second))) * time.Second
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		if end.status < 300 {
			end.status = http.StatusBadGateway
		}
		end.body = failure(end.status, "UNKNOWN", "the response is not JSON: "+plain.Text(string(text), 300))
		return end, nil
	}
	end.body = line.Bytes()
	return end, nil
}

// patience returns how long a request may wait in the server's queue: not past the end of the run.
func (r *run) patience() time.Duration {
	if r.cfg.Until.IsZero() {
		return maxWait
	}
	return min(maxWait, max(time.Until(r.cfg.Until), time.Millisecond))
}
