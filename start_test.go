package spillway_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// serviceAccount is the file of a service account.
func serviceAccount(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "acme-prod", "client_email": "a@acme.iam.gserviceaccount.com", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// network is what may be down: nobody answers there.
type network struct {
	down atomic.Bool
	next http.RoundTripper
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	if n.down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return n.next.RoundTrip(req)
}

// tokenServer gives one access token.
type tokenServer struct{}

func (tokenServer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"access_token":"the-token","token_type":"Bearer","expires_in":3600}`)),
	}, nil
}

func TestProgramThatStartsWhileTheNetworkIsDownRecoversByItself(t *testing.T) {
	for _, tt := range []struct {
		name           string
		tokens, google bool // down
	}{{"the token server", true, false}, {"Google", false, true}, {"the network", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { startsDown(t, tt.tokens, tt.google) })
		})
	}
}

func startsDown(t *testing.T, tokensDown, googleDown bool) {
	t.Helper()
	tokens := &network{next: tokenServer{}}
	google := &network{next: geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "acme-prod", Tokens: []string{"the-token"}}}})}
	tokens.down.Store(tokensDown)
	google.down.Store(googleDown)
	before := http.DefaultTransport
	http.DefaultTransport = tokens // of package auth
	defer func() { http.DefaultTransport = before }()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"account.json":  serviceAccount(t),
		"spillway.toml": "[[project]]\nname = \"prod\"\nbackend = \"vertex\"\nproject_id = \"acme-prod\"\ncredentials = \"file:account.json\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log logged
	client, err := spillway.Open(t.Context(), filepath.Join(dir, "spillway.toml"), router.WithTransport(google), router.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer func() { _ = client.Close() }()
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", genai.Text("hi"), nil)
		return err
	}
	for range 30 {
		if ask() == nil {
			t.Error("a call is served by nobody")
		}
		time.Sleep(time.Second)
	}
	if lines := log.lines("level=WARN"); len(lines) != 1 {
		t.Errorf("the log has %d lines of the outage, want one:\n%s", len(lines), strings.Join(lines, ""))
	}
	tokens.down.Store(false)
	google.down.Store(false)
	up := time.Now()
	for ask() != nil {
		time.Sleep(500 * time.Millisecond)
		if time.Since(up) > 30*time.Second {
			t.Fatal("nothing is served half a minute after the network came back")
		}
	}
	if lines := log.lines("level=INFO"); len(lines) != 1 {
		t.Errorf("the log has %d lines of the recovery, want one:\n%s", len(lines), strings.Join(lines, ""))
	}
}
