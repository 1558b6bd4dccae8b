// Package spillway gives a program the official Gemini client, google.golang.org/genai, over many API keys, Google Cloud projects and
// locations at once, so that a 429 from one of them does not stop it.
//
//	client, err := spillway.Open(ctx, "spillway.toml")
//	if err != nil { … }
//	defer client.Close()
//	resp, err := client.Models.GenerateContent(ctx, "gemini-2.5-flash", genai.Text("hi"), nil)
//
// [Client] is a *genai.Client: every method, chat and stream is the SDK's own, and each request goes to an endpoint that can serve it
// now. Vertex AI Provisioned Throughput is used first and pay-as-you-go when it is full; quota is counted by the project that owns it;
// what says no is not asked again before it can say yes. Package config describes the TOML file, package router what happens to a call,
// and package geminitest is an emulator of Google's back ends to test on.
package spillway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// placeholder stands where the SDK wants a key or project. The router takes it out of every request.
const placeholder = "spillway"

// Client is the official client, routed. It is safe for concurrent use.
//
// Live sessions are not HTTP requests, and the SDK's Live service fails with [ErrLive]: use [Client.ConnectLive].
//
// Leave the SDK's RetryOptions unset: it would wait for seconds and ask again without knowing what the router knows.
type Client struct {
	*genai.Client
	// Router is what the client's requests go through. It may be used under other HTTP clients too.
	Router *router.Router

	log *slog.Logger
}

var errNoConfig = errors.New("spillway: no config; make one with config.Load or config.Parse, or fill in a config.Config")

// Open reads a TOML file and makes a client over the pool that it describes. The file is described in package config. Errors in it are
// all reported at once, each with its line; none shows a key. ctx is for making the client only.
func Open(ctx context.Context, path string, opts ...router.Option) (*Client, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	return New(ctx, cfg, opts...)
}

// New makes a client over the pool that cfg describes. ctx is for making the client only. Close it when it is no longer needed.
func New(ctx context.Context, cfg *config.Config, opts ...router.Option) (*Client, error) {
	if cfg == nil {
		return nil, errNoConfig
	}
	r, err := router.New(cfg.Pool, cfg.Router, opts...)
	if err != nil {
		return nil, err
	}
	log := router.Logger(opts...)
	warn(log, cfg)
	// What the SDK finds in the environment (GOOGLE_API_KEY, GOOGLE_GENAI_USE_VERTEXAI, base URLs) must not change where requests go:
	// everything that it would look up is set here.
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
		_ = r.Close()
		return nil, fmt.Errorf("spillway: making the SDK's client: %w", err)
	}
	return &Client{Client: client, Router: r, log: log}, nil
}

// ClientConfig returns what an agent framework, or another [genai.NewClient], needs to make a client that is routed like this one. The Live
// service of such a client dials Google without a credential, and is refused.
func (c *Client) ClientConfig() genai.ClientConfig {
	cc := c.Client.ClientConfig()
	if cc.Backend == genai.BackendGeminiAPI {
		// The SDK puts GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION of the environment here, and would refuse its own config for it.
		cc.Project, cc.Location = "", ""
	}
	return cc
}

// Reload puts cfg in the place of the configuration that the client was made with, for instance because the file has changed:
//
//	cfg, err := config.Load("spillway.toml")
//	if err == nil {
//		err = client.Reload(cfg)
//	}
//
// What is the same in both goes on with all that is known of it (quotas that are used up, cooldowns, orders, calls that are under way); no
// call fails or is sent twice for it. After an error all stays as it was. The dialect ([router.Config] Backend) cannot change. See
// [router.Router.Reload].
func (c *Client) Reload(cfg *config.Config) error {
	if cfg == nil {
		return errNoConfig
	}
	if err := c.Router.Reload(cfg.Pool, cfg.Router); err != nil {
		return err
	}
	warn(c.log, cfg)
	return nil
}

// warn logs what the configuration says that is likely not meant.
func warn(log *slog.Logger, cfg *config.Config) {
	for _, w := range cfg.Warnings {
		log.Warn("spillway: config", slog.String("warning", w.String()))
	}
}

// Close ends the client: calls that wait for an endpoint fail with [router.ErrClosed], calls that are under way go on to their end. It
// writes the state file a last time, if there is one, of which it returns the error. It may be called more than once.
func (c *Client) Close() error { return c.Router.Close() }
