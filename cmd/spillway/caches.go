package main

import (
	"fmt"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/router"
)

// cacheSnapshot is what the response cache holds of one [[cache]], and has done since the start.
type cacheSnapshot struct {
	Model     string `json:"model,omitempty"` // glob; absent: of calls that ask for it themselves
	Namespace string `json:"namespace,omitempty"`
	Hits      int64  `json:"hits"`
	Misses    int64  `json:"misses"`
	Responses int    `json:"responses"`
	Bytes     int64  `json:"bytes"`
	MaxBytes  int64  `json:"max_bytes"`
}

func cachesOf(stats []router.CacheStat) []cacheSnapshot {
	var all []cacheSnapshot
	for _, c := range stats {
		all = append(all, cacheSnapshot{c.Model, c.Namespace, c.HitCount, c.MissCount, c.Entries, c.Bytes, c.MaxBytes})
	}
	return all
}

// words says it in a line.
func (c *cacheSnapshot) words() string {
	what := c.Model
	if what == "" {
		what = "for calls that ask for it"
	}
	if c.Namespace != "" {
		what += " (" + c.Namespace + ")"
	}
	text := fmt.Sprintf("cache %s: %s, %s, %s in %s of %s bytes", what, plain.Plural(c.Hits, "hit"),
		plain.Number(c.Misses)+" missed", plain.Plural(c.Responses, "response"), plain.Number(c.Bytes), plain.Number(c.MaxBytes))
	if all := c.Hits + c.Misses; all > 0 {
		text += fmt.Sprintf("; %.0f %% hits", 100*float64(c.Hits)/float64(all))
	}
	return text
}
