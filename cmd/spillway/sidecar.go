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

// versioned matches what every path of Google's has: a version, followed by something. The SDK
// sends Interactions of Vertex AI with escaped slashes.
var versioned = regexp.MustCompile(`/v[0-9]+(?:(?:alpha|beta)[0-9]*)?(?:/|%2F).`)

// newSidecar returns a handler that serves the Gemini API through a router.
func newSidecar(r *router.Router, log *slog.Logger) http.Handler {
	// ReverseProxy removes the headers of one connection and ties the call to the client's
	// connection. It sends every piece of a stream on at once, and breaks the client's connection
	// when a response breaks off.
	proxy := &httputil.ReverseProxy{
		Transport: r,
		// The router sets host, path and credentials.
		Rewrite:        func(p *httputil.ProxyRequest) { p.Out.URL.Scheme = scheme(p.In) },
		ModifyResponse: rewriteUploadURLs,
		ErrorHandler:   badGateway,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BufferPool:     &buffers{},
	}
	gate := http.NewCrossOriginProtection() // a web page in a browser must not spend the quota
	gate.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "PERMISSION_DENIED",
			"web pages of other origins may not call the sidecar")
	}))
	// A ServeMux redirects paths that it finds unclean, which turns a POST into a GET.
	return gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch reads := req.Method == http.MethodGet || req.Method == http.MethodHead; {
		case reads && req.URL.Path == healthPath:
			writeJSON(w, http.StatusOK, health{"serving", string(r.Backend())})
		case reads && req.URL.Path == statusPath:
			writeJSON(w, http.StatusOK, snapshotOf(r))
		case req.Header.Get("Upgrade") != "":
			refuse(w, http.StatusNotImplemented, "UNIMPLEMENTED",
				"Live sessions are WebSockets, which the sidecar does not serve")
		case !versioned.MatchString(req.URL.EscapedPath()):
			refuse(w, http.StatusNotFound, "NOT_FOUND", "this is not a path of the Gemini API; its paths begin with a version, such as /v1beta/models")
		default:
			proxy.ServeHTTP(w, req)
		}
	}))
}

// health is the body of /healthz.
type health struct {
	Status  string `json:"status"`
	Backend string `json:"backend"`
}

// scheme returns the scheme of the address at which a client reached the sidecar, perhaps through a
// proxy that terminates TLS.
func scheme(req *http.Request) string {
	if first, _, _ := strings.Cut(req.Header.Get("X-Forwarded-Proto"), ","); req.TLS != nil || strings.EqualFold(first, "https") {
		return "https"
	}
	return "http"
}

// rewriteUploadURLs makes the address that Google gives for the chunks of an upload the sidecar's
// own. Google would refuse chunks with the client's credential instead of the upload owner's.
func rewriteUploadURLs(resp *http.Response) error {
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

// statusClientGone is the status that nginx and Google use when the client of a call has
// disconnected. No client reads it.
const statusClientGone = 499

// badGateway writes the response to a call that no endpoint responded to.
func badGateway(w http.ResponseWriter, req *http.Request, err error) {
	if req.Context().Err() != nil {
		refuse(w, statusClientGone, "CANCELLED", "the client has disconnected")
		return
	}
	refuse(w, http.StatusBadGateway, "UNAVAILABLE", err.Error())
}

// refuse writes an error in Google's shape, which every client understands.
func refuse(w http.ResponseWriter, code int, status, message string) {
	type problem struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	writeJSON(w, code, map[string]problem{"error": {code, "spillway: " + message, status}})
}

// writeJSON writes v as JSON.
func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // on an error the client has disconnected
}

// buffers are for copying responses, so that calls share them.
type buffers struct{ pool sync.Pool }

// bufferSize is the size of a piece of a stream, as the router reads it.
const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
