package main

import (
	"crypto/tls"
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
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/router"
)

// sidecar serves the Gemini API through a router.
type sidecar struct {
	router   *router.Router
	listen   string      // the address of --listen; empty: the file's
	exposed  atomic.Bool // other machines can reach one of its addresses
	phase    life
	rules    atomic.Pointer[rules]
	log      *slog.Logger
	proxyLog *log.Logger
	buffers  buffers
	first    *config.Config // whose store and logs are in force; nil without one
	metrics  http.Handler   // nil: none are served
	events   eventServer
	calls    *calls.Ring
	feed     feed           // of the page
	level    *slog.LevelVar // of log
	live     relays
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

// rules are what [serve] says of requests. A reload replaces them as a whole.
type rules struct {
	*access

	guests      *guests // nil: clients need no token
	tallies     tallies
	bounds      config.Bounds
	certificate *tls.Certificate
	drainDelay  time.Duration
	admin       adminRules
	serve       config.Serve // which they are of
}

// configure sets what [serve] says, for the requests that follow.
func (s *sidecar) configure(cfg config.Serve) {
	var running tallies
	if r := s.rules.Load(); r != nil {
		running, cfg = r.tallies, standing(&r.serve, cfg)
	}
	running = running.of(cfg.Tokens)
	s.rules.Store(&rules{
		newAccess(addressesOf(s.listen, &cfg), cfg), newGuests(&cfg, running), running, cfg.Bounds.WithDefaults(),
		cfg.Certificate.TLS(), cfg.DrainDelay, newAdminRules(&cfg), cfg,
	})
}

// standing returns what a reload puts in force: the addresses stay as they are until the program starts
// again, and with them their names, a certificate, and a token where other machines reach operators.
func standing(was *config.Serve, is config.Serve) config.Serve {
	is.Listen = was.Listen
	is.Admin.Listen, is.Admin.Off = was.Admin.Listen, was.Admin.Off
	if is.Certificate.TLS() == nil {
		is.Certificate = was.Certificate
	}
	if at := adminAddress(&was.Admin); !at.Local() && is.Admin.Token.Reveal() == "" {
		is.Admin.Token = was.Admin.Token
	}
	return is
}

// ServeHTTP is no ServeMux: that redirects paths that it finds unclean, which turns a POST into a
// GET.
func (s *sidecar) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Context().Err() != nil {
		return // an HTTP/2 client has taken its request back at once, and may do so very often
	}
	rules := s.rules.Load()
	// What is set here is not the server's: it looks at its own request's body to know whether a client
	// that expects 100 Continue has sent one.
	req = req.WithContext(req.Context())
	c := s.newClient(w, req, rules)
	defer func() { c.end(recover()) }()
	if req.ProtoMajor == 1 && (req.ProtoMinor == 0 || len(req.TransferEncoding) > 0) {
		// A proxy before may take another end of the request for the true one. Then what follows is no
		// request of its own (RFC 9112, section 6.1).
		c.Header().Set("Connection", "close")
	}
	tooLong := c.receive(req, rules.bounds.Body, rules.bounds.BodyTimeout)
	if !slices.Contains(methods, req.Method) {
		c.Header().Set("Allow", strings.Join(methods, ", "))
		refuse(c, http.StatusMethodNotAllowed, "UNIMPLEMENTED", fmt.Sprintf("the Gemini API has no method %.20q", req.Method))
		return
	}
	if !rules.named(req) {
		refuse(c, http.StatusForbidden, "PERMISSION_DENIED",
			fmt.Sprintf("%.100q is no name of this sidecar's; where it is, write it into hosts in [serve]", req.Host))
		return
	}
	page, ok := rules.page(req)
	if !ok {
		refuse(c, http.StatusForbidden, "PERMISSION_DENIED",
			"web pages of other origins may not call the sidecar, unless origins in [serve] names them")
		return
	}
	c.page, c.options = page, req.Method == http.MethodOptions
	if c.options {
		options(c, req, page)
		return
	}
	if s.operate(c, req) { // it was a path for operators, and is served
		return
	}
	if req = c.enter(rules.guests, req); req == nil {
		return
	}
	switch {
	case tooLong:
		refuseBody(c, errTooLong)
	case upgradesTo(req.Header, "websocket"):
		s.serveLive(c, req)
	case climbs(req.URL.EscapedPath()):
		refuse(c, http.StatusBadRequest, "INVALID_ARGUMENT", "the path has segments that lead out of it")
	case !served(req.Method, req.URL):
		refuse(c, http.StatusNotFound, "NOT_FOUND", foreign(req.URL))
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
// own. Google would refuse chunks with the client's credential instead of the upload owner's. A client
// with a token gets a ticket in its place.
func (c *client) rewriteUploadURLs(resp *http.Response) error {
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
			if upload := request.Parameter(address.RawQuery, uploadID); c.guest != nil && upload != "" {
				address.RawQuery = request.WithParameter(address.RawQuery, "key", c.guest.ticket(upload))
			}
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

// refuse writes an error in Google's shape, which every client understands, or in OpenAI's where a
// client calls in its dialect.
func refuse(w http.ResponseWriter, code int, status, message string) {
	type problem struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	if !strings.HasPrefix(message, "Spillway") {
		message = "spillway: " + message
	}
	body, _ := json.Marshal(map[string]problem{"error": {code, message, status}}) // texts and a number
	if c, ok := w.(*client); ok && inOpenAI(c.url) {
		body = verdict.OpenAI(code, body)
	}
	writeJSON(w, code, json.RawMessage(body))
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
