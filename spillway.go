// Package spillway provides the official Gemini client, google.golang.org/genai, over many API
// keys, Google Cloud projects and locations. A 429 from one of them does not stop the program.
//
//	client, err := spillway.Open(ctx, "spillway.toml")
//	if err != nil { … }
//	defer client.Close()
//	resp, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", genai.Text("hi"), nil)
//
// [Client] is a *genai.Client: every method, chat and stream is the SDK's own. Each request goes to
// an endpoint that is ready to serve it. Vertex AI Provisioned Throughput is used first, and
// pay-as-you-go when it is full. Quota is counted by the project that owns it. An endpoint that
// refuses a call goes on cooldown until it can serve again.
//
// Package config describes the TOML file, and package router what happens to a call. Package
// geminitest is an emulator of Google's back ends for tests.
package spillway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// placeholder is the key or project that the SDK requires. The router removes it from every
// request.
const placeholder = "spillway"

// Client is the official client, routed. It is safe for concurrent use.
//
// Live sessions are not HTTP requests. The SDK's Live service fails with [ErrLive]: use
// [Client.ConnectLive].
//
// Leave the SDK's RetryOptions unset. The SDK would wait for seconds, and retry without knowing
// what the router knows.
type Client struct {
	*genai.Client
	// Router is the transport of the client's requests. Other HTTP clients may use it too.
	Router *router.Router

	log       *slog.Logger
	reloading sync.Mutex
	cfg       atomic.Pointer[config.Config] // in force
	first     *config.Config                // whose store and call log are in force
	unwatch   context.CancelFunc
	calls     *calls.Log // nil: there is none
}

var errNoConfig = errors.New("spillway: no config; " +
	"make one with config.Load or config.Parse, or fill in a config.Config")

var errNoStore = errors.New("spillway: the configuration has redis under [store], and the client has no router.WithStore; write\n" +
	"\ts, err := connect.Open(\"spillway.toml\") // import github.com/spillway-go/spillway/store/connect\n" +
	"\tclient, err := spillway.Open(ctx, \"spillway.toml\", router.WithStore(s))")

// Open reads a TOML file, which package config describes, and makes a client over its pool. It
// reports all mistakes in the file at once, each with its line. None shows a key. ctx is used while
// making the client only.
//
// The client looks every 10 seconds whether the file has changed, or a file of keys or credentials
// that it names, and reloads it, as [Client.Reload] does. A file with mistakes changes nothing; the
// logger gets a line. Programs that do not want this call [config.Load] and [New].
//
// If the file has redis under [store], the client needs a store, so that its replicas keep to the
// limits together:
//
//	s, err := connect.Open("spillway.toml") // github.com/spillway-go/spillway/store/connect
//	if err != nil { … }
//	defer s.Close()
//	client, err := spillway.Open(ctx, "spillway.toml", router.WithStore(s))
func Open(ctx context.Context, path string, opts ...router.Option) (*Client, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	c, err := New(ctx, cfg, opts...)
	if err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.unwatch = stop
	go config.Watch(watching, c.cfg.Load, c.Reload, c.log)
	return c, nil
}

