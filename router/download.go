package router

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	// maxHops bounds the redirects of one download. Google's have one.
	maxHops = 5
	// maxHopBody bounds what is read of a redirect's body, so that its connection can be used again.
	maxHopBody = 4 << 10
)

// errHops ends an attempt whose redirects do not end.
var errHops = errors.New("router: the download is redirected again and again")

// follow follows the redirects of a download to the bytes: every hop wants the credential, which a
// client does not have. The credential goes to Google's hosts only, or to the endpoint's own. Any
// other redirect is returned as it is.
func follow(a *attempt, req *http.Request, resp *http.Response) (*http.Response, error) {
	if !a.exchange.payload.call.Downloads() || req.Method != http.MethodGet && req.Method != http.MethodHead {
		return resp, nil
	}
	home := req.URL
	for range maxHops {
		to := hop(req.URL, home, a.endpoint.BaseURL, resp)
		if to == nil {
			return resp, nil
		}
		_, _ = io.CopyN(io.Discard, resp.Body, maxHopBody)
		_ = resp.Body.Close()
		next := req.WithContext(a.ctx) // a copy
		next.URL, next.Host, next.Header = to, to.Host, req.Header.Clone()
		next.Body, next.GetBody, next.ContentLength = nil, nil, 0
		req = next
		var err error
		if resp, err = a.send(req); err != nil {
			return nil, err
		}
	}
	if hop(req.URL, home, a.endpoint.BaseURL, resp) != nil {
		_ = resp.Body.Close()
		return nil, errHops
	}
	return resp, nil
}

// hop returns where a response sends a request from at, if the credential may go there; nil if not,
// or if the response is no redirect. home is the address of the first request. Where base stands in
// for Google's hosts, it does so for every hop.
func hop(at, home, base *url.URL, resp *http.Response) *url.URL {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil
	}
	to, err := at.Parse(location)
	if err != nil || to.User != nil {
		return nil
	}
	to.Fragment, to.RawFragment = "", ""
	switch {
	case strings.EqualFold(to.Host, home.Host) && to.Scheme == home.Scheme:
		return to
	case !ofGoogle(to):
		return nil
	case base == nil:
		return to
	}
	at = base.JoinPath(to.EscapedPath())
	at.RawQuery = to.RawQuery
	return at
}

// ofGoogle reports whether an address is one of Google's APIs. Other domains of Google's serve what
// its users put there.
func ofGoogle(u *url.URL) bool {
	return u.Scheme == "https" && (u.Port() == "" || u.Port() == "443") &&
		strings.HasSuffix(strings.ToLower(u.Hostname()), ".googleapis.com")
}
