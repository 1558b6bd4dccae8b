package router

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// lookups are the searches for resources that are under way: of the calls that name the same one, and may go to the same locations, the
// first searches and the others wait.
type lookups struct {
	mu    sync.Mutex
	byKey map[string]*lookup
}

// lookup is one search.
type lookup struct {
	done chan struct{}

	// What came of it, once done.
	home    pool.Home
	missing bool
	unsure  string // why it could not be found out
	err     error  // the searcher has gone
}

// join returns the search for a key, and whether it is the caller's to make.
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

// seek asks every home whether it has a resource, and remembers the answer.
func (s *session) seek(res request.Resource, homes []pool.Home) (pool.Home, *http.Response, error) {
	key := res.Name + " " + strings.ToLower(strings.Join(s.asked.Locations, " "))
	for {
		search, mine := s.router.lookups.join(key)
		if mine {
			s.lead(key, search, res, homes)
		} else {
			select {
			case <-search.done:
			case <-s.router.closed:
				return pool.Home{}, nil, ErrClosed
			case <-s.ctx.Done():
				return pool.Home{}, nil, s.ctx.Err()
			}
		}
		s.look()
		switch {
		case search.err != nil && mine:
			return pool.Home{}, nil, search.err
		case search.err != nil: // who searched has gone: somebody else has to
			continue
		case search.missing:
			return pool.Home{}, s.missing(res.Name), nil
		case search.unsure != "":
			return pool.Home{}, s.refuse(http.StatusServiceUnavailable, "UNAVAILABLE",
				"spillway: who has "+res.Name+" cannot be found out now: "+search.unsure), nil
		default:
			return search.home, nil, nil
		}
	}
}

// lead makes a search that others may wait for. Whatever becomes of it, even a panic of the transport's, they hear.
func (s *session) lead(key string, search *lookup, res request.Resource, homes []pool.Home) {
	search.err = errAbandoned
	defer s.router.lookups.end(key, search)
	search.err = s.search(search, res, homes)
}

// errAbandoned is how a search ends that did not come to its end.
var errAbandoned = errors.New("router: search abandoned")

// search asks the homes one by one. An error means that the searcher has gone.
func (s *session) search(found *lookup, res request.Resource, homes []pool.Home) error {
	everywhere := true
	for _, home := range homes {
		if !s.mayAsk(home) {
			everywhere = false
			continue
		}
		status, err := s.askFor(res, home)
		switch {
		case err != nil && (s.ctx.Err() != nil || errors.Is(err, ErrClosed)):
			return err
		case err != nil:
			found.unsure = where(home) + " gives no answer"
		case status < http.StatusMultipleChoices:
			s.router.pool.Own(res.Name, home)
			found.home, found.unsure = home, ""
			return nil
		case status != http.StatusBadRequest && status != http.StatusForbidden && status != http.StatusNotFound:
			found.unsure = fmt.Sprintf("%s answers %d", where(home), status)
		}
	}
	if found.unsure != "" {
		return nil
	}
	if found.missing = true; everywhere { // else others may find it where this call may not look
		s.router.pool.Miss(s.now, res.Name)
	}
	return nil
}

// mayAsk reports whether the call may look for a resource in a home: its caller may keep it from there.
func (s *session) mayAsk(home pool.Home) bool {
	return slices.ContainsFunc(s.router.pool.Plan(s.now, "").All(), func(c *pool.Candidate) bool { return home.Has(c) && s.allowed(c.Location()) })
}

// askFor asks one home for a resource, and returns the status of the answer.
func (s *session) askFor(res request.Resource, home pool.Home) (status int, err error) {
	req, err := s.question(res)
	if err != nil {
		return 0, err
	}
	sub, refused, err := s.router.newSession(req)
	if err != nil || refused != nil {
		return http.StatusBadRequest, err
	}
	defer sub.close()
	sub.home = home
	if !sub.anyEligible() { // nobody is asked there
		return http.StatusNotFound, nil
	}
	resp, err := sub.run()
	if err != nil {
		return 0, err
	}
	closeBody(resp.Body)
	if resp.StatusCode >= http.StatusMultipleChoices && sub.rests() { // then it speaks of a key or of the project
		return 0, errRests
	}
	return resp.StatusCode, nil
}

// errRests says that nobody can be asked now who would know.
var errRests = errors.New("router: rests")

// rests reports whether everything rests that the call may go to.
func (s *session) rests() bool {
	s.look()
	return !slices.ContainsFunc(s.plan.All(), func(c *pool.Candidate) bool { return s.eligible(c) && c.Resting(s.now).Class == "" })
}

// question is a request that reads a resource: the call itself if it does no more than that, else one for the resource by its name.
func (s *session) question(res request.Resource) (*http.Request, error) {
	ctx := WithCall(s.ctx, s.asked)
	if s.req.Method == http.MethodGet || s.wire.Method == "fetchPredictOperation" {
		req, err := http.NewRequestWithContext(ctx, s.req.Method, s.req.URL.String(), bytes.NewReader(s.body))
		if err == nil {
			req.Header = s.req.Header
		}
		return req, err
	}
	address := "https://generativelanguage.googleapis.com/v1beta/"
	if s.wire.Backend == pool.BackendVertex {
		address = "https://aiplatform.googleapis.com/v1beta1/projects/-/locations/-/"
	}
	return http.NewRequestWithContext(ctx, http.MethodGet, address+res.Name, nil)
}
