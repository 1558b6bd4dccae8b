package geminitest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// RoundTrip answers a request without a network, as an [http.RoundTripper]: the emulator itself is
// the transport. It reaches every host of Google's, and works inside a testing/synctest bubble. The
// answer's header arrives with the first byte that is sent, so streams stream; when the request's
// context ends, so do RoundTrip and reads of the body. Close the body, or read it to its end, as
// with any transport.
func (e *Emulator) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		closeBody(req)
		return nil, context.Cause(ctx)
	}
	handling, stop := context.WithCancel(ctx)
	r := req.Clone(handling)
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = "192.0.2.1:1234"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1

	w := &memory{ctx: ctx, header: http.Header{}, ready: make(chan struct{}), stop: stop}
	w.changed = sync.NewCond(&w.mu)
	// As with a real connection, the end of the request's context ends the reading of a body, too,
	// even of one that the handler has written to its end. It does not matter any more once the
	// body is closed or read to its end.
	w.detach = context.AfterFunc(ctx, func() { w.cancel(context.Cause(ctx)) })
	go func() {
		defer stop()
		defer closeBody(r)
		w.run(e, r)
	}()

	select {
	case <-w.ready:
	case <-ctx.Done():
		w.cancel(context.Cause(ctx))
	}
	return w.response(req)
}

// Client returns an HTTP client whose requests, to whatever host, all come here.
func (e *Emulator) Client() *http.Client { return &http.Client{Transport: e} }

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// memoryBuffer is how far a handler may be ahead of its reader, as a socket's buffers would let it.
const memoryBuffer = 64 << 10

// memory is a ResponseWriter at one end and a response body at the other.
type memory struct {
	header http.Header        // the handler's, until the header is out
	ctx    context.Context    // of the request
	stop   context.CancelFunc // ends the handler's context
	detach func() bool        // stops watching the request's context
	ready  chan struct{}      // closed when the header is out, or never will be

	mu      sync.Mutex
	changed *sync.Cond
	status  int
	sent    http.Header // a copy of header as it was when it went out
	buffer  []byte
	written int64 // bytes of the body so far
	err     error // what a read returns after the buffer is empty; io.EOF when the handler has ended
	closed  bool  // the reader has gone
	drained bool  // it has read to the end
}

// run lets a handler write the answer.
func (m *memory) run(handler http.Handler, r *http.Request) {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
			m.fail(fmt.Errorf("geminitest: handler panicked: %v", v))
		} else if v != nil {
			m.fail(io.ErrUnexpectedEOF)
		}
	}()
	handler.ServeHTTP(m, r)
	m.WriteHeader(http.StatusOK)
	m.fail(m.ending())
}

// ending is how an answer ends whose handler is done: one that is shorter than its Content-Length
// said is cut.
func (m *memory) ending() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if length := m.length(); length > m.written {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

// length is the Content-Length of the answer that went out, -1 if it has none. mu is held.
func (m *memory) length() int64 {
	if bodiless(m.status) {
		return 0
	}
	if n, err := strconv.ParseInt(m.sent.Get("Content-Length"), 10, 64); err == nil {
		return n
	}
	return -1
}

// fail ends the answer. The first cause holds, and io.EOF is a good end.
func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return
	}
	m.err = err
	m.changed.Broadcast()
	m.release()
}

// cancel ends the answer at once: what was written but not read is lost.
func (m *memory) cancel(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err, m.buffer = cause, nil
	m.changed.Broadcast()
	m.release()
}

// abort ends the answer with a transport error.
func (m *memory) abort(err error) { m.fail(err) }

// release lets RoundTrip go on. mu is held.
func (m *memory) release() {
	select {
	case <-m.ready:
	default:
		close(m.ready)
	}
}

func (m *memory) Header() http.Header { return m.header }

func (m *memory) WriteHeader(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writeHeaderLocked(status)
}

func (m *memory) writeHeaderLocked(status int) {
	if m.status != 0 || m.err != nil {
		return
	}
	m.status, m.sent = status, http.Header{}
	for name, values := range m.header { // whatever its spelling, as a client of net/http reads it
		name = http.CanonicalHeaderKey(name)
		m.sent[name] = append(m.sent[name], values...)
	}
	m.release()
}

// Flush does nothing more: what is written is out.
func (m *memory) Flush() { m.WriteHeader(http.StatusOK) }

func (m *memory) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writeHeaderLocked(http.StatusOK)
	for len(m.buffer) >= memoryBuffer && m.err == nil && !m.closed {
		m.changed.Wait()
	}
	switch {
	case m.closed:
		return 0, io.ErrClosedPipe
	case m.err != nil:
		return 0, m.err
	}
	m.buffer, m.written = append(m.buffer, b...), m.written+int64(len(b))
	m.changed.Broadcast()
	return len(b), nil
}

// response is what RoundTrip returns once the header is out or the handler has failed.
func (m *memory) response(req *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.status == 0 {
		m.stop()
		m.detach()
		return nil, m.err
	}
	status := max(0, m.status)
	resp := &http.Response{
		Status: fmt.Sprintf("%03d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: m.sent.Clone(), Body: (*memoryBody)(m), ContentLength: m.length(), Request: req,
	}
	return resp, nil
}

// memoryBody is the reader's end.
type memoryBody memory

func (b *memoryBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.buffer) == 0 && b.err == nil && !b.closed {
		b.changed.Wait()
	}
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.ctx.Err() != nil && !b.drained: // cancel may not have got here yet
		return 0, context.Cause(b.ctx)
	case len(b.buffer) == 0:
		b.drained = true
		b.detach()
		return 0, b.err
	}
	n := copy(p, b.buffer)
	b.buffer = b.buffer[n:]
	b.changed.Broadcast()
	return n, nil
}

func (b *memoryBody) Close() error {
	b.mu.Lock()
	b.closed, b.buffer = true, nil
	b.changed.Broadcast()
	b.mu.Unlock()
	b.detach()
	b.stop()
	return nil
}
