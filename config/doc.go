// Package config reads Spillway's TOML file.
//
//	cfg, err := config.Load("spillway.toml")
//
// The smallest file is one project with a key:
//
//	[[project]]
//	name    = "studio"
//	backend = "gemini"                  # the Developer API
//	keys    = ["env:GEMINI_API_KEY"]    # or "file:/run/secrets/gemini"; all share one quota
//
// A project on Vertex AI has credentials and locations instead. It may have Provisioned Throughput:
//
//	[[project]]
//	name        = "prod"
//	backend     = "vertex"
//	project_id  = "acme-prod"           # default: name
//	credentials = "adc"                 # default; "file:key.json", "env:TOKEN", "none"; or keys
//	locations   = ["global", "europe-west4"]    # default: global
//	models      = ["gemini-*"]          # globs; default: all
//	labels      = []                    # globs; calls with such a label go here, and only here
//	on_demand   = ["standard"]          # service tiers, cheapest first: flex, standard, priority
//	batch_on_demand = ["standard"]      # of batch calls; default: on_demand without "priority"
//	priority    = 0                     # lower first
//	weight      = 1                     # share among equals
//	base_url    = ""                    # a private endpoint or an emulator; default: Google
//	discover    = false                 # read its limits and orders from Google, see below
//
//	[[project.provisioned]]
//	model    = "gemini-3.5-flash"
//	location = "europe-west4"
//	gsus     = 10                       # or tokens_per_second
//	# burndown = { output = 6 } and window = "30s" override the built-in table
//	overflow = "router"                 # or "vertex": let Vertex spill over by itself
//	# from = 2026-12-01 and until = 2027-03-01T00:00:00-08:00: when it is in force, without a reload;
//	# a date is its midnight in UTC. An order that renews it begins where it ends, see docs/orders.md.
//
//	[[project.limits]]                  # quotas not to exceed; the strictest match holds
//	model       = "gemini-3.5-flash"    # glob; default: all
//	rpm         = 1_000                 # requests in any minute
//	tpm         = 1_000_000             # input tokens in any minute
//	rpd         = 10_000                # requests a day, from midnight in California
//	concurrency = 64                    # calls at once
//
// Everything else is optional. These are the defaults, and examples for [models], [[fallback]] and
// [[cache]]:
//
//	[router]
//	policy             = "least_loaded" # or "round_robin", "random"
//	max_attempts       = 4              # attempts at one model that may end in a fault
//	max_wait           = "10s"          # longest time in the queue; "0s" fails at once
//	backend            = "gemini"       # dialect of clients; default: vertex if all projects are
//	state              = ""             # file for the state over a restart; default: none
//	first_byte_timeout = "10m"          # longest silence of one attempt before the response
//	idle_timeout       = "60s"          # longest pause in a response that has begun
//	fallback_after     = "1s"           # how long a model that has a fallback is waited for
//	ramp               = false          # Vertex AI after a pause: at most twice the rate in 10 s
//	body_memory        = "256MiB"       # bound of the bodies that are held, of all calls
//	memory             = "64MiB"        # bound of what the router remembers
//	locations          = []             # globs: a fence around the whole pool; default: none
//
//	[router.retry]                      # after a fault of Google's
//	initial = "1s"                      # bound of the first random backoff, which doubles
//	max     = "60s"
//	budget  = 0.2                       # share of calls retried, beside one retry a second
//
//	[router.pacing]                     # on-demand calls to Vertex AI after contention
//	preset    = "careful"               # or "eager"; default: the four below, which override it
//	gain      = 1.1                     # of the accepted rate, to go on with after contention
//	tolerance = 0.05                    # share of calls that may meet it; at flex at least eager's
//	growth    = 0.1                     # of the rate a second; see quota.Pacing
//	burst     = "50ms"                  # how much of the rate may go at once
//
//	[breaker]                           # of each model at each endpoint
//	failures = 5                        # in a row that open it; so does half of 10 in 30 s
//	open     = "5s"                     # the first pause, or up to half less; then it doubles
//	max_open = "5m"
//
//	[serve]                             # of spillway serve
//	listen   = "127.0.0.1:8080"         # or "unix:/run/spillway.sock", or ["…", "…"]
//	tls_cert = "tls.crt"                # files in PEM, of TCP addresses; default: no TLS
//	tls_key  = "tls.key"
//	open     = false                    # clients need no token, although others reach the address
//	origins  = []                       # web pages that may call it: "https://app.example.com"
//	hosts    = []                       # globs of its names, beside localhost and its address
//	admin    = "127.0.0.1:8081"         # for operators; or "unix:…", "off"
//	admin_token = "env:ADMIN_TOKEN"     # needed if others reach that address; default: none
//	pprof       = false                 # /debug/pprof/ on it
//	drain_delay = "5s"                  # not ready and still serving, before the end; default: 0
//	max_header      = "64KiB"           # of a request
//	max_body        = "2GiB"
//	max_connections = 20_000
//	header_timeout  = "10s"             # for a whole header
//	body_timeout    = "1m"              # longest silence of a client that sends a body
//	write_timeout   = "1m"              # and of one that receives a response
//	idle_timeout    = "3m"              # of a connection without a call
//
//	[[serve.token]]                     # what a client sends as its API key; default: none
//	name        = "team-a"
//	token       = "env:TEAM_A_TOKEN"    # or "file:PATH"
//	models      = ["gemini-*"]          # globs; default: all
//	locations   = ["eu", "europe-*"]    # globs; default: all
//	priority    = "interactive"         # or "batch", which no call of it can change
//	concurrency = 64                    # calls at once; default: any number
//	label       = "team-a"              # for counters and the call log; default: name
//
//	[store]                             # for replicas of a service; package store/connect connects
//	redis   = ""                        # "rediss://…", "env:NAME", "file:PATH"; default: none
//	prefix  = "spillway"                # of the keys there; replicas that share have the same
//	timeout = "50ms"                    # of one call to it
//	share   = "1/8"                     # of each limit, without redis of orders too; see below
//
//	[log]
//	calls     = "calls.jsonl"           # a line for each call, or "stdout"; default: none
//	max_size  = "100MB"                 # of the file of calls, which is then rotated
//	max_files = 5                       # rotated files that are kept beside it
//	format    = "text"                  # of what spillway serve logs itself; or "json"
//	level     = "info"                  # or "debug", "warn", "error"
//
//	[models]                            # aliases: name in the call = model that serves it
//	fast = "gemini-3.5-flash"
//
//	[[fallback]]                        # when nothing serves a model within fallback_after
//	model = "gemini-3.1-pro-preview"
//	to    = ["gemini-3.5-flash"]        # in order; responses name it in Spillway-Model
//
//	[[cache]]                           # of good responses, for equal calls; see router.Cache
//	model     = "gemini-embedding-*"    # glob; default: all
//	ttl       = "10m"                   # how long a response is kept
//	max_bytes = "64MiB"                 # of memory, for all of them
//	namespace = ""                      # all callers share it; default: each token or label its own
//
// Durations are written with a unit ("500ms", "10s", "5m"), sizes as a whole number and kB, MB, GB,
// KiB, MiB or GiB.
//
// # Discovery
//
// With discover = true the project's limits and orders are read from Google in the background, at the
// start, after a reload and each hour. They hold where the file declares none: what it declares wins.
//
//	[[project]]
//	name         = "studio"
//	backend      = "gemini"
//	keys         = ["env:GEMINI_API_KEY"]
//	discover     = true
//	project_id   = "acme-studio"        # whose keys they are
//	credentials  = "adc"                # default; to ask with, calls have the keys
//	discover_url = ""                   # an emulator; default: Google
//
// It takes Google credentials, also beside keys: an API key cannot ask what its project has. They
// need the roles roles/cloudquotas.viewer and, for orders, roles/monitoring.viewer; for the tier of a
// project of the Developer API, roles/browser and the Cloud Billing API. What cannot be read fails
// nothing: an event says which role or API is missing, and the command that mends it. See [pool.Project]
// for what holds when, and `spillway help discover`. It was tested on the emulator only.
//
// # Service tiers
//
// Google sells pay-as-you-go at three service tiers: flex at half of the standard price and slowly,
// priority at 1.8 times the price and first of all. With on_demand = ["standard", "priority"] a call
// that meets contention at standard goes on at priority, in all locations of the project that have
// it: "global", "us" and "eu". With batch_on_demand = ["flex", "standard"] batch calls wait for
// flex, in "global", and leave it in time for their deadline. See [pool.Project]. A call that names
// a service tier itself gets that one.
//
// # Replicas
//
// With redis the replicas of a service keep to limits and orders together: see package store.
// Without it, share divides each declared limit and order by hand: write "1/8" in each of eight
// replicas. By default each takes all of it. With redis, share is what a replica keeps to of each
// limit until it has first heard of the others; the default is an eighth. Orders are not used until
// then, and share does not divide them. A reload does not change [store], but for a share without
// redis: it takes a restart.
//
// # Strictness
//
// Nothing is ignored. Unknown keys, wrong types, durations without a unit and settings that
// contradict each other are mistakes. So is a zero where Go's zero value means the default. All
// mistakes are reported at once, each as "file:line: what is wrong; what to write" ([Errors]). Only
// a syntax error of TOML is reported alone, because nothing after it can be read.
//
// What works but should be known is in [Config.Warnings]: locations and models that were unknown
// when this package was made, with the name that was probably meant; models that Google is about to
// retire; orders whose overflow may leave their country or multi-region; limits of which a share
// leaves less than one; and, with a fence (locations under [router]), what lies outside it and is
// not used.
//
// # Secrets
//
// A key is written as "env:NAME" or "file:PATH", which are read together with the file. So is the
// URL of redis if it has a password, and a token. A PATH is relative to the folder of the file, as are
// state and the files of credentials and of TLS. [Watch] reads all of it again when one of the files
// changes, for instance a secret that Kubernetes rotates; it does not watch variables. A key written
// out works, with a warning. No error, warning or printed config shows a key: keys print as a short
// hash, and messages do not quote the file.
//
// There is a warning for a base_url that is http:// and leads off this machine, for a password of
// redis that does so without TLS, and for a file with a key or credentials that every user of the
// machine may write or read. That a group may is no warning. Nor is it that everyone may read a
// secret that Kubernetes, Docker or Podman has mounted: by default everyone may, in a container
// that has no one else.
package config
