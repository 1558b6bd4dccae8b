// Package credential keeps Google credentials whose access token can be dropped. The providers of
// package auth keep a token until it expires, also one that was revoked.
package credential

import (
	"context"
	"sync"

	"cloud.google.com/go/auth"
)

// Renewable gives access tokens, and drops the one that it keeps when told to. It is safe for
// concurrent use.
type Renewable struct {
	create func() (auth.TokenProvider, error)

	mu   sync.Mutex
	from auth.TokenProvider
	sent string // the last token that it gave
}

// New returns the credentials that create makes. create is called again for each token that is
// dropped; it finds the same credentials, with no token yet.
func New(create func() (auth.TokenProvider, error)) (*Renewable, error) {
	from, err := create()
	if err != nil {
		return nil, err
	}
	return &Renewable{create: create, from: from}, nil
}

// Token returns an access token and renews it as needed. Its errors show no credential.
func (r *Renewable) Token(ctx context.Context) (*auth.Token, error) {
	r.mu.Lock()
	from := r.from
	r.mu.Unlock()
	t, err := from.Token(ctx)
	if err != nil {
		return nil, refusal{err}
	}
	r.mu.Lock()
	r.sent = t.Value
	r.mu.Unlock()
	return t, nil
}

// Drop makes the next Token fetch another, if token is still the one that is given. A token that is
// not is no reason: another call has dropped it already.
func (r *Renewable) Drop(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if token != r.sent {
		return
	}
	if from, err := r.create(); err == nil {
		r.from, r.sent = from, ""
	}
}
