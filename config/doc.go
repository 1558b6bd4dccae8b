// Package config reads Spillway's TOML file.
//
//	cfg, err := config.Load("spillway.toml")
//
// The smallest file is one project with a key:
//
//	[[project]]
//	name    = "studio"
//	backend = "gemini"                  # the Developer API
//	keys    = ["env:GEMINI_API_KEY"]    # or "file:/run/secrets/gemini": several keys of one project share its one quota
//
// A project on Vertex AI has credentials and locations instead, and may have bought Provisioned Throughput:
//
//	[[project]]
//	name        = "prod"
//	backend     = "vertex"
//	project_id  = "acme-prod"           # default: name
//	credentials = "adc"                 # or "file:key.json", "env:ACCESS_TOKEN_VAR", "none"; default: adc
//	locations   = ["global", "europe-west4"]    # default: global
//	models      = ["gemini-*"]          # globs; default: all
//	priority    = 0                     # lower first
//	weight      = 1                     # share among equals
//	base_url    = ""                    # a private endpoint or an emulator; default: Google
//
//	[[project.provisioned]]
//	model    = "gemini-2.5-flash"
//	location = "europe-west4"
//	gsus     = 10                       # or tokens_per_second; burndown = { output = 9 } and window = "30s" override the built-in table
//	overflow = "router"                 # or "vertex": let Vertex spill over by itself
//
//	[[project.limits]]                  # quotas to keep to; of several that match, the strictest holds
//	model       = "gemini-2.5-flash"    # glob; default: all
//	rpm         = 1_000
//	tpm         = 1_000_000
//	rpd         = 10_000
//	concurrency = 64
//
// The rest is optional; these are the defaults, but for the examples of [models] and [[fallback]]:
//
//	[router]
//	policy             = "least_loaded" # or "round_robin", "random"
//	max_attempts       = 4              # requests one call may cost
//	max_wait           = "10s"          # longest time in the queue; "0s" fails at once
//	backend            = "gemini"       # the dialect clients speak, translated for projects of the other; default: vertex if every project is vertex
//	state              = ""             # "spillway.state": a file that carries day counts, cooldowns and learned limits over a restart; default: none
//	first_byte_timeout = "10m"
//
//	[router.retry]                      # after faults of Google's
//	initial = "1s"
//	max     = "60s"
//	budget  = 0.2                       # share of calls that may be retried
//
//	[router.pacing]                     # on-demand calls to Vertex AI after contention
//	preset    = "careful"               # or "eager"; default: neither, the four below, which also override a preset
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
//	[models]                            # aliases: name in the call = model that is asked
//	fast = "gemini-2.5-flash"
//
//	[[fallback]]                        # when a model is exhausted everywhere
//	model = "gemini-2.5-pro"
//	to    = ["gemini-2.5-flash"]
//
// # Strictness
//
// Nothing is ignored: unknown keys, wrong types, times without a unit and settings that make no sense together are mistakes, and so is
// a zero where Go's zero value means the default. All of them are reported at once, each as "file:line: what is wrong; what to write"
// ([Errors]). Only TOML's own syntax errors come alone, because nothing after them can be read. What is meant to be known but works
// comes in [Config.Warnings].
//
// # Secrets
//
// A key stands in the file as "env:NAME" or "file:PATH", which are read once, when the file is. A key written out is taken, with a
// warning. No error, warning or printed config shows a key: keys print as a short hash, and messages do not quote the file.
package config
