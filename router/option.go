package router

import (
	"log/slog"
	"net/http"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/store"
)

// Option sets what a TOML file cannot: how a [Router] is tied into its program.
type Option interface{ apply(o *options) }

type options struct {
	transport http.RoundTripper
	log       *slog.Logger
	silent    bool // no logger was given
	events    func(pool.Event)
	traces    []*Trace
	store     store.Store
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// WithTransport sets the transport that carries the requests. Absent or nil, the router makes an
// [http.Transport] for HTTP/2 and many connections to a host. It pings idle connections, and
// replaces those that are suspected to be dead. The router cannot do that for the connections of a
// transport that it was given. The transport must be safe for concurrent use and, like every
// RoundTripper, must not modify the request.
func WithTransport(t http.RoundTripper) Option {
	return optionFunc(func(o *options) { o.transport = t })
}

// WithLogger sets the logger that gets a line for each [pool.Event] but [pool.CooldownExtended]: a
// cooldown that started or ended, or a problem that needs an operator. Orders that are full and
// contention, which come several times a second, are at debug level. It gets no lines about single
// calls and never a key. Absent or nil, the router logs nothing; only a function of [WithEvents]
// that panics is reported to [slog.Default].
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(o *options) { o.log = l })
}

// WithEvents sets a function that receives every [pool.Event], one at a time, while no lock is
// held. It must return soon. If it panics, the panic is logged to [slog.Default]. Absent or nil,
// there is none.
func WithEvents(f func(pool.Event)) Option {
	return optionFunc(func(o *options) { o.events = f })
}

// WithTrace adds functions that receive the steps of each call. Those of several options are called
// in the order of the options. Absent or nil, there are none.
func WithTrace(t *Trace) Option {
	return optionFunc(func(o *options) {
		if t != nil {
			o.traces = append(o.traces, t)
		}
	})
}

// WithStore sets what the replicas of a service share, so that together they keep to limits and
// orders, which belong to projects. Absent or nil, the router is on its own, or keeps to
// [pool.Config].Share. The router bounds every call to the store ([pool.Config].StoreTimeout) and
// makes most in the background. A request itself asks for an order that is nearly full, and where
// the fleet has one pace. If the store does not answer in time, the request goes on without. Close
// ends its use, not the store.
func WithStore(s store.Store) Option {
	return optionFunc(func(o *options) { o.store = s })
}

// observer returns the function that receives the pool's events, nil if there is none.
func (o *options) observer() func(pool.Event) {
	if o.silent {
		return o.events
	}
	log := pool.Log(o.log)
	if o.events == nil {
		return log
	}
	return func(e pool.Event) {
		log(e)
		o.events(e)
	}
}

// Logger returns the logger that opts set, or one that discards everything. It is for code that
// makes routers for others.
func Logger(opts ...Option) *slog.Logger { return choose(opts).log }

// Store returns the store that opts set, or nil. It is for code that makes routers for others.
func Store(opts ...Option) store.Store { return choose(opts).store }

func choose(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt.apply(&o)
	}
	if o.log == nil {
		o.silent = true
		o.log = slog.New(slog.DiscardHandler)
	}
	return o
}
