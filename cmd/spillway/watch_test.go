package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
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
		go newSidecar(r, "127.0.0.1:8484", cfg.Serve, slog.New(slog.NewTextHandler(&said, nil))).follow(ctx, cfg, "", nil, &notices{})

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

// follower is a sidecar that follows a file whose project is named after its state.
type follower struct {
	router *router.Router
	path   string
	said   *lockedBuilder
	hup    chan os.Signal
	loads  atomic.Int64
}

func follow(t *testing.T, n *notices) *follower {
	t.Helper()
	f := &follower{path: filepath.Join(t.TempDir(), "spillway.toml"), said: &lockedBuilder{}, hup: make(chan os.Signal, 1)}
	f.write(t, "first")
	cfg, err := config.Load(f.path)
	if err != nil {
		t.Fatal(err)
	}
	f.router, err = router.New(cfg.Pool, cfg.Router, router.WithTransport(http.NewFileTransport(http.Dir(t.TempDir()))),
		router.WithEvents(func(e pool.Event) {
			if e.Kind == pool.Reloaded {
				f.loads.Add(1)
			}
		}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		newSidecar(f.router, defaultListen, cfg.Serve, slog.New(slog.NewTextHandler(f.said, nil))).follow(ctx, cfg, f.path, f.hup, n)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		_ = f.router.Close()
	})
	return f
}

// write puts a file with a project in the place of the one that is there.
func (f *follower) write(t *testing.T, project string) {
	t.Helper()
	replace(t, f.path, []byte("[[project]]\nname = \""+project+"\"\nbackend = \"gemini\"\nkeys = [\"any-key\"]\n"))
}

func (f *follower) project() string { return f.router.Stat().Projects[0].Name }

func TestANoticeIsHeededWhenTheFileIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &notices{changed: make(chan struct{}, 1)}
		f := follow(t, n)
		synctest.Wait()
		for i := range 30 { // it changes again and again for 3 s
			f.write(t, "at-"+strconv.Itoa(i))
			if err := os.Chtimes(f.path, time.Now(), time.Now()); err != nil { // the bubble's
				t.Fatal(err)
			}
			n.tell()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(2 * watchSoon)
		if got := f.project(); got != "at-29" {
			t.Errorf("%s later the pool has %s, and the log says\n%s", 2*watchSoon, got, f.said)
		}
	})
}

// A hangup reads the file at once, and what it read is what a later change is a change of.
func TestAHangupAndAChangeAreOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, &notices{})
		synctest.Wait()
		f.write(t, "second")
		f.hup <- syscall.SIGHUP
		synctest.Wait()
		if got := f.project(); got != "second" {
			t.Errorf("after the hangup the pool has %s", got)
		}
		time.Sleep(time.Minute)
		if n := f.loads.Load(); n != 1 {
			t.Errorf("it was reloaded %d times:\n%s", n, f.said)
		}
		f.write(t, "third")
		time.Sleep(2 * watchEvery)
		if got := f.project(); got != "third" {
			t.Errorf("after the change the pool has %s", got)
		}
	})
}
