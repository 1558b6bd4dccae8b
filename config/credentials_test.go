package config_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
)

func TestCredentialsFromAFileGiveAccessTokensForGoogleCloud(t *testing.T) {
	var claims string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		if parts := strings.Split(form.Get("assertion"), "."); len(parts) == 3 {
			decoded, _ := base64.RawURLEncoding.DecodeString(parts[1])
			claims = string(decoded)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 3600}`)
	}))
	defer server.Close()
	dir := folder(t, map[string]string{
		"key.json":      serviceAccount(server.URL),
		"spillway.toml": "[[project]]\nname = 'prod'\nbackend = 'vertex'\ncredentials = 'file:key.json'\n",
	})
	cfg, err := config.Load(filepath.Join(dir, "spillway.toml"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := cfg.Pool.Projects[0].Credentials.Token(t.Context())
	if err != nil || token.Value != "an-access-token" {
		t.Fatalf("no token; error %v", err)
	}
	if !strings.Contains(claims, `"https://www.googleapis.com/auth/cloud-platform"`) {
		t.Errorf("the token was asked for another scope: %s", claims)
	}
}

func TestCredentialsOfEachFormBecomeTheirProvider(t *testing.T) {
	t.Setenv("ACCESS_TOKEN", "a-token")
	tests := []struct {
		text  string
		check func(p pool.Project) bool
	}{
		{``, func(p pool.Project) bool { return p.Credentials == nil }},
		{`credentials = "adc"`, func(p pool.Project) bool { return p.Credentials == nil }},
		{`credentials = "none"`, func(p pool.Project) bool { return p.Credentials == pool.NoCredentials }},
		{`credentials = "env:ACCESS_TOKEN"`, func(p pool.Project) bool {
			token, err := p.Credentials.Token(t.Context())
			return err == nil && token.Value == "a-token"
		}},
	}
	for _, test := range tests {
		cfg, err := parse("a.toml", "[[project]]\nname = 'prod'\nbackend = 'vertex'\n"+test.text)
		if err != nil || !test.check(cfg.Pool.Projects[0]) {
			t.Errorf("%q gives another provider; error %v", test.text, err)
		}
	}
}
