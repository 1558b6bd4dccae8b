package discover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// The hosts of Google Cloud's APIs.
const (
	cloudQuotas  = "cloudquotas.googleapis.com"
	serviceUsage = "serviceusage.googleapis.com"
	monitoring   = "monitoring.googleapis.com"
	billing      = "cloudbilling.googleapis.com"
	developerAPI = "generativelanguage.googleapis.com"
	vertexAI     = "aiplatform.googleapis.com"
)

const (
	// tries is how often a request is sent that fails for a reason that passes.
	tries = 3
	// firstPause is the pause after the first failure, or up to twice that. It doubles.
	firstPause = time.Second
	// requestTimeout bounds one request.
	requestTimeout = 30 * time.Second
	// maxPage bounds a page in bytes, maxList all pages of a list, and mostPages their number: what a
	// project has for a service is some hundred quotas.
	maxPage   = 8 << 20
	maxList   = 32 << 20
	mostPages = 50
	// These bound what is taken over.
	mostModels = 10_000
	mostQuotas = 500
	mostOrders = 1_000
	mostLimits = 2_000
)

// client asks Google. It is safe for concurrent use.
type client struct {
	source *Source
	tokens *tokens
	alone  atomic.Bool // the project of the source may not be named as the one that pays
}

// request is one question.
type request struct {
	host  string
	path  string
	query url.Values
	keyed bool // with the source's API key, at the address that calls go to
	bytes int  // of the answers so far
}

// address returns the URL of a request.
func (c *client) address(r *request) string {
	base := c.source.APIs
	if r.host == developerAPI || r.host == vertexAI {
		base = c.source.Models
	}
	if base == "" {
		base = "https://" + r.host
	}
	return strings.TrimRight(base, "/") + r.path + "?" + r.query.Encode()
}

// get asks, and decodes the answer into v.
func (c *client) get(ctx context.Context, r *request, v any) *ReadError {
	dropped := false
	for pause, try := firstPause, 1; ; try++ {
		body, token, p := c.once(ctx, r)
		switch {
		case p == nil:
			if r.bytes += len(body); r.bytes > maxList {
				return &ReadError{Host: r.host, Message: fmt.Sprintf("the list has more than %d MB", maxList>>20)}
			}
			if json.Unmarshal(body, v) != nil {
				return &ReadError{Host: r.host, Message: "the answer is not what Google's documentation says"}
			}
			return nil
		case p.status == http.StatusUnauthorized && !dropped && c.drop(token):
			dropped = true
			continue
		case p.named && p.reason == "USER_PROJECT_DENIED":
			// The project that the credentials are of pays then, which needs no permission.
			c.alone.Store(true)
			continue
		case !p.passes || p.silent || try >= tries || !sleep(ctx, pause+rand.N(pause)):
			return p
		}
		pause *= 2
	}
}

// drop tells the provider of tokens that one was refused, and reports whether it listens.
func (c *client) drop(token string) bool {
	d, ok := c.source.Tokens.(interface{ Drop(token string) })
	if ok && token != "" {
		d.Drop(token)
	}
	return ok && token != ""
}

// once sends a request once. token is what it was sent with.
func (c *client) once(ctx context.Context, r *request) (body []byte, token string, p *ReadError) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address(r), http.NoBody)
	if err != nil {
		return nil, "", &ReadError{Host: r.host, Message: "the address is not a URL"}
	}
	req.Header.Set("Accept", "application/json")
	var secret string // that is sent
	named := !r.keyed && !c.alone.Load()
	if r.keyed {
		secret = c.source.Key()
		req.Header.Set("X-Goog-Api-Key", secret)
	} else {
		t, err := c.tokens.token(ctx)
		if err != nil {
			return nil, "", c.noToken(ctx, r.host, err)
		}
		if secret, token = t.Value, t.Value; token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		if named {
			req.Header.Set("X-Goog-User-Project", c.source.ProjectID)
		}
	}
	resp, err := c.source.Transport.RoundTrip(req)
	if err != nil {
		return nil, token, unreachable(ctx, r.host, err, secret)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	switch {
	case err != nil:
		return nil, token, unreachable(ctx, r.host, err, secret)
	case resp.StatusCode != http.StatusOK:
		p = c.refused(r, resp.StatusCode, body, secret)
		p.named = named
		return nil, token, p
	case len(body) > maxPage:
		return nil, token, &ReadError{Host: r.host, Message: fmt.Sprintf("the answer has more than %d MB", maxPage>>20)}
	}
	if len(secret) >= minSecret { // a server, or a proxy in its place, may echo it
		body = bytes.ReplaceAll(body, []byte(secret), []byte(redacted))
	}
	return body, token, nil
}

// unreachable is that there is no answer. ctx is that of the request.
func unreachable(ctx context.Context, host string, err error, secret string) *ReadError {
	p := &ReadError{Host: host, passes: true, silent: ctx.Err() != nil, Message: says(err.Error(), secret)}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.Message = "no answer in time"
	}
	return p
}

// sleep waits, and reports false if ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// list is an array without the elements that cannot be decoded: Google adds things.
type list[T any] []T

// UnmarshalJSON takes anything. What is no array is empty.
func (l *list[T]) UnmarshalJSON(text []byte) error {
	var all []json.RawMessage
	_ = json.Unmarshal(text, &all)
	for _, raw := range all {
		var one T
		if json.Unmarshal(raw, &one) == nil {
			*l = append(*l, one)
		}
	}
	return nil
}

// pages asks for every page of a list, and gives each element to add.
func pages[T any](ctx context.Context, c *client, r *request, name string, add func(*T)) *ReadError {
	seen := map[string]bool{}
	for range mostPages {
		var page map[string]json.RawMessage
		if p := c.get(ctx, r, &page); p != nil {
			return p
		}
		var elements list[T]
		_ = json.Unmarshal(page[name], &elements) // an empty list is left out
		for i := range elements {
			add(&elements[i])
		}
		var next string
		_ = json.Unmarshal(page["nextPageToken"], &next)
		if next == "" {
			return nil
		}
		if seen[next] {
			break
		}
		seen[next] = true
		r.query.Set("pageToken", next)
	}
	return &ReadError{Host: r.host, Message: "the list does not end"}
}
