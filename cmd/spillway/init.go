package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

const initHelp = `Usage: spillway init [--out FILE] [--force]

Init writes a file for Spillway, with comments, from what it finds: API keys in
GEMINI_API_KEY and GOOGLE_API_KEY; a project in GOOGLE_CLOUD_PROJECT, gcloud's
active configuration or the application default credentials; a location in
GOOGLE_CLOUD_LOCATION or gcloud's configuration; and whether
GOOGLE_GENAI_USE_VERTEXAI is set. It says on standard error what it found and
where. The file names the variables and never holds a key. Where nothing is
found, the file says what to set. Init makes no requests.

Flags:

  --out    the file to write, or - for standard output. The default is
           spillway.toml.
  --force  replaces a file that is there.

Exit status: 1 if the file is there already or cannot be written.
`

// initialize runs the command "init".
func initialize(_ context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("init", flag.ContinueOnError)
	out := flags.String("out", "spillway.toml", "")
	force := flags.Bool("force", false, "")
	rest, status, ok := parse(flags, args, initHelp, stdout, stderr)
	switch {
	case !ok:
		return status
	case len(rest) > 0:
		return misused("init", stderr, "it takes no arguments; write --out FILE")
	case *out == "":
		return misused("init", stderr, "--out names no file")
	}
	s := lookAround()
	for _, note := range s.notes {
		writef(stderr, "%s\n", note)
	}
	if len(s.keys) == 0 && s.project == "" {
		writef(stderr, "found no key and no project: set GEMINI_API_KEY, or GOOGLE_CLOUD_PROJECT for Vertex AI, and run this again\n")
	}
	if *out == "-" {
		printText(stdout, s.file())
		return statusOK
	}
	if err := write(*out, s.file(), *force); err != nil {
		writef(stderr, "spillway init: %s\n", err)
		return statusFailed
	}
	writef(stderr, "wrote %[1]s; next: spillway check %[1]s --probe\n", *out)
	return statusOK
}

// write writes a file that is not there yet, unless force is set.
func write(path, text string, force bool) error {
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, how, 0o644) //nolint:gosec // it holds no key
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; --force replaces it, --out names another", path)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

const fileHead = `# A file for Spillway. It names where keys are and holds none.
#
#   spillway check FILE --probe    shows how calls are routed, and tries each credential for free
#   spillway serve FILE            serves the Gemini API to programs in any language
#
# All settings: https://pkg.go.dev/github.com/spillway-go/spillway/config

[router]
max_wait = "10s"              # how long a call may wait for an endpoint; "0s" fails at once
# state  = "spillway.state"   # carries day quotas and cooldowns over a restart
`

// file returns a file for Spillway.
func (s *surroundings) file() string {
	var b strings.Builder
	b.WriteString(fileHead)
	if s.vertex && s.project != "" {
		b.WriteString("backend  = \"vertex\"           # the dialect of clients\n")
	}
	keys := s.keys
	if len(keys) == 0 && s.project == "" {
		b.WriteString("\n# Nothing was found. Set this variable to a key of https://aistudio.google.com/apikey, or describe a\n" +
			"# project on Vertex AI in its place.\n")
		keys = []string{"GEMINI_API_KEY"}
	}
	if len(keys) > 1 {
		b.WriteString("\n# Keys of one Google Cloud project share its quota. If these are, write both into one [[project]]:\n" +
			"#   keys = [\"env:" + strings.Join(keys, `", "env:`) + "\"]\n")
	}
	for i, name := range keys {
		b.WriteString(studio(i, name))
	}
	if s.project != "" {
		b.WriteString(s.cloud())
	}
	b.WriteString(fileTail)
	return b.String()
}

// studio describes a project of the Developer API with one key.
func studio(i int, variable string) string {
	name := "studio"
	if i > 0 {
		name += fmt.Sprintf("-%d", i+1)
	}
	return fmt.Sprintf(`
[[project]]
name    = %q
backend = "gemini"   # the Developer API
keys    = ["env:%s"]
`, name, variable)
}

// cloud describes the project on Vertex AI. It is a comment if there is a key, and no sign of
// credentials for Vertex AI.
func (s *surroundings) cloud() string {
	location, why := s.location, "more, such as \"us\" or \"eu\", are more capacity"
	if location == "" {
		location = "global"
	}
	if location != "global" {
		why = "\"global\" has more capacity and every model, if data may leave the location"
	}
	text := fmt.Sprintf(`[[project]]
name        = "vertex"
backend     = "vertex"
project_id  = %q
credentials = "adc"   # application default credentials; or "file:key.json"
locations   = [%q]   # %s
`, s.project, location, why)
	switch {
	case s.adc != "":
		return "\n" + text
	case s.vertex || len(s.keys) == 0:
		return "\n# There are no application default credentials here: run `gcloud auth application-default login`, or run\n" +
			"# Spillway where Google's metadata server is.\n" + text
	}
	return "\n# For Vertex AI, run `gcloud auth application-default login` and take this in:\n#\n# " +
		strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n# ") + "\n"
}

const fileTail = `
# In a project with Google credentials, discover = true reads its quotas and orders from Google. A project
# of the Developer API needs project_id for it. "spillway discover FILE" shows them.
#
# Below a project, quotas to keep to if you know them; others are learned from Google's refusals:
#
# [[project.limits]]
# model = "gemini-3.5-flash"
# rpm   = 1_000
# tpm   = 1_000_000
#
# and an order of Provisioned Throughput on Vertex AI:
#
# [[project.provisioned]]
# model    = "gemini-3.5-flash"
# location = "europe-west4"
# gsus     = 10
`
