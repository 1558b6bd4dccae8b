package router

import (
	"log/slog"
	"net/http"
)

// Option sets what a TOML file cannot: how a [Router] is tied into the program around it.
type Option interface{ apply(o *options) }

type options struct {
	transport http.RoundTripper
	log       *slog.Logger
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// WithTransport sets what requests finally go through. Absent or nil, it is an [http.Transport] of the router's own, for many
// connections to a host and HTTP/2. It must be safe for concurrent use and, like every RoundTripper, leave the request as it is.
func WithTransport(t http.RoundTripper) Option {
	return optionFunc(func(o *options) { o.transport = t })
}

// WithLogger sets who hears when something begins to rest, is back, or needs a person's attention; never of single calls, and never a
// key. Absent or nil, the router is silent.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(o *options) { o.log = l })
}

// Logger returns the logger that opts choose; one that is silent if they choose none. It is for code that makes routers for others.
func Logger(opts ...Option) *slog.Logger { return choose(opts).log }

func choose(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt.apply(&o)
	}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	return o
}
