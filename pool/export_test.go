package pool

import (
	"maps"
	"slices"
)

// RuledClasses are the classes that make something rest or count in a breaker.
func RuledClasses() []Class { return slices.Sorted(maps.Keys(rules)) }
