package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/router"
)

func TestServedFileIsReloadedWhenAKeyThatItNamesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write := func(name, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("key", "the-first-key")
		write("spillway.toml", "[[project]]\nname = \"a\"\nbackend = \"gemini\"\nkeys = [\"file:key\"]\n")
		cfg, err := config.Load(filepath.Join(dir, "spillway.toml"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(http.NewFileTransport(http.Dir(dir))))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		var said strings.Builder
		ctx, stop := context.WithCancel(t.Context())
		go newSidecar(r, "127.0.0.1:8484", cfg.Serve, slog.New(slog.NewTextHandler(&said, nil))).watch(ctx, cfg)

		before := r.Stat().Projects[0].Keys[0].Key
		write("key", "another-key")
		time.Sleep(11 * time.Second)
		after := r.Stat().Projects[0].Keys[0].Key
		if before == after {
			t.Error("the key in use is the old one")
		}
		write("key", "")
		time.Sleep(time.Minute)
		stop()
		synctest.Wait()
		if n := strings.Count(said.String(), "old one stays"); n != 1 || r.Stat().Projects[0].Keys[0].Key != after {
			t.Errorf("of an empty key file the log says\n%s", &said)
		}
	})
}
