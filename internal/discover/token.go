package discover

import (
	"context"
	"errors"
	"sync"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/internal/credential"
)

// tokens asks a provider once at a time, for all requests, and not again after a definite refusal.
// Whoever waits for a token does so until its own context ends, also if the provider heeds none.
type tokens struct {
	ask func() (*auth.Token, error)

	mu   sync.Mutex
	last *ticket // nil: the next request asks
}

// ticket is one question. The token and the error are there once done is closed.
type ticket struct {
	done  chan struct{}
	token *auth.Token
	err   error
}

// newTokens returns the tokens of a provider, which is asked within ctx.
func newTokens(ctx context.Context, from auth.TokenProvider) *tokens {
	return &tokens{ask: func() (*auth.Token, error) { return from.Token(ctx) }}
}

var (
	errTokenPanics = errors.New("the provider of tokens panics")
	errNoToken     = errors.New("the provider of tokens has none")
)

// token returns an access token, or why there is none.
func (t *tokens) token(ctx context.Context) (*auth.Token, error) {
	t.mu.Lock()
	one := t.last
	if one == nil {
		one = &ticket{done: make(chan struct{})}
		t.last = one
		go t.fetch(one)
	}
	t.mu.Unlock()
	select {
	case <-one.done:
		return one.token, one.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fetch asks the provider.
func (t *tokens) fetch(one *ticket) {
	one.err = errTokenPanics
	defer func() {
		_ = recover() // a bug there must not end the process
		t.mu.Lock()
		defer t.mu.Unlock()
		if one.err == nil || credential.Passing(one.err) {
			t.last = nil
		}
		close(one.done)
	}()
	if one.token, one.err = t.ask(); one.token == nil && one.err == nil {
		one.err = errNoToken
	}
}
