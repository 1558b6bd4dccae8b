package main

import (
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/router"
)

// The sidecar's own paths. No path of Google's begins like them.
// sidecar serves the Gemini API through a router.
type sidecar struct {
	router   *router.Router
	listen   string // the address that it serves on, as it was written
	access   atomic.Pointer[access]
	log      *slog.Logger
	proxyLog *log.Logger
	buffers  buffers
	first    *config.Config // whose store and logs are in force; nil without one
	metrics  http.Handler   // nil: none are served
	events   eventServer
	calls    *calls.Ring
	live     live
	level    *slog.LevelVar // of log
}

func newSidecar(r *router.Router, listen string, cfg config.Serve, log *slog.Logger) *sidecar {
	s := &sidecar{
		router: r, listen: listen, log: log, proxyLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		calls: newCallRing(), level: new(slog.LevelVar),
	}
	s.events.ring = newRing()
	s.configure(cfg)
	return s
}

// configure sets what [serve] says, for the requests that follow.
func (s *sidecar) configure(cfg config.Serve) { s.access.Store(newAccess(s.listen, cfg)) }

// ServeHTTP is no ServeMux: that redirects paths that it finds unclean, which turns a POST into a
// GET.
func (s *sidecar) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	c := &client{ResponseWriter: w, sidecar: s, control: http.NewResponseController(w)}
	_ = c.control.SetWriteDeadline(time.Time{}) // of the request before on this connection
	defer func() { c.end(recover()) }()
	if !slices.Contains(methods, req.Method) {
		c.Header().Set("Allow", strings.Join(methods, ", "))
		refuse(c, http.StatusMethodNotAllowed, "UNIMPLEMENTED", fmt.Sprintf("the Gemini API has no method %.20q", req.Method))
		return
	}
	access := s.access.Load()
	if !access.named(req) {
		refuse(c, http.StatusForbidden, "PERMISSION_DENIED",
			fmt.Sprintf("%.100q is no name of this sidecar's; where it is, write it into hosts in [serve]", req.Host))
		return
	}
	page, ok := access.page(req)
	if !ok {
		refuse(c, http.StatusForbidden, "PERMISSION_DENIED",
			"web pages of other origins may not call the sidecar, unless origins in [serve] names them")
		return
	}
	c.page, c.options = page, req.Method == http.MethodOptions
	switch {
	case c.options:
		options(c, req, page)
	case s.operate(c, req): // it was a path for operators, and is served
	case upgradesTo(req.Header, "websocket"):
		refuse(c, http.StatusNotImplemented, "UNIMPLEMENTED",
			"Live sessions are WebSockets, which the sidecar does not serve")
	case climbs(req.URL.EscapedPath()):
		refuse(c, http.StatusBadRequest, "INVALID_ARGUMENT", "the path has segments that lead out of it")
	case !served(req.Method, req.URL):
		refuse(c, http.StatusNotFound, "NOT_FOUND", foreign(req.URL, s.router.Backend()))
	default:
		c.forward(req)
	}
}

// upgradesTo reports whether a client asks for another protocol on its connection. Offers that it
// makes beside its request, such as h2c, need no answer.
func upgradesTo(h http.Header, protocol string) bool {
	for _, v := range h["Upgrade"] {
		for offer := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(offer), protocol) {
				return true
			}
		}
	}
	return false
}

// scheme returns the scheme of the address at which a client reached the sidecar, perhaps through a
// proxy that terminates TLS.
func scheme(req *http.Request) string {
	if first, _, _ := strings.Cut(req.Header.Get("X-Forwarded-Proto"), ","); req.TLS != nil || strings.EqualFold(first, "https") {
		return "https"
	}
	return "http"
}

// uploadURLs are the headers with the address for the chunks of an upload, in Google's spelling.
var uploadURLs = []string{"X-Goog-Upload-URL", "X-Goog-Upload-Control-URL"}

// rewriteUploadURLs makes the address that Google gives for the chunks of an upload the sidecar's
// own. Google would refuse chunks with the client's credential instead of the upload owner's.
func rewriteUploadURLs(resp *http.Response) error {
	for name, values := range resp.Header {
		if !slices.ContainsFunc(uploadURLs, func(one string) bool { return strings.EqualFold(one, name) }) {
			continue
		}
		own := slices.Clone(values)
		for i, value := range values {
			address, err := url.Parse(value)
			if err != nil || address.Host == "" {
				continue
			}
			address.Scheme, address.User, address.Host = resp.Request.URL.Scheme, nil, resp.Request.Host
			own[i] = address.String()
		}
		resp.Header[name] = own
	}
	return nil
}

// spell writes the names of headers as Google does where net/http would not: Python's SDK looks for
// them so.
func spell(h http.Header) {
	for _, name := range uploadURLs {
		canonical := http.CanonicalHeaderKey(name)
		if values, ok := h[canonical]; ok {
			delete(h, canonical)
			h[name] = values
		}
	}
}

// refuse writes an error in Google's shape, which every client understands.
func refuse(w http.ResponseWriter, code int, status, message string) {
	type problem struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	if !strings.HasPrefix(message, "Spillway") {
		message = "spillway: " + message
	}
	writeJSON(w, code, map[string]problem{"error": {code, message, status}})
}

// writeJSON writes v as JSON.
func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
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
