package config

import (
	"path"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/pool"
)

// serve warns of an address that `spillway serve` does not serve, and of tokens that can do nothing.
func (a *adviser) serve() {
	s := &a.cfg.Serve
	exposed := func(l Address) bool { return !l.Local() }
	if len(s.Tokens) == 0 && !s.Open && slices.ContainsFunc(s.Listen, exposed) {
		a.warn(fieldPath{"serve", "listen"}, "other machines can reach listen and clients need no token, so spillway serve does not start",
			"write [[serve.token]], or open = true if all who reach it may spend the pool's quota")
	}
	for i := range s.Tokens {
		at := fieldPath{"serve", "token"}.element(i)
		for j, glob := range s.Tokens[i].Models {
			a.tokenModel(at.to("models").element(j), element("models", j), glob)
		}
		for j, glob := range s.Tokens[i].Locations {
			if !a.has(glob) {
				a.warn(at.to("locations").element(j), element("locations", j)+" matches no location of the pool",
					"write one of a project's locations, or a glob of them")
			}
		}
	}
}

// tokenModel warns of a model that a token names.
func (a *adviser) tokenModel(at fieldPath, what, glob string) {
	if _, alias := a.cfg.Router.Models[glob]; alias {
		a.warn(at, what+" is an alias, and a token is bound to the model that it stands for", "write that model")
		return
	}
	if !strings.Contains(glob, "/") { // else it is of a project's own
		a.model(at, what, glob, nil)
	}
}

// has reports whether a glob matches a location of the pool.
func (a *adviser) has(glob string) bool {
	return slices.ContainsFunc(a.cfg.Pool.Projects, func(p pool.Project) bool {
		return slices.ContainsFunc(placesOf(&p), func(l string) bool { ok, _ := path.Match(glob, l); return ok })
	})
}
