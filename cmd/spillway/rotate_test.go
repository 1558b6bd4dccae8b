package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
)

// Kubernetes mounts a Secret as a link to a folder, which it swaps for another one.
func TestATokenThatKubernetesRotatesIsTakenByItself(t *testing.T) {
	t.Setenv("MAIN_KEY", "main_key")
	t.Setenv("SPARE_KEY", "spare_key")
	dir := t.TempDir()
	mount := func(name, token string) {
		t.Helper()
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, "token")
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(dir, "..data")
		if err := os.Symlink(name, link+"_tmp"); err != nil {
			t.Skip(err)
		}
		if err := os.Rename(link+"_tmp", link); err != nil {
			t.Fatal(err)
		}
	}
	mount("..2026_11_26_1", tokenA)
	path := filepath.Join(dir, "spillway.toml")
	file := "[serve]\nhosts = [\"sidecar\"]\n[[serve.token]]\nname = \"a\"\ntoken = \"file:..data/token\"\n" + twoProjects
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), "", cfg.Serve, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go s.follow(ctx, cfg, "", nil, &notices{})
		look := func(token string) int {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+generatePath, strings.NewReader(hello))
			req.Header.Set(keyHeader, token)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			return w.Code
		}
		if a, b := look(tokenA), look(tokenB); a != http.StatusOK || b != http.StatusUnauthorized {
			t.Errorf("at first the tokens get %d and %d", a, b)
		}
		mount("..2026_11_26_2", tokenB)
		time.Sleep(11 * time.Second)
		if a, b := look(tokenA), look(tokenB); a != http.StatusUnauthorized || b != http.StatusOK {
			t.Errorf("after the swap the tokens get %d and %d", a, b)
		}
	})
}
