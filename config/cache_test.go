package config

import "testing"

func TestGlobsThatOverlap(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true},
		{"a", "A", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"", "", true},
		{"", "*", true},
		{"", "a", false},
		{"*", "a", true},
		{"*", "*", true},
		{"a*", "*b", true},
		{"a*", "b*", false},
		{"*a", "*b", false},
		{"a*c", "ab*", true},
		{"a*c", "abd", false},
		{"a**", "a", true},
		{"*a*", "b*b", true},
		{"gemini-*-flash", "gemini-3.5-flash*", true},
		{"gemini-*-flash", "gemini-3.5-pro", false},
		{"gemini-3.?", "claude-*", true}, // it is not looked at
	} {
		if got := overlap(tt.a, tt.b); got != tt.want {
			t.Errorf("%q and %q: %v, want %v", tt.a, tt.b, got, tt.want)
		}
		if got := overlap(tt.b, tt.a); got != tt.want {
			t.Errorf("%q and %q: %v, want %v", tt.b, tt.a, got, tt.want)
		}
	}
}
