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

// pageToken is the parameter that asks for a page of a list, and pagePrefix what tells a token of ours.
const (
	pageToken  = "pageToken"
	pagePrefix = "spillway."
)

// cursor is where a list that runs over several homes has come to: what a page token of ours says.
type cursor struct {
	Project  string `json:"p"`
	Location string `json:"l"`
	Page     string `json:"t,omitempty"` // Google's own token; empty: the first page
}

func (c cursor) home() pool.Home { return pool.Home{Project: c.Project, Location: c.Location} }

// start is where the list of a home begins.
func start(h pool.Home) cursor { return cursor{Project: h.Project, Location: h.Location} }

func (c cursor) token() string {
	text, _ := json.Marshal(c) // two names and a token
	return pagePrefix + base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor reads a page token. ok is false for tokens that are not ours.
func parseCursor(token string) (c cursor, ok bool) {
	text, ours := strings.CutPrefix(token, pagePrefix)
	if !ours {
		return cursor{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	return c, err == nil && json.Unmarshal(data, &c) == nil
}

// lists reports whether the call lists things of which every project has its own.
func (s *session) lists() bool {
	return s.belongs && len(s.wire.Resources) == 0 && s.req.Method == http.MethodGet && strings.HasSuffix(s.wire.Method, ".list")
}

// list asks the homes one after another, a page of one of them at a time, so that nothing is lost or repeated: its tokens say whose page is
// next. A home that gives no answer ends it: a list with a hole in it is worse than none.
func (s *session) list() (*http.Response, error) {
	homes := slices.DeleteFunc(s.router.pool.Homes(s.wire.Backend), func(h pool.Home) bool {
		return !slices.ContainsFunc(s.plan.All(), func(c *pool.Candidate) bool { return h.Has(c) && s.eligible(c) })
	})
	if len(homes) == 0 {
		return s.exhausted(), nil
	}
	at, i := start(homes[0]), 0
	if token := s.req.URL.Query().Get(pageToken); token != "" {
		var ok bool
		if at, ok = parseCursor(token); !ok && len(homes) == 1 { // of before another project was added
			at, ok = cursor{homes[0].Project, homes[0].Location, token}, true
		}
		if i = slices.Index(homes, at.home()); !ok || i < 0 {
			return s.refuse(http.StatusBadRequest, "INVALID_ARGUMENT",
				"spillway: the page token is not one of this list; begin the list again, without a token"), nil
		}
	}
	for {
		resp, body, err := s.page(at)
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
			next = s.next(homes[i+1:])
		}
		if len(homes) > 1 {
			setBody(resp, request.WithNextPage(body, next))
		}
		return resp, nil
	}
}

// next is the token of the first of the homes that has something to list, empty if none has: SDKs take a page that is announced for one with
// items. Of a home that gives no answer the caller hears when asking for its page.
func (s *session) next(homes []pool.Home) string {
	for _, home := range homes {
		resp, body, err := s.page(start(home))
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

// page asks for one page of one home. The body of a good answer is read already.
func (s *session) page(at cursor) (resp *http.Response, body []byte, err error) {
	req := s.req.Clone(WithCall(s.ctx, s.asked))
	q := req.URL.Query()
	q.Del(pageToken)
	if at.Page != "" {
		q.Set(pageToken, at.Page)
	}
	req.URL.RawQuery = q.Encode()
	sub, refused, err := s.router.newSession(req)
	if err != nil || refused != nil {
		return refused, nil, err
	}
	defer sub.close()
	sub.home = at.home()
	resp, err = sub.run()
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, nil, err
	}
	body, err = io.ReadAll(resp.Body)
	closeBody(resp.Body)
	setBody(resp, body)
	return resp, body, err
}
