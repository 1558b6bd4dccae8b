package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommandsInThePagesAreTaken reads each "spillway COMMAND --flag" in what users read, in a line of
// its own in a block or between backticks.
func TestCommandsInThePagesAreTaken(t *testing.T) {
	typed := regexp.MustCompile("(?m)^(?:\\$ )?spillway ([a-z]+)([^\n]*)|`spillway\\s+([a-z]+)([^`]*)`")
	found := 0
	for _, pattern := range []string{"../../README.md", "../../CHANGELOG.md", "../../docs/*.md", "../../examples/*/README.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			page, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range typed.FindAllStringSubmatch(string(page), -1) {
				found++
				checkTyped(t, path, match[1]+match[3], match[2]+match[4])
			}
		}
	}
	if found < 50 {
		t.Errorf("the pages have %d commands", found)
	}
}

// checkTyped looks at a command and what stands behind it.
func checkTyped(t *testing.T, path, name, rest string) {
	t.Helper()
	if name == "help" {
		for of := range strings.FieldsSeq(rest) {
			checkTyped(t, path, of, "")
		}
		return
	}
	c := find(name)
	if c == nil {
		t.Errorf("%s names spillway %s, which there is not", path, name)
		return
	}
	g := grammarOf(c.help)
	for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(rest, -1) {
		if !slices.Contains(g.names(), flag) {
			t.Errorf("%s: spillway %s takes %q, and not %s", path, name, g.names(), flag)
		}
	}
}
