package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/pace"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const paceHelp = `Usage: spillway pace FILE.jsonl --out OUT.jsonl [--until 06:00] [--share 0.3]
                     [--model M] [--label L] [--parallel 32] [--retry-failed]
                     [--url URL | --config FILE.toml] [--json]

Pace sends a file of requests, one a line, through a running "spillway serve" at
batch priority: calls that wait there go first. It takes no more than a share of
every limit, order and pace. A migration or a nightly job goes through in small
pieces, and nobody else notices.

Each line of FILE.jsonl is one request, as Google's and OpenAI's batches have them:

  {"key": "1", "model": "gemini-3.5-flash", "request": {"contents": [...]}}
  {"key": "2", "request": {"content": {...}}, "model": "gemini-embedding-001"}
  {"custom_id": "3", "url": "/v1/chat/completions", "body": {"model": ..., ...}}

A line may have a label. Calls with a label that a [[project]] names go to such
projects alone, so that they have accounts of their own. A line may name its method:
generateContent, embedContent, batchEmbedContents or countTokens.

OUT.jsonl gets one line for each line of FILE.jsonl, as they end, in any order: its
number, key and label, and the response, or the error. The same command goes on where
an earlier one stopped, also after kill -9. What was under way then may be sent twice;
the summary says how many. OUT.jsonl.state says what was sent: keep both together.
FILE.jsonl may grow between two runs. One that was edited is refused, and so is a pipe:
the file is read more than once.

What is refused for lack of room is sent again until it is served. A sidecar that does
not take connections is waited for. Faults of Google's are tried six times. A request
that is wrong gets its error, and is not sent again. If 20 lines in a row are refused
(401, 403; or 404, the first 20), or no endpoint is left for them, the run ends.

Ctrl-C ends a run once the requests under way have ended; a second one ends it at once.

Flags:

  --out           the file of responses
  --until         when the last request begins: a time of day of this machine such as 06:00
                  (the next one), a length such as 8h, or a time of any zone such as
                  2027-01-31T06:00:00+01:00. The requests are spread over the time until then.
  --share         the part of what there is, 0.3 by default; 1 is all of it. Where that is
                  less than one request a minute, they come less often than each minute.
                  Each sidecar keeps to it for itself: send all of a job to the same one.
  --model         the model of lines that name none
  --label         the label of lines that have none
  --parallel      how many requests are under way at most, 32 by default. Large ones are
                  fewer: their lines have 128 MB together, if more than one is.
  --retry-failed  send the lines again whose line in OUT.jsonl is an error
  --url           the sidecar, http://127.0.0.1:8080 by default. SPILLWAY_TOKEN in the
                  environment is sent as the client's token.
  --config        instead, a pool of this command's own. It sees nothing of what others use
                  but through [store].
  --json          prints the summary as JSON

