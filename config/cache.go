package config

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/modelid"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// leastCache is the size below which a cache is as good as none: one response has at most a quarter
// of it, and takes about 1 kB if it is as short as a count of tokens.
const leastCache = 16_000

// caches warns of caches that serve no call or keep nothing.
func (a *adviser) caches() {
	for i, c := range a.cfg.Router.Caches {
		at := fieldPath{"cache"}.element(i)
		if c.Model != "" {
			a.model(at.to("model"), "the model of the cache", c.Model, nil)
		}
		before := slices.IndexFunc(a.cfg.Router.Caches[:i], func(b router.Cache) bool { return covers(b.Model, c.Model) })
		switch {
		case before >= 0:
			a.warn(at.to("model"), fmt.Sprintf("the cache serves no call: the first one that matches does, and that is the one in line %d",
				a.lines.lineOf(fieldPath{"cache"}.element(before).to("model"))), "write the narrower one first")
		case !a.used(c.Model):
			a.warn(at.to("model"), "the cache serves no call: no project takes a model that it matches", "write a model that one takes")
		}
		if c.MaxBytes > 0 && c.MaxBytes < leastCache {
			a.warn(at.to("max_bytes"), "max_bytes is too small to keep much: one response may take a quarter of it", `write a size such as "64MB"`)
		}
	}
}

// used reports whether a cache matches a model that some project takes. Aliases are warned of
// elsewhere.
func (a *adviser) used(glob string) bool {
	if _, alias := a.cfg.Router.Models[glob]; alias {
		return true
	}
	return slices.ContainsFunc(a.cfg.Pool.Projects, func(p pool.Project) bool {
		return modelid.Matches(p.Models, glob) || slices.ContainsFunc(p.Models, func(m string) bool { return overlap(cmp.Or(glob, "*"), m) })
	})
}

// covers reports whether a glob surely matches all that another one does.
func covers(glob, other string) bool {
	glob, other = strings.ToLower(cmp.Or(glob, "*")), strings.ToLower(cmp.Or(other, "*"))
	ok, err := path.Match(glob, other)
	return ok && err == nil && !strings.ContainsAny(glob, `?[\`) || glob == other
}

// overlap reports whether some name may match both of two globs. Where a glob has more than stars, it
// is taken to.
func overlap(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if strings.ContainsAny(a+b, `?[\`) {
		return true
	}
	rest := make([]bool, len(b)+1) // for each end of b: whether it and the end of a overlap
	for i := len(a); i >= 0; i-- {
		shorter := slices.Clone(rest) // of the end of a that is shorter by a byte
		for j := len(b); j >= 0; j-- {
			switch {
			case i == len(a) && j == len(b):
				rest[j] = true
			case i < len(a) && a[i] == '*':
				rest[j] = shorter[j] || j < len(b) && rest[j+1]
			case j < len(b) && b[j] == '*':
				rest[j] = rest[j+1] || i < len(a) && shorter[j]
			default:
				rest[j] = i < len(a) && j < len(b) && a[i] == b[j] && shorter[j+1]
			}
		}
	}
	return rest[0]
}
