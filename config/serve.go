package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// Serve is what [serve] says: how `spillway serve` serves. Programs in Go do not use it.
type Serve struct {
	// Listen are the addresses for clients. Empty means 127.0.0.1:8080.
	Listen []Address
	// Certificate is what TCP clients see by TLS. Zero means that they come without TLS.
	Certificate Certificate
	// Tokens are what clients send in place of an API key. Empty means that they need none, which an
	// address that other machines can reach allows only with Open.
	Tokens []Token
	// Open serves clients without a token too.
	Open bool
	// Origins are the web pages that may call the sidecar from a browser, each written as a
	// browser does: "https://app.example.com". Empty means none.
	Origins []string
	// Hosts are globs (path.Match) of the names by which clients reach the sidecar, without a port.
	// localhost, names that end in .localhost, and the address that it listens on are always among
	// them. Empty means only these.
	Hosts []string
	// Bounds are what a client may take up.
	Bounds Bounds
	// Admin is the listener for operators.
	Admin Admin
	// DrainDelay is how long the sidecar goes on to serve after it was told to end, while /readyz
	// says already that it is not ready. Zero means not at all.
	DrainDelay time.Duration
}

// Bounds are what a client of the sidecar may take up. Zero means the default.
type Bounds struct {
	// Header is the most bytes of a request's header. Default: 64 KiB.
	Header int64
	// Body is the most bytes of a request's body. Default: 2 GiB, the largest file that Google takes
	// (https://ai.google.dev/gemini-api/docs/files).
	Body int64
	// Connections are the most that are open at once. One more takes the place of the one that has been
	// without a call for longest, and waits while all have calls. Default: 20,000.
	Connections int
	// HeaderTimeout is the time for a request's header, and for TLS to begin. Default: 10 s.
	HeaderTimeout time.Duration
	// BodyTimeout is the longest silence while a request's body is read. Default: 1 minute.
	BodyTimeout time.Duration
	// WriteTimeout is how long a client may take to accept a piece of its response. Default: 1 minute.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection without a call is kept. Default: 3 minutes, longer than
	// clients keep theirs, so that they close first.
	IdleTimeout time.Duration
}

// SameDoors reports whether other says the same as c of what a reload does not change: addresses,
// whether there is TLS, the bounds of headers, connections and idleness, and the listener for
// operators.
func (c *Config) SameDoors(other *Config) bool {
	a, b := &c.Serve, &other.Serve
	x, y := a.Bounds.WithDefaults(), b.Bounds.WithDefaults()
	y.Body, y.BodyTimeout, y.WriteTimeout = x.Body, x.BodyTimeout, x.WriteTimeout
	return slices.Equal(a.Listen, b.Listen) && x == y && a.Admin.Off == b.Admin.Off && a.Admin.Listen == b.Admin.Listen &&
		(a.Certificate.TLS() == nil) == (b.Certificate.TLS() == nil)
}

// WithDefaults returns b with the defaults in place of zeros.
func (b Bounds) WithDefaults() Bounds {
	return Bounds{
		Header: cmp.Or(b.Header, 64<<10), Body: cmp.Or(b.Body, 2<<30), Connections: cmp.Or(b.Connections, 20_000),
		HeaderTimeout: cmp.Or(b.HeaderTimeout, 10*time.Second), BodyTimeout: cmp.Or(b.BodyTimeout, time.Minute),
		WriteTimeout: cmp.Or(b.WriteTimeout, time.Minute), IdleTimeout: cmp.Or(b.IdleTimeout, 3*time.Minute),
	}
}

// Admin is the listener for operators.
type Admin struct {
	// Off means that there is none.
	Off bool
	// Listen is its address. Zero means 127.0.0.1:8081, if that is free.
	Listen Address
	// Token is what operators send as "Authorization: Bearer", and type into the page once in 12 hours.
	// Zero means that they need none, which only an address of this machine allows.
	Token pool.Secret
	// Profiles serves /debug/pprof/.
	Profiles bool
}

func (t *table) serve(cfg *Serve) {
	cfg.Listen = t.addresses("listen")
	cfg.Certificate = t.certificate("tls_cert", "tls_key")
	for _, one := range t.tables("token") {
		cfg.Tokens = append(cfg.Tokens, one.token(cfg.Tokens))
	}
	cfg.Open = t.flag("open")
	cfg.Origins = t.normal("origins", normalOrigin, " is not the origin of a web page",
		`write scheme and host, such as "https://app.example.com" or "http://localhost:3000"`)
	cfg.Hosts = t.normal("hosts", normalHost, " is not the name of a host",
		`write the name alone, such as "spillway.internal" or "*.svc.cluster.local"`)
	t.bounds(&cfg.Bounds)
	t.admin(&cfg.Admin)
	t.positive("drain_delay", &cfg.DrainDelay)
	t.end()
}

func (t *table) bounds(b *Bounds) {
	t.size("max_header", &b.Header)
	t.size("max_body", &b.Body)
	count(t, "max_connections", &b.Connections)
	if b.Connections < 0 {
		t.wrong(t.path.to("max_connections"), "max_connections is negative", "write a value above 0, or leave it out")
	}
	t.positive("header_timeout", &b.HeaderTimeout)
	t.positive("body_timeout", &b.BodyTimeout)
	t.positive("write_timeout", &b.WriteTimeout)
	t.positive("idle_timeout", &b.IdleTimeout)
}

// positive reads a duration above zero.
func (t *table) positive(key string, dst *time.Duration) {
	if t.duration(key, dst); *dst < 0 {
		t.wrong(t.path.to(key), key+" is negative", "write a duration above 0, or leave it out")
	}
}

func (t *table) admin(a *Admin) {
	at := t.path.to("admin")
	if text, ok := t.text("admin"); ok {
		if a.Off = text == "off"; !a.Off {
			a.Listen, _ = t.address(at, "admin", text)
		}
	}
	if text, ok := t.plainText("admin_token"); ok {
		a.Token = t.secretToken(t.path.to("admin_token"), "admin_token", text)
	}
	_, has := t.values["admin_token"]
	if a.Listen != (Address{}) && !a.Listen.Local() && !has {
		t.wrong(at, "admin is an address that other machines can reach, and there is no admin_token",
			`write admin_token = "env:NAME", or an address of this machine, such as "127.0.0.1:8081"`)
	}
	a.Profiles = t.flag("pprof")
}

// normal reads an array of strings in the form that they are compared in.
func (t *table) normal(key string, form func(string) (string, bool), problem, fix string) []string {
	values, _ := t.array(key)
	var all []string
	for i, v := range values {
		at, what := t.path.to(key).element(i), element(key, i)
		text, ok := t.asText(at, what, v)
		if !ok {
			continue
		}
		if text, ok = form(text); !ok {
			t.wrong(at, what+problem, fix)
			continue
		}
		all = append(all, text)
	}
	return all
}

// normalOrigin returns an origin as browsers send it: in small letters and without the port that
// its scheme implies.
func normalOrigin(text string) (string, bool) {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme == "" || u.Host == "" || u.Hostname() == "" || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "?#*") {
		return "", false
	}
	host := u.Host
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host, true
}

// normalHost returns a host's name or glob in small letters, without brackets and final dot.
func normalHost(text string) (string, bool) {
	host := strings.TrimSuffix(strings.ToLower(text), ".")
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil {
		return a.String(), true
	}
	_, err := path.Match(host, "")
	return host, err == nil && host != "" && !strings.ContainsAny(host, ":/@ \t")
}
