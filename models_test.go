package spillway_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goneModel is a model that Google has retired, or is about to.
var goneModel = regexp.MustCompile(`gemini-(live-)?[12]\.\d`)

// TestWhatUsersCopyNamesModelsThatLive looks at all that is meant to be copied.
func TestWhatUsersCopyNamesModelsThatLive(t *testing.T) {
	looked := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch slashed := filepath.ToSlash(path); {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || name == "node_modules" || name != "." && strings.HasPrefix(name, ".")):
			return fs.SkipDir
		case d.IsDir():
			return nil
		case strings.HasPrefix(slashed, "docs/"), name == "README.md", name == "CONTRIBUTING.md", name == "doc.go", strings.HasSuffix(name, "example_test.go"):
		case strings.HasPrefix(slashed, "examples/"), slashed == "spillway.go", slashed == "live.go":
		case strings.HasPrefix(slashed, "cmd/") && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
		default:
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looked++
		for i, line := range strings.Split(string(text), "\n") {
			if found := goneModel.FindString(line); found != "" {
				t.Errorf("%s:%d names %s…", path, i+1, found)
			}
		}
		return nil
	})
	if err != nil || looked < 30 {
		t.Errorf("looked at %d files: %v", looked, err)
	}
}