Exit status: 1 if lines are left or failed, in this run or an earlier one.
`

// usualPortion is the share of a run that names none.
const usualPortion = 0.3

// clientTokenVariable is where the command finds the token of its calls.
const clientTokenVariable = "SPILLWAY_TOKEN"

// paceFlags are what a run is told.
type paceFlags struct {
	out, until, model, label, url, config string
	share                                 float64
	parallel                              int
	again, json                           bool
}

func (f *paceFlags) define(flags *flag.FlagSet) {
	flags.StringVar(&f.out, "out", "", "")
	flags.StringVar(&f.until, "until", "", "")
	flags.Float64Var(&f.share, "share", usualPortion, "")
	flags.StringVar(&f.model, "model", "", "")
	flags.StringVar(&f.label, "label", "", "")
	flags.IntVar(&f.parallel, "parallel", 32, "")
	flags.BoolVar(&f.again, "retry-failed", false, "")
	flags.StringVar(&f.url, "url", "", "")
	flags.StringVar(&f.config, "config", "", "")
	flags.BoolVar(&f.json, "json", false, "")
}

// wrong says what is wrong with the flags; "" if nothing is.
func (f *paceFlags) wrong(files []string) string {
	switch {
	case len(files) != 1:
		return "it needs one FILE of requests"
	case f.out == "":
		return "it needs --out, the file of responses"
	case slices.ContainsFunc(pace.Files(f.out), func(path string) bool { return sameFile(files[0], path) }):
		return "--out is the file of requests, or a file beside it is"
	case !(f.share > 0 && f.share <= 1):
		return "--share is not a part; write 0.3, or 1 for all"
	case f.parallel < 1 || f.parallel > 10_000:
		return "--parallel is not between 1 and 10000"
	case !plain.Is(f.label):
		return "--label has control characters"
	case f.url != "" && f.config != "":
		return "it goes through a sidecar or a pool of its own: write --url or --config"
	default:
		return ""
	}
}

func sameFile(a, b string) bool {
	first, err := os.Stat(a) //nolint:gosec // the user of the command names it
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// end returns when the last request begins, as --until says; zero if nothing does.
func (f *paceFlags) end(now time.Time) (time.Time, bool) {
	if f.until == "" {
		return time.Time{}, true
	}
	if d, err := time.ParseDuration(f.until); err == nil {
		return now.Add(d), d > 0
	}
	if t, err := time.Parse(time.RFC3339, f.until); err == nil {
		return t, t.After(now)
	}
	clock, err := time.Parse("15:04", strings.Replace(f.until, "24:00", "00:00", 1))
	if err != nil {
		return time.Time{}, false
	}
	day := now
	for {
		t := time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), 0, 0, now.Location())
		if t.After(now) {
			return t, true
		}
		day = day.AddDate(0, 0, 1)
	}
}

// runPace runs the command "pace".
func runPace(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var f paceFlags
	flags := flag.NewFlagSet("pace", flag.ContinueOnError)
	f.define(flags)
	files, status, ok := parse(flags, args, paceHelp, stdout, stderr)
	if !ok {
		return status
	}
	if problem := f.wrong(files); problem != "" {
		return misused("pace", stderr, problem)
	}
	until, ok := f.end(time.Now())
	if !ok {
		return misused("pace", stderr, "--until is no time to come; write 06:00, 8h or 2027-01-31T06:00:00Z")
	}
	cfg := pace.Config{Model: f.model, Label: f.label, Share: f.share, Parallel: f.parallel, Until: until, Progress: paceProgress(ctx, stderr, until)}
	end, err := f.connect(ctx, &cfg, stderr)
	if err != nil {
		writef(stderr, "spillway pace: %s\n", err)
		return statusFailed
	}
	defer end()
	sum, err := paceFile(ctx, files[0], &f, cfg)
	if err != nil && sum.Lines == 0 {
		writef(stderr, "spillway pace: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		return statusFailed
	}
	if term, drawn := terminalOf(stderr); drawn {
		_, _ = io.WriteString(term, "\r"+clearLine)
	}
	printPace(stdout, &f, &sum)
	if err != nil {
		writef(stderr, "spillway pace: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if err != nil || sum.Left+sum.Failed+sum.FailedBefore > 0 {
		return statusFailed
	}
	return statusOK
}

// paceFile sends the lines of a file.
func paceFile(ctx context.Context, path string, f *paceFlags, cfg pace.Config) (sum pace.Summary, err error) {
	in, err := openRequests(path)
	if err != nil {
		return sum, err
	}
	defer func() { _ = in.Close() }()
	out, err := pace.Open(f.out, in, f.again)
	if err != nil {
		return sum, err
	}
	sum, err = pace.Run(ctx, in, out, cfg)
	return sum, errors.Join(err, out.Close())
}

// openRequests opens a file of requests. What cannot be read twice, or may have no end, is none.
func openRequests(path string) (*os.File, error) {
	const fix = "write its lines to a file first, for they are read more than once"
	info, err := os.Stat(path) //nolint:gosec // the user of the command names it
	switch {
	case err != nil && path == "-":
		return nil, errors.New("standard input is not taken; " + fix)
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory; write a file in it", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file; %s", path, fix)
	}
	return os.Open(path) //nolint:gosec // as above
}

// connect makes the transport of a run: to a sidecar, or a pool of its own.
func (f *paceFlags) connect(ctx context.Context, cfg *pace.Config, stderr io.Writer) (end func(), err error) {
	if f.config != "" {
		return f.open(ctx, cfg, stderr)
	}
	at, _ := remoteOf(strings.Fields(f.url))
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.MaxIdleConnsPerHost = f.parallel
	cfg.Transport, cfg.Base = transport, string(at)
	if socket, ok := strings.CutPrefix(string(at), socketScheme); ok {
		cfg.Transport, cfg.Base = socketClient(socket).Transport, "http://localhost"
	}
	cfg.Header = http.Header{}
	if token := strings.TrimSpace(os.Getenv(clientTokenVariable)); token != "" {
		cfg.Header.Set("X-Goog-Api-Key", token)
	}
	// A sidecar that tells operators alone speaks the more usual dialect, or refuses the first lines.
	if s, err := at.snapshot(ctx); err == nil {
		cfg.Dialect = dialectOf(s.Backend)
	} else if !errors.As(err, new(refusedError)) {
		return nil, fmt.Errorf("%w; start `spillway serve FILE`, say where it is by --url, or use a pool of this command's own by --config FILE", err)
	}
	return transport.CloseIdleConnections, nil
}

// open makes a pool of the command's own.
func (f *paceFlags) open(ctx context.Context, cfg *pace.Config, stderr io.Writer) (end func(), err error) {
	file, err := load(ctx, f.config)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	opts, closeStore, err := openStore(file)
	if err != nil {
		return nil, err
	}
	r, err := router.New(file.Pool, file.Router, append(opts, router.WithLogger(log))...)
	if err != nil {
		return nil, errors.Join(err, closeStore())
	}
	cfg.Transport, cfg.Base, cfg.Dialect = r, "https://generativelanguage.googleapis.com", dialectOf(string(r.Backend()))
	return func() { _ = errors.Join(r.Close(), closeStore()) }, nil
}

func dialectOf(backend string) pace.Dialect {
	if backend == string(pool.BackendVertex) {
		return pace.Vertex
	}
	return pace.Gemini
}

// progressLines is how often a run tells of its progress where that is no terminal.
const progressLines = 30 * time.Second

// paceProgress returns what prints the progress: in one line of a terminal, or a line now and then. It
// tells once that ctx is done, for a run goes on for a while.
func paceProgress(ctx context.Context, stderr io.Writer, until time.Time) func(pace.Summary) {
	term, drawn := terminalOf(stderr)
	var told time.Time
	ending := false
	return func(s pace.Summary) {
		line := progressOf(&s, until)
		switch {
		case ctx.Err() != nil && !ending:
			ending = true
			if drawn {
				_, _ = io.WriteString(term, "\r"+clearLine)
			}
			writef(stderr, "The run ends once the requests under way have ended. Interrupt it again to end it at once.\n")
		case drawn:
			_, _ = io.WriteString(term, "\r"+cut(plain.Lines(line), term.view().width)+clearLine)
		case time.Since(told) >= progressLines:
			told = time.Now()
			writef(stderr, "%s\n", line)
		}
	}
}

// progressOf says in one line how far a run is. One with an end is spread until then, however fast the
// lines go that are under way.
func progressOf(s *pace.Summary, until time.Time) string {
	done := s.Before + s.Served + s.Failed
	text := plain.Number(done) + " of " + plain.Plural(s.Lines, "line") + " done, " + plain.Number(int64(s.PerMinute)) + " a minute"
	if s.Failed > 0 {
		text += ", " + plain.Number(s.Failed) + " failed"
	}
	waits := int64(0)
	for _, n := range s.Retries {
		waits += n
	}
	if waits > 0 {
		text += ", " + plain.Number(waits) + " sent again"
	}
	const aYear = 365 * 24 * 60.
	switch minutes := float64(s.Left) / s.PerMinute; {
	case s.Left > 0 && !until.IsZero():
		text += ", spread until " + until.Format("2006-01-02 15:04")
	case s.Left > 0 && minutes < aYear: // else it is no estimate
		text += ", about " + time.Duration(minutes*float64(time.Minute)).Round(time.Second).String() + " left"
	}
	return text
}

// fromDoor reports whether a kind of failure is the sidecar's own, for want of a token.
func fromDoor(kind string) bool { return strings.HasPrefix(kind, "401 spillway: ") }

// rounded is a length of time without digits that say nothing.
func rounded(d time.Duration) time.Duration {
	if d >= time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}

// mostPrinted is how many kinds of failures, or labels, are printed for people.
const mostPrinted = 20

// printPace prints how a run ended.
func printPace(out io.Writer, f *paceFlags, s *pace.Summary) {
	if f.json {
		text, _ := json.Marshal(s) // of numbers and texts
		writef(out, "%s\n", text)
		return
	}
	writef(out, "%s: %s of %s served in %s", f.out, plain.Number(s.Served), plain.Plural(s.Lines, "line"), rounded(s.Took))
	if s.Before > 0 {
		writef(out, ", %s before", plain.Number(s.Before))
	}
	if s.FailedBefore > 0 {
		writef(out, ", of which %s failed", plain.Number(s.FailedBefore))
	}
	writef(out, "; %s input and %s output tokens\n", plain.Number(s.Input), plain.Number(s.Output))
	for _, part := range []struct {
		title string
		kinds map[string]int64
	}{{"failed", s.Failures}, {"sent again after a", s.Retries}, {"served with the label", s.Labels}} {
		kinds := slices.DeleteFunc(largest(part.kinds), func(kind string) bool { return kind == "" })
		for _, kind := range kinds[:min(len(kinds), mostPrinted)] {
			writef(out, "  %s %s: %s\n", part.title, kind, plain.Number(part.kinds[kind]))
		}
		if more := len(kinds) - mostPrinted; more > 0 {
			writef(out, "  and %s more, all of which --json prints\n", plain.Number(int64(more)))
		}
	}
	if s.FromCache > 0 {
		writef(out, "  from the response cache: %s, which cost no tokens\n", plain.Number(s.FromCache))
	}
	if s.Twice > 0 {
		writef(out, "  maybe sent twice: %s, which an earlier run had begun and not seen end\n", plain.Number(s.Twice))
	}
	if s.Left > 0 {
		writef(out, "  left: %s; the same command goes on with them\n", plain.Number(s.Left))
	}
	if slices.ContainsFunc(slices.Collect(maps.Keys(s.Failures)), fromDoor) {
		writef(out, "  %s in the environment is the token of this command's calls\n", clientTokenVariable)
	}
	if s.Failed+s.FailedBefore > 0 {
		writef(out, "  --retry-failed sends the failed ones again\n")
	}
}
