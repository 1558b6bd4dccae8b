package router_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/compute/metadata"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// failingToken fails so many times, then gives the token. Negative: it fails for ever.
type failingToken struct {
	err   error
	times int
	value string
	asked int
}

func (f *failingToken) Token(context.Context) (*auth.Token, error) {
	f.asked++
	if f.times < 0 || f.asked <= f.times {
		return nil, f.err
	}
	return &auth.Token{Value: f.value}, nil
}

// authError is what package auth makes of a token server's refusal.
func authError(status int, body string) error {
	return fmt.Errorf("credentials: %w", &auth.Error{Response: &http.Response{StatusCode: status}, Body: []byte(body)})
}

// dialled is the error of a connection to the metadata server that fails, as package metadata
// returns it.
func dialled(err error) error {
	return fmt.Errorf("credentials: cannot fetch token: %w", &url.Error{
		Op: "Get", URL: "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token",
		Err: &net.OpError{Op: "dial", Net: "tcp", Err: err},
	})
}

// tokenFailures are failures to get an access token, as packages auth, credentials and metadata
// word them.
var tokenFailures = []struct {
	name   string
	err    error
	passes bool
}{
	{"the metadata server fails", fmt.Errorf("credentials: cannot fetch token: %w", &metadata.Error{Code: 500, Message: "x"}), true},
	{"it is overloaded", fmt.Errorf("credentials: cannot fetch token: %w", &metadata.Error{Code: 503}), true},
	{"it is asked too often", fmt.Errorf("credentials: cannot fetch token: %w", &metadata.Error{Code: 429}), true},
	{"connection refused", dialled(os.NewSyscallError("connect", syscall.ECONNREFUSED)), true},
	{"connection reset", &url.Error{Op: "Post", URL: "https://oauth2.googleapis.com/token", Err: syscall.ECONNRESET}, true},
	{"no such host", dialled(&net.DNSError{Err: "no such host", Name: "oauth2.googleapis.com", IsNotFound: true}), true},
	{"a name server that times out", dialled(&net.DNSError{Err: "i/o timeout", Name: "oauth2.googleapis.com", IsTimeout: true}), true},
	{"EOF", &url.Error{Op: "Post", URL: "https://oauth2.googleapis.com/token", Err: io.EOF}, true},
	{"a response that is cut off", fmt.Errorf("credentials: invalid token JSON from metadata: %w", io.ErrUnexpectedEOF), true},
	{"a timeout of the provider's own", fmt.Errorf("auth: cannot fetch token: %w", context.DeadlineExceeded), true},
	{"Google fails", authError(500, `{"error":"internal_failure"}`), true},
	{"a bad gateway", authError(502, "<html>"), true},
	{"Google is overloaded", authError(503, ""), true},
	{"a gateway that times out", authError(504, ""), true},
	{"Google is asked too often", authError(429, `{"error":"rate_limit_exceeded"}`), true},

	{"a grant that was revoked", authError(400, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`), false},
	{"a client that is unknown", authError(401, `{"error":"invalid_client"}`), false},
	{"a permission that is missing", authError(403, `{"error":"access_denied"}`), false},
	{"no service account", fmt.Errorf("credentials: cannot fetch token: %w", metadata.NotDefinedError("instance/service-accounts/default/token")), false},
	{"a scope that the metadata server denies", fmt.Errorf("credentials: cannot fetch token: %w", &metadata.Error{Code: 403}), false},
	{"an empty variable", errors.New("pool: environment variable TOKEN holds no access token"), false},
	{"a key that is none", errors.New("credentials: could not parse key: private key should be a PEM or plain PKCS1 or PKCS8"), false},
}

// tokenCalls are the ways to ask for a token: a call returns where it was served, or its error.
var tokenCalls = []struct {
	name string
	call func(context.Context, *testing.T, *bed) (endpoint string, err error)
}{
	{"unary", func(ctx context.Context, t *testing.T, b *bed) (string, error) {
		t.Helper()
		resp, err := ask(ctx, b.client(t), flash)
		if err != nil {
			return "", err
		}
		return endpoint(resp), nil
	}},
	{"stream", func(ctx context.Context, t *testing.T, b *bed) (at string, err error) {
		t.Helper()
		for resp, err := range b.client(t).Models.GenerateContentStream(ctx, flash, genai.Text("hi"), nil) {
			if err != nil {
				return at, err
			}
			at = endpoint(resp)
		}
		return at, nil
	}},
	{"Live config", func(ctx context.Context, t *testing.T, b *bed) (string, error) {
		t.Helper()
		live, err := b.router.LiveConfig(ctx, flash)
		if err != nil {
			return "", err
		}
		live.Release(nil)
		return live.Endpoint, nil
	}},
}

// tokenProject is a project of Vertex AI whose tokens come from where tp says.
func tokenProject(name, location string, tp auth.TokenProvider) project {
	p := vertexed(name, location)
	p.pool.Credentials = tp
	return p
}

// onCooldown returns the classes of what is on cooldown at all.
func onCooldown(r *router.Router) (classes []pool.Class) {
	s := r.Stat()
	for _, p := range s.Projects {
		if p.Cooldown.Class != "" {
			classes = append(classes, p.Cooldown.Class)
		}
	}
	return classes
}

// A failure to get a token that passes is retried elsewhere, or where it was, and puts nothing on
// cooldown. A definite refusal puts the project on cooldown. It is the same for every kind of call.
func TestTokenFailure(t *testing.T) {
	for _, how := range tokenCalls {
		for _, tt := range tokenFailures {
			t.Run(how.name+"/"+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					failing := &failingToken{err: tt.err, times: 1, value: "token-of-a"}
					alone := setup{}.bed(t, tokenProject("a", "global", failing))
					at, err := how.call(t.Context(), t, alone)
					cold := onCooldown(alone.router)
					switch {
					case tt.passes && (err != nil || at != "a/global/on_demand" || failing.asked != 2 || cold != nil):
						t.Errorf("alone: served by %q, %v, after asking %d times; on cooldown: %v", at, err, failing.asked, cold)
					case !tt.passes && (err == nil || len(cold) != 1 || cold[0] != pool.ClassProjectMisconfigured):
						t.Errorf("alone: served by %q, %v; on cooldown: %v", at, err, cold)
					}
					if got := alone.router.Stat().RetryCount; tt.passes != (got == 1) {
						t.Errorf("%d retries", got)
					}

					failing = &failingToken{err: tt.err, times: -1}
					two := setup{}.bed(t, priced(tokenProject("a", "global", failing), 0), priced(vertexed("b", "eu"), 1))
					start := time.Now()
					at, err = how.call(t.Context(), t, two)
					if err != nil || at != "b/eu/on_demand" || failing.asked != 1 || time.Since(start) > 0 {
						t.Errorf("with another: served by %q, %v, after %v", at, err, time.Since(start))
					}
					if cold := onCooldown(two.router); tt.passes != (cold == nil) {
						t.Errorf("with another: on cooldown: %v", cold)
					}
					counts := map[bool]pool.Class{true: pool.ClassTransport, false: pool.ClassProjectMisconfigured}
					for _, e := range two.router.Stat().Endpoints {
						if e.Endpoint == "a/global/on_demand" && e.AttemptCounts[counts[tt.passes]] != 1 {
							t.Errorf("counted as %v", e.AttemptCounts)
						}
					}
				})
			})
		}
	}
}

// The same for sessions that the router connects itself. The servers are on loopback, outside a
// bubble.
func TestTokenFailureOfALiveSession(t *testing.T) {
	for _, tt := range tokenFailures {
		t.Run(tt.name, func(t *testing.T) {
			google := newLiveServer(t)
			failing := &failingToken{err: tt.err, times: -1}
			first, second := google.cloud("a", "global"), google.cloud("b", "eu")
			first.Credentials, second.Priority = failing, 1
			r := liveRouter(t, router.Config{}, first, second)
			s, err := r.ConnectLive(t.Context(), liveModel, nil)
			if err != nil || s.Endpoint != "b/eu/on_demand" || failing.asked != 1 {
				t.Fatalf("got %v, %v, after asking %d times", s, err, failing.asked)
			}
			_ = s.Close()
			if cold := onCooldown(r); tt.passes != (cold == nil) {
				t.Errorf("on cooldown: %v", cold)
			}
		})
	}
}

// What a caller reads of a token that cannot be had names the endpoint, and the reason.
func TestTokenFailureReachesTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, how := range tokenCalls {
			for _, tt := range tokenFailures {
				failing := &failingToken{err: tt.err, times: -1}
				b := setup{router: router.Config{MaxAttempts: 2}}.bed(t, tokenProject("a", "global", failing))
				_, err := how.call(t.Context(), t, b)
				if tt.passes && !errors.Is(err, tt.err) {
					t.Errorf("%s, %s: got %v", how.name, tt.name, err)
				}
				if n := b.Count(geminitest.Match{}); n != 0 {
					t.Errorf("%s, %s: %d requests without a token", how.name, tt.name, n)
				}
				if _, exhausted := router.Exhausted(err); !tt.passes && !exhausted && !errors.Is(err, tt.err) {
					t.Errorf("%s, %s: got %v", how.name, tt.name, err)
				}
			}
		}
	})
}

// tokenFailuresMisjudged are realistic failures that authClass takes for the other kind.
var tokenFailuresMisjudged = []struct {
	name   string
	err    error
	passes bool
}{
	{"a file that is missing", fmt.Errorf("credentials: failed to open credential file %q: %w", "/var/run/token",
		&fs.PathError{Op: "open", Path: "/var/run/token", Err: syscall.ENOENT}), false},
	{"a file that may not be read", fmt.Errorf("credentials: failed to open credential file %q: %w", "/var/run/token",
		&fs.PathError{Op: "open", Path: "/var/run/token", Err: syscall.EACCES}), false},
	{"an executable that is missing", fmt.Errorf("credentials: executable command failed: %w",
		&exec.Error{Name: "/bin/x", Err: &fs.PathError{Op: "fork/exec", Path: "/bin/x", Err: syscall.ENOENT}}), false},
	{"a token URL that is none", &url.Error{Op: "parse", URL: "::token", Err: errors.New("missing protocol scheme")}, false},
	{"a token URL of another scheme", &url.Error{Op: "Post", URL: "ftp://token", Err: errors.New("unsupported protocol scheme \"ftp\"")}, false},
	{"a certificate that is not trusted", fmt.Errorf("auth: cannot fetch token: %w", &url.Error{Op: "Post", URL: "https://oauth2.googleapis.com/token",
		Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}), false},
	{"the STS is unavailable", errors.New("credentials: status code 503: upstream connect error"), true},
	{"the STS is asked too often", errors.New("credentials: status code 429: x"), true},
	{"impersonation fails", errors.New("impersonate: status code 500: x"), true},
	{"the STS refuses", errors.New("credentials: status code 403: 500: no"), false},
	{"a fetch that another caller gave up", fmt.Errorf("auth: cannot fetch token: %w", context.Canceled), true},
}

func TestTokenFailureMisjudged(t *testing.T) {
	for _, how := range tokenCalls[:1] {
		for _, tt := range tokenFailuresMisjudged {
			t.Run(how.name+"/"+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					failing := &failingToken{err: tt.err, times: -1}
					two := setup{}.bed(t, priced(tokenProject("a", "global", failing), 0), priced(vertexed("b", "eu"), 1))
					_, _ = how.call(t.Context(), t, two)
					if cold := onCooldown(two.router); tt.passes != (cold == nil) {
						t.Errorf("on cooldown: %v", cold)
					}
				})
			})
		}
	}
}

// Two projects of one location: the token server of one says nothing of Google's servers there.
func TestTokenFailureIsRetriedInAnotherProjectOfTheSameLocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := &failingToken{err: dialled(syscall.ECONNREFUSED), times: -1}
		b := setup{}.bed(t, priced(tokenProject("a", "global", failing), 0), priced(vertexed("b", "global"), 1))
		worst := time.Duration(0)
		for i := range 30 {
			start := time.Now()
			resp, err := ask(t.Context(), b.client(t), flash)
			if err != nil || endpoint(resp) != "b/global/on_demand" {
				t.Fatalf("call %d: %v, %v", i, resp, err)
			}
			worst = max(worst, time.Since(start))
			time.Sleep(time.Second)
		}
		for _, e := range b.router.Stat().Endpoints {
			t.Logf("%s %+v %v", e.Endpoint, e.Breaker, e.AttemptCounts)
			if e.Breaker.OpenCount > 0 {
				t.Errorf("the breaker of %s opened", e.Endpoint)
			}
		}
		if worst > 0 {
			t.Errorf("waited up to %v, though another project could serve", worst)
		}
	})
}

var _ = strings.Contains
var _ = pool.ClassOK
var _ = router.Config{}

func TestPassingTokenFailureCostsNoCallBesideAHealthyProject(t *testing.T) {
	for _, loc := range []string{"eu", "global"} {
		synctest.Test(t, func(t *testing.T) {
			failing := &failingToken{err: dialled(syscall.ECONNREFUSED), times: -1}
			b := setup{}.bed(t, priced(tokenProject("a", "global", failing), 0), priced(vertexed("b", loc), 1))
			failed := 0
			for range 600 {
				if _, err := ask(t.Context(), b.client(t), flash); err != nil {
					failed++
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Logf("b in %s: %d of 600 failed, token asked %d times", loc, failed, failing.asked)
		})
	}
}
