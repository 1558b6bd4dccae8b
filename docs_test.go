package spillway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spillway-go/spillway/config"
)

// pages returns what users read, by its path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"README.md", "docs/*.md", "examples/*/README.md", "bench/README.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.ToSlash(path)] = string(text)
		}
	}
	return all
}

// fenced is a block of code in a page: its language, and what stands between the fences.
var fenced = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// blocks returns the blocks of a page that are in a language.
func blocks(page, language string) []string {
	var found []string
	for _, block := range fenced.FindAllStringSubmatch(page, -1) {
		if block[1] == language {
			found = append(found, block[2])
		}
	}
	return found
}

// The README is narrower than docs, where tables and code may be wider still.
func TestPagesFitATerminal(t *testing.T) {
	for path, page := range pages(t) {
		width := 118
		if path != "README.md" {
			width = 120
			page = fenced.ReplaceAllStringFunc(page, func(block string) string { return strings.Repeat("\n", strings.Count(block, "\n")) })
		}
		for i, line := range strings.Split(page, "\n") {
			if n := utf8.RuneCountInString(line); n > width && (path == "README.md" || !strings.HasPrefix(line, "|")) {
				t.Errorf("line %d of %s has %d columns, want at most %d", i+1, path, n, width)
			}
		}
	}
}

// TestReadmeIsReadToItsEnd keeps it short: what is more goes into docs.
func TestReadmeIsReadToItsEnd(t *testing.T) {
	if n := strings.Count(pages(t)["README.md"], "\n"); n > 340 {
		t.Errorf("README.md has %d lines, want at most 340; move detail to a page of docs", n)
	}
}

// TestProgramsInThePagesCompile type-checks whole Go programs with the module's own dependencies.
func TestProgramsInThePagesCompile(t *testing.T) {
	found := 0
	for path, page := range pages(t) {
		for _, program := range blocks(page, "go") {
			if !strings.HasPrefix(program, "package ") {
				continue
			}
			found++
			if formatted, err := format.Source([]byte(program)); err != nil || string(formatted) != program {
				t.Errorf("a program of %s is not formatted (%v)", path, err)
			}
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput(); err != nil {
				t.Errorf("a program of %s: %v\n%s", path, err, out)
			}
		}
	}
	if found == 0 {
		t.Error("no page has a complete Go program")
	}
}

// imported has the packages that pieces of programs use, by the name that they have there.
var imported = map[string]string{
	"calls": "github.com/spillway-go/spillway/calls", "connect": "github.com/spillway-go/spillway/store/connect",
	"context": "context", "errors": "errors", "fmt": "fmt", "geminitest": "github.com/spillway-go/spillway/geminitest",
	"genai": "google.golang.org/genai", "log": "log", "metrics": "github.com/spillway-go/spillway/metrics",
	"otel": "github.com/spillway-go/spillway/otel", "pool": "github.com/spillway-go/spillway/pool",
	"prometheus": "github.com/prometheus/client_golang/prometheus", "router": "github.com/spillway-go/spillway/router",
	"slog": "log/slog", "spillway": "github.com/spillway-go/spillway", "time": "time",
}

// of the reader's own program a piece may use any name in lower case, and leave names unused.
var readersOwn = regexp.MustCompile(`undefined: [a-z]\w*$|declared and not used: \w+$`)

func TestPiecesOfProgramsInThePagesCompile(t *testing.T) {
	dir, from := t.TempDir(), map[string]string{}
	for path, page := range pages(t) {
		for _, piece := range blocks(page, "go") {
			if strings.HasPrefix(piece, "package ") {
				continue
			}
			name := fmt.Sprintf("piece%d", len(from)+1)
			from[name+".go"] = path
			var b strings.Builder
			b.WriteString("package main\n")
			for used, at := range imported {
				declared := regexp.MustCompile(`(?m)^\s*(\w+, )?` + used + `(, \w+)? :=`).MatchString(piece)
				if !declared && regexp.MustCompile(`\b`+used+`\.[A-Z]`).MatchString(piece) {
					fmt.Fprintf(&b, "import %s %q\n", used, at)
				}
			}
			fmt.Fprintf(&b, "func %s() {\n%s}\n", name, strings.ReplaceAll(piece, "…", ""))
			if err := os.WriteFile(filepath.Join(dir, name+".go"), []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(from) < 5 {
		t.Fatalf("the pages have %d pieces of programs", len(from))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(dir, "main.go")
	if err := os.WriteFile(main, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"build", "-gcflags=-e", "-o", os.DevNull, main}, files...)
	out, _ := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\n")
		if !readersOwn.MatchString(line) && !strings.HasPrefix(line, "# ") {
			name := regexp.MustCompile(`piece\d+\.go`).FindString(line)
			t.Errorf("a piece of a program in %s: %s", from[name], line)
		}
	}
}

// TestFilesInThePagesAreTaken reads each piece of a file as part of a whole one, with its variables
// set and its secrets in place.
func TestFilesInThePagesAreTaken(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a-secret-of-some-length"), 0o600); err != nil {
		t.Fatal(err)
	}
	found := 0
	for path, page := range pages(t) {
		for _, file := range blocks(page, "toml") {
			found++
			for _, name := range regexp.MustCompile(`"env:(\w+)"`).FindAllStringSubmatch(file, -1) {
				value := "a-secret-of-" + name[1]
				if strings.HasPrefix(name[1], "REDIS") {
					value = "rediss://redis:6379"
				}
				t.Setenv(name[1], value)
			}
			file = regexp.MustCompile(`"file:[^"]*"`).ReplaceAllString(file, fmt.Sprintf("%q", "file:"+secret))
			const base = "[[project]]\nname = \"the-base\"\nbackend = \"vertex\"\ncredentials = \"none\"\n" +
				"locations = [\"global\", \"eu\", \"europe-west3\", \"europe-west4\"]\n"
			switch {
			case strings.HasPrefix(strings.TrimSpace(file), "[[project."):
				file = base + file
			case !strings.Contains(file, "[[project]]"):
				file += "\n" + base
			}
			if _, err := config.Parse(path, []byte(file)); err != nil {
				t.Errorf("%v\n%s", err, file)
			}
		}
	}
	if found < 10 {
		t.Errorf("the pages have %d files in TOML", found)
	}
}

// anchors returns the addresses of a page's headings, as GitHub makes them.
func anchors(page string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		text := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, strings.ReplaceAll(text, " ", "-"))
	}
	return all
}

