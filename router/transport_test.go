package router_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// wire is a host that speaks HTTP/2 in memory. Its connections can die silently: what is written is
// swallowed, and nothing comes back.
type wire struct {
	serve chan net.Conn

	mu    sync.Mutex
	conns []*mortal
}

// newWire returns a host whose requests h answers.
func newWire(t *testing.T, h http.HandlerFunc) *wire {
	t.Helper()
	w := &wire{serve: make(chan net.Conn)}
	s := &http.Server{Handler: h, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Hour}
	s.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = s.Serve(w) }()
	t.Cleanup(func() {
		_ = s.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.conns {
			_ = c.Close()
			_ = c.far.Close()
		}
	})
	return w
}

func (w *wire) Accept() (net.Conn, error) {
	c, ok := <-w.serve
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (w *wire) Close() error   { close(w.serve); return nil }
func (w *wire) Addr() net.Addr { return &net.TCPAddr{} }

func (w *wire) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	c := &mortal{Conn: near, far: far}
	w.mu.Lock()
	w.conns = append(w.conns, c)
	w.mu.Unlock()
	w.serve <- far
	return c, nil
}

// cut kills every connection there is, and returns how many there were so far.
func (w *wire) cut() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.dead.Store(true)
	}
	return len(w.conns)
}

// open returns how many connections are open, and how many there were.
func (w *wire) open() (n, all int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		if !c.closed.Load() {
			n++
		}
	}
	return n, len(w.conns)
}

// mortal is a connection that can die.
type mortal struct {
	net.Conn

	far          net.Conn
	dead, closed atomic.Bool
}

func (m *mortal) Write(p []byte) (int, error) {
	if m.dead.Load() && !m.closed.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

func (m *mortal) Read(p []byte) (int, error) {
	for {
		n, err := m.Conn.Read(p)
		if err != nil || !m.dead.Load() {
			return n, err
		}
	}
}

func (m *mortal) Close() error {
	m.closed.Store(true)
	return m.Conn.Close()
}

// shared is a router with the default transport over three projects of one host.
func shared(t *testing.T, w *wire) *router.Router {
	t.Helper()
	var p pool.Config
	for _, name := range []string{"a", "b", "c"} {
		p.Projects = append(p.Projects, keyed(name, "k-"+name).pool)
		p.Projects[len(p.Projects)-1].BaseURL = "http://host.example/" + name
	}
	r := newRouter(t, p, router.Config{})
	r.EditTransport(func(h *http.Transport) {
		h.Proxy, h.DialContext = nil, w.dial
		h.Protocols = new(http.Protocols)
		h.Protocols.SetUnencryptedHTTP2(true)
	})
	return r
}

// answersIn is a handler that answers after d.
func answersIn(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", jsonType)
		_, _ = io.WriteString(w, okBody)
	}
}

// TestDeadConnectionIsReplacedWithinSeconds: the one connection that every project shares dies
// silently. Every call gets its answer, and those that begin some seconds later notice nothing.
func TestDeadConnectionIsReplacedWithinSeconds(t *testing.T) {
	for _, deadline := range []time.Duration{0, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWire(t, answersIn(500*time.Millisecond))
			r := shared(t, w)
			if failed := load(t, r, genPath, 40, 200*time.Millisecond, 0); failed > 0 {
				t.Fatalf("%d of 40 calls failed before anything was wrong", failed)
			}
			if n := w.cut(); n != 1 {
				t.Fatalf("there were %d connections", n)
			}
			if failed := load(t, r, genPath, 25, 200*time.Millisecond, deadline); failed > 0 {
				t.Errorf("deadline %v: %d of 25 calls failed in the first five seconds", deadline, failed)
			}
			began := time.Now()
			if failed := load(t, r, genPath, 25, 200*time.Millisecond, time.Second); failed > 0 {
				t.Errorf("deadline %v: %d of 25 calls failed five seconds later", deadline, failed)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("25 calls took %v", took)
			}
			time.Sleep(2 * time.Second)
			if n, all := w.open(); n != 1 {
				t.Errorf("%d of %d connections are open, want 1", n, all)
			}
			_ = r.Close()
		})
	}
}

// TestDeadConnectionIsFoundByPings: without data and without a deadline nothing is suspected. Pings
// find the dead connection.
func TestDeadConnectionIsFoundByPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, answersIn(500*time.Millisecond))
		r := shared(t, w)
		if err := once(t, r, genPath, 0); err != nil {
			t.Fatal(err)
		}
		w.cut()
		began := time.Now()
		if err := once(t, r, genPath, 0); err != nil || time.Since(began) > 40*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		_ = r.Close()
	})
}

// TestRunningAnswersOutliveTheirConnectionsGeneration: an endpoint is silent for one call, and its
// host's connection goes on to carry the response that it carries.
func TestRunningAnswersOutliveTheirConnectionsGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		w := newWire(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("X-Long") != "":
				w.Header().Set("Content-Type", eventType)
				_, _ = io.WriteString(w, content)
				_ = http.NewResponseController(w).Flush()
				time.Sleep(30 * time.Second)
				_, _ = io.WriteString(w, event)
			case silent.Load():
				<-r.Context().Done()
			default:
				answersIn(500*time.Millisecond)(w, r)
			}
		})
		r := shared(t, w)
		load(t, r, genPath, 40, 200*time.Millisecond, 0)
		req := gen(t.Context(), streamPath, `{}`)
		req.Header.Set("X-Long", "1")
		resp, err := r.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		silent.Store(true)
		go func() {
			time.Sleep(2500 * time.Millisecond)
			silent.Store(false)
		}()
		if err := once(t, r, genPath, 0); err != nil {
			t.Error(err)
		}
		if n, all := w.open(); n != 2 || all != 2 {
			t.Errorf("%d connections are open, and there were %d; want the old one and a new one", n, all)
		}
		if data, err := io.ReadAll(resp.Body); err != nil || string(data) != content+event {
			t.Errorf("the long response: %q, %v", data, err)
		}
		synctest.Wait()
		if n, _ := w.open(); n != 1 {
			t.Errorf("%d connections are open after the old one has done its work, want 1", n)
		}
		_ = r.Close()
	})
}
