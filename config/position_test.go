package config

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/BurntSushi/toml"
)

// TestEveryValueOfTheCorpusHasALine compares the scan for lines with what the parser read: whatever
// the parser found, the scan found.
func TestEveryValueOfTheCorpusHasALine(t *testing.T) {
	paths, err := filepath.Glob("testdata/*/*.toml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files (error %v)", err)
	}
	checked := 0
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var values map[string]any
		if _, err := toml.Decode(string(source), &values); err != nil {
			continue
		}
		root, _ := locate(string(source))
		checked += haveLines(t, path, root, values)
	}
	if checked < 300 {
		t.Errorf("only %d values were checked", checked)
	}
}

// haveLines checks that n has a node with a line for everything in value, and returns how many
// there were.
func haveLines(t *testing.T, path string, n *node, value any) int {
	t.Helper()
	if n == nil || n.line == 0 {
		t.Errorf("%s has no line", path)
		return 0
	}
	count := 1
	below := func(step string, v any) { count += haveLines(t, path+"/"+step, n.below[step], v) }
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			below(key, v)
		}
		if len(n.below) != len(value) {
			t.Errorf("%s has %d keys, and lines of %d", path, len(value), len(n.below))
		}
	case []map[string]any:
		for i, v := range value {
			below(fieldPath{}.element(i)[0], v)
		}
	case []any:
		for i, v := range value {
			below(fieldPath{}.element(i)[0], v)
		}
	}
	return count
}

// FuzzLocate checks the same for any source, and that the scan ends.
func FuzzLocate(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*/*.toml")
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source))
	}
	f.Add("a.b.c=1\n[x.\"y\"]\n'z'=[[1,2],{a=3}]\n")
	f.Fuzz(func(t *testing.T, source string) {
		root, tooDeep := locate(source)
		if tooDeep > 0 {
			return
		}
		var values map[string]any
		if _, err := decode(source, &values); err != nil {
			return
		}
		haveKeys(t, root, values)
	})
}

// decode is toml.Decode without the panics by which the library reports its own bugs.
func decode(source string, values *map[string]any) (md toml.MetaData, err error) {
	defer func() {
		if recover() != nil {
			err = os.ErrInvalid
		}
	}()
	return toml.Decode(source, values)
}

// plainKey is what all keys of a config's own look like. Others may lack a line if they have
// escapes that Go does not know.
var plainKey = regexp.MustCompile(`^[a-z_]+$`)

// haveKeys checks that every plain key has a line.
func haveKeys(t *testing.T, n *node, value any) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			if !plainKey.MatchString(key) {
				continue
			}
			c := n.below[key]
			if c == nil || c.line == 0 {
				t.Errorf("key %q has no line", key)
				continue
			}
			haveKeys(t, c, v)
		}
	case []map[string]any:
		for i, v := range value {
			haveKeys(t, n.below[fieldPath{}.element(i)[0]], v)
		}
	}
}
