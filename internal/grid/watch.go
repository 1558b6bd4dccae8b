package grid

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// watch looks for credentials where none may be.
type watch struct {
	mu     sync.Mutex
	places []string
}

// look notes the place if the text holds a part of a credential.
func (w *watch) look(place, text string) {
	i := strings.Index(text, canary)
	if i < 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(w.places, func(p string) bool { return strings.HasPrefix(p, place+":") }) {
		return
	}
	w.places = append(w.places, fmt.Sprintf("%s: …%s…", place, text[max(i-60, 0):min(i+20, len(text))]))
}

// found is a line for each place.
func (w *watch) found() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.places)
}