func TestLinksInThePagesLeadSomewhere(t *testing.T) {
	const own = "https://pkg.go.dev/github.com/spillway-go/spillway"
	all := pages(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)|(?m)^\[[^\]]+\]: (\S+)$`)
	for path, page := range all {
		for _, match := range link.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
			target, fragment, _ := strings.Cut(match[1]+match[2], "#")
			switch {
			case strings.HasPrefix(target, own):
				folder := "." + strings.TrimPrefix(target, own)
				if !declares(t, folder, fragment) {
					t.Errorf("%s links to package %s, which has no %s", path, folder, fragment)
				}
				continue
			case strings.Contains(target, "://"):
				continue
			case target == "":
				target = path
			default:
				target = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", path, target, err)
			} else if other, ok := all[target]; ok && fragment != "" && !slices.Contains(anchors(other), fragment) {
				t.Errorf("%s links to %s#%s; it has %q", path, target, fragment, anchors(other))
			}
		}
	}
}

// declares reports whether the package in a folder declares a name, or exists if there is no name.
func declares(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	// A type, a function, a method, or what stands in a group of its own: a constant, a field.
	declaration := regexp.MustCompile(`(?m)^(type |func (\([^)]*\) )?|\t+)` + regexp.QuoteMeta(name) + `\b`)
	return name == "" && len(files) > 0 || slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && declaration.Match(text)
	})
}

// sources returns the text of the files that match a pattern.
func sources(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestNamesInThePagesExist looks for the names of headers, settings, metrics and folders.
func TestNamesInThePagesExist(t *testing.T) {
	for _, kind := range []struct {
		what, name, in, as string
	}{
		{"header", `(Spillway-[A-Z]\w+(?:-[A-Z]\w+)*)`, "router/*.go", "%q"},
		{"setting", "`(?:\\[+[a-z.]+\\]+\\s)?([a-z_]+)\\s= ", "config/doc.go", "%s "},
		{"metric", "`spillway_([a-z_]+[a-z])", "metrics/*.go", "%s"},
	} {
		found, text := 0, sources(t, kind.in)
		for path, page := range pages(t) {
			for _, name := range regexp.MustCompile(kind.name).FindAllStringSubmatch(page, -1) {
				found++
				if !strings.Contains(text, fmt.Sprintf(kind.as, name[1])) {
					t.Errorf("%s names the %s %s, which %s does not", path, kind.what, name[1], kind.in)
				}
			}
		}
		if found == 0 {
			t.Errorf("no page names a %s", kind.what)
		}
	}
	for path, page := range pages(t) {
		for _, name := range regexp.MustCompile("`(router|pool|config|calls|otel|geminitest|client\\.Router)\\.([A-Z]\\w*)").FindAllStringSubmatch(page, -1) {
			if folder := strings.Replace(name[1], "client.Router", "router", 1); !declares(t, folder, name[2]) {
				t.Errorf("%s names %s.%s, which package %s has not", path, name[1], name[2], folder)
			}
		}
		for _, folder := range regexp.MustCompile(`go run (\./[\w/]+)`).FindAllStringSubmatch(page, -1) {
			if info, err := os.Stat(folder[1]); err != nil || !info.IsDir() {
				t.Errorf("%s says %s, which is no folder", path, folder[0])
			}
		}
	}
}

func TestJSONInThePagesIsValid(t *testing.T) {
	found := 0
	for path, page := range pages(t) {
		for _, block := range blocks(page, "json") {
			found++
			values := json.NewDecoder(strings.NewReader(block))
			for {
				var value any
				if err := values.Decode(&value); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Errorf("%s: %v in\n%s", path, err, block)
					break
				}
			}
		}
	}
	if found == 0 {
		t.Error("no page has JSON")
	}
}
