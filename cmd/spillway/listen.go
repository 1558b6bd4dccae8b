package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spillway-go/spillway/config"
)

// The addresses of a sidecar whose file has none.
const (
	defaultListen = "127.0.0.1:8080"
	defaultAdmin  = "127.0.0.1:8081"
)

// addressesOf returns where to listen: what --listen says, else what the file says, else the default.
func addressesOf(listen string, cfg *config.Serve) []config.Address {
	if listen == "" && len(cfg.Listen) > 0 {
		return cfg.Listen
	}
	if listen == "" {
		listen = defaultListen
	}
	a, problem, _ := config.ParseAddress(listen)
	if problem != "" { // serve has refused it
		a = config.Address{Network: "tcp", Address: listen}
	}
	return []config.Address{a}
}

// listenOn opens an address. A socket that an earlier program has left behind is taken away.
func listenOn(ctx context.Context, a config.Address) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, a.Network, a.Address)
	if err == nil || a.Network != "unix" {
		return l, err
	}
	switch info, statErr := os.Lstat(a.Address); {
	case statErr != nil: // nothing is there
		return nil, fmt.Errorf("%w; write a path in a folder that exists and that this user may write to", err)
	case info.Mode()&os.ModeSocket == 0:
		return nil, fmt.Errorf("%w; what is there is not a socket: remove it, or write another path", err)
	}
	if c, dialErr := new(net.Dialer).DialContext(ctx, a.Network, a.Address); dialErr == nil {
		_ = c.Close()
		return nil, fmt.Errorf("another program listens on %s", a)
	}
	if removeErr := os.Remove(a.Address); removeErr != nil {
		return nil, errors.Join(err, removeErr)
	}
	return new(net.ListenConfig).Listen(ctx, a.Network, a.Address)
}

// isLocal reports whether an address of a connection or listener is of this machine alone.
func isLocal(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// errUnguarded means that anyone could spend the pool's quota, and the file does not say that they may.
var errUnguarded = errors.New("other machines can reach the address, and clients need no token; write " +
	"[[serve.token]] with a name and a token, or open = true in [serve] if all who reach it may spend the pool's quota")

// guard reports whether a configuration has what an address needs.
func guard(exposed bool, cfg *config.Serve) error {
	if exposed && len(cfg.Tokens) == 0 && !cfg.Open {
		return errUnguarded
	}
	return nil
}
