package grid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// call is one call of a client, and what became of it.
type call struct {
	n         int
	at        time.Duration
	deadline  time.Duration // zero: none that the router can see
	dialect   pool.Backend
	stream    bool
	path      string // in place of the usual one
	get       bool
	locations string // Spillway-Locations
	body      string
	signs     func(q *query) string // the signature of an answer; nil: none
	mistake   *mistake

	took   time.Duration
	failed string // why; empty: it did not
	answer string

	mu       sync.Mutex
	requests int
	sound    time.Duration // what the request that was answered well took
	faults   time.Duration // what those took that were not
}

// patience is how long a caller without a deadline waits.
const patience = 5 * time.Minute

type callKey struct{}

func (c *call) begin() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	return c.requests
}

// served notes a request that is answered well.
func (c *call) served(usual time.Duration, stream bool) {
	if stream {
		usual += pause
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sound = usual
}

// fault notes a request that is not.
func (c *call) fault(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults += took
}

func (c *call) signature(q *query) string {
	if c.signs == nil {
		return ""
	}
	return c.signs(q)
}

// request makes the request of the call.
func (c *call) request(ctx context.Context) (*http.Request, error) {
	path, method := c.path, http.MethodPost
	if path == "" {
		path = pathTo(c.dialect, "") + "models/" + model + ":generateContent"
		if c.stream {
			path = pathTo(c.dialect, "") + "models/" + model + ":streamGenerateContent?alt=sse"
		}
	}
	host := "https://generativelanguage.googleapis.com"
	if c.dialect == pool.BackendVertex {
		host = "https://aiplatform.googleapis.com"
	}
	var body io.Reader
	if c.get {
		method = http.MethodGet
	} else {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, method, host+path, body)
	if err != nil {
		return nil, err
	}
	if !c.get {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.locations != "" {
		req.Header.Set("Spillway-Locations", c.locations)
	}
	return req, nil
}

// pathTo is the beginning of every path. Version "" is the usual one.
func pathTo(dialect pool.Backend, version string) string {
	if dialect == pool.BackendVertex {
		if version == "" {
			version = "v1beta1"
		}
		return "/" + version + "/projects/x/locations/global/publishers/google/"
	}
	if version == "" {
		version = "v1beta"
	}
	return "/" + version + "/"
}

// prompt is the body of a call.
func prompt(text, more string) string {
	return `{"contents":[{"role":"user","parts":[{"text":"` + text + `"}]}]` + more + `}`
}

// offer makes the calls at their times and returns once all have ended.
func (w *world) offer(calls []*call) {
	var all sync.WaitGroup
	for _, c := range calls {
		time.Sleep(time.Until(w.start.Add(c.at)))
		all.Go(func() { w.play(c) })
	}
	all.Wait()
}

// play makes one call.
func (w *world) play(c *call) {
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), callKey{}, c))
	defer cancel(nil)
	if c.deadline > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, c.deadline)
		defer stop()
	} else {
		defer time.AfterFunc(patience, func() { cancel(errors.New("impatient")) }).Stop()
	}
	began := time.Now()
	status, err := w.exchange(ctx, c)
	c.took = time.Since(began)
	switch {
	case err != nil:
		c.failed = err.Error()
	case status != http.StatusOK:
		c.failed = fmt.Sprintf("status %d: %.200s", status, c.answer)
	case !strings.Contains(c.answer, goodSign):
		c.failed = fmt.Sprintf("no answer: %.200s", c.answer)
	}
}

// exchange sends a call through the router and looks for canaries in all that comes back.
func (w *world) exchange(ctx context.Context, c *call) (status int, err error) {
	defer func() {
		if err != nil {
			w.canaries.look("error", err.Error())
		}
	}()
	req, err := c.request(ctx)
	if err != nil {
		return 0, err
	}
	resp, err := w.router.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	c.answer = string(body)
	w.canaries.look("body", c.answer)
	for name, values := range resp.Header {
		w.canaries.look("header "+name, strings.Join(values, ","))
	}
	return resp.StatusCode, err
}

// Calls come at this pace, and so many of them.
const (
	between   = 200 * time.Millisecond
	callCount = 600
)

// line makes n calls, one every gap, give or take a quarter of it.
func line(n int, gap time.Duration, shape func(c *call)) []*call {
	rng := rand.New(rand.NewPCG(uint64(n), 5))
	calls := make([]*call, n)
	for i := range calls {
		jitter := time.Duration((rng.Float64() - 0.5) * float64(gap) / 2)
		calls[i] = &call{n: i, at: max(time.Duration(i)*gap+jitter, 0), body: prompt("Why dams?", "")}
		shape(calls[i])
	}
	return calls
}
