package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

func TestReloadTakesAGoodFileAndLeavesABadOne(t *testing.T) {
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	path := filepath.Join(t.TempDir(), "spillway.toml")
	write := func(file string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(twoProjects)
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(http.NewFileTransport(http.Dir(t.TempDir()))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))

	for _, tt := range []struct {
		name, file string
		want       string // the projects afterwards
		wantSaid   string
	}{
		{"another project's name", strings.Replace(twoProjects, `"spare"`, `"third"`, 1), "main third", "file reloaded"},
		{"a mistake", strings.Replace(twoProjects, `"spare"`, `"main"`, 1), "main third", "not reloaded"},
		{"another dialect", strings.ReplaceAll(twoProjects, `"gemini"`, `"vertex"`), "main third", "not reloaded"},
		{"the first again", twoProjects, "main spare", "file reloaded"},
	} {
		write(tt.file)
		said.Reset()
		f := following{sidecar: newSidecar(r, defaultListen, cfg.Serve, log), cfg: cfg, file: path}
		f.reload()
		var names []string
		for _, p := range r.Stat().Projects {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != tt.want || !strings.Contains(said.String(), tt.wantSaid) {
			t.Errorf("after %s the projects are %q, want %q; it said %s", tt.name, got, tt.want, &said)
		}
	}
}

func TestReloadTakesWhoMayCallToo(t *testing.T) {
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	path := filepath.Join(t.TempDir(), "spillway.toml")
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, config.Serve{Hosts: []string{"old.example"}}, slog.New(slog.DiscardHandler))
	if err := os.WriteFile(path, []byte("[serve]\nhosts = [\"new.example\"]\norigins = [\"https://app.example\"]\n"+twoProjects), 0o600); err != nil {
		t.Fatal(err)
	}
	f := following{sidecar: s, file: path}
	f.reload()
	for host, want := range map[string]int{"old.example": http.StatusForbidden, "new.example": http.StatusOK} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+healthPath, nil)
		req.Header.Set("Origin", "https://app.example")
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, req); w.Code != want {
			t.Errorf("after the reload %s gets %d, want %d", host, w.Code, want)
		}
	}
}
