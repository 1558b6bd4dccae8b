package geminitest

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Emulator answers as Google's two back ends do. It is an [http.Handler] and an
// [http.RoundTripper], has no goroutine of its own while nobody asks, and needs no closing. All its
// methods are safe for concurrent use.
type Emulator struct {
	cfg     Config
	keys    map[string]*Project
	tokens  map[string]*Project
	models  map[string]bool
	numbers map[string]string // of projects: their ids

	stage      stage
	journal    journal
	quotas     quotas
	orders     *orders
	capacities capacities
	resources  resources
	uploads    uploads
	prefixes   prefixes
	lives      lives

	mu      sync.Mutex
	refused map[string]Answer // credentials that are good no more
	rng     *rand.Rand        // jitter
	serial  uint64            // of answers
}

// New returns an emulator. Its clock is [time.Now]: made inside a testing/synctest bubble, it lives
// in the bubble's time. It panics if [Config.Validate] finds something wrong.
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
	cfg.Caching = cfg.Caching.withDefaults()
	cfg.Projects = slices.Clone(cfg.Projects)
	e := &Emulator{
		cfg:        cfg,
		keys:       map[string]*Project{},
		tokens:     map[string]*Project{},
		models:     map[string]bool{},
		numbers:    map[string]string{},
		stage:      stage{rng: rand.New(rand.NewPCG(cfg.Seed, 3))},
		journal:    journal{limit: cfg.Log, counts: map[outcome]int{}},
		quotas:     quotas{seed: cfg.Seed, kept: map[account][]*allowance{}, rng: rand.New(rand.NewPCG(cfg.Seed, 1))},
		orders:     newOrders(cfg),
		capacities: capacities{configured: cfg.Capacity, start: time.Now(), pools: map[pond]*basin{}, ramp: ramp{limit: float64(cfg.PriorityTokens)}},
		resources:  resources{seed: cfg.Seed, byName: map[string]*record{}},
		uploads:    uploads{seed: cfg.Seed, sessions: map[string]*session{}},
		prefixes:   prefixes{recent: map[uint64]time.Time{}},
		lives:      lives{open: map[*live]bool{}, handles: map[string]string{}},
		refused:    map[string]Answer{},
		rng:        rand.New(rand.NewPCG(cfg.Seed, 2)),
	}
	for _, model := range cfg.Models {
		e.models[model] = true
	}
	for i := range cfg.Projects {
		p := &cfg.Projects[i]
		if p.Number != "" {
			e.numbers[p.Number] = p.ID
		}
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
func (e *Emulator) Revoke(key string) { e.Refuse(key, Answer{}) }

// Expire ends the time of an access token: it gets [TokenExpired] from now on. Another token of the
// project's is good.
func (e *Emulator) Expire(token string) { e.Refuse(token, TokenExpired()) }

// Refuse makes a key or token get this answer from now on, or Google's usual one for an invalid
// credential if it has no status. Unlike what [Emulator.Keep] arranges, it leaves alone what needs
// no credential, such as the chunks of an upload.
func (e *Emulator) Refuse(credential string, answer Answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refused[credential] = answer
}

// Restore makes a revoked, expired or refused key or token valid again.
func (e *Emulator) Restore(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.refused, key)
}

// call is a request on its way through the emulator.
type call struct {
	route
	credential
	owner  *Project // of the credential; nil: nobody's
	tools  string   // of the body, as in Match
	header http.Header
	query  url.Values
	base   string // scheme and host that the caller used, for URLs in answers
	path   string // as asked
	entry  *entry
	asked  string // the service tier that it asks for, or ""
}

// maxBody is the largest request that the Gemini Developer API takes, uploads apart.
const maxBody = 100 << 20

