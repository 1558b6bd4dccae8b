package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/config"
)

// admin serves operators on a listener of their own.
type admin struct{ *sidecar }

// adminRules are what [serve] says of operators' requests.
type adminRules struct {
	*access

	token    *[sha256.Size]byte // nil: operators need none
	profiles bool
}

// adminAddress returns where operators are served.
func adminAddress(cfg *config.Admin) config.Address {
	if cfg.Listen == (config.Address{}) {
		return config.Address{Network: "tcp", Address: defaultAdmin}
	}
	return cfg.Listen
}

func newAdminRules(cfg *config.Serve) adminRules {
	a := adminRules{profiles: cfg.Admin.Profiles}
	a.access = newAccess([]config.Address{adminAddress(&cfg.Admin)}, config.Serve{Hosts: cfg.Hosts}) // no other page's
	if token := cfg.Admin.Token.Reveal(); token != "" {
		sum := sha256.Sum256([]byte(token))
		a.token = &sum
	}
	return a
}

// authorized reports whether a request has the operators' token, or the cookie that it was exchanged for.
func (a *adminRules) authorized(req *http.Request) bool {
	return slices.ContainsFunc(credentials(req), a.isToken) || a.inSession(req, time.Now())
}

// isToken reports whether a text is the operators' token, in a time that says nothing.
func (a *adminRules) isToken(text string) bool {
	sum := sha256.Sum256([]byte(text))
	return a.token != nil && subtle.ConstantTimeCompare(sum[:], a.token[:]) == 1
}

// adminGrace is how long the last requests of operators may take when the sidecar has ended.
const adminGrace = time.Second

// maxOperators bounds the connections of operators: far more than come, and few beside the clients'.
const maxOperators = 1000

// openAdmin begins to serve operators. end ends it. Nobody has asked for the default address, so that
// it is taken is no failure.
func (s *sidecar) openAdmin(ctx context.Context, cfg *config.Serve) (end func(), err error) {
	if cfg.Admin.Off {
		return func() {}, nil
	}
	at := adminAddress(&cfg.Admin)
	l, err := listenOn(ctx, at)
	if err != nil && cfg.Admin.Listen == (config.Address{}) {
		s.log.Warn("operators are not served at an address of their own, for it is taken, perhaps by another sidecar; "+
			`write admin = "127.0.0.1:8082" or another into [serve], or "off"`,
			slog.String("address", at.String()), slog.Any("error", err))
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("admin: %w; write another address as admin in [serve]", err)
	}
	if !isLocal(l.Addr()) && cfg.Admin.Token.Reveal() == "" { // a name may lead anywhere
		_ = l.Close()
		return nil, fmt.Errorf("admin: other machines can reach %s; write admin_token into [serve]", l.Addr())
	}
	d := door{Listener: l}
	s.log.Info("operators are served", slog.String("address", d.url()))
	free := newSeats(maxOperators)
	server := newServer(admin{s}, s.rules.Load().bounds, free, s.log)
	go func() { _ = server.Serve(free.on(d)) }()
	return func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminGrace)
		defer cancel()
		if server.Shutdown(patience) != nil {
			_ = server.Close()
		}
	}, nil
}

// ServeHTTP serves the operators' paths, with /spillway before them or without.
func (a admin) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	all := a.rules.Load()
	rules := &all.admin
	c := a.newClient(w, req, all)
	defer func() { c.end(recover()) }()
	c.receive(req, maxPauseAsk, all.bounds.BodyTimeout)
	if _, ok := rules.page(req); !ok || !rules.named(req) {
		refuse(c, http.StatusForbidden, "PERMISSION_DENIED",
			"operators' paths are for no other page, and under no name but this machine's and those of hosts in [serve]")
		return
	}
	c.trusted = rules.authorized(req)
	req.Header.Del("Origin") // it is the sidecar's own, and may do what a program may
	if c.options = req.Method == http.MethodOptions; c.options {
		options(c, req, "")
		return
	}
	path := req.URL.Path
	_, known := operators[path]
	if !known {
		path = ownPrefix + path
	}
	o, known := operators[path]
	stranger := rules.token != nil && !c.trusted
	switch {
	case path == loginPath && req.Method == http.MethodPost && rules.token != nil:
		rules.login(c, req)
	case path == loginPath && req.Method == http.MethodGet && stranger:
		writeJSON(c, http.StatusOK, login{false})
	case stranger && !o.public && !o.static:
		c.Header().Set("WWW-Authenticate", `Bearer realm="spillway admin"`)
		refuse(c, http.StatusUnauthorized, "UNAUTHENTICATED", wants(req)+`; send it as "Authorization: Bearer"`)
	case known:
		a.run(o, c, req)
	case strings.HasPrefix(req.URL.Path, profilePath):
		rules.profile(c, req)
	default:
		refuse(c, http.StatusNotFound, "NOT_FOUND", "this is not a path for operators; there are "+
			"/healthz, /readyz, /metrics, /status, /events, /explain, /calls, /sla, /pause and /resume")
	}
}

// wants says what a stranger has to send, or that what came is not it.
func wants(req *http.Request) string {
	if len(credentials(req)) > 0 {
		return "what came is not this address's admin_token"
	}
	return "this address asks for admin_token"
}

const profilePath = "/debug/pprof/"

// profile serves the profiles of the program.
func (a *adminRules) profile(c *client, req *http.Request) {
	if !a.profiles {
		refuse(c, http.StatusNotFound, "NOT_FOUND", "profiles are not served; write pprof = true into [serve]")
		return
	}
	switch strings.TrimPrefix(req.URL.Path, profilePath) {
	case "cmdline":
		pprof.Cmdline(c, req)
	case "profile":
		pprof.Profile(c, req)
	case "symbol":
		pprof.Symbol(c, req)
	case "trace":
		pprof.Trace(c, req)
	default:
		pprof.Index(c, req)
	}
}
