package router

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Google's front ends limit HTTP/2 pings. 31 s is what Google's own Go client settled for:
// https://github.com/googleapis/google-api-go-client/pull/1028.
const (
	pingAfter   = 31 * time.Second
	pingTimeout = 5 * time.Second
)

const (
	// renewGap is the least time between two generations of a host's connections.
	renewGap = 5 * time.Second
	// mostHosts bounds the hosts with connections of their own.
	mostHosts = 1000
)

// newTransport returns the default transport: the settings of net/http but for idle connections and
// pings. Google speaks HTTP/2, where one connection carries many calls. A private endpoint or proxy
// may speak HTTP/1 only, so it keeps more idle connections than net/http's two to a host.
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
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// hostTransport is the default transport. It keeps the connections of each host in a generation,
// which can be replaced. Calls under way stay with theirs.
type hostTransport struct {
	make func() *http.Transport

	mu    sync.Mutex
	hosts map[string]*generation
}

// generation is the connections to a host that were made since it was last suspected. A nil
// generation is of a transport that cannot be replaced.
type generation struct {
	*http.Transport

	of      *hostTransport
	host    string
	since   time.Time
	settled time.Time    // it is not replaced before
	calls   int          // under way; guarded by the hostTransport
	retired atomic.Bool  // there is a newer one
	heard   atomic.Int64 // when a byte came over it last: nanoseconds after since; negative: never
}

func newHostTransport() *hostTransport {
	return &hostTransport{make: newTransport, hosts: make(map[string]*generation)}
}

// RoundTrip sends a request over the newest connections of its host.
func (t *hostTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	g := t.begin(req.URL.Host)
	defer g.end()
	return g.RoundTrip(req)
}

// begin returns the newest generation of a host, for a call.
func (t *hostTransport) begin(host string) *generation {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.hosts[host]
	if g == nil {
		if len(t.hosts) >= mostHosts {
			host = ""
			g = t.hosts[host]
		}
		if g == nil {
			g = t.makeLocked(host, time.Now())
		}
	}
	g.calls++
	return g
}

func (t *hostTransport) makeLocked(host string, now time.Time) *generation {
	g := &generation{Transport: t.make(), of: t, host: host, since: now}
	g.heard.Store(-1)
	t.hosts[host] = g
	return g
}

// CloseIdleConnections closes the connections that carry no call.
func (t *hostTransport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, g := range t.hosts {
		g.CloseIdleConnections()
	}
}

// end ends a call. A connection of an older generation closes when it is idle.
func (g *generation) end() {
	if g == nil {
		return
	}
	g.of.mu.Lock()
	g.calls--
	drained := g.retired.Load() && g.calls == 0
	g.of.mu.Unlock()
	if drained {
		g.CloseIdleConnections()
		// A call that was cut off leaves its connection a little later.
		time.AfterFunc(time.Second, g.CloseIdleConnections)
	}
}

// hear notes that a byte came.
func (g *generation) hear(now time.Time) {
	if g != nil {
		g.heard.Store(int64(now.Sub(g.since)))
	}
}

// silent reports whether no byte came over the connections after a time.
func (g *generation) silent(after time.Time) bool {
	return g != nil && g.heard.Load() <= int64(after.Sub(g.since))
}

// lost reports whether the connections were replaced, and no byte came over them after a time.
func (g *generation) lost(after time.Time) bool { return g.silent(after) && g.retired.Load() }

// renew makes the next calls to the host use new connections, if these are silent since then.
func (g *generation) renew(since, now time.Time) {
	if !g.silent(since) || now.Before(g.settled) {
		return
	}
	g.of.mu.Lock()
	if g.of.hosts[g.host] != g { // it was replaced already
		g.of.mu.Unlock()
		return
	}
	g.retired.Store(true)
	g.of.makeLocked(g.host, now).settled = now.Add(renewGap)
	g.of.mu.Unlock()
	g.CloseIdleConnections()
}
