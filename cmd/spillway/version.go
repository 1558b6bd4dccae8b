package main

import (
	"context"
	"flag"
	"io"
	"runtime"
	"runtime/debug"
)

const versionHelp = `Usage: spillway version [--json]

Version prints the version of this program, of the Go release that built it, and
its platform; with --json as one object.
`

// printVersion runs the command "version".
func printVersion(_ context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	rest, status, ok := parse(flags, args, versionHelp, stdout, stderr)
	if !ok {
		return status
	}
	if len(rest) > 0 {
		return misused("version", stderr, "it takes no arguments")
	}
	info, _ := debug.ReadBuildInfo()
	if *asJSON {
		return printJSON(stdout, struct {
			Version  string `json:"version"`
			Go       string `json:"go"`
			Platform string `json:"platform"`
		}{versionOf(info), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
	}
	writef(stdout, "spillway %s, %s, %s/%s\n", versionOf(info), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return statusOK
}

// versionOf returns the version of a build: the module's, or of a build within a checkout its
// commit.
func versionOf(info *debug.BuildInfo) string {
	if info == nil {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var commit, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = " of commit " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	return "devel" + commit + modified
}
