package geminitest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Request is what the emulator remembers of one request. It prints without its credential; the
// fields hold it, for tests to compare.
type Request struct {
	Time       time.Time // of arrival
	HTTPMethod string
	Host       string
	URL        *url.URL
	Header     http.Header
	Body       []byte // only with Config.Bodies

	Backend  string // "gemini" or "vertex"
	Key      string // the API key or access token, as sent
	KeyInURL bool   // it came as ?key=
	Project  string // as in the path, else the owner of the key; "" if nobody's
	Location string // Vertex AI only
	Traffic  string // asked for: "dedicated", "shared" or ""
	Tier     string // the service tier asked for, as in [Match]
	Model    string
	Method   string // "generateContent" and so on, as in [Match]

	Served       string // trafficType of the answer; of the Gemini Developer API what its header says, as a trafficType
	Status       int    // HTTP status; 0: no answer, or none yet
	PromptTokens int
	CachedTokens int // of PromptTokens, what came from a cache
	OutputTokens int // what was sent, thoughts included

	// Resources are the names of what the request was about, as answers have them: what its path
	// and its body name, and what it made. An upload's chunks name nothing until the last one makes
	// the file.
	Resources  []string
	WrongOwner bool // it named a resource that lives in another project or location than it asked
}

// String says what was asked and how it was answered, without any credential.
func (r Request) String() string {
	where := r.Project
	if r.Location != "" {
		where += "/" + r.Location
	}
	return fmt.Sprintf("%s %s %s (%s): %d %s", r.Time.Format("15:04:05.000"), r.Method, r.Model, where, r.Status, r.Served)
}

// GoString is String: %#v shows no credential either.
func (r Request) GoString() string { return r.String() }

// outcome is what calls are counted by.
type outcome struct {
	call    Match
	status  int
	foreign bool // WrongOwner
}

// entry is a request while it is under way. Its fields belong to the journal.
type entry struct {
	Request
	counted    outcome
	generation int
}

// journal counts all requests and remembers the newest. It is safe for concurrent use.
type journal struct {
	mu         sync.Mutex
	limit      int
	ring       []*entry // at most limit; the oldest is at next once it is full
	next       int
	counts     map[outcome]int
	generation int // of counts: requests that began before Reset are not counted after it
	inFlight   int
	urlKeys    int
}

// maxOutcomes bounds the memory of the counters against callers who invent models or projects
// without end.
const maxOutcomes = 1 << 16

// maxNamed bounds what is remembered of a request that names resources without end.
const maxNamed = 1 << 10

// add notes a request that has arrived, to be counted as a call.
func (j *journal) add(c Match, r Request) *entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := &entry{Request: r, generation: j.generation}
	n.counted.call = c
	if len(j.counts) >= maxOutcomes {
		n.counted.call = Match{Backend: r.Backend}
	}
	j.counts[n.counted]++
	j.inFlight++
	if r.KeyInURL {
		j.urlKeys++
	}
	switch {
	case j.limit <= 0:
	case len(j.ring) < j.limit:
		j.ring = append(j.ring, n)
	default:
		j.ring[j.next] = n
		j.next = (j.next + 1) % j.limit
	}
	return n
}

// answered notes the status of an answer and who served it.
func (j *journal) answered(n *entry, status int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n.Status = status
	j.recount(n, func(o *outcome) { o.status, o.call.Served = status, n.Served })
}

// recount counts a request as something else from now on. mu is held.
func (j *journal) recount(n *entry, change func(*outcome)) {
	if n.generation == j.generation {
		if j.counts[n.counted]--; j.counts[n.counted] == 0 {
			delete(j.counts, n.counted)
		}
		change(&n.counted)
		j.counts[n.counted]++
	}
}

// isOf notes the model that a request turns out to be of, and its tools.
func (j *journal) isOf(n *entry, model, tools, tier string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n.Model, n.Tier = model, tier
	if len(j.counts) >= maxOutcomes {
		return
	}
	j.recount(n, func(o *outcome) { o.call.Model, o.call.Tool, o.call.Tier = model, tools, tier })
}

// named notes that a request is about a resource, which may be somebody else's.
func (j *journal) named(n *entry, resource string, foreign bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Contains(n.Resources, resource) && len(n.Resources) < maxNamed {
		n.Resources = append(slices.Clip(n.Resources), resource)
	}
	if foreign {
		j.foreignLocked(n)
	}
}

// foreign notes that a request is about somebody else's.
func (j *journal) foreign(n *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.foreignLocked(n)
}

func (j *journal) foreignLocked(n *entry) {
	if !n.WrongOwner {
		n.WrongOwner = true
		j.recount(n, func(o *outcome) { o.foreign = true })
	}
}

// set changes an entry.
func (j *journal) set(n *entry, change func(*Request)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&n.Request)
}

// done notes that the handler has finished.
func (j *journal) done() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.inFlight--
}

// Requests returns what the emulator was asked, in order of arrival: the newest Config.Log requests
// since the last [Emulator.Reset].
func (e *Emulator) Requests() []Request {
	e.journal.mu.Lock()
	defer e.journal.mu.Unlock()
	list := make([]Request, 0, len(e.journal.ring))
	for i := range e.journal.ring {
		list = append(list, e.journal.ring[(e.journal.next+i)%len(e.journal.ring)].Request)
	}
	return list
}

// Count returns how many requests matched, answered or not, since the last [Emulator.Reset].
func (e *Emulator) Count(match Match) int {
	return e.journal.count(match, func(outcome) bool { return true })
}

// CountStatus returns how many requests matched and were answered with this HTTP status. An error
// inside a stream has status 200; a request that was never answered has status 0.
func (e *Emulator) CountStatus(match Match, status int) int {
	return e.journal.count(match, func(o outcome) bool { return o.status == status })
}

// CountWrongOwner returns how many requests matched and named a resource that lives in another
// project or location than the one they asked ([Request.WrongOwner]), whether by mistake or to find
// out.
func (e *Emulator) CountWrongOwner(match Match) int {
	return e.journal.count(match, func(o outcome) bool { return o.foreign })
}

func (j *journal) count(match Match, wanted func(outcome) bool) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for outcome, count := range j.counts {
		if match.fits(outcome.call) && wanted(outcome) {
			n += count
		}
	}
	return n
}

// KeysInURL returns how many requests carried their key as ?key= in the URL, where logs and proxies
// see it.
func (e *Emulator) KeysInURL() int {
	e.journal.mu.Lock()
	defer e.journal.mu.Unlock()
	return e.journal.urlKeys
}

// InFlight returns how many requests are being answered now.
func (e *Emulator) InFlight() int {
	e.journal.mu.Lock()
	defer e.journal.mu.Unlock()
	return e.journal.inFlight
}

// Reset forgets the requests so far and sets the counters to zero. Quotas, orders, scripts and
// outages stay.
func (e *Emulator) Reset() {
	j := &e.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring, j.next, j.counts, j.urlKeys = nil, 0, map[outcome]int{}, 0
	j.generation++
}
