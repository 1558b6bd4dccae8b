package config

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"strings"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/pool"
)

// cloudPlatform is the OAuth scope of Vertex AI.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// credentials reads how a project gets access tokens. Nil means application default credentials,
// which are found later. It refuses what conflicts with the back end or the keys, because nil would
// hide that from Validate. With discover they are beside the keys.
func (t *table) credentials(key string, backend pool.Backend, discover bool) auth.TokenProvider {
	text, ok := t.text(key)
	if !ok {
		return nil
	}
	at := t.path.to(key)
	_, keys := t.values["keys"]
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case backend == pool.BackendGemini && !discover:
		t.wrong(at, "a gemini project takes keys, not credentials",
			`write keys = ["env:GEMINI_API_KEY"], or backend = "vertex"; with discover = true credentials read its quotas`)
	case keys && !discover:
		t.wrong(at, "the project has both keys and credentials", "keep one of them")
	case text == "adc":
		return nil
	case text == "none":
		return pool.NoCredentials
	case kind == "env" && rest != "":
		if _, ok := t.variable(at, key, rest); ok {
			return credential.FromEnv(rest)
		}
	case kind == "file" && rest != "":
		return t.credentialsFile(at, key, rest)
	default:
		t.wrong(at, "credentials has an unknown form",
			`write "adc", "file:key.json", "env:ACCESS_TOKEN_VAR" or "none"; an API key goes into keys`)
	}
	return nil
}

func (t *table) credentialsFile(at fieldPath, what, path string) auth.TokenProvider {
	data, ok := t.fileContent(at, what, path)
	if !ok {
		return nil
	}
	file := digest(sha256.Sum256([]byte(path + "\x00" + string(data))))
	if same, ok := t.sources.known[file]; ok {
		t.sources.found[file] = same
		return same
	}
	const fix = "name the JSON file of a service account, of workload identity federation, or of gcloud auth application-default login"
	if !strings.HasPrefix(strings.TrimSpace(string(data)), "{") {
		t.wrong(at, what+": the file "+shownPath(path)+" is not JSON", fix)
		return nil
	}
	found, err := credential.New(func() (auth.TokenProvider, error) {
		return credentials.DetectDefault(&credentials.DetectOptions{CredentialsJSON: data, Scopes: []string{cloudPlatform}})
	})
	if err != nil {
		// The error may quote the file.
		t.wrong(at, what+": the file "+shownPath(path)+" holds no Google credentials that give access tokens", fix)
		return nil
	}
	if !privateKeyParses(data) {
		t.wrong(at, what+": the private key in the file "+shownPath(path)+" is damaged",
			"download the file again; its line breaks are written \\n")
		return nil
	}
	made := fileCredentials{&namedProvider{path: path, Renewable: found}}
	if t.sources.found != nil {
		t.sources.found[file] = made
	}
	return made
}

// privateKeyParses reports whether the private key of a service account can sign; it is true for
// other credentials. Without the check, the first call would find out.
func privateKeyParses(data []byte) bool {
	var account struct {
		Type       string `json:"type"`
		PrivateKey string `json:"private_key"`
	}
	if json.Unmarshal(data, &account) != nil || account.Type != "service_account" {
		return true
	}
	block, _ := pem.Decode([]byte(account.PrivateKey))
	if block == nil {
		return false
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	_, isRSA := key.(*rsa.PrivateKey)
	return err == nil && isRSA
}

// fileCredentials are Google credentials that print as the name of their file, in every format.
type fileCredentials struct{ from *namedProvider }

type namedProvider struct {
	path string
	*credential.Renewable
}

// Drop makes the next Token fetch another.
func (c fileCredentials) Drop(token string) { c.from.Drop(token) }

// Identity returns whose credentials they are.
func (c fileCredentials) Identity() credential.Identity { return c.from.Identity() }

// Token returns an access token and renews it as needed.
func (c fileCredentials) Token(ctx context.Context) (*auth.Token, error) { return c.from.Token(ctx) }

func (c fileCredentials) String() string { return "file:" + c.from.path }

// Format writes String for every verb and flag.
func (c fileCredentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalText returns String; JSON encoders use it.
func (c fileCredentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
