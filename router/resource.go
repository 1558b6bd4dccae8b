package router

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/pool"
)

// Files, caches, tuned models, batches, stores, operations and the like live in the project that made them, on Vertex AI in one location of
// it. Who owns what is learned from the answers that speak of it, and the calls that name it go there: never elsewhere, for there it does
// not exist. What was made before this program started is found by asking every project once.

// uploadURL is the header in which Google tells where the chunks of a resumable upload go, as net/http spells it. Source:
// https://ai.google.dev/gemini-api/docs/files.
const uploadURL = "X-Goog-Upload-Url"

// uploads is the collection, a name of ours, of uploads that have begun.
const uploads = "uploads/"

// caches reports whether the call makes a cached content. That is free of limits, and it has to be where the model will be asked: by the
// same tiers, a provisioned order first.
func (s *session) caches() bool { return s.wire.Method == "cachedContents.create" }

// bind keeps the call to where what it names lives. A call that cannot be served for it is answered.
func (s *session) bind() (*http.Response, error) {
	first := ""
	for _, res := range s.wire.Resources {
		home, refused, err := s.find(res)
		switch {
		case refused != nil && res.Ambiguous && err == nil:
			continue // Google's own, or whoever is asked says what is wrong
		case refused != nil || err != nil:
			return refused, err
		case first != "" && home != s.home:
			return s.refuse(http.StatusBadRequest, "INVALID_ARGUMENT", fmt.Sprintf(
				"spillway: the call names %s, which lives in %s, and %s, which lives in %s; a call can use what lives in one place",
				first, where(s.home), res.Name, where(home))), nil
		}
		s.home, first = home, res.Name
	}
	if first == "" {
		s.proceed()
	}
	return nil, nil //nolint:nilnil // nothing is in the way
}

// proceed keeps a call that continues an answer to where that was begun. Of a continuation that is not known, from before a restart, nobody
// can say where that is, and any place may do.
func (s *session) proceed() {
	if s.wire.Continuation == "" {
		return
	}
	home, known, _ := s.router.pool.Owner(s.now, s.wire.Continuation)
	if known && slices.ContainsFunc(s.plan.All(), home.Has) { // else its project has been taken out of the pool
		s.home = home
	}
}

func where(h pool.Home) string { return "project " + h.Project + " (" + h.Location + ")" }

// find returns where a resource lives.
func (s *session) find(res request.Resource) (pool.Home, *http.Response, error) {
	p := s.router.pool
	switch home, known, missing := p.Owner(s.now, res.Name); {
	case known:
		return home, nil, nil
	case missing:
		return pool.Home{}, s.missing(res.Name), nil
	}
	if home, ok := p.HomeIn(res.Project, res.Location); ok {
		return home, nil, nil
	}
	homes := p.Homes(s.wire.Backend)
	switch {
	case len(homes) == 1: // Google says whether it is there
		return homes[0], nil, nil
	case len(homes) == 0:
		return pool.Home{}, s.exhausted(), nil
	case strings.HasPrefix(res.Name, uploads):
		return pool.Home{}, s.refuse(http.StatusNotFound, "NOT_FOUND",
			"spillway: no project is known for this upload: it began before this program did; begin it again"), nil
	}
	return s.seek(res, homes)
}

// missing is the answer to a call that names what no project has.
func (s *session) missing(name string) *http.Response {
	message := "spillway: no project of the pool has " + name
	if len(s.asked.Locations) > 0 {
		message += " in the locations that the call allows"
	}
	return s.refuse(http.StatusNotFound, "NOT_FOUND", message)
}

// learn notes the owners of what a good answer speaks of.
func (s *session) learn(c *pool.Candidate, h http.Header, body []byte) {
	p := s.router.pool
	if s.wire.Generates {
		if token := stream.Continuation(body); token != "" {
			p.Own(token, c.Home())
		}
		return
	}
	if !s.belongs {
		return
	}
	if text := h.Get(uploadURL); text != "" {
		if u, err := url.Parse(text); err == nil && u.Query().Get("upload_id") != "" {
			p.Own(uploads+u.Query().Get("upload_id"), c.Home())
		}
	}
	collection, id, _ := strings.Cut(s.wire.Resource, "/")
	if s.req.Method == http.MethodDelete {
		if id != "" && strings.HasPrefix(s.wire.Method, collection+".") { // not something below it
			p.Disown(s.wire.Resource)
		}
		return
	}
	if made, _, ok := strings.Cut(s.wire.Method, "."); ok {
		collection = made // what the call names may be something else
	}
	for _, name := range request.NamesIn(body, collection) {
		p.Own(name, c.Home())
	}
}
