package router

import (
	"time"

	"github.com/spillway-go/spillway/pool"
)

// Policy says how the router chooses among the ready endpoints of one tier.
type Policy string

const (
	// LeastLoaded draws two endpoints at random, by weight, and takes the one with fewer tokens in flight per unit of headroom.
	// The default.
	LeastLoaded Policy = "least_loaded"
	// RoundRobin takes the endpoints in turn, by weight.
	RoundRobin Policy = "round_robin"
	// Random takes an endpoint at random, by weight.
	Random Policy = "random"
)

// Config says how calls are routed. The zero value is the defaults named at each field.
type Config struct {
	// Policy chooses within a tier. Empty means LeastLoaded.
	Policy Policy
	// MaxAttempts is how many requests to Google one call may cost. Zero means 4.
	MaxAttempts int
	// MaxWait is the longest a call queues for an endpoint. Zero means 10 s, negative means it never waits.
	MaxWait time.Duration
	// Backend is the dialect that clients speak. Empty means Vertex AI if every project is of that back end, else Gemini. Projects of the
	// other one serve the calls that can be said in its dialect too: generating, counting tokens and embedding, unless a call has a field
	// that it does not take, or names what lives in a project. Calls and answers are translated, and nothing is left out of them.
	Backend pool.Backend
	// State is a file that carries over a restart what is used up of the day, what rests, and which limits Google named. It is read once, by
	// [New]; it is written every 5 seconds while there is news, and by [Router.Close]. Without one, or if it cannot be read, the router starts
	// knowing nothing, as it does by default. Each program needs a file of its own. It holds no key. Empty means none.
	State string
	// FirstByteTimeout is how long one attempt may stay without a byte from Google. Zero means 10 min: thinking takes minutes.
	FirstByteTimeout time.Duration
	// Retry sets attempts after faults of Google's.
	Retry Retry
	// Models are aliases: name in the call -> model that is asked.
	Models map[string]string
	// Fallbacks are tried when a model is exhausted everywhere: when no endpoint that may serve the call can do so within MaxWait and the
	// caller's deadline. MaxWait and MaxAttempts are for all models of one call together.
	Fallbacks []Fallback
}

// Retry sets the attempts that follow a server's fault or a broken connection. Moving on from a quota is no retry and is not limited here.
// There is none for a call that makes something each time that it is sent (a batch, a tuning, a video, a cached content, a store): after such
// a failure nobody knows whether it was made, and Google's answer goes to the caller. Answers of models and uploads are asked for again.
type Retry struct {
	// Initial is the first backoff before the same endpoint is asked again. Zero means 1 s.
	Initial time.Duration
	// Max is the longest backoff. Zero means 60 s.
	Max time.Duration
	// Budget is the share of calls, over the last 10 s, that may be retried, beside one a second. Zero means 0.2.
	Budget float64
}

// Fallback names the models that stand in for one that is exhausted. Spillway-Model in the answer tells which of them gave it; when none
// could, the answer speaks of the model that was asked for. Nothing stands in for a call that names what lives in one project (a file, a
// cached content, a tuned model), that continues an answer, that asks about a model (countTokens, models.get), or whose body is too long to be
// sent twice (64 MB).
type Fallback struct {
	// Model is the model asked for.
	Model string
	// To are the models tried in its place, in order.
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
		c.Policy = LeastLoaded
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 4
	}
	if c.Backend == "" {
		c.Backend = pool.BackendVertex
		for _, p := range projects {
			if p.Backend != pool.BackendVertex {
				c.Backend = pool.BackendGemini
			}
		}
	}
	if c.Retry.Budget == 0 {
		c.Retry.Budget = 0.2
	}
	def(&c.MaxWait, 10*time.Second)
	def(&c.FirstByteTimeout, 10*time.Minute)
	def(&c.Retry.Initial, time.Second)
	def(&c.Retry.Max, 60*time.Second)
	return c
}
