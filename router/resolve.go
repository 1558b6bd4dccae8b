package router

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// lookups are the searches for resources that are under way. Of the calls that name the same
// resource and allow the same locations, the first searches and the others wait.
type lookups struct {
	mu    sync.Mutex
	byKey map[string]*lookup
	made  atomic.Int64  // all searches so far
	slots chan struct{} // holds a value for each search that asks
	vain  vainSearches
}

// mostSearches bounds the searches that ask projects at the same time.
const mostSearches = 32

func newLookups() *lookups { return &lookups{slots: make(chan struct{}, mostSearches)} }

// lookup is one search.
type lookup struct {
	done chan struct{}

	// The result, once done is closed.
	home    pool.Home
	missing bool
	unsure  string        // why the home could not be determined
	after   time.Duration // it was not searched for: there were too many searches in vain
	err     error         // the searching call has ended
}

// join returns the search for a key, and whether the caller has to make it.
func (l *lookups) join(key string) (search *lookup, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if search = l.byKey[key]; search != nil {
		return search, false
	}
	if l.byKey == nil {
		l.byKey = make(map[string]*lookup)
	}
	search = &lookup{done: make(chan struct{})}
	l.byKey[key] = search
	return search, true
}

func (l *lookups) end(key string, search *lookup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byKey, key)
	close(search.done)
}

// resolveShared asks every home for a resource and remembers the result. Concurrent calls for the
// same resource share one search.
func (r resolver) resolveShared(
	res request.Resource, homes []pool.Home,
) (pool.Home, *http.Response, error) {
	key := r.key(res)
	for {
		search, mine := r.x.in.router.lookups.join(key)
		if mine {
			r.lead(key, search, res, homes)
		} else {
			select {
			case <-search.done:
			case <-r.x.in.router.ending.closed:
				return pool.Home{}, nil, ErrClosed
			case <-r.x.in.ctx.Done():
				return pool.Home{}, nil, r.x.in.ctx.Err()
			}
		}
		switch {
		case search.err != nil && mine:
			return pool.Home{}, nil, search.err
		case search.err != nil: // the searching call has ended: another one has to search
			continue
		case search.after > 0:
			return pool.Home{}, r.tooMany(res.Name, search.after), nil
		case search.missing:
			return pool.Home{}, r.missing(res.Name), nil
		case search.unsure != "":
			return pool.Home{}, r.x.refuse(http.StatusServiceUnavailable, "UNAVAILABLE",
				"spillway: cannot determine which project owns "+res.Name+": "+search.unsure), nil
		default:
			return search.home, nil, nil
		}
	}
}

// key names a search: calls that may look in the same places share it, whoever makes them.
func (r resolver) key(res request.Resource) string {
	key := r.anywhere(res)
	if len(r.x.in.options.Locations) > 0 {
		key += " in " + strings.Join(r.x.in.options.Locations, " ")
	}
	return key
}

// anywhere names the search of a call that may look everywhere. Versions of Google's API differ in
// the resources that they have.
func (r resolver) anywhere(res request.Resource) string {
	if v := r.version(); v != searched(r.x.payload.call.Backend) {
		return res.Name + " by " + v
	}
	return res.Name
}

// version is the version of Google's API that a search asks: a call that only reads is one of its
// own; the resources that others name are in the common one.
func (r resolver) version() string {
	c := &r.x.payload.call
	if r.x.in.req.Method == http.MethodGet && c.Version != "" {
		return c.Version
	}
	return searched(c.Backend)
}

// searched is the version of Google's API that has all resources.
func searched(b pool.Backend) string {
	if b == pool.BackendVertex {
		return "v1beta1"
	}
	return "v1beta"
}

// tooMany returns the response to a call that names what would have to be searched for, after too
// many searches in vain.
func (r resolver) tooMany(name string, after time.Duration) *http.Response {
	r.x.trace.refuse(&pool.ExhaustedError{}, time.Now().Add(after))
	return r.x.tooMany(verdict.Exhausted{
		Message: "spillway: it is unknown which project has " + name + ", and it is not searched for now: " +
			"too many searches were for what no project has",
		Retry: after,
	})
}

// lead makes a search that others may wait for. They are released however it ends, even by a panic
// of the transport.
func (r resolver) lead(key string, search *lookup, res request.Resource, homes []pool.Home) {
	search.err = errAbandoned
	lookups := r.x.in.router.lookups
	defer lookups.end(key, search)
	select {
	case lookups.slots <- struct{}{}:
	case <-r.x.in.router.ending.closed:
		search.err = ErrClosed
		return
	case <-r.x.in.ctx.Done():
		search.err = r.x.in.ctx.Err()
		return
	}
	defer func() { <-lookups.slots }()
	// Another search may have ended since this call looked.
	home, known, missing := r.owner(res)
	if known || missing {
		search.home, search.missing, search.err = home, missing, nil
		return
	}
	if search.after = lookups.vain.wait(time.Now(), len(homes)); search.after > 0 {
		search.err = nil
		return
	}
	if home, ok := r.x.in.router.pool.FindOwner(r.x.in.ctx, res.Name); ok {
		search.home, search.err = home, nil
		return
	}
	lookups.made.Add(1)
	asked := 0
	search.err = r.probeHomes(search, res, homes, &asked)
	if search.home == (pool.Home{}) {
		lookups.vain.spend(time.Now(), asked)
	}
}