// New makes a client over the pool that cfg describes. ctx is used while making the client only.
// Close the client when it is no longer needed.
//
// If cfg has calls under [log], the client writes a line there for each call, see package calls. A
// file that cannot be written fails no call, and not New: the logger gets a line.
func New(ctx context.Context, cfg *config.Config, opts ...router.Option) (*Client, error) {
	if cfg == nil {
		return nil, errNoConfig
	}
	if cfg.Store.Redis.Reveal() != "" && cfg.Pool.Store == nil && router.Store(opts...) == nil {
		return nil, errNoStore
	}
	log := router.Logger(opts...)
	c := &Client{log: log, unwatch: func() {}, first: cfg}
	if l := cfg.Log; l.Calls != "" {
		c.calls = calls.OpenLog(l.Calls, calls.FileConfig{MaxSize: l.MaxSize, MaxFiles: l.MaxFiles}, log)
		opts = append(slices.Clip(opts), router.WithTrace(calls.Trace(c.calls)))
	}
	r, err := router.New(cfg.Pool, cfg.Router, opts...)
	if err != nil {
		return nil, errors.Join(err, c.closeCalls())
	}
	warn(log, cfg)
	// The SDK looks up GOOGLE_API_KEY, GOOGLE_GENAI_USE_VERTEXAI and base URLs in the environment.
	// They must not change where requests go, so all of them are set here.
	cc := &genai.ClientConfig{HTTPClient: &http.Client{Transport: r}}
	if r.Backend() == pool.BackendVertex {
		cc.Backend, cc.Project, cc.Location = genai.BackendVertexAI, placeholder, "global"
		cc.HTTPOptions.BaseURL = "https://aiplatform.googleapis.com/"
	} else {
		cc.Backend, cc.APIKey = genai.BackendGeminiAPI, placeholder
		cc.HTTPOptions.BaseURL = "https://generativelanguage.googleapis.com/"
	}
	client, err := genai.NewClient(ctx, cc)
	if err == nil {
		client.Live, err = noLive(ctx)
	}
	if err != nil {
		_, _ = r.Close(), c.closeCalls()
		return nil, fmt.Errorf("spillway: making the SDK's client: %w", err)
	}
	c.Client, c.Router = client, r
	c.cfg.Store(cfg)
	return c, nil
}

// ClientConfig returns the configuration of a client that is routed like this one, for an agent
// framework or another [genai.NewClient]. The Live service of such a client dials Google without a
// credential, and is refused.
func (c *Client) ClientConfig() genai.ClientConfig {
	cc := c.Client.ClientConfig()
	if cc.Backend == genai.BackendGeminiAPI {
		// The SDK copies GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION from the environment here,
		// and would refuse its own config because of them.
		cc.Project, cc.Location = "", ""
	}
	return cc
}

// Reload replaces the client's configuration by cfg. A client of [Open] does that by itself when its
// file has changed. Others decide when:
//
//	cfg, err := config.Load("spillway.toml")
//	if err == nil {
//		err = client.Reload(cfg)
//	}
//
// What is the same in both keeps its state: used quota, cooldowns, orders and calls under way.
// Limits that Google's refusals named are forgotten: the new file may be about a raised quota. No
// call fails or is sent twice because of a reload. After an error nothing has changed. The dialect
// (Backend of [router.Config]) cannot change, and the store and the call log stay as they are. See
// [router.Router.Reload].
//
// A client of [Open] watches the files of the new configuration from then on: none, if it is not of
// [config.Load]. Reload may be called concurrently; the last call wins.
func (c *Client) Reload(cfg *config.Config) error {
	if cfg == nil {
		return errNoConfig
	}
	c.reloading.Lock()
	defer c.reloading.Unlock()
	if err := c.Router.Reload(cfg.Pool, cfg.Router); err != nil {
		return err
	}
	c.cfg.Store(cfg)
	warn(c.log, cfg)
	if !c.first.SameStore(cfg) {
		c.log.Warn("spillway: [store] has changed; it stays as it was until the program starts again")
	}
	if !c.first.SameCallLog(cfg) {
		c.log.Warn("spillway: the call log under [log] has changed; it stays as it was until the program starts again")
	}
	return nil
}

// warn logs the warnings of a configuration.
func warn(log *slog.Logger, cfg *config.Config) {
	for _, w := range cfg.Warnings {
		log.Warn("spillway: config", slog.String("warning", w.String()))
	}
}

// Close closes the client. Calls that wait for an endpoint fail with [router.ErrClosed], as do later
// ones, and calls under way run to their end. Close writes the state file a last time, if there is
// one, and ends the call log: calls that end later are not in it. It returns the errors of both. It
// may be called more than once.
func (c *Client) Close() error {
	c.unwatch()
	return errors.Join(c.Router.Close(), c.closeCalls())
}

// closeCalls ends the call log, if there is one.
func (c *Client) closeCalls() error {
	if c.calls == nil {
		return nil
	}
	return c.calls.Close()
}
