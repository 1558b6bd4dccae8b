package router

import (
	"net"
	"net/http"
	"time"
)

// newTransport returns the default transport: the settings of net/http but for idle connections.
// Google speaks HTTP/2, where one connection carries many calls. A private endpoint or proxy may
// speak HTTP/1 only, so it keeps more idle connections than net/http's two to a host.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}