// owner returns what the pool knows of a resource's home. missing means that it was searched for
// lately, wherever the call may look, and is not there.
func (r resolver) owner(res request.Resource) (home pool.Home, known, missing bool) {
	p, now := r.x.in.router.pool, time.Now()
	if home, known, missing = p.Owner(now, res.Name); known {
		return home, true, false
	}
	anywhere := r.anywhere(res)
	if anywhere != res.Name {
		_, _, missing = p.Owner(now, anywhere)
	}
	if key := r.key(res); key != anywhere && !missing {
		_, _, missing = p.Owner(now, key)
	}
	return pool.Home{}, false, missing
}

// vainSearches bounds the requests of searches for what no project has, so that a flood of made-up
// names does not become one of as many requests for each as there are projects. Searches that find
// something are free.
type vainSearches struct {
	mu    sync.Mutex
	spent float64 // requests, less what time has paid back
	at    time.Time
}

const (
	// vainReserve and vainHomes are the requests that may be spent at once: for all projects so many
	// times over, and a few more.
	vainReserve, vainHomes = 40, 4
	// vainPerSecond pays them back.
	vainPerSecond = 10
)

// wait returns how long no search may begin in a pool of so many homes; zero if one may.
func (v *vainSearches) wait(now time.Time, homes int) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.payLocked(now)
	over := v.spent + float64(homes) - float64(vainReserve+vainHomes*homes)
	if over <= 0 {
		return 0
	}
	return time.Duration(over / vainPerSecond * float64(time.Second))
}

// spend notes the requests of a search in vain.
func (v *vainSearches) spend(now time.Time, requests int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.payLocked(now)
	v.spent += float64(requests)
}

// payLocked takes off what time has paid. The caller holds v.mu.
func (v *vainSearches) payLocked(now time.Time) {
	if v.spent > 0 {
		v.spent = max(v.spent-vainPerSecond*now.Sub(v.at).Seconds(), 0)
	}
	v.at = now
}

// errAbandoned is the error of a search that was not finished.
var errAbandoned = errors.New("router: search abandoned")

// mayAsk reports whether the call may search a home: its caller may have excluded the location.
func (r resolver) mayAsk(home pool.Home) bool {
	q := &pool.Request{Home: home, Locations: r.x.in.options.Locations, Asked: pool.Asked{Label: r.x.in.options.Label}}
	ever, _ := r.x.in.router.pool.Serves(q)
	return ever
}

// probeHome asks one home for a resource, and returns the status of the response.
func (r resolver) probeHome(
	ctx context.Context, res request.Resource, home pool.Home,
) (status int, err error) {
	req, err := r.question(ctx, res)
	if err != nil {
		return 0, err
	}
	sub, refused, err := r.x.in.router.newExchange(req)
	if err != nil || refused != nil {
		return http.StatusBadRequest, err
	}
	defer sub.close()
	sub.request.Home = home
	if !sub.servedIn(home) { // no endpoint there takes such calls
		return http.StatusNotFound, nil
	}
	found := sub.do(sub.attempt)
	if found.err != nil {
		return 0, found.err
	}
	closeBody(found.resp.Body)
	if found.resp.StatusCode >= http.StatusMultipleChoices {
		if _, now := r.x.in.router.pool.Serves(sub.request); !now {
			return 0, errCooldown // the response is about a key or the project
		}
	}
	return found.resp.StatusCode, nil
}

// errCooldown means that every endpoint that could tell is on cooldown.
var errCooldown = errors.New("router: on cooldown")

// question returns a request that reads a resource: a GET of it by name. Nothing else of the call
// goes into it: what the answer means for others must not depend on the caller's query or headers.
func (r resolver) question(ctx context.Context, res request.Resource) (*http.Request, error) {
	ctx = WithCall(ctx, r.x.in.options)
	c := &r.x.payload.call
	if c.Method == "fetchPredictOperation" { // the one way to read such an operation
		return r.again(ctx)
	}
	address := "https://generativelanguage.googleapis.com/" + r.version() + "/"
	if c.Backend == pool.BackendVertex {
		address = "https://aiplatform.googleapis.com/" + r.version() + "/projects/-/locations/-/"
	}
	return http.NewRequestWithContext(ctx, http.MethodGet, address+res.Name, nil)
}

// again returns a request that is the call itself, with its body.
func (r resolver) again(ctx context.Context) (*http.Request, error) {
	in, p := r.x.in.req, &r.x.payload
	req, err := http.NewRequestWithContext(ctx, in.Method, in.URL.String(), bytes.NewReader(p.body))
	if err == nil && p.kept != nil {
		req.Body, err = p.kept.open()
		req.GetBody, req.ContentLength = p.kept.open, p.kept.size
	}
	return req, err
}
