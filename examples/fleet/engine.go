package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/connect"
)

// engine is what the store runs on.
type engine struct {
	name string
	url  string
	// open returns a replica's way to the store, and what closes it.
	open func(cfg *config.Config) (store.Store, func() error, error)
	// lose stops the store, and back starts it again, empty. They are nil for a server that is not
	// this program's.
	lose, back func() error
	end        func() error
}

// newEngine returns the engine for this machine.
func newEngine() (*engine, error) {
	if url := os.Getenv("SPILLWAY_REDIS"); url != "" {
		prefix := "spillway-example-" + rand.Text()
		return &engine{name: "the server that SPILLWAY_REDIS names, which is not stopped", url: url, end: nothing,
			open: func(cfg *config.Config) (store.Store, func() error, error) {
				cfg.Store.Prefix = prefix // others may use the server
				return dial(cfg)
			}}, nil
	}
	if path, err := exec.LookPath("redis-server"); err == nil {
		return startServer(path)
	}
	return inMemory(), nil
}

// inMemory is an engine within this program.
func inMemory() *engine {
	m := store.NewMemory(time.Millisecond)
	return &engine{
		name: "store.Memory, for redis-server is not installed", url: "redis://not.used", end: nothing,
		open: func(*config.Config) (store.Store, func() error, error) { return m, nothing, nil },
		lose: func() error { m.SetFault(store.Fault{Err: errors.New("the store is lost")}); return nil },
		back: func() error { m.Flush(); m.SetFault(store.Fault{}); return nil },
	}
}

// startServer starts a server on a free port.
func startServer(path string) (*engine, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(address)
	var server *exec.Cmd
	start := func() error {
		server = exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--save", "") //nolint:gosec,noctx // found on PATH; killed by stop
		return server.Start()
	}
	stop := func() error {
		err := server.Process.Kill()
		_ = server.Wait() // it was killed
		return err
	}
	if err := start(); err != nil {
		return nil, err
	}
	return &engine{name: "a redis-server of its own at " + address, url: "redis://" + address, open: dial, lose: stop, back: start, end: stop}, nil
}

// dial connects to the server that the file names.
func dial(cfg *config.Config) (store.Store, func() error, error) {
	s, err := connect.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

func nothing() error { return nil }
