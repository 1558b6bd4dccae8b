package router

import (
	"net/http"
	"time"
)

// newTransport returns the default transport. Google speaks HTTP/2, where one connection carries many calls; a private endpoint or
// proxy may not, so idle connections of HTTP/1 are kept in number too: net/http keeps two.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns = 0 // no bound but the one per host
	t.MaxIdleConnsPerHost = 256
	t.IdleConnTimeout = 90 * time.Second
	t.ForceAttemptHTTP2 = true
	return t
}
