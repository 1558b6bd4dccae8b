// Package modelid knows how Google's names of models end in versions.
package modelid

import "strings"

// Find returns the key that is name, or name without its version: parts at the end that are numbers
// or "preview", as in "gemini-2.0-flash-001" and "gemini-2.5-flash-preview-09-2025". Not ok if there
// is none.
func Find[V any](keys map[string]V, name string) (key string, ok bool) {
	for {
		if _, ok := keys[name]; ok {
			return name, true
		}
		i := strings.LastIndexByte(name, '-')
		if i < 0 || !isVersion(name[i+1:]) {
			return "", false
		}
		name = name[:i]
	}
}

func isVersion(part string) bool {
	return part == "preview" || part != "" && strings.Trim(part, "0123456789") == ""
}
