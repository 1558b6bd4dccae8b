package plan

import (
	"path"
	"slices"
)

// takes reports whether globs, of which none means all, take a model.
func takes(globs []string, model string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		ok, _ := path.Match(glob, model)
		return ok
	})
}
