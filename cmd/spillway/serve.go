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

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/metrics"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const serveHelp = `Usage: spillway serve FILE [--listen 127.0.0.1:8080] [--drain 30s]

Serve is Spillway for programs in any language: an HTTP server that speaks the
Gemini API and routes each request over the pool that FILE describes. Give its
address to an official SDK as the base URL, with any API key:

  Python      genai.Client(api_key="any", http_options={"base_url": URL})
  JavaScript  new GoogleGenAI({apiKey: "any", httpOptions: {baseUrl: URL}})
  Go          genai.ClientConfig{APIKey: "any", HTTPOptions: genai.HTTPOptions{BaseURL: URL}}

A client's own credentials are removed. A client may send Spillway-Affinity (any
text), Spillway-Locations ("eu, global"), Spillway-Max-Wait ("5s"),
Spillway-Priority ("interactive" or "batch"), Spillway-Label ("team-a": who calls,
for counters and the call log) and Spillway-Explain ("1": say in a header of that
name where the call went and what was passed over). Other Spillway headers, and
values that make no sense, get 400. Responses carry Spillway-Call (an id),
Spillway-Endpoint, Spillway-Attempts and Spillway-Traffic, and Spillway-Model if a
fallback responded. When nothing is left the response is a 429 with Retry-After and
the reason of each endpoint, and Spillway-Why: cause, what it is about, when it
ends, what to do (docs/429.md). Live sessions are WebSockets, which are not served.

To try it without keys, run the emulator beside it:

  spillway emulate > spillway.toml &
  sleep 1    # until the file is there
  spillway serve spillway.toml

FILE is reloaded within 10 seconds when it changes, or when a file of keys or
credentials that it names does; SIGHUP reloads it at once. What is the same in
both keeps its state, and calls under way continue. A file with mistakes changes
nothing.

Flags:

  --listen  the address to serve on. Everyone who can reach it can spend the
            pool's quota. An address that other machines can reach must be
            written out, such as 0.0.0.0:8080, and logs a warning.
  --drain   how long calls under way may take after SIGINT or SIGTERM. New
            calls are refused. A second signal ends the program at once.

A page to look at is at /spillway/: what is wrong and what to do about it, lanes with
what is left of their limits and orders, what was served and refused in the last 30
minutes, the last calls and why each went where it went, events, replicas. It follows
GET /spillway/live, server-sent events; ?once=1 has the same once.

It also serves GET /healthz (200 while it serves), GET /metrics for Prometheus
(also at /spillway/metrics), GET /spillway/status, which "spillway status" shows,
and GET /spillway/events: the last 1,000 events, a line of JSON each (?since=10m,
?kind=cooldown_started), or with ?follow=1 all that come, as server-sent events. A
client that comes back with Last-Event-ID misses none of the 1,000. GET
/spillway/calls?id=ID has the record of one of the last 10,000 calls by its
Spillway-Call; ?last=20 has the last ones. GET /spillway/explain?model=MODEL is for
"spillway explain", and /spillway/sla for "spillway sla". POST /spillway/pause and
/spillway/resume take JSON from this machine alone, see "spillway help pause". What
a client sends of a trace (traceparent, baggage) does not go to Google. Both
HTTP/1.1 and HTTP/2 without TLS are served; HTTP/2 to clients that begin with it,
not by Upgrade: h2c.

Only the paths of the Gemini API are served; others get 404. OpenAI's dialect is
below /v1beta/openai, for projects of the Developer API. The sidecar answers only
to its own names: localhost, the address that it listens on, and the names in
[serve] hosts; others get 403. Web pages may call it if [serve] origins names
them:

  [serve]
  origins = ["https://app.example.com"]
  hosts   = ["spillway.internal", "*.svc.cluster.local"]

A client that accepts nothing of its response for a minute loses it.

[log] names a file for a line of JSON a call, without its content, which
"spillway report" sums up. The file is rotated by its size and opened again when
it was moved away; if it cannot be written, calls go on. "stdout" is the standard
output, which then has nothing else. format and level are of what serve logs on
the standard error. A change of level takes effect with the reload, the rest with
a restart:

  [log]
  calls     = "calls.jsonl"
  max_size  = "100MB"       # default; then it becomes calls.jsonl.1
  max_files = 5             # default; rotated files that are kept
  format    = "json"        # default: text
  level     = "warn"        # default: info

If FILE has redis under [store], replicas of the sidecar keep to the limits of a
project together. The server may be away, also at the start: each replica then
keeps to its part, and no call fails for it. A change of [store] takes a restart:

  [store]
  redis = "env:REDIS_URL"    # such as rediss://redis.internal:6379

