package metrics

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/observed"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// bound leaves out of a snapshot the models that are not told apart: callers who make names up must
// not make series without end. Models that have answered, or that the configuration has limits or an
// order for, keep their places.
func bound(stat *router.Stat, names *observed.Names) {
	proved := make(map[string]bool)
	for i := range stat.Endpoints {
		e := &stat.Endpoints[i]
		proved[e.Model] = proved[e.Model] || e.AttemptCounts[pool.ClassOK] > 0 || e.Order != nil || e.Quota != nil
	}
	hidden := make(map[string]bool)
	for _, model := range slices.Sorted(maps.Keys(proved)) {
		if names.Of(observed.Text(model), proved[model]) == observed.Other {
			hidden[model] = true
			hidden[path.Base(model)] = true // as subjects end
		}
	}
	if len(hidden) == 0 {
		return
	}
	stat.Endpoints = slices.DeleteFunc(stat.Endpoints, func(e pool.EndpointStat) bool { return hidden[e.Model] })
	stat.Models = slices.DeleteFunc(stat.Models, func(m pool.ModelStat) bool { return hidden[m.Model] })
	maps.DeleteFunc(stat.Cooldowns, func(subject string, _ pool.Cooldown) bool {
		kind, of, _ := strings.Cut(subject, ":")
		of, _, _ = strings.Cut(of, ";")
		return (kind == "model" || kind == "server") && hidden[path.Base(of)]
	})
}
