package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/report"
)

const reportHelp = `Usage: spillway report FILE... [--since 24h] [--by model] [--csv | --json]

Report sums up call logs, which "spillway serve" and programs write if calls
under [log] names a file. For each group of calls it shows how many were served,
refused, failed and cancelled, the attempts at Google and those that got a 429,
how long calls waited, when their responses began and how long they took (the
median and the 95th and 99th percentiles, to 1 %), tokens, and what served them.

Files that were rotated are read too (FILE.1, FILE-20261126, also with .gz).
FILE may be compressed itself. "-" is the standard input. Files may be of any
size. Lines that are broken are counted and passed over. What a damaged file has
before its damage counts.

  CALLS       served + refused + failed + cancelled
  SERVED      the caller had a whole response
  REFUSED     no endpoint could serve the call in time
  FAILED      the caller had an error of Google's, or a broken response
  CANCELLED   the caller left, or its deadline passed
  ATTEMPTS    requests to Google for the calls; 429: those that got a 429
  WAITED      for an endpoint, all calls
  FIRST BYTE  from the call's begin to its response's, and
  LATENCY     to its end; calls that were served, without Live sessions
  CACHED, TOOL USE and THOUGHTS are parts of INPUT and OUTPUT

Flags:

  --since  only calls that began so long ago at most, such as 24h or 90m
  --by     label, model (default; the one that answered), project or traffic
  --csv    as CSV, with a line of names first; durations in milliseconds
  --json   as JSON, with the same names

Exit status: 1 if a file cannot be read, or not to its end.
`

// runReport runs the command "report".
func runReport(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	since := flags.Duration("since", 0, "")
	by := flags.String("by", string(report.ByModel), "")
	asCSV := flags.Bool("csv", false, "")
	asJSON := flags.Bool("json", false, "")
	files, status, ok := parse(flags, args, reportHelp, stdout, stderr)
	if !ok {
		return status
	}
	switch {
	case len(files) == 0:
		return misused("report", stderr, `it needs a FILE, the one that calls under [log] names, or "-"`)
	case *since < 0:
		return misused("report", stderr, "--since is negative")
	case *asCSV && *asJSON:
		return misused("report", stderr, "it writes CSV or JSON, not both")
	case !slices.Contains(report.Known, report.By(*by)):
		return misused("report", stderr, "--by "+*by+" is none of label, model, project and traffic")
	}
	var from time.Time
	if *since > 0 {
		from = time.Now().Add(-*since)
	}
	r := report.New(report.By(*by), from)
	unread := readLogs(ctx, r, files, from, os.Stdin)
	if unread != nil {
		writef(stderr, "spillway report: %s\n", strings.ReplaceAll(unread.Error(), "\n", "; "))
		if ctx.Err() != nil || r.All.Calls == 0 {
			return statusFailed
		}
	}
	if r.Broken > 0 {
		writef(stderr, "spillway report: %s passed over: %s\n", plain.Plural(int(r.Broken), "broken line"), strings.Join(r.Problems, ", "))
	}
	write := r.WriteText
	switch {
	case *asCSV:
		write = r.WriteCSV
	case *asJSON:
		write = r.WriteJSON
	}
	_ = write(stdout) // run looks whether the output was lost
	if unread != nil {
		return statusFailed
	}
	return statusOK
}

// readLogs reads files, and those that were rotated, each once. It opens all of them first, so that
// one that is rotated meanwhile is not read twice.
func readLogs(ctx context.Context, r *report.Report, files []string, since time.Time, stdin io.Reader) error {
	seen := map[string]bool{}
	var opened []*os.File
	defer func() {
		for _, f := range opened {
			_ = f.Close()
		}
	}()
	for _, file := range files {
		if file == "-" {
			if err := r.Read(ctx, "standard input", stdin); err != nil {
				return err
			}
			continue
		}
		paths, err := report.Files(file, since)
		if err != nil {
			return err
		}
		for _, path := range paths {
			if seen[path] {
				continue
			}
			seen[path] = true
			f, err := os.Open(path) //nolint:gosec // the user of the command names it
			if err != nil {
				return err
			}
			opened = append(opened, f)
		}
	}
	var unread []error
	for _, f := range opened {
		// One that is damaged, or is being compressed now, does not keep the others from the report.
		if err := r.Read(ctx, f.Name(), f); err != nil {
			unread = append(unread, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(unread...)
}
