package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTreeIsCounted(t *testing.T) {
	packages, err := readTree("testdata/tree", "router", "pool", "internal")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	printTable(&got, packages)
	const want = `package        statements  types  functions  files  exports  constants  largest file  largest function
internal/deep  6           0      1          1      0        0          deep.go (10)  statements (8)
pool           2           6      6          1      7        2          pool.go (47)  Kind.String (1)
`
	if got.String() != want {
		t.Errorf("table:\n%swant:\n%s", got.String(), want)
	}
}

func TestEmbeddedStructsCount(t *testing.T) {
	packages, err := readTree("testdata/tree", "pool")
	if err != nil {
		t.Fatal(err)
	}
	p := packages[0]
	for name, want := range map[string][2]int{
		"Pool": {15, 3}, "inner": {7, 1}, "BigConfig": {16, 0}, "Kind": {0, 1}, "list": {1, 1},
	} {
		fields, methods := p.size(p.types[name])
		if fields != want[0] || methods != want[1] {
			t.Errorf("%s has %d fields and %d methods, want %v", name, fields, methods, want)
		}
	}
	if found := p.findings(); len(found) > 0 {
		t.Errorf("findings %q, want none", found)
	}
}

func TestFindingsNameWhatIsTooLarge(t *testing.T) {
	root := t.TempDir()
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	write(t, root, "router/wide.go", "package router\n\ntype wide struct {\n"+repeat(16, "f%d int\n")+"}\n"+
		repeat(26, "func (wide) m%d() {}\n"))
	write(t, root, "router/narrow.go", "package router\n\ntype narrow struct {\n"+repeat(15, "f%d int\n")+"}\n"+
		repeat(25, "func (narrow) m%d() {}\n"))
	write(t, root, "router/long.go", "package router\n\nfunc long() {\n"+repeat(59, "_ = %d\n")+"}\n\nfunc short() {\n"+
		repeat(58, "_ = %d\n")+"}\n")
	write(t, root, "router/tall.go", "package router\n"+strings.Repeat("\n", 400))
	write(t, root, "pool/a.go", "package pool\n\nvar (\n"+repeat(81, "V%d = 1\n")+")\n\nconst C = 1\n")
	write(t, root, "internal/b/b.go", "package b\n\nconst (\n"+repeat(81, "C%d = 1\n")+")\n")
	packages, err := readTree(root, "router", "pool", "internal")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range packages {
		got = append(got, p.findings()...)
	}
	want := []string{
		"pool/a.go:1: package pool exports 81 names, want at most 80",
		"router/long.go:3: long has 61 lines, want at most 60",
		"router/tall.go:1: the file has 401 lines, want at most 400",
		"router/wide.go:3: wide has 16 fields, want at most 15",
		"router/wide.go:3: wide has 26 methods, want at most 25",
	}
	if !slices.Equal(got, want) {
		t.Errorf("findings:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFileThatIsNoGoIsAnError(t *testing.T) {
	root := t.TempDir()
	write(t, root, "pool/a.go", "This is prose.")
	if _, err := readTree(root, "pool"); err == nil {
		t.Error("a file that is no Go was counted")
	}
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
