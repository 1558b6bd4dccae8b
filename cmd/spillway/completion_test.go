package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestTheHelpOfEachCommandNamesItsFlags is what keeps help and completion true: they are what the
// command itself says that it takes.
func TestTheHelpOfEachCommandNamesItsFlags(t *testing.T) {
	for _, c := range commands() {
		var out, problems strings.Builder
		if code := run(t.Context(), []string{c.name, "--zzzzzzzzzzzz"}, &out, &problems); code != statusUsage {
			t.Errorf("%s ends with %d", c.name, code)
		}
		_, takes, _ := strings.Cut(problems.String(), "; it takes ")
		takes, _, _ = strings.Cut(takes, ";")
		want := strings.Split(takes, ", ")
		if takes == "none" {
			want = nil
		}
		g := grammarOf(c.help)
		got := g.names()
		slices.Sort(got)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("the flags of %s: -taken +in the help:\n%s", c.name, diff)
		}
		if !strings.HasPrefix(c.help, "Usage: spillway "+c.name) {
			t.Errorf("the help of %s begins with %.40q", c.name, c.help)
		}
		for _, name := range got {
			if !strings.Contains(strings.SplitN(c.help, "\n\n", 2)[1], name) {
				t.Errorf("the help of %s does not explain %s", c.name, name)
			}
		}
	}
}

func TestGrammarOf(t *testing.T) {
	got := grammarOf("Usage: spillway x FILE [MODEL…] [--watch [2s]] [--json] [--by a|b]\n                  [--out FILE] [URL]\n\nMore --text.")
	want := grammar{
		flags: []flagGrammar{{"watch", ""}, {"json", ""}, {"by", "a|b"}, {"out", "FILE"}},
		args:  []string{"FILE", "MODEL…", "URL"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(grammar{}, flagGrammar{})); diff != "" {
		t.Error(diff)
	}
	for _, help := range []string{"", "Usage:", "[", "Usage: spillway x --"} {
		_ = grammarOf(help)
	}
}

// completing are beginnings of command lines, whose last word is completed, and what must be offered
// and what not.
var completing = []struct{ line, want, not string }{
	{"ch", "check", "serve"},
	{"", "check completion emulate events help init serve status version", ""},
	{"status --", "--watch --json --quiet --model", "--probe"},
	{"status --w", "--watch", "--json"},
	{"events --f", "--follow", "--since"},
	{"completion ", "bash zsh fish", "--help"},
	{"completion z", "zsh", "bash"},
	{"help st", "status", "serve"},
	{"check spill", "spillway.toml", "--probe"},
	{"check spillway.toml --pr", "--probe", "--json"},
	{"init --out spill", "spillway.toml", "--force"},
	{"serve spillway.toml --listen spill", "", "spillway.toml"},
}

// script writes the script of a shell beside a file that can be completed, and returns its path.
func script(t *testing.T, shell string) (path, folder string) {
	t.Helper()
	var out, problems strings.Builder
	if code := run(t.Context(), []string{"completion", shell}, &out, &problems); code != statusOK || problems.Len() > 0 {
		t.Fatalf("it ends with %d: %s", code, &problems)
	}
	path, folder = filepath.Join(t.TempDir(), "script"), t.TempDir()
	for name, text := range map[string]string{path: out.String(), filepath.Join(folder, "spillway.toml"): ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path, folder
}

// installed returns where a shell is.
func installed(t *testing.T, shell string) string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skip(shell + " is not installed on this machine")
	}
	return path
}

// offers compares what a shell offers for a line.
func offers(t *testing.T, line string, got []string, want, not string) {
	t.Helper()
	for word := range strings.FieldsSeq(want) {
		if !slices.Contains(got, word) {
			t.Errorf("%q does not offer %s but %q", line, word, got)
		}
	}
	for word := range strings.FieldsSeq(not) {
		if slices.Contains(got, word) {
			t.Errorf("%q offers %s", line, word)
		}
	}
}

func TestCompletionInBash(t *testing.T) {
	bash := installed(t, "bash")
	path, folder := script(t, "bash")
	for _, tt := range completing {
		// compopt works only where the shell itself completes: in its place, files are listed.
		command := exec.CommandContext(t.Context(), bash, "--norc", "-c", `
source "$1"
compopt() { compgen -f -- "${COMP_WORDS[COMP_CWORD]}"; }
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_spillway
printf '%s\n' "${COMPREPLY[@]}"`, "bash", path)
		command.Args = append(command.Args, append([]string{"spillway"}, strings.Split(tt.line, " ")...)...)
		command.Dir = folder
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v %s", tt.line, err, out)
		}
		offers(t, tt.line, strings.Fields(string(out)), tt.want, tt.not)
	}
}

func TestCompletionInFish(t *testing.T) {
	fish := installed(t, "fish")
	path, folder := script(t, "fish")
	for _, tt := range completing {
		command := exec.CommandContext(t.Context(), fish, "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", path, "spillway "+tt.line)
		command.Dir, command.Env = folder, append(os.Environ(), "HOME="+folder)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v %s", tt.line, err, out)
		}
		var words []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			words = append(words, word)
		}
		offers(t, tt.line, words, tt.want, tt.not)
	}
}

func TestCompletionOfNoShell(t *testing.T) {
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}, {"completion", "bash", "zsh"}} {
		if code, said := transcript(t.Context(), args...); code != statusUsage || !strings.Contains(said, "bash, zsh or fish") {
			t.Errorf("%v ends with %d and says %s", args, code, said)
		}
	}
}
