package router

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// pageToken is the parameter that asks for a page of a list. Tokens of the router begin with
// pagePrefix.
const (
	pageToken  = "pageToken"
	pagePrefix = "spillway."
)

// cursor is the position of a list that runs over several homes: the content of a page token of the
// router.
type cursor struct {
	Project  string `json:"p"`
	Location string `json:"l"`
	Page     string `json:"t,omitempty"` // Google's own token; empty: the first page
}

func (c cursor) home() pool.Home { return pool.Home{Project: c.Project, Location: c.Location} }

// start returns the beginning of the list of a home.
func start(h pool.Home) cursor { return cursor{Project: h.Project, Location: h.Location} }

func (c cursor) token() string {
	text, _ := json.Marshal(c) // two names and a token
	return pagePrefix + base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor reads a page token. ok is false for tokens that are not the router's.
func parseCursor(token string) (c cursor, ok bool) {
	text, ours := strings.CutPrefix(token, pagePrefix)
	if !ours {
		return cursor{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	return c, err == nil && json.Unmarshal(data, &c) == nil
}

// lists reports whether the call lists resources of which every project has its own.
func (x *exchange) lists() bool {
	c := &x.payload.call
	return x.payload.pinned() && len(c.Resources) == 0 &&
		x.in.req.Method == http.MethodGet && strings.HasSuffix(c.Method, ".list")
}

// lister lists the resources of every project.
type lister struct{ x *exchange }

// list asks the homes one after another, one page of one home at a time, so that no item is lost or
// repeated. The page token names the home of the next page. A home that does not respond ends the
// list, because a list with a gap is worse than none.
func (l lister) list() (*http.Response, error) {
	p := l.x.in.router.pool
	homes := slices.DeleteFunc(p.Homes(l.x.payload.call.Backend), func(h pool.Home) bool {
		return !l.x.servedIn(h)
	})
	if len(homes) == 0 {
		return l.x.exhausted(p.Explain(l.x.request)), nil
	}
	at, i := start(homes[0]), 0
	if token := request.Parameter(l.x.in.req.URL.RawQuery, pageToken); token != "" {
		var ok bool
		if at, ok = parseCursor(token); !ok && len(homes) == 1 {
			// The token is Google's own, because the list has a single home.
			at, ok = cursor{homes[0].Project, homes[0].Location, token}, true
		}
		if i = slices.Index(homes, at.home()); !ok || i < 0 {
			return l.x.refuse(http.StatusBadRequest, "INVALID_ARGUMENT",
				"spillway: the page token is not one of this list; "+
					"begin the list again, without a token"), nil
		}
	}
	if len(homes) == 1 {
		resp, _, err := l.page(at)
		return resp, err
	}
	return l.pages(at, homes[i:])
}

// pages returns the page at a position, or the first one after it that has something. The homes are
// those from there on.
func (l lister) pages(at cursor, homes []pool.Home) (*http.Response, error) {
	for looked := 0; ; looked++ {
		here, left := homes[0], homes[1:]
		resp, body, err := l.page(at)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		if body == nil {
			closeBody(resp.Body)
			return l.x.refuse(http.StatusServiceUnavailable, "UNAVAILABLE", "spillway: a page of the list in "+
				where(here)+" is too long to be read; ask for a smaller pageSize"), nil
		}
		items, next := request.Page(body)
		switch {
		case next != "" && next == at.Page:
			closeBody(resp.Body)
			return l.x.refuse(http.StatusBadGateway, "UNKNOWN", "spillway: the list in "+where(here)+
				" does not go on: its page names itself as the next one"), nil
		case next != "":
			next = cursor{at.Project, at.Location, next}.token()
		case len(left) > 0 && items == 0 && looked < mostLooked:
			closeBody(resp.Body)
			homes, at = left, start(left[0])
			continue
		default:
			if next = l.next(left, mostLooked-looked); next == "" {
				return resp, nil // as Google wrote it
			}
		}
		return l.withNext(resp, body, next)
	}
}

// mostLooked bounds the homes without items that one page looks through. The next page goes on where
// it ends.
const mostLooked = 16

// withNext returns a page with another token for the next one.
func (l lister) withNext(resp *http.Response, body []byte, next string) (*http.Response, error) {
	w, ok := resp.Body.(*wholeBody)
	if !ok {
		return resp, nil
	}
	replace := func() error {
		setBody(resp, request.WithNextPage(body, next), w.handOver())
		return nil
	}
	if len(body) <= longBody {
		return resp, replace()
	}
	return resp, l.x.in.router.bodies.atDesk(l.x.in.ctx, replace)
}

// next returns the token of the first home that has something to list, empty if none has. SDKs
// expect items on a page that a token announces. It looks at most into so many homes; a home that it
// did not look into, or that fails here, is announced: it fails again, visibly, when the caller asks
// for its page.
func (l lister) next(homes []pool.Home, most int) string {
	for i, home := range homes {
		if i >= most {
			return start(home).token()
		}
		resp, body, err := l.page(start(home))
		if err != nil {
			return start(home).token()
		}
		items, more := request.Page(body)
		closeBody(resp.Body)
		if resp.StatusCode != http.StatusOK || body == nil || items > 0 || more != "" {
			return start(home).token()
		}
	}
	return ""
}

// page asks one home for one page. The body of a good response is already read; nil if it was too
// long, or there was no room for it.
func (l lister) page(at cursor) (resp *http.Response, body []byte, err error) {
	req := l.x.in.req.Clone(WithCall(l.x.trace.context(), l.x.in.options))
	// All other parameters stay as they are: net/url would drop "$alt=json;enum-encoding=int".
	req.URL.RawQuery = request.WithParameter(req.URL.RawQuery, pageToken, at.Page)
	req.Body, req.GetBody, req.ContentLength = nil, nil, 0 // it was read, and a list needs none
	sub, refused, err := l.x.in.router.newExchange(req)
	if err != nil || refused != nil {
		return refused, nil, err
	}
	defer sub.close()
	sub.request.Home = at.home()
	res := sub.do(sub.attempt)
	if res.err != nil {
		return nil, nil, res.err
	}
	if w, ok := res.resp.Body.(*wholeBody); ok && res.resp.StatusCode == http.StatusOK {
		body = w.peek()
	}
	return res.resp, body, nil
}
