package credential_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/internal/credential"
)

// kept gives one token, as long as it lives.
type kept string

func (k kept) Token(context.Context) (*auth.Token, error) { return &auth.Token{Value: string(k)}, nil }

func TestADroppedTokenIsFetchedAnewOnce(t *testing.T) {
	made := 0
	r, err := credential.New(func() (auth.TokenProvider, error) {
		made++
		return kept("token-" + strconv.Itoa(made)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	token := func() string {
		t.Helper()
		tok, err := r.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return tok.Value
	}
	first := token()
	if again := token(); again != first {
		t.Errorf("without a reason the token changes from %s to %s", first, again)
	}
	r.Drop("another")
	if again := token(); again != first {
		t.Errorf("a token that is not given is a reason: %s", again)
	}
	for range 5 { // of five calls that were refused
		r.Drop(first)
	}
	if again := token(); again == first || made != 2 {
		t.Errorf("after it was dropped the token is %s, made %d times", again, made)
	}
}

func TestCredentialsThatCannotBeMadeAgainAreKept(t *testing.T) {
	gone := false
	r, err := credential.New(func() (auth.TokenProvider, error) {
		if gone {
			return nil, errors.New("the file is gone")
		}
		return kept("token"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tok, _ := r.Token(t.Context())
	gone = true
	r.Drop(tok.Value)
	if again, err := r.Token(t.Context()); err != nil || again.Value != "token" {
		t.Errorf("got %v, %v", again, err)
	}
}

func TestCredentialsThatCannotBeMadeAreAnError(t *testing.T) {
	want := errors.New("no file")
	if _, err := credential.New(func() (auth.TokenProvider, error) { return nil, want }); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

func TestATokenServersErrorShowsNoCredential(t *testing.T) {
	for _, secret := range []string{
		"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl", "1//0gabcdefghijklmnopqrstuv", "refresh_token=1%2F%2F0gabcdefghijklmnopqrstuv",
		"GOCSPX-abcdefghijklm", "ya29.a0AfH6SMBx", "-----BEGIN PRIVATE KEY-----\nMIIE", "AIzaSyA0123456789abcdefghij",
	} {
		cause := errors.New("auth: 400 Response: " + secret)
		r, err := credential.New(func() (auth.TokenProvider, error) { return failing{cause}, nil })
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Token(t.Context())
		if !errors.Is(err, cause) || strings.Contains(err.Error(), secret[len(secret)-8:]) || !strings.Contains(err.Error(), "[redacted]") {
			t.Errorf("%s: %v", secret, err)
		}
	}
}

type failing struct{ error }

func (f failing) Token(context.Context) (*auth.Token, error) { return nil, f.error }
