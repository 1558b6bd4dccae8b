package main

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spillway-go/spillway/config"
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

// What a [[cache]] has if the file does not say, see [router.Cache].
const (
	defaultTTL      = 10 * time.Minute
	defaultMaxBytes = 64 << 20
)

// checkedCache is a [[cache]] as "check --json" prints it.
type checkedCache struct {
	Model     string   `json:"model"`            // glob
	Models    []string `json:"models,omitempty"` // those of the file whose calls it serves
	TTL       string   `json:"ttl"`
	MaxBytes  int64    `json:"max_bytes"`
	Namespace string   `json:"namespace,omitempty"` // absent: each caller has its own
}

// cachesIn returns the response caches of a file, in order.
func cachesIn(cfg *config.Config) (all []checkedCache) {
	for _, c := range cfg.Router.Caches {
		all = append(all, checkedCache{
			Model: cmp.Or(c.Model, "*"), TTL: cmp.Or(c.TTL, defaultTTL).String(), MaxBytes: cmp.Or(c.MaxBytes, defaultMaxBytes),
			Namespace: c.Namespace,
		})
	}
	for _, model := range named(cfg) {
		for i := range all { // the first that matches serves it
			if ok, _ := path.Match(strings.ToLower(all[i].Model), strings.ToLower(model)); ok {
				all[i].Models = append(all[i].Models, model)
				break
			}
		}
	}
	return all
}

// words says it in two lines.
func (c *checkedCache) words() []string {
	const most = 3
	whose := "each caller's for itself"
	if c.Namespace != "" {
		whose = "for all callers together, as " + plain.Text(c.Namespace, 64)
	}
	what := plain.Text(c.Model, 64)
	if c.Model == "*" {
		what = "all models"
	}
	about := fmt.Sprintf("keeps responses of %s for %s, %s,", what, c.TTL, whose)
	bytes := "in at most " + plain.Number(c.MaxBytes) + " bytes"
	if c.Model != "*" && len(c.Models) > 0 && (len(c.Models) > 1 || c.Models[0] != c.Model) {
		bytes += "; here " + strings.Join(c.Models[:min(len(c.Models), most)], ", ")
		if more := len(c.Models) - most; more > 0 {
			bytes += fmt.Sprintf(" and %d more", more)
		}
	}
	return []string{about, bytes}
}
