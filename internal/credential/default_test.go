package credential_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/credential"
)

func TestMachinesOfGooglesAreKnownWithoutTheNetwork(t *testing.T) {
	t.Setenv("K_SERVICE", "")
	t.Setenv("CLOUD_RUN_JOB", "")
	for text, want := range map[string]bool{"Google Compute Engine\n": true, "Google": true, "Standard PC (Q35 + ICH9, 2009)": false, "": false} {
		file := filepath.Join(t.TempDir(), "product_name")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := credential.OnGoogle(file); got != want {
			t.Errorf("of a %q: %t", text, got)
		}
	}
	missing := filepath.Join(t.TempDir(), "none")
	if credential.OnGoogle(missing) {
		t.Error("a machine of which nothing is known is taken for Google's")
	}
	t.Setenv("K_SERVICE", "a-service")
	if !credential.OnGoogle(missing) {
		t.Error("Cloud Run is not known")
	}
}

// The metadata server of a pod or machine may start after the program.
func TestTokensOfAMetadataServerThatStartsLater(t *testing.T) {
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GCE_METADATA_HOST", l.Addr().String())
	_ = l.Close()
	tokens := credential.MetadataTokens()
	_, err = tokens.Token(t.Context())
	if _, network := errors.AsType[net.Error](err); !network {
		t.Fatalf("while nobody listens the error is %v, want one of the network", err)
	}
	if l, err = config.Listen(t.Context(), "tcp", l.Addr().String()); err != nil {
		t.Skip("the port has been taken")
	}
	asked := ""
	server := &httptest.Server{Listener: l, Config: &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = w.Write([]byte(`{"access_token":"the-token","token_type":"Bearer","expires_in":3600}`))
	})}}
	server.Start()
	defer server.Close()
	token, err := tokens.Token(context.WithoutCancel(t.Context()))
	if err != nil || token.Value != "the-token" || time.Until(token.Expiry) < 50*time.Minute {
		t.Errorf("got %v, %v", token, err)
	}
	if !strings.Contains(asked, "/service-accounts/default/token") || !strings.Contains(asked, "cloud-platform") {
		t.Errorf("asked for %s", asked)
	}
}
