package router

import (
	"time"

	"github.com/spillway-go/spillway/internal/standin"
	"github.com/spillway-go/spillway/pool"
)

// Policy says how the router chooses among the ready endpoints of one tier.
type Policy = pool.Policy

// The policies, see [pool.Policy].
const (
	PolicyLeastLoaded = pool.PolicyLeastLoaded
	PolicyRoundRobin  = pool.PolicyRoundRobin
	PolicyRandom      = pool.PolicyRandom
)

// Config sets how calls are routed. The zero value is the defaults named at each field.
type Config struct {
	// Policy chooses within a tier. Empty means PolicyLeastLoaded.
	Policy Policy
	// MaxAttempts is how many attempts of a call may end in a fault of Google's, or in a refusal by
	// an endpoint that has refused the call before. Moving on from what an attempt has put on
	// cooldown does not count, so a call may take more requests. Each model of Fallbacks has as
	// many attempts of its own. Zero means 4.
	MaxAttempts int
	// MaxWait is the longest time that a call queues for endpoints, all attempts and models
	// together. Zero means 10 s, negative means that calls never queue.
	MaxWait time.Duration
	// Backend is the dialect that clients speak. Empty means Vertex AI if every project is of that
	// back end, else Gemini.
	//
	// Projects of the other back end serve calls that its dialect can express too: generating,
	// counting tokens and embedding. A call with a field that it does not take, or that names a
	// resource of a project, does not go there. The router translates requests and responses and
	// leaves nothing out, but for thought signatures: a conversation stays on the back end that
	// signed it, and where that is out, Google's placeholder takes their place.
	Backend pool.Backend
	// State is a file that carries used day quota, cooldowns, pauses and learned limits over a
	// restart.
	// Each program needs a file of its own. The file holds no key. Empty means none.
	//
	// [New] reads the file once. The router writes it every 5 seconds while something changes, and
	// in [Router.Close]. If the file is missing or cannot be read, the router starts without it.
	State string
	// FirstByteTimeout is the longest that one attempt waits for the first byte from Google. Zero
	// means 10 min, because thinking takes minutes.
	//
	// An attempt ends sooner where silence is suspicious: if its endpoint has answered nobody since
	// it began, for four times as long as responses to that model and method usually take, or for
	// twice as long if the caller's deadline would leave no time for another attempt. Then the call
	// goes to another endpoint, or there again over a new connection. The usual time is that of 95
	// in 100 responses. Calls that may think or write more than 8,192 tokens have more time. Before
	// 20 responses are known, half of the caller's deadline takes its place, at most 10 s. The
	// deadline is that of the request's context, or its X-Server-Timeout if that is earlier.
	FirstByteTimeout time.Duration
	// IdleTimeout is the longest pause in a response that has begun. While nothing of a stream was
	// handed on, only content counts, and the call is tried elsewhere. After that the stream ends
	// with an error event. A response that is read whole has at most five times as long for each
	// 4 KiB. Zero means 60 s.
	IdleTimeout time.Duration
	// FallbackAfter is how long a call stays with a model that has another one of Fallbacks to stand
	// in for it, or half of the time that is left to the caller's deadline if that is less. It
	// counts from the first moment that the call has no attempt in flight, and never cuts an
	// attempt. If nothing can serve the model in that time, the stand-in is asked at once. Zero
	// means 1 s.
	FallbackAfter time.Duration
	// BodyMemory bounds, in bytes, the bodies of all calls that the router holds in memory: requests
	// that it keeps for another attempt, and responses that it reads whole. Zero means 256 MiB.
	//
	// Bodies of more than 1 MiB get at most a third of it. Beyond it a request is kept in a
	// temporary file ([os.TempDir]), which is unlinked at once where the system can do that, and at
	// the end of the call elsewhere. All files together hold at most 16 times BodyMemory. If there
	// is no room for a file, or the body is longer than 64 MiB, the call is sent once. A response
	// beyond it, or one longer than 32 MiB, is handed on while it is read; if it breaks off, its
	// caller is told, and it is not asked for again. Bodies up to 16 KiB, and those of callers in Go
	// that are in their own memory, count for nothing.
	BodyMemory int64
	// Retry sets how attempts that ended in a fault are retried.
	Retry Retry
	// Models are aliases: the name in a call -> the model that serves it.
	Models map[string]string
	// Fallbacks are the models to try when a model is exhausted: when no endpoint can serve the
	// call within FallbackAfter and MaxWait, or its MaxAttempts are used up.
	Fallbacks []Fallback
	// Caches are which responses are kept for equal calls. None by default; a call can still ask for
	// it, see [Call.Cache].
	Caches []Cache

	mixed   bool     // effective: the projects are of both back ends
	places  []string // the pool's locations, see placesOf; the router fills them in
	named   []string // effective: see namedModels
	shelves []shelf  // what is kept; the router fills them in

	climbing climbing
}

// Retry sets the attempts that follow a server fault or a broken connection. Moving on from a
// used-up quota is not a retry and has no bound here.
//
// A call that creates something (a batch, a tuning job, a video, a cached content, a store) is not
// retried after such a failure. Google may have created it already; sending again could create a
// second one. Google's response goes to the caller. Generation and uploads are retried.
type Retry struct {
	// Initial bounds the first backoff before an attempt on the same endpoint. Backoffs are random
	// and their bound doubles. Google's hint is waited for if it is longer. Zero means 1 s.
	Initial time.Duration
	// Max bounds the backoff, but for Google's hint. Zero means 60 s.
	Max time.Duration
	// Budget is the share of the calls of the last 10 s that may be retried, beside one retry a
	// second. Zero means 0.2.
	Budget float64
}

// Fallback names the models that stand in for an exhausted one. The response header Spillway-Model
// names the model that served the call. If no model can, the response is about the model of the
// call.
//
// A call has no fallback if it names a resource of one project (a file, a cached content, a tuned
// model) or continues an earlier response. Nor has a call that asks about a model (countTokens,
// models.get), or whose body cannot be kept to be sent twice, see [Config.BodyMemory].
type Fallback struct {
	// Model is the model of the call.
	Model string
	// To are the models to try in its place, in order.
	To []string
}

// alias returns the model that a name in a call stands for.
func (c *Config) alias(model string) string {
	if asked, ok := c.Models[model]; ok {
		return asked
	}
	return model
}

// effective returns c with its defaults filled in.
func (c Config) effective(projects []pool.Project) Config {
	def := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	if c.Policy == "" {
		c.Policy = PolicyLeastLoaded
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 4
	}
	for _, p := range projects {
		c.mixed = c.mixed || p.Backend != projects[0].Backend
	}
	c.climbing = climbingOf(projects)
	if c.Backend == "" {
		c.Backend = pool.BackendVertex
		for _, p := range projects {
			if p.Backend != pool.BackendVertex {
				c.Backend = pool.BackendGemini
			}
		}
	}
	if c.BodyMemory == 0 {
		c.BodyMemory = 256 << 20
	}
	if c.Retry.Budget == 0 {
		c.Retry.Budget = 0.2
	}
	def(&c.MaxWait, 10*time.Second)
	def(&c.FirstByteTimeout, 10*time.Minute)
	def(&c.IdleTimeout, time.Minute)
	def(&c.FallbackAfter, standin.After)
	def(&c.Retry.Initial, time.Second)
	def(&c.Retry.Max, 60*time.Second)
	c.named = namedModels(&c, projects)
	return c
}
