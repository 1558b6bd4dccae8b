package geminitest

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// Config says what there is to emulate: who may call, which models exist, and what stands in their
// way. The zero value is an emulator that knows every model of [DefaultModels] and nobody who may
// use them.
type Config struct {
	Projects []Project
	Models   []string   // ids of the models that exist; default [DefaultModels]
	Capacity []Capacity // hidden on-demand capacity; the first entry that fits a location and model holds; default unlimited
	Latency  Latency    // default: answers at once
	Output   int        // tokens that an answer has to say, 20 by default; generationConfig.maxOutputTokens cuts it (MAX_TOKENS)
	Thoughts int        // most tokens that an answer thinks where thinkingConfig.thinkingBudget allows it; default Output
	Seed     uint64     // phases of the quota windows, windows of orders, jitter, names of resources: the same seed gives the same run
	Log      int        // requests that [Emulator.Requests] remembers, the newest; default 10,000; negative: none
	Bodies   bool       // remember the bodies of requests, too
	Reroutes []Reroute  // of retired models, such as [AnnouncedReroutes]; default none
	Caching  Caching    // of prompts; default: only what callers put into cached contents themselves
	NoFlex   []string   // globs of the models that answer 400 to calls at flex; gemini-2.5-flash was seen to on Vertex AI; default none
	// PriorityTokens are the input tokens a minute that all projects on Vertex AI may have of priority
	// together; more is served as standard. It grows by half for ten minutes of sustained use. Default
	// unlimited.
	PriorityTokens int
	LF             bool // end the lines of server-sent events with LF; Google (and the default here) ends them with CR LF

	QuotaPage int // most quotas on a page of Cloud Quotas and Service Usage; default 500

	// Processing is how long an uploaded file is PROCESSING, and a job, a video or another
	// long-running operation under way; default: no time at all. [Emulator.SetState] ends or undoes
	// it for one of them.
	Processing time.Duration
}

// Project owns quota and resources. Its keys and tokens share them.
type Project struct {
	ID     string   // project id, as in the paths of Vertex AI
	Number string   // its number, which Google puts into the names of resources instead; paths may have either. Default: the id
	Keys   []string // API keys: good on the Gemini host, and on Vertex hosts
	Tokens []string // OAuth access tokens: good on Vertex hosts, as "Authorization: Bearer"
	Models []string // globs of the models that it may use; default all of Config.Models

	// Locations names, for a Vertex location, the globs of the models that exist there for this
	// project. A location that is not named has every model; one named with an empty list has none.
	Locations map[string][]string

	Limits []Limit
	Orders []Order

	// What the APIs of Google Cloud say of it to its tokens.
	Quotas   []Quota  // shown beside those of Limits
	Denied   []string // permissions that its tokens lack, such as "cloudquotas.quotas.get"
	Disabled []string // APIs that are not enabled, such as "cloudquotas.googleapis.com"
}

// Limit is a quota of one project, kept for every model apart. Every limit whose glob fits is
// enforced.
//
// A limit with a Tool or a Method counts the calls with that tool, or of that method, and no other.
// Its 429 does not say so: a tool's names no quota at all ([ToolQuota]), a method's is bare
// ([QuotaUnknown]).
//
// On the Gemini Developer API all three are enforced. On Vertex AI a limit holds for on-demand
// traffic, location by location, as the per-base-model quotas of older models do; there is no daily
// one.
type Limit struct {
	Model  string // glob; default "*"
	Tool   string // as in [Match]
	Method string // as in [Match]: one that a model answers at once, or such as "batches.create"

	RPM  int  // requests in a minute; 0: unlimited, negative: this project has no quota for the model at all ("limit: 0")
	TPM  int  // input tokens in a minute; 0: unlimited, negative: as for RPM
	RPD  int  // requests in a day of America/Los_Angeles; 0: unlimited, negative: as for RPM
	Paid bool // answer as a paid tier does: its quota ids, and a truthful retry delay for the day. Default: free tier

	// Regional answers on Vertex AI in the words that name the location ([RegionQuota]). Otherwise
	// they name the model only, though the quota is a location's own all the same.
	Regional bool
}

