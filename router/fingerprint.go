package router

import (
	"hash/maphash"
	"net"
	"net/http"
)

// seed is that of this process's fingerprints.
var seed = maphash.MakeSeed()

// fingerprint returns a hash by which calls that are refused alike are told apart. It is worked out
// when a call is refused, not before.
func fingerprint(p *payload, req *http.Request) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	if host, _, err := net.SplitHostPort(req.RemoteAddr); err == nil { // of a caller of the sidecar
		_, _ = h.WriteString(host)
	}
	for _, own := range []string{"Authorization", "X-Goog-Api-Key"} { // the caller's, which does not travel
		_, _ = h.WriteString(req.Header.Get(own))
	}
	_, _ = h.WriteString(req.Method)
	_, _ = h.WriteString(req.URL.EscapedPath())
	_ = p.with(func(body []byte) { _, _ = h.Write(body) }) // without it all calls of the path are one
	return h.Sum64()
}
