package spillway

import (
	"context"
	"errors"
	"net/http"

	"cloud.google.com/go/auth"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/router"
)

// ErrLive is what client.Live.Connect fails with: the SDK dials Live sessions by itself, past the HTTP client that it was given, so it would
// show Google a placeholder in place of a key. [Client.ConnectLive] connects them by way of the pool.
var ErrLive = errors.New("spillway: client.Live.Connect dials past the pool and has no credential; use client.ConnectLive")

// ConnectLive is client.Live.Connect by way of the pool: it connects a session of the Live API through an endpoint that can take it now,
// and goes on to the next where that fails. The session holds its place in the pool until it is closed.
//
//	session, err := client.ConnectLive(ctx, "gemini-live-2.5-flash", nil)
//	if err != nil { … }
//	defer session.Close()
//
// See [router.Router.ConnectLive].
func (c *Client) ConnectLive(ctx context.Context, model string, config *genai.LiveConnectConfig) (*router.LiveSession, error) {
	return c.Router.ConnectLive(ctx, model, config)
}

// LiveConfig finds an endpoint for a session of the Live API and keeps the place until it is released, for programs that connect by
// themselves. What it gives holds a key of the pool's. See [router.Router.LiveConfig].
func (c *Client) LiveConfig(ctx context.Context, model string) (*router.Live, error) {
	return c.Router.LiveConfig(ctx, model)
}

// noLive is a Live service that fails before it dials, with ErrLive: it asks for an access token first, and gets none.
func noLive(ctx context.Context) (*genai.Live, error) {
	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		Backend: genai.BackendVertexAI, Project: placeholder, Location: "global",
		Credentials: auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: noToken{}}),
		HTTPClient:  http.DefaultClient, // which is never asked: only Live is used
		HTTPOptions: genai.HTTPOptions{BaseURL: "https://aiplatform.googleapis.com/"},
	})
	if err != nil {
		return nil, err
	}
	return client.Live, nil
}

type noToken struct{}

func (noToken) Token(context.Context) (*auth.Token, error) { return nil, ErrLive }
