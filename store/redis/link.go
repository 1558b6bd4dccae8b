package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// ErrClosed occurs on a call of a [Store] that was closed.
var ErrClosed = errors.New("redis: closed")

// errConnecting occurs on a call that finds no connection. One is being made.
var errConnecting = errors.New("not connected")

const (
	atOnce    = 256 // calls under way. A call over that waits for one of them.
	leastWait = 50 * time.Millisecond
	mostWait  = time.Second
)

// link is a client whose connections are made by one goroutine in the background. Calls only use
// them: to connect may take longer than a call has.
type link struct {
	option rueidis.ClientOption
	owned  bool // client is made and closed here

	calls  chan struct{} // holds one for each call under way
	broken chan struct{} // has room for one
	tried  chan struct{} // closed after the first attempt to connect
	closed chan struct{}
	ended  sync.WaitGroup
	once   sync.Once

	mu     sync.Mutex
	client rueidis.Client
	err    error     // of the last attempt to connect, while there is no client
	dialed error     // of the last dial
	broke  error     // of the last attempt, if a connection is missing since
	stale  bool      // the client is to be made anew
	fresh  time.Time // when it was made
}

func newLink() *link {
	return &link{
		calls: make(chan struct{}, atOnce), broken: make(chan struct{}, 1),
		tried: make(chan struct{}), closed: make(chan struct{}),
	}
}

// openLink returns a link that connects in the background, until it is closed.
func openLink(option rueidis.ClientOption) *link {
	l := newLink()
	ctx, cancel := context.WithCancel(context.Background())
	connect := option.DialCtxFn
	option.DialCtxFn = func(
		dial context.Context, address string, dialer *net.Dialer, config *tls.Config,
	) (net.Conn, error) {
		if dial.Value(onCall{}) != nil {
			l.repair()
			return nil, errConnecting
		}
		dial, stop := context.WithCancel(dial)
		defer stop()
		defer context.AfterFunc(ctx, stop)()
		c, err := connect(dial, address, dialer, config)
		l.mu.Lock()
		l.dialed = err
		l.mu.Unlock()
		if err != nil {
			return nil, err
		}
		unwatch := context.AfterFunc(ctx, func() { _ = c.Close() })
		return &conn{Conn: c, unwatch: unwatch, link: l}, nil
	}
	l.option, l.owned = option, true
	l.ended.Go(func() {
		defer cancel()
		<-l.closed
	})
	l.ended.Go(func() { l.keep(ctx) })
	return l
}

// onCall marks the context of a call, which is not to connect.
type onCall struct{}

// conn says when it is closed, so that another one is made before it is needed.
type conn struct {
	net.Conn

	unwatch func() bool
	link    *link
}

// Close closes the connection.
func (c *conn) Close() error {
	c.unwatch()
	c.link.repair()
	return c.Conn.Close()
}

// repair asks for a look at the connections.
func (l *link) repair() {
	select {
	case l.broken <- struct{}{}:
	default:
	}
}

// renew asks for another client: the server is not what it was when this one was made.
func (l *link) renew() {
	l.mu.Lock()
	l.stale = l.owned && time.Since(l.fresh) > patience
	stale := l.stale
	l.mu.Unlock()
	if stale {
		l.repair()
	}
}

// keep connects, and again when a connection is broken.
func (l *link) keep(ctx context.Context) {
	wait := leastWait
	for first := true; ctx.Err() == nil; first = false {
		err := l.connect(ctx)
		l.mu.Lock()
		if l.broke = err; err != nil && l.dialed != nil {
			l.broke = l.dialed // the client may go on to say why the connection before was lost
		}
		l.mu.Unlock()
		if first {
			close(l.tried)
		}
		if err == nil {
			wait = leastWait
			select {
			case <-l.broken:
			case <-ctx.Done():
			}
			continue
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, mostWait)
	}
}

// connect makes a client if there is none, and those of its connections that are missing.
func (l *link) connect(ctx context.Context) error {
	l.mu.Lock()
	client, stale := l.client, l.stale
	l.mu.Unlock()
	if stale {
		client.Close()
		client = nil
	}
	if client == nil {
		made, err := rueidis.NewClient(l.option)
		l.mu.Lock()
		if err != nil {
			made = nil
		}
		l.client, l.err, l.stale, l.fresh = made, err, false, time.Now()
		l.mu.Unlock()
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		client = made
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	nodes := client.Nodes()
	errs := make(chan error, len(nodes))
	for _, node := range nodes {
		go func() { errs <- node.Do(ctx, node.B().Ping().Build()).NonRedisError() }()
	}
	var first error
	for range nodes {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// acquire returns the client for one call, which ends with release. It waits for the first attempt
// to connect.
func (l *link) acquire(ctx context.Context) (rueidis.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	select {
	case <-l.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case <-l.tried:
	case <-l.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("redis: not connected yet: %w", ctx.Err())
	}
	l.mu.Lock()
	client, err := l.client, l.err
	l.mu.Unlock()
	if client == nil {
		return nil, fmt.Errorf("redis: not connected: %w", err)
	}
	select {
	case l.calls <- struct{}{}:
		return client, nil
	case <-l.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("redis: too many calls under way: %w", ctx.Err())
	}
}

// why says why a call that failed with err found no connection, as far as is known.
func (l *link) why(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.broke == nil:
		return fmt.Errorf("redis: %w", err)
	case errors.Is(err, errConnecting):
		return fmt.Errorf("redis: not connected: %w", l.broke)
	default:
		return fmt.Errorf("redis: %w; connecting again: %w", err, l.broke)
	}
}

// release ends what acquire began.
func (l *link) release() { <-l.calls }

// close ends all calls and connections, and waits until they have ended.
func (l *link) close() {
	l.once.Do(func() {
		close(l.closed)
		l.ended.Wait()
		if l.owned && l.client != nil {
			l.client.Close()
		}
		for range atOnce {
			l.calls <- struct{}{}
		}
	})
}
