package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
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
for counters and the call log), Spillway-Share ("0.3": the part of every limit, order
and pace that all calls with a share use together), Spillway-Cache ("10m": a response
that is no older will do; "off") and Spillway-Explain ("1": say in a header of that
name where the call went and what was passed over). Other Spillway headers, and values
that make no sense, get 400. Where there is a cache, Cache-Control is heeded: no-store,
no-cache, max-age, min-fresh and only-if-cached (504 if it has none).
Responses carry Spillway-Call (an id), Spillway-Endpoint, Spillway-Attempts and
Spillway-Traffic, Spillway-Model if a fallback responded, and Spillway-Cache (hit,
miss, off) where a cache was asked for.
When nothing is left the response is a 429 with Retry-After and
the reason of each endpoint, and Spillway-Why: cause, what it is about, when it
ends, what to do (docs/429.md).

Sessions of the Live API go through the pool too. The client's first message names
the model; the session stays where that is accepted. A handle to resume a session
goes back to the project that gave it. When none can be had the close is 1013, or
Google's own. JavaScript's SDK needs only the base URL. Go's dials ws://ADDRESS as
base URL, for Live alone. Python's dials wss, so it needs TLS: tls_cert, see below.
Ephemeral tokens are for Google's own address; here a session takes any API key. When
the sidecar is stopped a session gets goAway, and after four fifths of --drain the
close 1001.

To try it without keys, run the emulator beside it:

  spillway emulate > spillway.toml &
  sleep 1    # until the file is there
  spillway serve spillway.toml

FILE is reloaded a second after it has changed, or a file of keys, tokens, credentials
or TLS that it names; within 10 where the file system tells nothing of changes. SIGHUP
reloads it at once. What is the same in both keeps its state, and calls under way
continue. A file with mistakes changes nothing.

Flags:

  --listen  the address to serve on, in place of the file's. An address that other
            machines can reach must be written out, such as 0.0.0.0:8080.
  --drain   how long calls under way may take after SIGINT or SIGTERM. New
            calls are refused. A second signal ends the program at once.

[serve] in FILE says where and whom it serves. Addresses, TLS or not, and the bounds
of headers, connections and idleness take a restart; all else a reload:

  [serve]
  listen   = ["0.0.0.0:8443", "unix:/run/spillway.sock"]
  tls_cert = "tls.crt"          # of TCP addresses, TLS 1.2 or newer
  tls_key  = "tls.key"
  max_body = "2GiB"             # default; more bounds are in package config

  [[serve.token]]
  name        = "team-a"        # its label, too, in counters and the call log
  token       = "env:TEAM_A_TOKEN"
  models      = ["gemini-*"]    # globs; default: all
  locations   = ["eu"]          # globs; default: all
  priority    = "batch"
  concurrency = 64

If there are tokens, each client sends one where its SDK has the API key: as
x-goog-api-key, "Authorization: Bearer" or ?key=. It goes no further. A client
without one gets 401; with one 403 for a model or location that its token may not
use, and 429 beyond its concurrency. An address that other machines can reach needs
tokens, or open = true: then everyone who can reach it can spend the pool's quota.
With open = true and tokens, clients without one are served too.

A unix socket takes connections from the sidecar's own user, and from others as the
umask says: containers that share one run as the same user.

A request that is larger than the bounds gets 431 or 413. A client that is silent in
its header for 10 seconds or in its body for a minute loses its connection, as does
one that accepts nothing of its response for a minute.

What a client sends of a trace (traceparent, baggage) does not go to Google. Both
HTTP/1.1 and HTTP/2 are served, with TLS and without; HTTP/2 without TLS to clients
that begin with it, not by Upgrade: h2c.

