package credential

import (
	"context"
	"fmt"
	"os"

	"cloud.google.com/go/auth"
)

// FromEnv returns a provider that reads the access token from an environment variable for each
// request, so that a program may renew it with os.Setenv. An empty variable fails the attempt with
// an error that names it.
func FromEnv(name string) auth.TokenProvider { return envToken(name) }

type envToken string

func (e envToken) Token(context.Context) (*auth.Token, error) {
	text := os.Getenv(string(e))
	if text == "" {
		return nil, fmt.Errorf("environment variable %s holds no access token", string(e))
	}
	return &auth.Token{Value: text}, nil
}
