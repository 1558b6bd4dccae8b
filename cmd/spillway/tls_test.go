package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
)

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// issue writes tls.crt and tls.key with a serial number into a folder, each by an atomic rename.
func (a *authority) issue(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, filepath.Join(dir, "tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	replace(t, filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// replace puts a file in the place of another.
func replace(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (a *authority) client(http2 bool) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Protocols: &protocols, MaxIdleConnsPerHost: 8,
	}}
}

const secured = `[serve]
listen   = "127.0.0.1:0"
tls_cert = "tls.crt"
tls_key  = "tls.key"
admin    = "off"

[[serve.token]]
name  = "team-a"
token = "file:token"
` + twoProjects

// startSecured serves a file with TLS and a token, both of which are files in its folder.
func startSecured(t *testing.T, dir string) (s *sidecar, path, url string) {
	t.Helper()
	t.Setenv("MAIN_KEY", "main_key")
	t.Setenv("SPARE_KEY", "spare_key")
	path = filepath.Join(dir, "spillway.toml")
	replace(t, path, []byte(secured))
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s = newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), "", cfg.Serve, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	doors, err := s.openDoors(ctx, &cfg.Serve)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.serveOn(ctx, doors, 5*time.Second) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s, path, urls(doors)
}

// knockAt asks for content and returns what came.
func knockAt(ctx context.Context, client *http.Client, url, token string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+generatePath, strings.NewReader(hello))
	if err != nil {
		return nil, err
	}
	req.Header.Set(keyHeader, token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp, err
}

func TestTLSAndTokensAreReplacedUnderLoad(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t)
	ca.issue(t, dir, 2)
	replace(t, filepath.Join(dir, "token"), []byte(tokenA+"\n"))
	s, path, url := startSecured(t, dir)
	if !strings.HasPrefix(url, "https://") {
		t.Fatalf("it serves %s", url)
	}

	var calls atomic.Int64
	loading, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 8 {
		client := ca.client(i%2 == 0)
		all.Go(func() {
			defer client.CloseIdleConnections()
			for loading.Err() == nil {
				resp, err := knockAt(t.Context(), client, url, tokenA)
				switch {
				case err != nil:
					t.Error(err)
					return
				case resp.StatusCode != http.StatusOK, resp.ProtoMajor != 1+(i+1)%2:
					t.Errorf("it gets %s by %s", resp.Status, resp.Proto)
					return
				}
				calls.Add(1)
				if i == 7 { // with a handshake for each
					client.CloseIdleConnections()
				}
			}
		})
	}
	rounds := amount(10, 100)
	for i := range rounds {
		ca.issue(t, dir, int64(10+i))
		if i%2 == 1 {
			replace(t, filepath.Join(dir, "tls.key"), []byte("half a "))
		}
		cfg, err := config.Load(path)
		if err == nil {
			err = s.reload(cfg)
		}
		if (err != nil) != (i%2 == 1) {
			t.Errorf("reload %d: %v", i, err)
		}
		for before := calls.Load(); calls.Load() < before+20 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
	stop()
	all.Wait()

	client := ca.client(true)
	defer client.CloseIdleConnections()
	resp, err := knockAt(t.Context(), client, url, tokenA)
	if err != nil || resp.TLS.PeerCertificates[0].SerialNumber.Int64() != int64(10+rounds-2) {
		t.Fatalf("the certificate is not the last good one: %v", err)
	}
	ca.issue(t, dir, 1000)
	replace(t, filepath.Join(dir, "token"), []byte(tokenB))
	cfg, err := config.Load(path)
	if err == nil {
		err = s.reload(cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int{tokenA: http.StatusUnauthorized, tokenB: http.StatusOK} {
		if resp, err := knockAt(t.Context(), client, url, token); err != nil || resp.StatusCode != want {
			t.Errorf("%s gets %v, %v, want %d", token, resp, err, want)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t)
	ca.issue(t, dir, 2)
	replace(t, filepath.Join(dir, "token"), []byte(tokenA))
	_, _, url := startSecured(t, dir)
	address := strings.TrimPrefix(url, "https://")
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		roots := x509.NewCertPool()
		roots.AddCert(ca.cert)
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: version, MaxVersion: version}}
		c, err := dialer.DialContext(t.Context(), "tcp", address)
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}

func TestASocketIsServedAndItsRemainsAreTakenAway(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s.sock")
	listen := config.Address{Network: "unix", Address: socket}
	old, err := listenOn(t.Context(), listen)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenOn(t.Context(), listen); err == nil || !strings.Contains(err.Error(), "another program listens") {
		t.Errorf("a socket in use is taken: %v", err)
	}
	if unix, ok := old.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false) // as if its program had been killed
	}
	_ = old.Close()

	cfg := config.Serve{Listen: []config.Address{listen}}
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), "", cfg, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	doors, err := s.openDoors(ctx, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := urls(doors), "unix:"+socket; got != want {
		t.Errorf("it serves %s, want %s", got, want)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.serveOn(ctx, doors, time.Second) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	resp, err := knockAt(t.Context(), client, "http://localhost", "any")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("it gets %v, %v", resp, err)
	}
	client.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is still there")
	}
	if err := os.WriteFile(socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenOn(t.Context(), listen); err == nil || !strings.Contains(err.Error(), "write another path") {
		t.Errorf("a file that is no socket: %v", err)
	}
	nowhere := config.Address{Network: "unix", Address: filepath.Join(t.TempDir(), "none", "s.sock")}
	if _, err := listenOn(t.Context(), nowhere); err == nil || !strings.Contains(err.Error(), "in a folder that exists") {
		t.Errorf("a folder that does not exist: %v", err)
	}
}

func TestAReloadDoesNotOpenTheHouse(t *testing.T) {
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), "", twoGuests(), slog.New(slog.DiscardHandler))
	s.exposed.Store(true)
	env := config.WithEnv(func(name string) (string, bool) { return strings.ToLower(name), true })
	for serve, want := range map[string]bool{"": false, "open = true": true, "[[serve.token]]\nname = \"a\"\ntoken = \"" + tokenA + "\"": true} {
		cfg, err := config.Parse("test", fmt.Appendf(nil, "[serve]\n%s\n%s", serve, twoProjects), env)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.reload(cfg); (err == nil) != want {
			t.Errorf("with %q the reload ends with %v", serve, err)
		}
	}
}
