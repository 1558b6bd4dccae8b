package router

import (
	"encoding/base64"
	"encoding/json"
	"io"
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
	for {
		resp, body, err := l.page(at)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		items, next := request.Page(body)
		switch {
		case next != "":
			next = cursor{at.Project, at.Location, next}.token()
		case i+1 < len(homes) && items == 0:
			i++
			at = start(homes[i])
			continue
		case i+1 < len(homes):
			next = l.next(homes[i+1:])
		}
		if len(homes) > 1 {
			setBody(resp, request.WithNextPage(body, next))
		}
		return resp, nil
	}
}

// next returns the token of the first home that has something to list, empty if none has. SDKs
// expect items on a page that a token announces. A home that fails here fails again, visibly, when
// the caller asks for its page.
func (l lister) next(homes []pool.Home) string {
	for _, home := range homes {
		resp, body, err := l.page(start(home))
		if err != nil || resp.StatusCode != http.StatusOK {
			if err == nil {
				closeBody(resp.Body)
			}
			return start(home).token()
		}
		if items, more := request.Page(body); items > 0 || more != "" {
			return start(home).token()
		}
	}
	return ""
}

// page asks one home for one page. The body of a good response is already read.
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
	resp, err = res.resp, res.err
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, nil, err
	}
	body, err = io.ReadAll(resp.Body)
	closeBody(resp.Body)
	setBody(resp, body)
	return resp, body, err
}
