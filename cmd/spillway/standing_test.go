package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

// reloadWith reloads what [serve] says.
func reloadWith(t *testing.T, s *sidecar, serve string) {
	t.Helper()
	env := config.WithEnv(func(name string) (string, bool) { return strings.ToLower(name), true })
	cfg, err := config.Parse("test", fmt.Appendf(nil, "[serve]\n%s\n%s", serve, twoProjects), env)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.reload(cfg); err != nil {
		t.Fatal(err)
	}
}

// The addresses stay until the program starts again, and with them what they need.
func TestAReloadWithoutTLSLeavesTheCertificateOfTheDoors(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t)
	ca.issue(t, dir, 2)
	replace(t, filepath.Join(dir, "token"), []byte(tokenA))
	s, _, url := startSecured(t, dir)
	reloadWith(t, s, "[[serve.token]]\nname = \"team-a\"\ntoken = \""+tokenA+"\"")
	client := ca.client(true)
	defer client.CloseIdleConnections()
	if resp, err := knockAt(t.Context(), client, url, tokenA); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("without TLS in the file it gets %v, %v", resp, err)
	}
}

func TestAReloadOfTheAddressLeavesTheNameOfTheOpenOne(t *testing.T) {
	cfg := config.Serve{Open: true, Listen: []config.Address{{Network: "tcp", Address: "old.internal:8080"}}}
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), "", cfg, slog.New(slog.DiscardHandler))
	reloadWith(t, s, "open = true\nlisten = \"new.internal:8080\"")
	for host, want := range map[string]int{"old.internal": http.StatusOK, "new.internal": http.StatusForbidden} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+healthPath, nil))
		if w.Code != want {
			t.Errorf("%s gets %d, want %d", host, w.Code, want)
		}
	}
}

func TestAReloadOfTheOperatorsAddressDoesNotOpenIt(t *testing.T) {
	for _, serve := range []string{`admin = "127.0.0.1:8081"`, `admin = "off"`, ``} {
		cfg := config.Serve{Admin: config.Admin{
			Listen: config.Address{Network: "tcp", Address: "0.0.0.0:8081"}, Token: pool.NewSecret(adminSecret),
		}}
		s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, cfg, slog.New(slog.DiscardHandler))
		reloadWith(t, s, serve)
		for token, want := range map[string]int{"": http.StatusUnauthorized, adminSecret: http.StatusOK} {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://10.1.2.3:8081/status", nil)
			req.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			if (admin{s}).ServeHTTP(w, req); w.Code != want {
				t.Errorf("after a reload of %q, %q gets %d, want %d", serve, token, w.Code, want)
			}
		}
	}
}

// A token may be taken out of the file and put back while its calls run.
func TestCallsCountForATokenThatWasAway(t *testing.T) {
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, twoGuests(), slog.New(slog.DiscardHandler))
	const token = "[[serve.token]]\nname = \"team-a\"\ntoken = \"" + tokenA + "\"\nconcurrency = 2"
	s.rules.Load().guests.list[0].running.Add(2)
	reloadWith(t, s, "")
	reloadWith(t, s, token)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost"+generatePath, strings.NewReader(hello))
	req.Header.Set(keyHeader, tokenA)
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, req); w.Code != http.StatusTooManyRequests {
		t.Errorf("beside two calls under way it gets %d %s", w.Code, w.Body)
	}
}

// A Go program may fill in a configuration that the file's reader would refuse, and a name may lead
// anywhere.
func TestOperatorsAreNotServedToOtherMachinesWithoutAToken(t *testing.T) {
	cfg := config.Serve{Admin: config.Admin{Listen: config.Address{Network: "tcp", Address: "0.0.0.0:0"}}}
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, cfg, slog.New(slog.DiscardHandler))
	end, err := s.openAdmin(t.Context(), &cfg)
	if err == nil {
		end()
		t.Error("they are")
	}
}
