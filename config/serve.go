package config

import (
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// Serve is what [serve] says: how `spillway serve` serves. Programs in Go do not use it.
type Serve struct {
	// Origins are the web pages that may call the sidecar from a browser, each written as a
	// browser does: "https://app.example.com". Empty means none.
	Origins []string
	// Hosts are globs (path.Match) of the names by which clients reach the sidecar, without a port.
	// localhost, names that end in .localhost, and the address that it listens on are always among
	// them. Empty means only these.
	Hosts []string
}

func (t *table) serve(cfg *Serve) {
	cfg.Origins = t.normal("origins", normalOrigin, " is not the origin of a web page",
		`write scheme and host, such as "https://app.example.com" or "http://localhost:3000"`)
	cfg.Hosts = t.normal("hosts", normalHost, " is not the name of a host",
		`write the name alone, such as "spillway.internal" or "*.svc.cluster.local"`)
	t.end()
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
