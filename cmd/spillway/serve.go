package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/router"
)

const serveHelp = `Usage: spillway serve FILE [--listen 127.0.0.1:8080] [--drain 30s]

Serve is Spillway for programs in any language: an HTTP server that speaks the
Gemini API and sends each request by way of the pool that FILE describes. Give
its address to an official SDK as the base URL, with any API key:

  Python      genai.Client(api_key="any", http_options={"base_url": URL})
  JavaScript  new GoogleGenAI({apiKey: "any", httpOptions: {baseUrl: URL}})
  Go          genai.ClientConfig{APIKey: "any", HTTPOptions: genai.HTTPOptions{BaseURL: URL}}

A client's own credentials are dropped. It may send Spillway-Affinity,
Spillway-Locations, Spillway-Max-Wait and Spillway-Priority, and finds
Spillway-Endpoint, Spillway-Attempts and Spillway-Traffic on its answers. Live
sessions are WebSockets, which are not served.

To try it without keys, run the emulator beside it:

  spillway emulate > spillway.toml &
  spillway serve spillway.toml

SIGHUP makes it read FILE again. What is the same in both goes on as it was,
running calls among it; a file with mistakes is not taken.

Flags:

  --listen  where to serve. Whoever can reach the address spends the pool's
            quota: an address that others can reach has to be written out, as
            0.0.0.0:8080, and is warned of.
  --drain   how long calls that are under way may still take after SIGINT or
            SIGTERM; new ones are not taken. A second signal ends it at once.

Also served are GET /healthz (200 while it serves) and GET /spillway/status,
which "spillway status" shows.

Exit status: 1 if the file is wrong, the address cannot be had, or calls were
broken off at the end.
`

const (
	defaultListen = "127.0.0.1:8080"
	// headerTimeout is how long a client may take to send a request's header. Bodies and answers take as long as they take: uploads and
	// streams are long.
	headerTimeout = 10 * time.Second
	// idleTimeout is how long an unused connection is kept; longer than clients keep theirs, so that it is they who close.
	idleTimeout = 3 * time.Minute
)

// errBrokenOff says that calls had to be broken off at the end.
var errBrokenOff = errors.New("calls were still under way and were broken off; see --drain")

// serve is the command "serve".
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", defaultListen, "")
	drain := flags.Duration("drain", 30*time.Second, "")
	rest, status, ok := parse(flags, args, serveHelp, stdout, stderr)
	if !ok {
		return status
	}
	switch host, _, err := net.SplitHostPort(*listen); {
	case len(rest) != 1:
		return misused("serve", stderr, "it needs one FILE")
	case err != nil:
		return misused("serve", stderr, "--listen "+*listen+" is no address; write host:port, as "+defaultListen)
	case host == "": // net.Listen takes it for every interface, which few mean by it
		return misused("serve", stderr, "--listen "+*listen+" names no host; write 127.0.0.1"+*listen+
			", or 0.0.0.0"+*listen+" to let everybody in who can reach this machine")
	case *drain < 0:
		return misused("serve", stderr, "--drain is negative")
	}
	cfg, err := config.Load(rest[0])
	if err != nil {
		writef(stderr, "%s\n", err) // each line of it names the file
		return statusFailed
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	warn(log, cfg)
	r, err := router.New(cfg.Pool, cfg.Router, router.WithLogger(log))
	if err == nil {
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		defer close(hangups)
		defer signal.Stop(hangups)
		go reloadOn(hangups, rest[0], r, log)
		err = errors.Join(listenAndServe(ctx, r, *listen, *drain, stdout, log), r.Close())
	}
	if err != nil {
		writef(stderr, "spillway serve: %s\n", err)
		return statusFailed
	}
	return statusOK
}

// warn logs what a file says that is likely not meant.
func warn(log *slog.Logger, cfg *config.Config) {
	for _, w := range cfg.Warnings {
		log.Warn(w.String())
	}
}

// listenAndServe serves a router at an address until ctx ends.
func listenAndServe(ctx context.Context, r *router.Router, address string, drain time.Duration, stdout io.Writer, log *slog.Logger) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if at, ok := listener.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		log.Warn("whoever can reach this address spends the pool's quota", slog.String("address", at.String()))
	}
	writef(stdout, "spillway: clients that speak %s are served at http://%s\n", r.Backend(), listener.Addr())
	return hold(ctx, listener, newSidecar(r, log), drain, log)
}

// hold serves on l until ctx ends. Then it takes no more calls, and lets those that are under way end for as long as drain.
func hold(ctx context.Context, l net.Listener, h http.Handler, drain time.Duration, log *slog.Logger) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		_ = server.Close()
		return errBrokenOff
	}
	return nil
}
