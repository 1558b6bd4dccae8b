package router

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/respcache"
	"github.com/spillway-go/spillway/internal/wire/request"
)

// keyOf returns the key of a call's response, which is that of all equal calls of its namespace.
// It is not ok if the body is no JSON that every reader takes for the same.
func keyOf(x *exchange, s *shelf) (key respcache.Key, ok bool) {
	p := &x.payload
	var k keyed
	k.texts(namespaceOf(s, &x.in.options))
	k.texts([]string{string(p.call.Backend), p.method, request.Path(&p.call), x.request.Model})
	k.texts(x.in.options.Locations)
	k.texts(x.in.cfg.standIns(x.request.Model, &x.in.options.Scope)) // what one may have by a fallback another may not
	for _, name := range slices.Sorted(maps.Keys(x.in.req.Header)) {
		if decides(name) {
			k.texts([]string{http.CanonicalHeaderKey(name)})
			k.texts(x.in.req.Header[name])
		}
	}
	err := withWhole(p, func(body []byte) {
		h := sha256.New()
		_, _ = h.Write(k.b)
		ok = hashBody(h, body)
		h.Sum(key[:0])
	})
	return key, ok && err == nil
}

// withWhole gives f the whole body. Long ones are looked at one at a time, because f copies it.
func withWhole(p *payload, f func(body []byte)) error {
	if !p.long() || p.kept.inFile() { // from a file it is loaded at the desk
		return p.with(f)
	}
	return p.router.bodies.atDesk(p.ctx, func() error { return p.with(f) })
}

// namespaceOf returns who shares what a shelf keeps: all, those with a namespace, or those with a label.
func namespaceOf(s *shelf, o *Call) []string {
	switch {
	case s.Namespace != "":
		return []string{"all", s.Namespace}
	case o.Namespace != "":
		return []string{"caller", o.Namespace}
	default:
		return []string{"label", o.Label}
	}
}

// decides reports whether a header of the caller's that goes to Google may change the response. The
// others tell of the client, of its connection and of those between.
func decides(name string) bool {
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Content-Type", "Content-Encoding", "Accept", "Accept-Language":
		return true
	case "X-Goog-Api-Client", "X-Goog-Request-Params", "X-Goog-Api-Key", "X-Goog-User-Project":
		return false
	}
	return strings.HasPrefix(name, "X-Goog-") || strings.HasPrefix(name, "X-Vertex-") || strings.HasPrefix(name, "X-Gemini-")
}

// keyed is what a key is the hash of, with the length before each text and each list.
type keyed struct{ b []byte }

func (k *keyed) texts(all []string) {
	k.b = binary.AppendUvarint(k.b, uint64(len(all)))
	for _, text := range all {
		k.text(text)
	}
}

func (k *keyed) text(text string) {
	k.b = binary.AppendUvarint(k.b, uint64(len(text)))
	k.b = append(k.b, text...)
}