Exit status: 1 if the file is wrong, the address cannot be used, or calls were
cut off at the end.
`

const (
	defaultListen = "127.0.0.1:8080"
	// headerTimeout is the time for a request's header. Bodies and responses have no timeout:
	// uploads and streams take long.
	headerTimeout = 10 * time.Second
	// idleTimeout is how long an unused connection is kept. It is longer than the timeout of
	// clients, so that they close first.
	idleTimeout = 3 * time.Minute
	// maxStreams is how many calls an HTTP/2 client may have under way on one connection. The
	// pool's limits bound calls; the connection need not.
	maxStreams = 1000
	// pingAfter is how long an HTTP/2 connection may be silent before the client is asked whether
	// it is there.
	pingAfter = time.Minute
)

// errBrokenOff means that calls were cut off at the end.
var errBrokenOff = errors.New("calls were still under way and were cut off; see --drain")

// serve runs the command "serve".
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
		return misused("serve", stderr,
			"--listen "+*listen+" is not an address; write host:port, such as "+defaultListen)
	case host == "": // net.Listen would use every interface, which is rarely meant
		return misused("serve", stderr, "--listen "+*listen+" names no host; write 127.0.0.1"+*listen+
			", or 0.0.0.0"+*listen+" to serve everyone who can reach this machine")
	case *drain < 0:
		return misused("serve", stderr, "--drain is negative")
	}
	return serveFile(ctx, rest[0], *listen, *drain, stdout, stderr)
}

// serveFile serves what a file describes. A SIGHUP while it starts is heeded after.
func serveFile(
	ctx context.Context, file, listen string, drain time.Duration, stdout, stderr io.Writer,
) int {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer close(hangups)
	defer signal.Stop(hangups)
	cfg, err := load(ctx, file)
	if err != nil {
		writef(stderr, "%s\n", err) // each line names the file
		return statusFailed
	}
	log := newLogging(&cfg.Log, stderr)
	warn(log.log, cfg)
	err = serveConfig(ctx, cfg, file, hangups, listen, drain, stdout, log)
	if err != nil {
		writef(stderr, "spillway serve: %s\n", err)
		return statusFailed
	}
	return statusOK
}

// serveConfig serves over the pool of a configuration, and reloads it from its file.
func serveConfig(
	ctx context.Context, cfg *config.Config, file string, hangups <-chan os.Signal, listen string, drain time.Duration,
	stdout io.Writer, log logging,
) error {
	opts, end, err := openStore(cfg)
	if err != nil {
		return err
	}
	events, ring, counts := newRing(), newCallRing(), metrics.New()
	sinks, endCalls := openCalls(&cfg.Log, stdout, log.log, ring)
	opts = append(opts, router.WithLogger(log.log), router.WithEvents(events.observe),
		router.WithTrace(calls.Trace(sinks...)), router.WithTrace(counts.Trace()))
	r, err := router.New(cfg.Pool, cfg.Router, opts...)
	if err != nil {
		return errors.Join(err, endCalls(), end())
	}
	s := newSidecar(r, listen, cfg.Serve, log.log)
	s.first, s.events.ring, s.calls, s.level = cfg, events, ring, log.level
	if s.metrics, err = metricsHandler(counts, r, s.proxyLog); err != nil {
		return errors.Join(err, r.Close(), endCalls(), end())
	}
	go s.reloadOn(hangups, file)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go s.watch(watching, cfg)
	go s.live.history.run(watching, func() pool.Stat { return r.Stat().Stat })
	return errors.Join(s.listenAndServe(ctx, drain, stdout), r.Close(), endCalls(), end())
}

// warn logs the warnings of a file.
func warn(log *slog.Logger, cfg *config.Config) {
	for _, w := range cfg.Warnings {
		log.Warn(w.String())
	}
}

// listenAndServe serves until ctx ends.
func (s *sidecar) listenAndServe(ctx context.Context, drain time.Duration, stdout io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	if at, ok := listener.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		s.log.Warn("everyone who can reach this address can spend the pool's quota",
			slog.String("address", at.String()))
	}
	defer context.AfterFunc(ctx, s.events.end)()             // or they would take up the time to drain
	if s.first != nil && s.first.Log.Calls == calls.Stdout { // which has nothing but calls then
		s.log.Info("clients are served", slog.String("backend", string(s.router.Backend())),
			slog.String("address", "http://"+listener.Addr().String()))
	} else {
		writef(stdout, "spillway: clients that speak %s are served at http://%s\n", s.router.Backend(),
			listener.Addr())
	}
	return serveUntil(ctx, listener, s, drain, s.log)
}

// serveUntil serves on l until ctx ends. Then it accepts no more calls, and waits up to drain for
// the calls under way.
func serveUntil(
	ctx context.Context, l net.Listener, h http.Handler, drain time.Duration, log *slog.Logger,
) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, Protocols: &protocols,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(halfClosing{l}) }()
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
