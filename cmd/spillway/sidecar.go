package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/spillway-go/spillway/router"
)

// The sidecar's own paths. No path of Google's begins like them.
const (
	healthPath = "/healthz"
	statusPath = "/spillway/status"
)

// versioned finds what every path of Google's has: a version, followed by something. The SDK sends Interactions of Vertex AI with
// escaped slashes.
var versioned = regexp.MustCompile(`/v[0-9]+(?:(?:alpha|beta)[0-9]*)?(?:/|%2F).`)

// newSidecar serves the Gemini API by way of a router.
func newSidecar(r *router.Router, log *slog.Logger) http.Handler {
	// ReverseProxy is the plumbing: it takes off what belongs to one connection, ties the call to the client's connection, sends every
	// piece of a stream on at once, and breaks the client's connection when an answer breaks off.
	proxy := &httputil.ReverseProxy{
		Transport:      r,
		Rewrite:        func(p *httputil.ProxyRequest) { p.Out.URL.Scheme = scheme(p.In) }, // for ours; host, path and credentials are the router's
		ModifyResponse: bringBack,
		ErrorHandler:   unanswered,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BufferPool:     &buffers{},
	}
	gate := http.NewCrossOriginProtection() // a page in somebody's browser must not spend the quota
	gate.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "PERMISSION_DENIED", "web pages of other origins may not call the sidecar")
	}))
	// A ServeMux would redirect paths that it finds untidy, which makes a GET of a POST.
	return gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch reads := req.Method == http.MethodGet || req.Method == http.MethodHead; {
		case reads && req.URL.Path == healthPath:
			answer(w, http.StatusOK, health{"serving", string(r.Backend())})
		case reads && req.URL.Path == statusPath:
			answer(w, http.StatusOK, snapshotOf(r))
		case req.Header.Get("Upgrade") != "":
			refuse(w, http.StatusNotImplemented, "UNIMPLEMENTED", "Live sessions are WebSockets, which the sidecar does not serve")
		case !versioned.MatchString(req.URL.EscapedPath()):
			refuse(w, http.StatusNotFound, "NOT_FOUND", "this is no path of the Gemini API; those begin with a version, as /v1beta/models")
		default:
			proxy.ServeHTTP(w, req)
		}
	}))
}

// health is what /healthz answers.
type health struct {
	Status  string `json:"status"`
	Backend string `json:"backend"`
}

// scheme is that of the address by which a client reached us, perhaps through something that ends TLS before us.
func scheme(req *http.Request) string {
	if first, _, _ := strings.Cut(req.Header.Get("X-Forwarded-Proto"), ","); req.TLS != nil || strings.EqualFold(first, "https") {
		return "https"
	}
	return "http"
}

// bringBack makes the address that Google gives for the pieces of an upload our own. The pieces sent to Google's, with the client's
// credential in place of the upload's owner's, would be refused.
func bringBack(resp *http.Response) error {
	for _, name := range []string{"X-Goog-Upload-Url", "X-Goog-Upload-Control-Url"} {
		address, err := url.Parse(resp.Header.Get(name))
		if err != nil || address.Host == "" {
			continue
		}
		address.Scheme, address.User, address.Host = resp.Request.URL.Scheme, nil, resp.Request.Host
		resp.Header.Set(name, address.String())
	}
	return nil
}

// statusClientGone is what nginx, and Google with it, calls the end of a call whose client has left. Nobody reads it.
const statusClientGone = 499

// unanswered answers a call to which no answer came from anywhere.
func unanswered(w http.ResponseWriter, req *http.Request, err error) {
	if req.Context().Err() != nil {
		refuse(w, statusClientGone, "CANCELLED", "the client has left")
		return
	}
	refuse(w, http.StatusBadGateway, "UNAVAILABLE", err.Error())
}

// refuse answers with an error in Google's shape, which every client knows.
func refuse(w http.ResponseWriter, code int, status, message string) {
	type problem struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	answer(w, code, map[string]problem{"error": {code, "spillway: " + message, status}})
}

// answer sends JSON.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // who does not read it has left
}

// buffers are for copying answers; without them each call would make one of its own.
type buffers struct{ pool sync.Pool }

// bufferSize is that of a piece of a stream, as the router reads it.
const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