// ServeHTTP answers one request. Where a script wants the connection broken, it panics with
// [http.ErrAbortHandler], as net/http has it.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c, ok := liveCall(r); ok {
		e.serveLive(w, r, c)
		return
	}
	c := call{route: routeOf(r), credential: credentialOf(r), header: r.Header, query: r.URL.Query(), base: baseOf(r), path: r.URL.Path}
	if key := r.Header.Get("X-Goog-Api-Key"); c.method == filesRegister && key != "" {
		c.credential = credential{key, false, c.inURL} // the token that comes along is for the bucket
	}
	if c.backend == gemini && c.openAI() {
		c.bearer = c.bearer && e.tokens[c.secret] != nil // an API key may come as a token there, and does
	}
	if c.owner = e.keys[c.secret]; c.bearer {
		c.owner = e.tokens[c.secret]
	}
	c.project = e.projectID(c.project)
	project := c.project
	if project == "" && c.owner != nil {
		project = c.owner.ID
	}
	if s := e.uploads.get(c.session); s != nil && project == "" {
		project = s.at.project
	}
	address := *r.URL
	match := Match{
		Backend: c.backend, Key: c.secret, Project: project, Location: c.location, Traffic: cmp.Or(c.traffic(), "none"), Model: c.model, Method: c.method,
		Version: c.version,
	}
	c.entry = e.journal.add(match, Request{
		Time: time.Now(), HTTPMethod: r.Method, Host: r.Host, URL: &address, Header: r.Header.Clone(),
		Backend: c.backend, Key: c.secret, KeyInURL: c.inURL, Project: project, Location: c.location,
		Traffic: c.traffic(), Model: c.model, Method: c.method,
	})
	defer e.journal.done()

	limit := int64(maxBody)
	if c.upload {
		limit = maxFile
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if e.cfg.Bodies {
		e.journal.set(c.entry, func(n *Request) { n.Body = body })
	}
	if c.model == "" {
		c.model = bodyModel(c, body)
	}
	c.tools, c.asked = toolsOf(body), c.askedTier(body)
	match.Model, match.Tool, match.Tier = c.model, c.tools, cmp.Or(c.asked, "none")
	e.journal.isOf(c.entry, c.model, c.tools, match.Tier)
	answer := e.stage.next(match)
	p := newReply(w, r, answer, c.streams() || c.streamsInteraction(body) || c.streamsChat(body), func(status int) { e.journal.answered(c.entry, status) })
	p.array, p.listed, p.lf = c.streams() && !c.sse, c.openAI(), e.cfg.LF
	switch {
	case r.Context().Err() != nil:
	case p.answer.instead():
		e.noteNames(c, body)
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
	if c.session != "" {
		e.continueUpload(p, c, body)
		return
	}
	refused := e.authorize(&c)
	if refused != nil {
		e.noteNames(c, body)
	} else if c.tuned != "" {
		refused = e.useTuned(&c)
	}
	switch {
	case refused != nil:
		p.refuse(c.worded(*refused))
	case c.serve != nil:
		if refused := c.serve(e, p, c, body); refused != nil {
			p.refuse(c.worded(*refused))
		}
	case c.answer != nil:
		e.answerJSON(p, c, body)
	case c.method == modelsList:
		e.listModels(p, c)
	case c.method == modelsGet:
		e.getModel(p, c)
	default:
		e.ask(p, c, body)
	}
}

// answerJSON answers a method that is about resources.
func (e *Emulator) answerJSON(p *reply, c call, body []byte) {
	in, refused := readObject(body)
	if answer, ok := e.quotas.take(time.Now(), c.owner.Limits, c.account(), demand{method: c.method, tools: c.tools, job: true}); !ok {
		refused = &answer
	}
	if refused == nil {
		var out any
		if out, refused = c.answer(e, c, in); refused == nil {
			p.json(out)
			return
		}
	}
	p.refuse(c.worded(*refused))
}

// ask answers a call of a model.
func (e *Emulator) ask(p *reply, c call, body []byte) {
	if refused := e.missing(c); refused != nil {
		p.refuse(*refused)
		return
	}
	c.model = e.answering(time.Now(), c)
	asked, refused := readPrompt(c.route, body)
	if refused == nil {
		refused = e.lookUp(c, &asked)
	}
	e.journal.set(c.entry, func(n *Request) { n.PromptTokens, n.CachedTokens = asked.tokens, asked.cached.tokens })
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
		e.prefixes.remember(time.Now(), e.cfg.Caching, asked.marks)
	}()
	e.grants(p, c, grant)
	switch {
	case c.pictures():
		if p.wait(e.scaled(e.cfg.Latency.FirstToken)) {
			p.json(pictureAnswer(c.model, asked))
		}
	case c.embeds():
		if p.wait(e.scaled(e.cfg.Latency.FirstToken)) {
			p.json(embedAnswer(c, asked, grant.traffic))
		}
	default:
		e.generate(p, c, asked, grant, &output)
	}
}

// grants notes who serves a call. The Gemini Developer API tells it in a header, to those who ask for a
// tier.
func (e *Emulator) grants(p *reply, c call, g grant) {
	served := g.traffic
	if c.backend == gemini && c.asked != "" {
		p.w.Header().Set("X-Gemini-Service-Tier", g.tier)
		served = trafficTypes[g.tier]
	}
	e.journal.set(c.entry, func(n *Request) { n.Served = served })
}

// grant is the admission of a call.
type grant struct {
	traffic     string       // trafficType; "" on the Gemini Developer API
	tier        string       // on demand
	reservation *reservation // of an order
}

// admit finds room for a call: in an order, else on demand, within the project's limits. A call
// that is wrong in itself uses up quota, too, on the Gemini Developer API; there Google was seen to
// count a refused over-long input with all its tokens.
func (e *Emulator) admit(now time.Time, c call, asked prompt, wrong *Answer) (grant, *Answer) {
	asks := c.traffic()
	if c.backend == vertex {
		if wrong != nil {
			return grant{}, wrong
		}
		// Without a project in the path there is no order: Provisioned Throughput wants project,
		// location and model in the URL.
		if asks != "shared" && c.project != "" {
			if r := e.orders.reserve(now, account{c.project, c.location, c.model}, asked); r != nil {
				return grant{traffic: "PROVISIONED_THROUGHPUT", reservation: r}, nil
			}
		}
		if asks == "dedicated" {
			return grant{}, new(ProvisionedFull())
		}
	}
	wants := demand{method: c.method, tools: c.tools, tokens: asked.tokens}
	if refused, ok := e.quotas.take(now, c.owner.Limits, c.account(), wants); !ok {
		return grant{}, &refused
	}
	if wrong != nil {
		return grant{}, wrong
	}
	tier, refused := e.onDemand(now, c, wants)
	switch {
	case refused != nil:
		return grant{}, refused
	case c.backend == gemini:
		return grant{tier: tier}, nil
	default:
		return grant{tier: tier, traffic: trafficTypes[tier]}, nil
	}
}

// account is what the call's quota is counted by.
func (c call) account() account { return account{c.owner.ID, c.location, c.model} }

// bodyModel is the model of a method that has it in its body.
func bodyModel(c call, body []byte) string {
	var in struct {
		Model string `json:"model"`
	}
	if c.method != interactionsCreate && c.method != "cachedContents.create" && !c.openAI() || json.Unmarshal(body, &in) != nil {
		return ""
	}
	return in.Model[strings.LastIndexByte(in.Model, '/')+1:]
}

// baseOf is the scheme and host that a caller used.
func baseOf(r *http.Request) string {
	scheme := cmp.Or(r.URL.Scheme, "http")
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
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
