// Package observed is what packages metrics and otel have in common: what became of a call, names
// that are bounded, and the parts of an endpoint's name.
package observed

import (
	"strings"
	"sync"
)

// Other stands for the names that are not told apart.
const Other = "other"

// Most names of models and methods that are told apart. Methods are those of Google's that callers
// write into paths.
const (
	mostModels, mostDoubtfulModels   = 1000, 100
	mostMethods, mostDoubtfulMethods = 100, 20
)

// Names bounds the names that have series of their own. Those that have proved good keep their
// places. Those that have not are few, so that callers who make names up do not fill the memory of
// whoever counts by them.
type Names struct {
	mostGood, mostDoubtful int

	mu    sync.RWMutex
	names map[string]bool // whether it has proved good
	good  int
}

// Models returns the names of models.
func Models() *Names { return &Names{mostGood: mostModels, mostDoubtful: mostDoubtfulModels} }

// Methods returns the names of methods.
func Methods() *Names { return &Names{mostGood: mostMethods, mostDoubtful: mostDoubtfulMethods} }

// Of returns the name to count under. good says that it has proved good now.
func (n *Names) Of(name string, good bool) string {
	n.mu.RLock()
	wasGood, known := n.names[name]
	n.mu.RUnlock()
	if known && (wasGood || !good) {
		return name
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	wasGood, known = n.names[name]
	switch {
	case known && (wasGood || !good):
	case good && n.good < n.mostGood:
		n.good++
		n.putLocked(name, true)
	case known: // it stays doubtful
	case !good && len(n.names)-n.good < n.mostDoubtful:
		n.putLocked(name, false)
	default:
		return Other
	}
	return name
}

func (n *Names) putLocked(name string, good bool) {
	if n.names == nil {
		n.names = make(map[string]bool)
	}
	n.names[strings.Clone(name)] = good // it may be part of a request
}
