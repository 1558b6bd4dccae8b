package router

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/respcache"
	"github.com/spillway-go/spillway/pool"
)

// Cache has the router keep good responses for a while, in memory, and give them to equal calls. It
// suits calls whose response is the same each time, or as good: embeddings and countTokens best of
// all, which are the same for the same model. A model that writes with a temperature above zero
// answers otherwise each time; from a cache it repeats itself.
//
// Calls are equal if they have the same model (aliases are resolved), method, version of the API, body,
// query, locations and headers of Google's. Of the body, what the form of JSON leaves open does not
// count: the order of members, white space, the spelling of numbers (RFC 8785). Numbers are compared
// exactly, and the order of members counts in a schema, and in the arguments and results of functions,
// because models see it. Calls of different namespaces are never equal.
//
// The router keeps the responses to generateContent, streamGenerateContent, countTokens, computeTokens,
// embedContent, batchEmbedContents and predict of an embedding model, and to OpenAI's chat/completions
// and embeddings. It keeps whole good ones alone: they say something, each candidate has the
// finishReason STOP, and no error came. It keeps none of a call that declares tools of any kind, that names a file, a gs:// or
// http address, a cached content or a tuned model, that continues a response, or that chooses the
// fields of its response. Nor does it keep what a fallback has answered.
//
// Equal calls at the same time share one request. If the call that made it leaves, or gets a
// fault of the server's, another one takes over; after two faults, or a response that is not one
// to keep, each asks for itself. An error that all would get, a mistake of the caller's or a
// pool that is exhausted, goes to all. Nobody waits for a request that may queue longer than his
// own. A stream is handed to the others when it is whole, event by event. Once it has waited for
// its own caller 2 s longer than the caller for Google, another call takes over, as after a fault.
//
// The response header Spillway-Cache is "hit" for a response that no request was made for, "miss" for
// others, and "off" if the call is not one to keep. A hit has its Age in seconds, no attempts and no
// Spillway-Endpoint, and costs no tokens; its body, usage included, is the first response's. A
// request's Cache-Control is heeded: no-store leaves the cache alone, no-cache (or Pragma: no-cache)
// asks anew and keeps the response, max-age bounds the age, min-fresh asks for time that is left, and
// only-if-cached makes no request: without a kept response the call gets status 504. Nothing is kept
// beyond its time, so max-stale changes nothing.
//
// A reload keeps what is kept where Model and Namespace stay.
type Cache struct {
	// Model is a glob ([path.Match]) of the models, aliases resolved. The first Cache that matches
	// serves a call. Empty means all.
	Model string
	// TTL is how long a response is kept. Zero means 10 min.
	TTL time.Duration
	// MaxBytes bounds the responses that are kept, those that are being recorded included; a single
	// one has at most a quarter. The ones that were used least recently make room. Zero means 64 MiB.
	MaxBytes int64
	// Namespace has all calls of the Cache share their responses. Empty keeps those of each caller
	// apart: by [Call.Namespace], or else by [Call.Label].
	Namespace string
}

const (
	usualTTL   = 10 * time.Minute
	usualBytes = 64 << 20
)

// CacheUse says what the response cache did for a call. Empty means that it was not asked for.
type CacheUse string

const (
	// CacheHit means that the call got a kept response, or that of another call's request.
	CacheHit CacheUse = "hit"
	// CacheMiss means that the call made a request, or got the error of another call's, or that it wants
	// a kept response alone and there is none.
	CacheMiss CacheUse = "miss"
	// CacheOff means that the call is not one whose response is kept, or said so.
	CacheOff CacheUse = "off"
)

// CacheStat is what a [Cache] holds and has done. Counts are cumulative.
type CacheStat struct {
	// Model and Namespace are those of the Cache. The last one, with an empty Model, is of calls that
	// no Cache matches and that ask for it themselves ([Call.Cache]).
	Model, Namespace string
	// HitCount counts the calls that got a response without a request, MissCount those that made one.
	HitCount, MissCount int64
	// Entries is how many responses are kept. Bytes is what they take, of MaxBytes.
	Entries         int
	Bytes, MaxBytes int64
}

// answer is a response that is kept or shared. Nothing changes it.
type answer struct {
	status  int
	header  map[string][]string
	body    []byte
	ends    []int                // of the events of a stream; nil: it came whole
	model   string               // that answered
	refused *pool.ExhaustedError // why it is the router's own
	label   string               // of the call that got an error
}

// shelf is a Cache in force.
type shelf struct {
	Cache
	kept *respcache.Cache[*answer]
}

// shelvesOf returns the shelves of a configuration. Those that were there before have what they had.
// The last one is for calls that ask for themselves.
func shelvesOf(caches []Cache, before []shelf) []shelf {
	made := make([]shelf, 0, len(caches)+1)
	for _, c := range caches {
		c.Model = cmp.Or(c.Model, "*")
		made = append(made, shelf{Cache: c})
	}
	made = append(made, shelf{})
	for i := range made {
		s := &made[i]
		s.TTL, s.MaxBytes = cmp.Or(s.TTL, usualTTL), cmp.Or(s.MaxBytes, usualBytes)
		for j := range before {
			if old := &before[j]; old.Model == s.Model && old.Namespace == s.Namespace {
				s.kept = old.kept
			}
		}
		if s.kept == nil {
			s.kept = respcache.New[*answer](s.MaxBytes)
		}
		s.kept.SetBound(s.MaxBytes)
	}
	return made
}

// shelf returns the shelf for the calls of a model. asked says that the call wants one in any case.
// It is nil if there is none.
func (c *Config) shelf(model string, asked bool) *shelf {
	own := len(c.shelves) - 1
	for i := range c.shelves[:own] {
		if matches([]string{c.shelves[i].Model}, model) {
			return &c.shelves[i]
		}
	}
	if asked {
		return &c.shelves[own]
	}
	return nil
}

// cacheStats returns what the shelves hold. That of calls that ask for themselves is there if they do.
func (c *Config) cacheStats() []CacheStat {
	var all []CacheStat
	for i := range c.shelves {
		s := &c.shelves[i]
		k := s.kept.Stat()
		if s.Model == "" && k.HitCount+k.MissCount == 0 {
			continue
		}
		all = append(all, CacheStat{s.Model, s.Namespace, k.HitCount, k.MissCount, k.Entries, k.Bytes, k.Bound})
	}
	return all
}

// caches checks the globs and the bounds of [Config.Caches].
func (f *faults) caches(all []Cache) {
	for i, c := range all {
		at := fmt.Sprintf("cache[%d].", i)
		if _, err := path.Match(c.Model, ""); err != nil {
			f.add(at+"model", "model is not a glob", `write a model, or a pattern such as "gemini-embedding-*"`)
		}
		f.duration(at+"ttl", "ttl", c.TTL)
		if c.MaxBytes < 0 {
			f.add(at+"max_bytes", "max_bytes is negative", `write a size such as "64MB", or leave it out`)
		}
		if len(c.Namespace) > maxName {
			f.add(at+"namespace", "namespace is too long", "write at most 1,024 bytes")
		}
		same := func(other Cache) bool { return cmp.Or(other.Model, "*") == cmp.Or(c.Model, "*") }
		if j := slices.IndexFunc(all[:i], same); j >= 0 {
			f.found = append(f.found, &pool.FieldError{
				Field: at + "model", Problem: "the model has a cache", Other: fmt.Sprintf("cache[%d].model", j), Fix: "write one for it",
			})
		}
	}
}
