package geminitest

import (
	"cmp"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Emulator answers as Google's two back ends do. It is an [http.Handler] and an [http.RoundTripper], has no
// goroutine of its own while nobody asks, and needs no closing. All its methods are safe for concurrent use.
type Emulator struct {
	cfg    Config
	keys   map[string]*Project
	tokens map[string]*Project
	models map[string]bool

	stage      stage
	journal    journal
	quotas     quotas
	orders     *orders
	capacities capacities

	mu      sync.Mutex
	revoked map[string]bool
	rng     *rand.Rand // jitter
	serial  uint64     // of answers
}

// New returns an emulator. Its clock is [time.Now]: made inside a testing/synctest bubble, it lives in the
// bubble's time. It panics if [Config.Validate] finds something wrong.
func New(cfg Config) *Emulator {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if len(cfg.Models) == 0 {
		cfg.Models = DefaultModels()
	}
	if cfg.Output == 0 {
		cfg.Output = 20
	}
	if cfg.Thoughts == 0 {
		cfg.Thoughts = cfg.Output
	}
	if cfg.Log == 0 {
		cfg.Log = 10_000
	}
	cfg.Projects = slices.Clone(cfg.Projects)
	e := &Emulator{
		cfg:        cfg,
		keys:       map[string]*Project{},
		tokens:     map[string]*Project{},
		models:     map[string]bool{},
		journal:    journal{limit: cfg.Log, counts: map[outcome]int{}},
		quotas:     quotas{seed: cfg.Seed, kept: map[account][]*allowance{}, rng: rand.New(rand.NewPCG(cfg.Seed, 1))},
		orders:     newOrders(cfg),
		capacities: capacities{configured: cfg.Capacity, start: time.Now(), pools: map[account]*basin{}},
		revoked:    map[string]bool{},
		rng:        rand.New(rand.NewPCG(cfg.Seed, 2)),
	}
	for _, model := range cfg.Models {
		e.models[model] = true
	}
	for i := range cfg.Projects {
		p := &cfg.Projects[i]
		for _, key := range p.Keys {
			e.keys[key] = p
		}
		for _, token := range p.Tokens {
			e.tokens[token] = p
		}
	}
	return e
}

// Revoke makes a key or token invalid from now on.
func (e *Emulator) Revoke(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.revoked[key] = true
}

// Restore makes a revoked key or token valid again.
func (e *Emulator) Restore(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.revoked, key)
}

// call is a request on its way through the emulator.
type call struct {
	route
	credential
	owner  *Project // of the credential; nil: nobody's
	header http.Header
	query  map[string][]string
	entry  *entry
}

// maxBody is the largest request that the Gemini Developer API takes.
const maxBody = 100 << 20

// ServeHTTP answers one request. Where a script wants the connection broken, it panics with
// [http.ErrAbortHandler], as net/http has it.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := call{route: routeOf(r), credential: credentialOf(r), header: r.Header, query: r.URL.Query()}
	if c.owner = e.keys[c.secret]; c.bearer {
		c.owner = e.tokens[c.secret]
	}
	project := c.project
	if project == "" && c.owner != nil {
		project = c.owner.ID
	}
	address := *r.URL
	match := Match{
		Backend: c.backend, Key: c.secret, Project: project, Location: c.location, Traffic: cmp.Or(c.traffic(), "none"), Model: c.model, Method: c.method,
	}
	c.entry = e.journal.add(match, Request{
		Time: time.Now(), HTTPMethod: r.Method, Host: r.Host, URL: &address, Header: r.Header.Clone(),
		Backend: c.backend, Key: c.secret, KeyInURL: c.inURL, Project: project, Location: c.location,
		Traffic: c.traffic(), Model: c.model, Method: c.method,
	})
	defer e.journal.done()

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if e.cfg.Bodies {
		e.journal.set(c.entry, func(n *Request) { n.Body = body })
	}
	answer := e.stage.next(match)
	p := newReply(w, r, answer, c.streams(), func(status int) { e.journal.answered(c.entry, status) })
	p.array, p.lf = c.streams() && !c.sse, e.cfg.LF
	switch {
	case r.Context().Err() != nil:
	case p.answer.instead():
		p.arranged()
	case err != nil:
		p.refuse(InvalidArgument("Request payload size exceeds the limit: 104857600 bytes."))
	default:
		e.serve(p, c, body)
	}
	if cause := context.Cause(r.Context()); cause != nil {
		p.abort(cause) // an answer that was given up must not look like a whole one
	}
}

