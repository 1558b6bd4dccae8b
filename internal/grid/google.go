package grid

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// google answers the requests of both back ends, well but for what its rule says. It is an emulator
// of the least: fast, for millions of calls.
type google struct {
	start time.Time
	rule  rule

	mu       sync.Mutex
	requests int // after the first ten seconds
	toA      int // of these, those of project a that the rule answered
	wellA    int // and those of a that it did not
}

// rule says how a request is answered. Nil means well.
type rule func(q *query) *answer

// query is a request as Google reads it.
type query struct {
	req           *http.Request
	ctx           context.Context
	at            time.Duration // since the start
	backend       pool.Backend
	project       string
	credential    string
	model, method string
	stream        bool
	body          string
	call          *call // for which it was sent
	number        int   // among the requests of the call
}

// RoundTrip answers.
func (g *google) RoundTrip(req *http.Request) (*http.Response, error) {
	q, err := g.read(req)
	if err != nil {
		return nil, err
	}
	a := g.rule(q)
	g.count(q, a)
	if a != nil {
		return a.send(q)
	}
	usual := q.usual()
	if err := sleep(q.ctx, usual); err != nil {
		return nil, err
	}
	q.call.served(usual, q.stream)
	return good(q, q.call.signature(q)), nil
}

// read makes a query of a request.
func (g *google) read(req *http.Request) (*query, error) {
	q := &query{req: req, ctx: req.Context(), at: time.Since(g.start), backend: pool.BackendGemini}
	q.call, _ = q.ctx.Value(callKey{}).(*call)
	if q.call == nil {
		q.call = &call{} // a request that belongs to no call
	}
	q.number = q.call.begin()
	q.credential = req.Header.Get("X-Goog-Api-Key")
	if strings.HasSuffix(req.URL.Host, "aiplatform.googleapis.com") {
		q.backend = pool.BackendVertex
		q.credential = strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	}
	_, name, _ := strings.Cut(q.credential, canary+"-")
	q.project, _, _ = strings.Cut(name, "-")
	_, name, _ = strings.Cut(req.URL.Path, "/models/")
	q.model, q.method, _ = strings.Cut(name, ":")
	q.stream = q.method == "streamGenerateContent"
	if req.Body == nil {
		return q, nil
	}
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	q.body = string(body)
	return q, err
}

// warmUp is the time in which requests to A are not counted.
const warmUp = 10 * time.Second

func (g *google) count(q *query, a *answer) {
	if q.at < warmUp {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests++
	switch {
	case q.project != "a":
	case a != nil:
		g.toA++
	default:
		g.wellA++
	}
}

// usual is how long a good answer takes to begin: 0.2 s in the median, the same for the same request
// of the same call.
func (q *query) usual() time.Duration {
	factor := math.Exp(0.2 * q.draw(1).NormFloat64())
	return time.Duration(float64(usualMedian) * min(max(factor, 0.5), usualMost))
}

const (
	usualMedian = 200 * time.Millisecond
	usualMost   = 2
	usualP95    = 280 * time.Millisecond
)

// draw returns random numbers for one purpose that are fixed by the call and the number of its
// request.
func (q *query) draw(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(q.call.n)<<8|uint64(q.number), purpose))
}
