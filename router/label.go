package router

import (
	"sync"
	"unicode/utf8"

	"github.com/spillway-go/spillway/internal/plain"
)

const (
	// maxLabel bounds a label, in characters.
	maxLabel = 64
	// maxLabels is how many labels a router tells apart. Each is a series of every counter.
	maxLabels = 1000
	// otherLabel stands for the labels that came after these.
	otherLabel = "other"
)

// labels are the labels that a router tells apart. The zero value has none.
type labels struct {
	mu    sync.RWMutex
	known map[string]string
}

// bounded returns the label to count a call under: its own, or otherLabel if there are too many. The
// text that it returns is not part of a request's header.
func (l *labels) bounded(label string) string {
	if label == "" {
		return ""
	}
	l.mu.RLock()
	own, ok := l.known[label]
	l.mu.RUnlock()
	if ok {
		return own
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if own, ok = l.known[label]; ok {
		return own
	}
	if len(l.known) >= maxLabels {
		return otherLabel
	}
	if l.known == nil {
		l.known = make(map[string]string)
	}
	own = string([]byte(label))
	l.known[own] = own
	return own
}

// wrongLabel says what is wrong with a label; "" if nothing is.
func wrongLabel(label string) string {
	switch {
	case utf8.RuneCountInString(label) > maxLabel:
		return "the label " + quoted(label) + " is too long; write at most 64 characters"
	case !utf8.ValidString(label) || !plain.Is(label):
		return "the label " + quoted(label) + " has control characters; write a name such as team-a"
	default:
		return ""
	}
}
