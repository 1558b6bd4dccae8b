package router

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// Files, caches, tuned models, batches, stores and operations live in the project that
// created them, on Vertex AI in one of its locations: their home. The router learns homes from
// responses. A call that names a resource goes to its home and never elsewhere, because the
// resource does not exist there. The home of a resource from before this program started is found
// by asking every project once.

// uploadURL is the header in which Google names the address for the chunks of a resumable upload,
// as net/http spells it. Source: https://ai.google.dev/gemini-api/docs/files.
const uploadURL = "X-Goog-Upload-Url"

// uploads is our name for the collection of uploads that have begun.
const uploads = "uploads/"

// maxLearned bounds how much of a response is searched for names: more than a page of a list has.
const maxLearned = 4 << 20

// resolver finds the homes of the resources that a call names.
type resolver struct{ x *exchange }

// resolve pins the call to the home of the resources that it names. It returns the response for a
// call that cannot be served.
func (r resolver) resolve() (*http.Response, error) {
	first := ""
	for _, res := range r.x.payload.call.Resources {
		home, refused, err := r.find(res)
		switch {
		case refused != nil && res.Ambiguous && err == nil:
			continue // Google's own resource, or the endpoint says what is wrong
		case refused != nil || err != nil:
			return refused, err
		case first != "" && home != r.x.request.Home:
			return r.x.refuse(http.StatusBadRequest, "INVALID_ARGUMENT", fmt.Sprintf(
				"spillway: the call names %s, which lives in %s, and %s, which lives in %s; "+
					"the resources of a call must live in one project and location",
				first, where(r.x.request.Home), res.Name, where(home))), nil
		}
		r.x.request.Home, first = home, res.Name
	}
	if first == "" {
		r.proceed()
	}
	return nil, nil //nolint:nilnil // nothing is in the way
}

// proceed pins a call that continues an earlier response to that response's home. The home of a
// response from before a restart is unknown, and any endpoint may serve it.
func (r resolver) proceed() {
	if r.x.payload.call.Continuation == "" {
		return
	}
	home, known, _ := r.x.in.router.pool.Owner(time.Now(), r.x.payload.call.Continuation)
	if !known {
		return
	}
	// Otherwise a reload has removed its project.
	q := &pool.Request{Model: r.x.request.Model, Home: home}
	if ever, _ := r.x.in.router.pool.Serves(q); ever {
		r.x.request.Home = home
	}
}

func where(h pool.Home) string { return "project " + h.Project + " (" + h.Location + ")" }

// find returns the home of a resource.
func (r resolver) find(res request.Resource) (pool.Home, *http.Response, error) {
	p := r.x.in.router.pool
	switch home, known, missing := r.owner(res); {
	case known:
		return home, nil, nil
	case missing:
		return pool.Home{}, r.missing(res.Name), nil
	}
	if home, ok := p.HomeIn(res.Project, res.Location); ok {
		return home, nil, nil
	}
	homes := p.Homes(r.x.payload.call.Backend)
	switch {
	case len(homes) == 1: // Google says whether it exists
		return homes[0], nil, nil
	case len(homes) == 0:
		return pool.Home{}, r.x.exhausted(p.Explain(r.x.request)), nil
	case strings.HasPrefix(res.Name, uploads):
		return pool.Home{}, r.x.refuse(http.StatusNotFound, "NOT_FOUND",
			"spillway: cannot determine which project owns this upload: "+
				"it began before this program started; begin it again"), nil
	}
	return r.resolveShared(res, homes)
}

// missing returns the response to a call that names a resource that no project has.
func (r resolver) missing(name string) *http.Response {
	message := "spillway: no project of the pool has " + name
	if len(r.x.in.options.Locations) > 0 {
		message += " in the locations that the call allows"
	}
	return r.x.refuse(http.StatusNotFound, "NOT_FOUND", message)
}

// learn records the home of the resources that a good response names.
func (x *exchange) learn(e *pool.Endpoint, h http.Header, body []byte) {
	p := x.in.router.pool
	if !x.payload.pinned() || x.payload.call.Generates {
		return
	}
	if text := h.Get(uploadURL); text != "" {
		if u, err := url.Parse(text); err == nil && u.Query().Get("upload_id") != "" {
			p.Own(uploads+u.Query().Get("upload_id"), e.Home())
		}
	}
	collection, id, _ := strings.Cut(x.payload.call.Resource, "/")
	if x.in.req.Method == http.MethodDelete {
		// The method of a resource below it has another prefix.
		if id != "" && strings.HasPrefix(x.payload.call.Method, collection+".") {
			p.Own(x.payload.call.Resource, pool.Home{})
		}
		return
	}
	if made, _, ok := strings.Cut(x.payload.call.Method, "."); ok {
		collection = made // the resource of the call may be of another collection
	}
	for _, res := range request.ResourcesIn(body[:min(len(body), maxLearned)], collection) {
		p.Own(res.Name, homeOf(p, e, res))
	}
}

// homeOf returns where a resource lives that an endpoint's response names. What its name says counts
// more than who listed it: a project's list may run over all of its locations. The project that it
// says may be a number, which is that of the endpoint's.
func homeOf(p *pool.Pool, e *pool.Endpoint, res request.Resource) pool.Home {
	home := e.Home()
	if e.Backend != pool.BackendVertex || res.Location == "" || res.Location == "-" {
		return home
	}
	if named, ok := p.HomeIn(res.Project, res.Location); ok {
		home = named
	}
	if home.Location = res.Location; home == e.Home() || slices.Contains(p.Homes(e.Backend), home) {
		return home
	}
	return e.Home() // the pool does not go there
}