// Order is a Provisioned Throughput order of a project: one model in one location.
type Order struct {
	Model    string // exact id
	Location string // "global", "us", "eu" or a region
	GSUs     int    // bought units of scale

	TokensPerSecond float64       // throughput of the whole order; default: GSUs times the model's row in Google's table
	Window          time.Duration // enforcement window; default: drawn by Seed from the range that Google documents for so many GSUs
	Burndown        Burndown      // what is not zero here replaces the model's row in Google's table
}

// Burndown is how many tokens of an order one token of each kind costs.
type Burndown struct {
	Input, InputAudio   float64 // text, image and video in; audio in
	Cached, CachedAudio float64 // the part of the input that came from a cache
	Output              float64 // text and thinking
}

// Capacity is the hidden on-demand capacity of one pool: a location and a model, shared by all
// projects. It is a token bucket with a quarter of a second of burst (at least one request).
// Location "" is the Gemini Developer API, which answers 503 "high demand" when it is full; Vertex
// AI answers 429 "Resource exhausted". Provisioned Throughput does not use it. Where the capacity of
// priority is full, a call is served by that of standard; where that of flex is, it is shed with 503.
type Capacity struct {
	Tier         string  // "flex", "standard" or "priority"; default "standard"
	Location     string  // "" for the Gemini Developer API, else a glob of Vertex locations
	Model        string  // glob; default "*". Each model that fits has a pool of its own
	Requests     float64 // per second; 0: none at all
	RejectedCost float64 // what a refused request takes out of the bucket; default 0
	Steps        []Step  // later capacities, in order of time
}

// Step changes a [Capacity].
type Step struct {
	At       time.Duration // since [New]
	Requests float64       // per second, from then on
}

// Latency is how long answers take. An answer of n tokens takes FirstToken + n × PerToken.
type Latency struct {
	FirstToken time.Duration
	PerToken   time.Duration
	Jitter     float64 // each answer's latency is scaled by a factor drawn from 1 ± Jitter; 0 to 1
}

// DefaultModels are the models that exist when Config.Models is empty: current ids of both back
// ends in autumn 2026.
func DefaultModels() []string {
	return []string{
		"gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite",
		"gemini-3-flash-preview", "gemini-3.1-pro-preview", "gemini-3.1-flash-lite",
		"gemini-3.5-flash", "gemini-3.5-flash-lite", "gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash",
		"gemini-4-argon", "gemini-4-neon", "gemini-3.1-flash-live-preview",
		"gemini-embedding-001", "gemini-embedding-2", "text-embedding-005",
		"imagen-4.0-generate-001", "imagen-4.0-upscale-preview", "imagen-3.0-capability-001",
		"imagen-product-recontext-preview-06-30", "image-segmentation-001", "veo-3.1-generate-001",
	}
}

