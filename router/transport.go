package router

import (
	"net"
	"net/http"
	"time"
)

// newTransport returns the default transport: net/http's own settings but for idle connections. Google speaks HTTP/2, where one
// connection carries many calls; a private endpoint or proxy may not, so idle connections of HTTP/1 are kept in number too: net/http
// keeps two to a host.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}
