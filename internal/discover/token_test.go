package discover_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/internal/discover"
)

// provider is a provider of tokens that a test makes up.
type provider struct {
	answer func(context.Context) (*auth.Token, error)
	id     credential.Identity

	mu    sync.Mutex
	asked int
}

func (p *provider) Token(ctx context.Context) (*auth.Token, error) {
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	return p.answer(ctx)
}

// times returns how often it was asked.
func (p *provider) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *provider) Identity() credential.Identity { return p.id }

func TestAProviderOfTokensThatHeedsNoContextDelaysNothingElse(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		release := make(chan struct{})
		defer close(release)
		hung := &provider{answer: func(context.Context) (*auth.Token, error) {
			<-release
			return nil, errors.New("at last")
		}}
		s.Tokens = hung
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		began := time.Now()
		f := discover.Read(ctx, s)
		if took := time.Since(began); took > 40*time.Second || len(f.Models) == 0 || len(f.Problems) != 2 {
			t.Errorf("after %v: models %v, problems %v", took, f.Models, f.Problems)
		}
		for _, p := range f.Problems {
			if !p.Passing() || !strings.Contains(p.Message, "no answer in time") {
				t.Errorf("%v, passing: %v", p, p.Passing())
			}
		}
		if n := hung.times(); n != 1 {
			t.Errorf("asked %d times while it hangs", n)
		}
	})
}

func TestDeadCredentialsAreAskedOnceAndSayHowToReplaceThem(t *testing.T) {
	for _, test := range []struct {
		name, body string
		status     int
		do         string
		passing    bool
	}{
		{"a user who has logged out", `{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}`, 400, "the credentials are dead: log in again", false},
		{"a user who must show that it is them", `{"error": "invalid_grant", "error_subtype": "invalid_rapt"}`, 400, "the credentials are dead: log in again", false},
		{"a client that was deleted", `{"error": "deleted_client"}`, 401, "the credentials are dead: log in again", false},
		{
			"a clock that is wrong", `{"error": "invalid_grant", "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}`,
			400, "set the clock", false,
		},
		{"a token server that fails", `<html>`, 503, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
				dead := &provider{id: credential.Identity{Renewal: "log in again"}, answer: func(context.Context) (*auth.Token, error) {
					return nil, &auth.Error{Response: &http.Response{StatusCode: test.status}, Body: []byte(test.body)}
				}}
				s.Tokens = dead
				f := discover.Read(t.Context(), s)
				if len(f.Problems) != 2 {
					t.Fatalf("problems %v", f.Problems)
				}
				for _, p := range f.Problems {
					if p.Passing() != test.passing || !strings.HasPrefix(p.Remedy(), test.do) || p.Remedy() == "" != test.passing {
						t.Errorf("passing %v, %q: %v", p.Passing(), p.Remedy(), p)
					}
				}
				if n := dead.times(); n == 1 == test.passing {
					t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

func TestAProviderOfTokensMayPanicOrHaveNone(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		for want, answer := range map[string]func(context.Context) (*auth.Token, error){
			"panics":   func(context.Context) (*auth.Token, error) { panic("a bug") },
			"has none": func(context.Context) (*auth.Token, error) { return nil, nil }, //nolint:nilnil // that is the fault
		} {
			s.Tokens = &provider{answer: answer}
			if f := discover.Read(t.Context(), s); len(f.Problems) != 2 || !strings.Contains(f.Problems[0].Message, want) {
				t.Errorf("%s: %v", want, f.Problems)
			}
		}
	})
}
