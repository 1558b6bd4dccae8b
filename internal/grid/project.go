package grid

import (
	"context"
	"fmt"
	"sync/atomic"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/pool"
)

// canary is part of every credential, and of nothing else.
const canary = "CANARY"

// The models of all calls.
const (
	model   = "gemini-3.5-flash"
	standIn = "gemini-3.5-flash-lite"
)

// keyed returns a project of the Developer API with one key.
func keyed(name string) pool.Project {
	key := pool.NewSecret("AQ." + canary + "-" + name + "-K3y_and+more/=")
	return pool.Project{Name: name, Backend: pool.BackendGemini, Keys: []pool.Secret{key}}
}

// located returns a function that makes projects of Vertex AI in a location.
func located(location string) func(name string) pool.Project {
	return func(name string) pool.Project {
		return pool.Project{
			Name: name, Backend: pool.BackendVertex, Locations: []string{location}, Credentials: &tokens{name: name},
		}
	}
}

// tokens gives another access token each time.
type tokens struct {
	name string
	n    atomic.Int64
}

func (t *tokens) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: fmt.Sprintf("ya29.%s-%s-%d.t0ken/and-more", canary, t.name, t.n.Add(1))}, nil
}
