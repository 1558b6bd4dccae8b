package router

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// lookups are the searches for resources that are under way. Of the calls that name the same
// resource and allow the same locations, the first searches and the others wait.
type lookups struct {
	mu    sync.Mutex
	byKey map[string]*lookup
	made  atomic.Int64 // all searches so far
}

// lookup is one search.
type lookup struct {
	done chan struct{}

	// The result, once done is closed.
	home    pool.Home
	missing bool
	unsure  string // why the home could not be determined
	err     error  // the searching call has ended
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
	key := res.Name + " " + r.x.allowsOnly()
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

// lead makes a search that others may wait for. They are released however it ends, even by a panic
// of the transport.
func (r resolver) lead(key string, search *lookup, res request.Resource, homes []pool.Home) {
	search.err = errAbandoned
	lookups := &r.x.in.router.lookups
	defer lookups.end(key, search)
	// Another search may have ended since this call looked.
	home, known, missing := r.x.in.router.pool.Owner(time.Now(), res.Name)
	if known || missing {
		search.home, search.missing, search.err = home, missing, nil
		return
	}
	lookups.made.Add(1)
	search.err = r.probeHomes(search, res, homes)
}

// errAbandoned is the error of a search that was not finished.
var errAbandoned = errors.New("router: search abandoned")

// probeHomes asks the homes one by one. An error means that the searching call has ended.
func (r resolver) probeHomes(found *lookup, res request.Resource, homes []pool.Home) error {
	everywhere := true
	for _, home := range homes {
		if !r.mayAsk(home) {
			everywhere = false
			continue
		}
		status, err := r.probeHome(res, home)
		switch {
		case err != nil && (r.x.in.ctx.Err() != nil || errors.Is(err, ErrClosed)):
			return err
		case err != nil:
			found.unsure = where(home) + " does not respond"
		case status < http.StatusMultipleChoices:
			r.x.in.router.pool.Own(res.Name, home)
			found.home, found.unsure = home, ""
			return nil
		case status != http.StatusBadRequest && status != http.StatusForbidden &&
			status != http.StatusNotFound:
			found.unsure = fmt.Sprintf("%s responds with status %d", where(home), status)
		}
	}
	if found.unsure != "" {
		return nil
	}
	if found.missing = true; everywhere { // else it may exist where this call may not search
		r.x.in.router.pool.Miss(time.Now(), res.Name)
	}
	return nil
}

// mayAsk reports whether the call may search a home: its caller may have excluded the location.
func (r resolver) mayAsk(home pool.Home) bool {
	q := &pool.Request{Home: home, Locations: r.x.in.options.Locations}
	ever, _ := r.x.in.router.pool.Serves(q)
	return ever
}

// probeHome asks one home for a resource, and returns the status of the response.
func (r resolver) probeHome(res request.Resource, home pool.Home) (status int, err error) {
	req, err := r.question(res)
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

// question returns a request that reads a resource: the call itself if it only reads, else a GET of
// the resource by name.
func (r resolver) question(res request.Resource) (*http.Request, error) {
	ctx := WithCall(r.x.trace.context(), r.x.in.options)
	if r.x.in.req.Method == http.MethodGet || r.x.payload.call.Method == "fetchPredictOperation" {
		in, body := r.x.in.req, bytes.NewReader(r.x.payload.body)
		req, err := http.NewRequestWithContext(ctx, in.Method, in.URL.String(), body)
		if err == nil {
			req.Header = in.Header
		}
		return req, err
	}
	address := "https://generativelanguage.googleapis.com/v1beta/"
	if r.x.payload.call.Backend == pool.BackendVertex {
		address = "https://aiplatform.googleapis.com/v1beta1/projects/-/locations/-/"
	}
	return http.NewRequestWithContext(ctx, http.MethodGet, address+res.Name, nil)
}
