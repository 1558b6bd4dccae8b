package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spillway-go/spillway/config"
)

// writeCertificate writes a certificate of its own for a name.
func writeCertificate(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: cert}, "tls.key": {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const withTLS = "[serve]\ntls_cert = \"tls.crt\"\ntls_key = \"tls.key\"\n" + `
[[project]]
name = "studio"
backend = "gemini"
keys = ["a-key"]
`

func TestACertificateIsReadAndReadAgain(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, "one.example")
	path := filepath.Join(dir, "spillway.toml")
	if err := os.WriteFile(path, []byte(withTLS), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	name := func(c *config.Config) string { return c.Serve.Certificate.TLS().Leaf.DNSNames[0] }
	if name(cfg) != "one.example" {
		t.Errorf("the certificate is for %s", name(cfg))
	}
	writeCertificate(t, dir, "two.example")
	old := time.Now().Add(-time.Minute)
	for _, file := range []string{"tls.crt", "tls.key"} {
		if err := os.Chtimes(filepath.Join(dir, file), old, old); err != nil {
			t.Fatal(err)
		}
	}
	next, err := cfg.Newer()
	if err != nil || next == nil || name(next) != "two.example" {
		t.Fatalf("after a change there is %v, %v", next, err)
	}
	if !cfg.SameDoors(next) {
		t.Error("another certificate is another door")
	}
}

func TestDoors(t *testing.T) {
	read := func(serve string) *config.Config {
		cfg, err := parse("serve", "[serve]\n"+serve+"\n[[project]]\nname = \"a\"\nbackend = \"gemini\"\nkeys = [\"env:GEMINI_API_KEY\"]\n")
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	first := read("")
	for serve, want := range map[string]bool{
		`max_body = "1MB"`:               true,
		`open = true`:                    true,
		`max_header = "64KiB"`:           true, // the default
		`max_header = "1MB"`:             false,
		`listen = "127.0.0.1:1"`:         false,
		`admin = "off"`:                  false,
		`idle_timeout = "1s"`:            false,
		`drain_delay = "1s"`:             true,
		`admin = "unix:/run/admin.sock"`: false,
	} {
		if got := first.SameDoors(read(serve)); got != want {
			t.Errorf("%s is the same: %v, want %v", serve, got, want)
		}
	}
}

func TestAddressesThatOthersCanReach(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1:1": true, "localhost:1": true, "[::1]:1": true, "unix:/run/x": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:1": false, "10.0.0.7:1": false, "[::]:1": false, "spillway.internal:1": false, "localhost.example:1": false,
	} {
		a, problem, _ := config.ParseAddress(text)
		if problem != "" || a.Local() != want || a.String() != text {
			t.Errorf("%s is %v (%s), local: %v", text, a, problem, a.Local())
		}
	}
}
