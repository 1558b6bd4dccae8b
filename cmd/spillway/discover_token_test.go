package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A token server, or a proxy in its place, may echo what it was sent.
func TestDiscoverShowsNoAssertionThatATokenServerEchoes(t *testing.T) {
	var assertion string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "assertion=") {
			assertion = string(body)
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error": "invalid_grant", "error_description": "` + string(body) + `\u001b[2J"}`))
	}))
	defer server.Close()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, _ := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "spillway@acme.iam.gserviceaccount.com", "token_uri": server.URL, "private_key_id": "the-key-id",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	dir := t.TempDir()
	file := filepath.Join(dir, "spillway.toml")
	if err := os.WriteFile(filepath.Join(dir, "account.json"), account, 0o600); err != nil {
		t.Fatal(err)
	}
	text := "[[project]]\nname = \"acme\"\nbackend = \"vertex\"\ncredentials = \"file:account.json\"\nbase_url = \"" + server.URL + "\"\ndiscover_url = \"" + server.URL + "\"\ndiscover = true\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"discover", file}, {"discover", file, "--json"}} {
		var stdout, stderr strings.Builder
		status := run(t.Context(), append(args, "--timeout", "3s"), &stdout, &stderr)
		all := stdout.String() + stderr.String()
		if status != statusFailed || assertion == "" || !strings.Contains(all, "there is no access token") {
			t.Errorf("status %d:\n%s", status, all)
		}
		if do := "the credentials are dead: make a new key in place of this one: gcloud iam service-accounts keys create KEY.json --iam-account=spillway@acme.iam.gserviceaccount.com"; !strings.Contains(all, do) {
			t.Errorf("it does not say %q:\n%s", do, all)
		}
		_, sent, _ := strings.Cut(assertion, "assertion=")
		for secret := range strings.SplitSeq(sent, ".") {
			if len(secret) > 20 && strings.Contains(all, secret[:20]) {
				t.Fatalf("what was sent to the token server shows:\n%s", all)
			}
		}
	}
}
