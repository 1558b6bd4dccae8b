package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
)

// folder writes files into a new folder.
func folder(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadResolvesFilesFromTheFoldersOfTheConfigAndVariablesFromTheEnvironment(t *testing.T) {
	dir := folder(t, map[string]string{
		"secrets/key": "  from-CANARY-file\n",
		"absolute":    "absolute-CANARY",
	})
	text := `
[[project]]
name = "studio"
backend = "gemini"
keys = ["file:secrets/key", "file:` + filepath.ToSlash(filepath.Join(dir, "absolute")) + `", "env:SPILLWAY_TEST_KEY"]
`
	path := filepath.Join(dir, "spillway.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SPILLWAY_TEST_KEY", "env-CANARY")
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"from-CANARY-file", "absolute-CANARY", "env-CANARY"} {
		if cfg.Pool.Projects[0].Keys[i].Reveal() != want {
			t.Errorf("key %d is another one", i)
		}
	}
	if len(cfg.Warnings) != 0 {
		t.Errorf("warnings %v", cfg.Warnings)
	}
}

func TestLoadTellsWhyAFileIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spillway.toml")
	cfg, err := config.Load(path)
	var all config.Errors
	if cfg != nil || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &all) {
		t.Fatalf("config %v, error %v", cfg, err)
	}
	if want := path + ": the file does not exist; name a readable TOML file"; err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := config.Load(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "the file cannot be read") {
		t.Errorf("of a folder: error %v", err)
	}
}

func TestLoadRefusesFilesThatAreTooLarge(t *testing.T) {
	dir := folder(t, map[string]string{"huge.toml": strings.Repeat("# comment\n", 500_000)})
	if _, err := config.Load(filepath.Join(dir, "huge.toml")); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("error %v", err)
	}
}

func TestLoadNamesItsFileInErrors(t *testing.T) {
	dir := folder(t, map[string]string{"a.toml": "\n\nx = 1\n"})
	path := filepath.Join(dir, "a.toml")
	_, err := config.Load(path)
	if err == nil || !strings.HasPrefix(err.Error(), path+":1: there is no project") ||
		!strings.Contains(err.Error(), "\n"+path+":3: unknown key") {
		t.Errorf("error %v", err)
	}
}

func TestErrorsCanBeTakenApart(t *testing.T) {
	_, err := parse("a.toml", "[router]\npolicy = 1\nx = 2\n")
	var first *config.Error
	if !errors.As(err, &first) || first.File != "a.toml" || first.Line != 1 {
		t.Fatalf("first of %v is %+v", err, first)
	}
	var all config.Errors
	if !errors.As(err, &all) || len(all) != 3 || len(all.Unwrap()) != 3 || all[2].Line != 3 {
		t.Errorf("all of %v", err)
	}
}

func TestTenThousandProjectsLoad(t *testing.T) {
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, "[[project]]\nname = 'p%d'\nbackend = 'vertex'\n[[project.limits]]\nrpm = 10\n", i)
	}
	cfg, err := parse("large.toml", b.String())
	if err != nil || len(cfg.Pool.Projects) != 10_000 {
		t.Fatalf("error %v", err)
	}
}
