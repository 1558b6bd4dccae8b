package spillway

import (
	"context"
	"errors"
	"net/http"

	"cloud.google.com/go/auth"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/router"
)

// ErrLive is the error of client.Live.Connect. The SDK dials Live sessions itself, past the HTTP
// client that it was given, and would send Google a placeholder for a key. [Client.ConnectLive]
// connects them through the pool.
var ErrLive = errors.New("spillway: client.Live.Connect dials past the pool and has no credential; " +
	"use client.ConnectLive")

// ConnectLive is client.Live.Connect through the pool. It connects a session of the Live API
// through an endpoint that is ready, and tries the next one if that fails. The session holds a
// lease of its endpoint until it is closed.
//
//	session, err := client.ConnectLive(ctx, model, nil)
//	if err != nil { … }
//	defer session.Close()
//
// See [router.Router.ConnectLive].
func (c *Client) ConnectLive(
	ctx context.Context, model string, config *genai.LiveConnectConfig,
) (*router.LiveSession, error) {
	return c.Router.ConnectLive(ctx, model, config)
}

// LiveConfig leases an endpoint for a session of the Live API, for programs that connect
// themselves. Its result holds a key of the pool. See [router.Router.LiveConfig].
func (c *Client) LiveConfig(ctx context.Context, model string) (*router.Live, error) {
	return c.Router.LiveConfig(ctx, model)
}

// noLive returns a Live service that fails with ErrLive before it dials: it asks for an access
// token first, and gets the error.
func noLive(ctx context.Context) (*genai.Live, error) {
	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		Backend: genai.BackendVertexAI, Project: placeholder, Location: "global",
		Credentials: auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: noToken{}}),
		HTTPClient:  http.DefaultClient, // never used: only Live is
		HTTPOptions: genai.HTTPOptions{BaseURL: "https://aiplatform.googleapis.com/"},
	})
	if err != nil {
		return nil, err
	}
	return client.Live, nil
}

type noToken struct{}

func (noToken) Token(context.Context) (*auth.Token, error) { return nil, ErrLive }
