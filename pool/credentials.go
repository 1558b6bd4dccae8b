package pool

import (
	"context"
	"fmt"
	"os"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"

	"github.com/spillway-go/spillway/internal/credential"
)

// cloudPlatform is the OAuth scope of Vertex AI.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// NoCredentials sends no credential at all, for a private endpoint or proxy that adds its own.
var NoCredentials auth.TokenProvider = noCredentials{}

type noCredentials struct{}

func (noCredentials) Token(context.Context) (*auth.Token, error) { return &auth.Token{}, nil }

// TokenFromEnv returns a provider that reads the access token from an environment variable for each
// request, so that a program may renew it with os.Setenv. An empty variable fails the attempt with
// an error that names it.
func TokenFromEnv(name string) auth.TokenProvider { return envToken(name) }

type envToken string

func (e envToken) Token(context.Context) (*auth.Token, error) {
	text := os.Getenv(string(e))
	if text == "" {
		return nil, fmt.Errorf("pool: environment variable %s holds no access token", string(e))
	}
	return &auth.Token{Value: text}, nil
}

// detect finds application default credentials, once for the whole pool. It reads files and the
// environment, and makes no requests.
func detect() (auth.TokenProvider, error) {
	return credential.New(func() (auth.TokenProvider, error) {
		return credentials.DetectDefault(&credentials.DetectOptions{
			Scopes:            []string{cloudPlatform},
			EarlyTokenRefresh: 5 * time.Minute,
		})
	})
}

// dropper is a provider that can drop the token that it keeps.
type dropper interface{ Drop(token string) }

// DropToken tells the provider of the leased project's access tokens that Google has refused one,
// so that it gives another. See [Project.Credentials].
func (l Lease) DropToken(token string) {
	if l.candidate == nil || l.key != nil {
		return
	}
	if d, ok := l.candidate.project.tokens.(dropper); ok {
		d.Drop(token)
	}
}
