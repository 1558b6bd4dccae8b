// Package config reads Spillway's TOML file.
//
//	cfg, err := config.Load("spillway.toml")
//
// The smallest file is one project with a key:
//
//	[[project]]
//	name    = "studio"
//	backend = "gemini"                  # the Developer API
//	keys    = ["env:GEMINI_API_KEY"]    # or "file:/run/secrets/gemini"; keys share one quota
//
// A project on Vertex AI has credentials and locations instead. It may have Provisioned Throughput:
//
//	[[project]]
//	name        = "prod"
//	backend     = "vertex"
//	project_id  = "acme-prod"           # default: name
//	credentials = "adc"                 # default; or "file:key.json", "env:TOKEN_VAR", "none"
//	locations   = ["global", "europe-west4"]    # default: global
//	models      = ["gemini-*"]          # globs; default: all
//	priority    = 0                     # lower first
//	weight      = 1                     # share among equals
//	base_url    = ""                    # a private endpoint or an emulator; default: Google
//
//	[[project.provisioned]]
//	model    = "gemini-3.5-flash"
//	location = "europe-west4"
//	gsus     = 10                       # or tokens_per_second
//	# burndown = { output = 6 } and window = "30s" override the built-in table
//	overflow = "router"                 # or "vertex": let Vertex spill over by itself
//
//	[[project.limits]]                  # quotas not to exceed; the strictest match holds
//	model       = "gemini-3.5-flash"    # glob; default: all
//	rpm         = 1_000
//	tpm         = 1_000_000
//	rpd         = 10_000
//	concurrency = 64
//
// Everything else is optional. These are the defaults, and examples for [models] and [[fallback]]:
//
//	[router]
//	policy             = "least_loaded" # or "round_robin", "random"
//	max_attempts       = 4              # attempts of one call that may end in a fault
//	max_wait           = "10s"          # longest time in the queue; "0s" fails at once
//	backend            = "gemini"       # dialect of clients; default: vertex if every project is
//	state              = ""             # file that carries the state over a restart; default: none
//	first_byte_timeout = "10m"
//	idle_timeout       = "60s"          # longest pause in an answer that has begun
//	fallback_after     = "1s"           # how long a model is waited for if another stands in for it
//	ramp               = false          # after idleness, at most twice the rate every 10 s
//	body_memory        = "256MB"        # bound of the bodies that are held, of all calls
//	memory             = "64MB"         # bound of what the router remembers
//	locations          = []             # globs: a fence around the whole pool; default: none
//
//	[router.retry]                      # after a fault of Google's
//	initial = "1s"
//	max     = "60s"
//	budget  = 0.2                       # share of calls that may be retried
//
//	[router.pacing]                     # on-demand calls to Vertex AI after contention
//	preset    = "careful"               # or "eager"; default: the four below, which override it
//	gain      = 1.1
//	tolerance = 0.05
//	growth    = 0.1
//	burst     = "50ms"
//
//	[breaker]
//	failures = 5
//	open     = "5s"
//	max_open = "5m"
//
//	[serve]                             # of spillway serve
//	origins = []                        # web pages that may call it, such as "https://app.example.com"
//	hosts   = []                        # globs of names that clients call it by; default: the address
//
//	[models]                            # aliases: name in the call = model that serves it
//	fast = "gemini-3.5-flash"
//
//	[[fallback]]                        # when a model is exhausted everywhere
//	model = "gemini-3.1-pro-preview"
//	to    = ["gemini-3.5-flash"]
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
// retire; orders whose overflow may leave their country or multi-region; and, with a fence
// (locations under [router]), what lies outside it and is not used.
//
// # Secrets
//
// A key is written as "env:NAME" or "file:PATH", which are read together with the file. [Watch] reads
// all of it again when one of the files changes, for instance a secret that Kubernetes rotates. A
// key written out works, with a warning. No error, warning or printed config shows a key: keys print as
// a short hash, and messages do not quote the file.
//
// There is a warning for a base_url that is http:// and leads off this machine, and for a file with
// a key or credentials that every user of the machine may write or read. That a group may is no
// warning. Nor is it that everyone may read a secret that Kubernetes, Docker or Podman has mounted:
// by default everyone may, in a container that has no one else.
package config