// serve gives the emulator's own answer.
func (e *Emulator) serve(p *reply, c call, body []byte) {
	if c.refused != nil {
		p.refuse(*c.refused)
		return
	}
	if refused := e.authorize(&c); refused != nil {
		p.refuse(*refused)
		return
	}
	switch c.method {
	case modelsList:
		e.listModels(p, c)
		return
	case modelsGet:
		e.getModel(p, c)
		return
	}
	if refused := e.missing(c); refused != nil {
		p.refuse(*refused)
		return
	}
	asked, refused := readPrompt(c.route, body)
	e.journal.set(c.entry, func(n *Request) { n.PromptTokens = asked.tokens })
	if c.method == countTokens { // costs nothing
		if refused != nil {
			p.refuse(*refused)
			return
		}
		p.json(countAnswer(c, asked))
		return
	}
	grant, refused := e.admit(time.Now(), c, asked, refused)
	if refused != nil {
		p.refuse(*refused)
		return
	}
	output := 0
	defer func() { // also when the connection is broken by a panic
		if grant.reservation != nil {
			grant.reservation.settle(time.Now(), output)
		}
		e.journal.set(c.entry, func(n *Request) { n.OutputTokens = output })
	}()
	e.journal.set(c.entry, func(n *Request) { n.Served = grant.traffic })
	switch {
	case c.embeds():
		if p.wait(e.scaled(e.cfg.Latency.FirstToken)) {
			p.json(embedAnswer(c, asked, grant.traffic))
		}
	default:
		e.generate(p, c, asked, grant, &output)
	}
}

// grant is the admission of a call.
type grant struct {
	traffic     string       // trafficType; "" on the Gemini Developer API
	reservation *reservation // of an order
}

// admit finds room for a call: in an order, else on demand, within the project's limits. A call that is wrong
// in itself uses up quota, too, on the Gemini Developer API; there Google was seen to count a refused over-long
// input with all its tokens.
func (e *Emulator) admit(now time.Time, c call, asked prompt, wrong *Answer) (grant, *Answer) {
	asks := c.traffic()
	if c.backend == vertex {
		if wrong != nil {
			return grant{}, wrong
		}
		// Without a project in the path there is no order: Provisioned Throughput wants project, location and
		// model in the URL.
		if asks != "shared" && c.project != "" {
			if r := e.orders.reserve(now, account{c.project, c.location, c.model}, asked); r != nil {
				return grant{"PROVISIONED_THROUGHPUT", r}, nil
			}
		}
		if asks == "dedicated" {
			return grant{}, new(ProvisionedFull())
		}
	}
	who := account{c.owner.ID, c.location, c.model}
	if refused, ok := e.quotas.take(now, c.owner.Limits, who, asked.tokens); !ok {
		return grant{}, &refused
	}
	if wrong != nil {
		return grant{}, wrong
	}
	if !e.capacities.admit(now, c.location, c.model) {
		if c.backend == gemini {
			return grant{}, new(Overloaded())
		}
		return grant{}, new(Contention())
	}
	return grant{traffic: c.onDemand()}, nil
}

// scaled returns a latency with its jitter.
func (e *Emulator) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * e.scale())
}

// scale draws the factor of one answer's latency.
func (e *Emulator) scale() float64 {
	if e.cfg.Latency.Jitter == 0 {
		return 1
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return 1 + e.cfg.Latency.Jitter*(2*e.rng.Float64()-1)
}

// nextSerial numbers the answers.
func (e *Emulator) nextSerial() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.serial++
	return e.serial
}
