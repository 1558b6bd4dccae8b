package metrics

import (
	"strings"
	"sync"
)

// other stands for the names that are not told apart.
const other = "other"

// bounded are the names that have series of their own. Those that have proved good keep their
// places. Those that have not are few, so that callers who make names up do not fill the memory
// of a Prometheus.
type bounded struct {
	mostGood, mostDoubtful int

	mu    sync.RWMutex
	names map[string]bool // whether it has proved good
	good  int
}

// of returns the name to count under. good says that it has proved good now.
func (b *bounded) of(name string, good bool) string {
	b.mu.RLock()
	wasGood, known := b.names[name]
	b.mu.RUnlock()
	if known && (wasGood || !good) {
		return name
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	wasGood, known = b.names[name]
	switch {
	case known && (wasGood || !good):
	case good && b.good < b.mostGood:
		b.good++
		b.putLocked(name, true)
	case known: // it stays doubtful
	case !good && len(b.names)-b.good < b.mostDoubtful:
		b.putLocked(name, false)
	default:
		return other
	}
	return name
}

func (b *bounded) putLocked(name string, good bool) {
	if b.names == nil {
		b.names = make(map[string]bool)
	}
	b.names[strings.Clone(name)] = good // it may be part of a request
}