Operators have an address of their own, 127.0.0.1:8081. A default that is taken, by
another sidecar on this machine, is a warning:

  [serve]
  admin       = "0.0.0.0:8081"     # or "unix:/run/spillway-admin.sock", "off"
  admin_token = "env:ADMIN_TOKEN"  # needed if others reach it: Authorization: Bearer
  pprof       = true               # /debug/pprof/; default: false
  drain_delay = "5s"               # not ready and still serving, after SIGTERM

  GET  /healthz  200 while it serves
  GET  /readyz   503 while it starts, drains, or every endpoint refuses calls, which all
                 replicas do at once: for a balancer that has somewhere else to go. A
                 probe of Kubernetes takes /healthz
  GET  /metrics  for Prometheus
  GET  /status   what "spillway status" shows
  GET  /events   the last 1,000, a line of JSON each (?since=10m, ?kind=cooldown_started);
                 with ?follow=1 all that come, as server-sent events. A client that
                 comes back with Last-Event-ID misses none of the 1,000
  GET  /calls    ?id=ID has one of the last 10,000 calls by its Spillway-Call, ?last=20
                 the last ones
  GET  /explain  ?model=MODEL is for "spillway explain"; /sla for "spillway sla"
  POST /pause    and /resume take JSON, see "spillway help pause"
  GET  /         a page to look at: what is wrong and what to do about it, what is left
                 of limits and orders, the last 30 minutes, calls, events, replicas. It
                 follows /live, server-sent events; /live?once=1 has the same once
                 It asks a browser for admin_token, and again after 12 hours

The addresses for clients have /healthz and /readyz too, without a token, and to
requests from this machine, not through a proxy, all else below /spillway, and
/metrics. In a Kubernetes Service write drain_delay = "5s": the pod gets calls for a
moment after its SIGTERM.

Only the paths of the Gemini API are served; others get 404. OpenAI's dialect is
below /v1beta/openai, also as /openai/v1, for projects of both back ends: chat
completions, embeddings, and the list of models: the Developer API's or, without a
project there, those that FILE names. Errors of these paths have OpenAI's shape. /v1
is not OpenAI's, because /v1/models is Google's own.

The sidecar answers only to its own names: localhost, the address that it listens
on, and the names in [serve] hosts; others get 403. Web pages may call it if
[serve] origins names them:

  [serve]
  origins = ["https://app.example.com"]
  hosts   = ["spillway.internal", "*.svc.cluster.local"]

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

// serve runs the command "serve".
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "", "")
	drain := flags.Duration("drain", 30*time.Second, "")
	rest, status, ok := parse(flags, args, serveHelp, stdout, stderr)
	if !ok {
		return status
	}
	_, problem, fix := config.ParseAddress(*listen)
	switch {
	case len(rest) != 1:
		return misused("serve", stderr, "it needs one FILE")
	case *listen != "" && problem != "":
		return misused("serve", stderr, "--listen "+*listen+" "+problem+"; "+fix)
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
	defer signal.Stop(hangups)
	// Who reads its output may end. That would end a program that does not expect it, and calls with it.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	cfg, err := load(ctx, file)
	if err != nil {
		writef(stderr, "%s\n", err) // each line names the file
		return statusFailed
	}
	lines := newLossy(stderr)
	log := newLogging(&cfg.Log, lines)
	warn(log.log, cfg)
	err = serveConfig(ctx, cfg, file, hangups, listen, drain, stdout, log)
	lines.end()
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
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // also while it drains
	defer stop()
	changes := newNotices()
	defer changes.close()
	go s.follow(watching, cfg, file, hangups, changes)
	go s.feed.history.run(watching, func() pool.Stat { return r.Stat().Stat })
	return errors.Join(s.listenAndServe(ctx, &cfg.Serve, drain, stdout), r.Close(), endCalls(), end())
}

// warn logs the warnings of a file.
func warn(log *slog.Logger, cfg *config.Config) {
	for _, w := range cfg.Warnings {
		log.Warn(w.String())
	}
}

// listenAndServe serves until ctx ends.
func (s *sidecar) listenAndServe(ctx context.Context, cfg *config.Serve, drain time.Duration, stdout io.Writer) error {
	end, err := s.openAdmin(ctx, cfg) // before the clients', and until after: it says that they are to wait
	if err != nil {
		return err
	}
	defer end()
	doors, err := s.openDoors(ctx, cfg)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, s.events.end)() // or they would take up the time to drain
	s.log.Info("clients are served", slog.String("backend", string(s.router.Backend())), slog.String("address", urls(doors)))
	if s.first == nil || s.first.Log.Calls != calls.Stdout { // which has nothing but calls then
		writef(stdout, "spillway: clients that speak %s are served at %s\n", s.router.Backend(), urls(doors))
	}
	return s.serveOn(ctx, doors, drain)
}