// Validate says what is wrong with a configuration, all of it at once, or nil. [Start] and
// [NewServer] call it; [New] panics with what it says. It shows no key.
func (c Config) Validate() error { //nolint:gocognit // one thing after the other, none depends on another
	var problems []error
	wrong := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("geminitest: "+format, args...))
	}
	glob := func(where, pattern string) {
		if _, err := path.Match(pattern, ""); err != nil {
			wrong("%s: %q is no glob", where, pattern)
		}
	}
	for _, pattern := range c.NoFlex {
		glob("NoFlex", pattern)
	}
	if c.PriorityTokens < 0 {
		wrong("PriorityTokens are not negative")
	}
	if c.Output < 0 || c.Thoughts < 0 {
		wrong("Output and Thoughts are not negative")
	}
	if c.Latency.FirstToken < 0 || c.Latency.PerToken < 0 || !(c.Latency.Jitter >= 0 && c.Latency.Jitter <= 1) {
		wrong("Latency: times are not negative and Jitter lies between 0 and 1")
	}
	if c.QuotaPage < 0 {
		wrong("QuotaPage is not negative")
	}
	if c.Processing < 0 || c.Caching.TTL < 0 || c.Caching.Min < 0 {
		wrong("Processing, Caching.TTL and Caching.Min are not negative")
	}
	for i, r := range c.Reroutes {
		if r.Model == "" || r.To == "" {
			wrong("Reroutes[%d]: Model and To are needed", i)
		}
	}
	for i, p := range c.Capacity {
		where := fmt.Sprintf("Capacity[%d]", i)
		if _, known := trafficTypes[p.Tier]; p.Tier != "" && !known {
			wrong("%s: %q is no service tier", where, p.Tier)
		}
		glob(where, p.Location)
		glob(where, p.Model)
		if !finite(p.Requests) || !finite(p.RejectedCost) {
			wrong("%s: Requests and RejectedCost are finite and not negative", where)
		}
		for _, s := range p.Steps {
			if !finite(s.Requests) {
				wrong("%s: Requests of a step are finite and not negative", where)
			}
		}
		if !slices.IsSortedFunc(p.Steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) }) {
			wrong("%s: Steps are not in order of time", where)
		}
	}
	ids, credentials := map[string]bool{}, map[string]bool{}
	for i, p := range c.Projects {
		where := fmt.Sprintf("Projects[%d]", i)
		if p.ID == "" || ids[p.ID] {
			wrong("%s: ID %q is empty or taken", where, p.ID)
		}
		ids[p.ID] = true
		if p.Number != "" && ids[p.Number] {
			wrong("%s: Number %q is taken", where, p.Number)
		}
		if p.Number != "" {
			ids[p.Number] = true
		}
		for j, secret := range slices.Concat(p.Keys, p.Tokens) {
			if secret == "" || credentials[secret] {
				wrong("%s: credential %d (keys first, then tokens) is empty or taken", where, j)
			}
			credentials[secret] = true
		}
		for _, pattern := range p.Models {
			glob(where, pattern)
		}
		for location, patterns := range p.Locations {
			for _, pattern := range patterns {
				glob(where+" location "+location, pattern)
			}
		}
		for _, l := range p.Limits {
			glob(where+" limit", l.Model)
		}
		orders := map[[2]string]bool{}
		for _, o := range p.Orders {
			at := fmt.Sprintf("%s order of %q", where, o.Model)
			if o.Model == "" || o.Location == "" {
				wrong("%s: an order names its model and its location", at)
			}
			if orders[[2]string{o.Location, o.Model}] {
				wrong("%s: ordered twice in %q", at, o.Location)
			}
			orders[[2]string{o.Location, o.Model}] = true
			if _, known := throughput[o.Model]; o.TokensPerSecond == 0 && !known {
				wrong("%s: its throughput is not known; set TokensPerSecond", at)
			}
			if o.GSUs < 0 || !finite(o.TokensPerSecond) || o.Window < 0 || o.GSUs == 0 && o.TokensPerSecond == 0 {
				wrong("%s: GSUs or TokensPerSecond are positive, and Window is not negative", at)
			}
			for _, rate := range []float64{o.Burndown.Input, o.Burndown.InputAudio, o.Burndown.Cached, o.Burndown.CachedAudio, o.Burndown.Output} {
				if !finite(rate) {
					wrong("%s: Burndown is finite and not negative", at)
				}
			}
		}
	}
	return errors.Join(problems...)
}

// finite reports whether f is an ordinary number that is not negative.
func finite(f float64) bool { return f >= 0 && f <= 1e18 }

// fits reports whether a name matches a glob; an empty glob matches all.
func fits(glob, name string) bool {
	if glob == "" || glob == "*" || glob == name {
		return true
	}
	ok, _ := path.Match(glob, name)
	return ok
}

// fitsAny reports whether a name matches one of the globs.
func fitsAny(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return fits(g, name) })
}
