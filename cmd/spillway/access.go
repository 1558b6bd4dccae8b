package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/config"
)

// access says from where the sidecar may be called. It may need no token, so a web page in a browser
// on this machine must not get in: neither by asking across origins, nor under a name of its own that
// it has pointed here (DNS rebinding).
type access struct {
	listen  []string // hosts of the listen addresses, as they were written
	hosts   []string
	origins []string
}

func newAccess(listen []config.Address, cfg config.Serve) *access {
	a := &access{hosts: cfg.Hosts, origins: cfg.Origins}
	for _, l := range listen {
		if host := l.Host(); host != "" {
			a.listen = append(a.listen, hostname(host))
		}
	}
	return a
}

// hostname returns the host of a Host header, in the form that [config.Serve] has.
func hostname(header string) string {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(header, "["), "]")
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().WithZone("").String()
	}
	return host
}

// named reports whether the request's Host is a name of the sidecar's: a loopback name, the address
// that it listens on, or one of [serve] hosts. Where it listens on every address of the machine,
// all addresses are its own. A request without Host is no browser's.
func (a *access) named(req *http.Request) bool {
	host := hostname(req.Host)
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(a.listen, host) {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		everywhere := func(listen string) bool { at, err := netip.ParseAddr(listen); return err == nil && at.IsUnspecified() }
		if ip.IsLoopback() || slices.ContainsFunc(a.listen, everywhere) || host == localHost(req) {
			return true
		}
	}
	return slices.ContainsFunc(a.hosts, func(glob string) bool {
		ok, err := path.Match(glob, host)
		return ok && err == nil
	})
}

// localHost returns the address of this machine's that the client has connected to.
func localHost(req *http.Request) string {
	if at := connectedTo(req); at != nil {
		return hostname(at.String())
	}
	return ""
}

// connectedTo returns the address of this machine's that the client has connected to; nil if there is
// no connection.
func connectedTo(req *http.Request) net.Addr {
	at, _ := req.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return at
}

// page returns the origin of the web page that sends the request, if [serve] origins names it. It
// returns "" for programs, and for what the sidecar's own origin or a person sends. It is not ok
// for pages of other origins, whatever the method: a browser sends many requests without asking. A link
// there may open the sidecar's own page.
func (a *access) page(req *http.Request) (origin string, ok bool) {
	origins, sites := req.Header["Origin"], req.Header["Sec-Fetch-Site"]
	switch {
	case len(origins) > 1 || len(sites) > 1:
		return "", false
	case len(origins) == 1 && slices.Contains(a.origins, strings.ToLower(origins[0])):
		return origins[0], true
	case len(origins) == 0 && opensDashboard(req):
		return "", true
	case len(sites) == 1:
		return "", sites[0] == "same-origin" || sites[0] == "none"
	case len(origins) == 1: // a browser from before Sec-Fetch-Site
		u, err := url.Parse(origins[0])
		return "", err == nil && u.Host != "" && strings.EqualFold(u.Host, req.Host)
	}
	return "", true
}

// methods are those that the sidecar serves.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// options answers OPTIONS, which never goes to Google. Of a page that may call the sidecar it is
// the question whether it may.
func options(w http.ResponseWriter, req *http.Request, page string) {
	h, all := w.Header(), strings.Join(methods, ", ")
	h.Set("Allow", all)
	if page != "" {
		h.Set("Access-Control-Allow-Methods", all)
		h.Set("Access-Control-Max-Age", "600")
		if asked := req.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
		}
		if req.Header.Get("Access-Control-Request-Private-Network") == "true" {
			h.Set("Access-Control-Allow-Private-Network", "true")
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// share lets the page read the response, and no other. What Google says about that is meant for
// pages that call Google.
func share(h http.Header, page string, preflight bool) {
	for name := range h {
		if len(name) >= len(crossOrigin) && strings.EqualFold(name[:len(crossOrigin)], crossOrigin) && !preflight {
			delete(h, name)
		}
	}
	if page == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", page)
	h.Set("Access-Control-Expose-Headers", "*")
	h.Add("Vary", "Origin")
}

const crossOrigin = "Access-Control-"
