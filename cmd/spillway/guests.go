package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/router"
)

// guests are the clients whose tokens [serve] has.
type guests struct {
	open bool // those without a token are served too
	list []guest
}

// guest is a client by its token, of which only a hash is kept.
type guest struct {
	name    string
	token   [sha256.Size]byte
	call    router.Call // what holds for all its calls
	most    int64       // calls at once; zero: any number
	running *atomic.Int64
}

// newGuests returns what cfg says of tokens; nil if clients need none.
func newGuests(cfg *config.Serve, running tallies) *guests {
	if len(cfg.Tokens) == 0 {
		return nil
	}
	g := &guests{open: cfg.Open}
	for i := range cfg.Tokens {
		t := &cfg.Tokens[i]
		call := router.Call{
			Label: cmp.Or(t.Label, t.Name), Namespace: t.Name,
			Scope: router.Scope{Models: t.Models, Locations: t.Locations},
		}
		if t.Priority == router.PriorityBatch { // an interactive one may ask for less
			call.Priority = t.Priority
		}
		g.list = append(g.list, guest{
			t.Name, sha256.Sum256([]byte(t.Token.Reveal())), call, int64(t.Concurrency), running[t.Name],
		})
	}
	return g
}

// tallies count the calls under way of tokens, by their names.
type tallies map[string]*atomic.Int64

// of returns the tallies of tokens. Calls that are under way go on to count for theirs, also if it is
// taken away for a while.
func (t tallies) of(tokens []config.Token) tallies {
	next := tallies{}
	for name, running := range t {
		if running.Load() > 0 {
			next[name] = running
		}
	}
	for i := range tokens {
		name := tokens[i].Name
		if next[name] = t[name]; next[name] == nil {
			next[name] = new(atomic.Int64)
		}
	}
	return next
}

// of returns the guest that a request is from, by the first of its credentials that is a token, or the
// ticket of its upload; nil if none is. It compares with all, so that the time that it takes says
// nothing.
func (g *guests) of(req *http.Request) *guest {
	found, upload := -1, chunkOf(req)
	for _, text := range credentials(req) {
		sum, which := sha256.Sum256([]byte(text)), -1
		for i := range g.list {
			same := subtle.ConstantTimeCompare(sum[:], g.list[i].token[:])
			if upload != "" {
				same |= subtle.ConstantTimeCompare([]byte(text), []byte(g.list[i].ticket(upload)))
			}
			which = subtle.ConstantTimeSelect(same, i, which)
		}
		if found < 0 {
			found = which
		}
	}
	if found < 0 {
		return nil
	}
	return &g.list[found]
}

// chunkOf returns the upload that a request is a chunk of; "" if it is none.
func chunkOf(req *http.Request) string {
	upload := request.Parameter(req.URL.RawQuery, uploadID)
	if upload == "" {
		return ""
	}
	if call := request.Parse(req.Method, req.URL, nil); call.Resource != "uploads/"+upload {
		return "" // a ticket is for nothing else
	}
	return upload
}

// uploadID is the parameter by which Google knows the upload that a chunk is of.
const uploadID = "upload_id"

// ticket stands for the token of a guest in the chunks of an upload: SDKs send these without a
// credential, to the address that the first response gave. Every sidecar with the same token knows it.
func (g *guest) ticket(upload string) string {
	mac := hmac.New(sha256.New, g.token[:])
	_, _ = mac.Write([]byte("upload " + upload))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// keyHeader is where SDKs put an API key.
const keyHeader = "X-Goog-Api-Key"

// credentials returns what a client sends as a key or an access token, in the places of SDKs.
func credentials(req *http.Request) []string {
	all := append([]string(nil), req.Header[keyHeader]...)
	for _, v := range req.Header["Authorization"] {
		if scheme, token, _ := strings.Cut(v, " "); strings.EqualFold(scheme, "Bearer") {
			all = append(all, strings.TrimSpace(token))
		}
	}
	if key := request.Parameter(req.URL.RawQuery, "key"); key != "" {
		all = append(all, key)
	}
	return all
}

// strip takes the credentials out of a request, so that none goes further.
func strip(req *http.Request) {
	delete(req.Header, keyHeader)
	delete(req.Header, "Authorization")
	if request.Parameter(req.URL.RawQuery, "key") != "" {
		req.URL.RawQuery = request.WithParameter(req.URL.RawQuery, "key", "")
	}
}

// howToSend says where a token belongs.
const howToSend = `send it where an API key belongs: as x-goog-api-key, as "Authorization: Bearer", or as ?key= in the URL`

// enter lets a client in, and returns its request as it goes on: without its token, and bound to what
// that may do. If it returns nil, the client was refused.
func (c *client) enter(g *guests, req *http.Request) *http.Request {
	if g == nil {
		return req
	}
	who := g.of(req)
	sent := len(credentials(req)) > 0
	strip(req)
	switch {
	case who == nil && g.open:
		return req
	case who == nil:
		c.Header().Set("WWW-Authenticate", `Bearer realm="spillway"`)
		text := "this sidecar asks for a token; " + howToSend
		if sent {
			text = "the key that came is no token of this sidecar's; " + howToSend
		}
		refuse(c, http.StatusUnauthorized, "UNAUTHENTICATED", text)
		return nil
	}
	if n := who.running.Add(1); who.most > 0 && n > who.most {
		who.running.Add(-1)
		c.Header().Set("Retry-After", "1")
		refuse(c, http.StatusTooManyRequests, "RESOURCE_EXHAUSTED",
			"the token "+who.name+" has as many calls under way as it may have; try again when one has ended")
		return nil
	}
	c.guest = who
	return req.WithContext(router.WithCall(req.Context(), who.call))
}
