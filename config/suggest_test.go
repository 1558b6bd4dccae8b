package config

import (
	"strings"
	"testing"
)

// TestEveryWordElsewhereIsKnownThere holds the list of words to what the tables really read.
func TestEveryWordElsewhereIsKnownThere(t *testing.T) {
	for word, home := range elsewhere {
		header, ok := strings.CutPrefix(home, "it in ")
		if !ok {
			continue
		}
		text := header + "\n" + word + " = false\n"
		if strings.HasPrefix(header, "[[project.") {
			text = "[[project]]\n" + text
		}
		if _, err := Parse("a.toml", []byte(text)); err == nil || strings.Contains(err.Error(), "unknown key") {
			t.Errorf("%s is not known in %s: %v", word, header, err)
		}
	}
}

func TestNearestFindsMisspellingsAndNothingElse(t *testing.T) {
	known := []string{"policy", "max_attempts", "max_wait", "rpm", "gsus", "location"}
	tests := []struct{ text, want string }{
		{"polcy", "policy"},
		{"Policy", "policy"},
		{"ploicy", "policy"},
		{"max-attempts", "max_attempts"},
		{"maxattempts", "max_attempts"},
		{"locations", "location"},
		{"rpn", "rpm"},
		{"gsu", "gsus"},
		{"", ""},
		{"x", ""},
		{"colour", ""},
		{"AIzaSyCANARY0123456789abcdefghijklmnopq", ""},
	}
	for _, test := range tests {
		got, ok := nearest(test.text, known)
		if !ok {
			got = ""
		}
		if got != test.want {
			t.Errorf("nearest(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}
