// Command fleet measures real replicas over a real Redis: sidecars as processes of their own, a
// redis-server, and the emulator in place of Google, all on loopback and in real time.
//
//	go -C bench run ./fleet [-replicas 4] [-quick] [-row regexp] [-timeout 50ms] [-parallel 5]
//
// Each row of the table is a fleet of its own under half as much load again as its limits allow.
// Calls arrive at random, at replicas drawn at random. Something goes wrong in most of the rows.
// Several run at once, as a minute of a quota takes a minute. All take nine minutes; with -quick
// those that -row names, or six, take two. With -keep the logs stay. The command fails if a row
// misses a figure. Without redis-server on the PATH it measures nothing and says so; the target
// "make replicas" installs Debian's if it may.
//
// The columns are:
//
//   - served: calls served, as a share of what the limits allow in the time.
//   - 429s: Google's, for each call served. All limits are declared, so nothing excuses one.
//   - failed: calls with another answer than Google's, or the pool's own 429 when it is exhausted.
//     Calls under way in a replica that is killed break off with it, and are counted apart.
//   - p50, p99: what calls that were served took, less the time that Google did.
//   - most: the most requests that Google got in any 60 s for one project, as a share of its limit.
//   - after: the same, of minutes that begin when the fault has ended and all replicas are back.
//   - ops: scripts that the server ran, a second.
//   - lost, back: lines of the log that say so, of all replicas.
//   - right in: the time from the end of the fault until every replica knows what all have used.
//
// The last check of each row reads every key and value that the server holds, and all that the
// replicas logged. There must be no credential in them, and nothing of a prompt or an answer.
//
// A machine that keeps processes waiting for longer than a call to the store may take loses the
// store without a fault. The last line says for how long this one did. Run the command on a machine
// that has nothing else to do; on a busy one see with -timeout 500ms what is left of a miss.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spillway-go/spillway/bench/built"
)

// The time that a row's load lasts. In what is beyond whole minutes all of a minute's calls arrive.
const (
	wholeLength = 170 * time.Second
	quickLength = 110 * time.Second
)

// options are those of the command.
type options struct {
	replicas, parallel int
	quick, keep        bool
	timeout            time.Duration
	only               *regexp.Regexp
}

func main() {
	var o options
	flag.IntVar(&o.replicas, "replicas", 4, "replicas of each row's fleet, at least 2")
	flag.IntVar(&o.parallel, "parallel", 5, "rows that run at once; -quick runs all of its rows at once")
	flag.BoolVar(&o.quick, "quick", false, "shorter rows, and only six unless -row names some")
	flag.DurationVar(&o.timeout, "timeout", 50*time.Millisecond, "of one call to the store; more on a machine that is busy with other things")
	flag.BoolVar(&o.keep, "keep", false, "keep the directory with the logs")
	pattern := flag.String("row", "", "only rows whose name matches this regular expression")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*pattern); err != nil || o.replicas < 2 || o.parallel < 1 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: go -C bench run ./fleet [-replicas 4] [-quick] [-row REGEXP] [-timeout 50ms] [-parallel 5] [-keep]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	met, err := o.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
	}
	if err != nil || !met {
		os.Exit(1)
	}
}

// run measures the rows and prints them. It reports whether all met their figures.
func (o *options) run(ctx context.Context) (met bool, err error) {
	redis, err := exec.LookPath("redis-server")
	if err != nil {
		fmt.Println("fleet: skipped, as redis-server is not installed; try make replicas, or apt-get install redis-server")
		return true, nil
	}
	dir, err := os.MkdirTemp("", "spillway-fleet-")
	if err != nil {
		return false, err
	}
	if o.keep {
		fmt.Println("logs are kept in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	sidecar, err := built.Sidecar(ctx, dir)
	if err != nil {
		return false, err
	}
	rows := o.rows()
	results := make([]result, len(rows))
	begin := time.Now()
	measured, stop := context.WithCancel(ctx)
	pause := make(chan time.Duration, 1)
	go func() { pause <- longestPause(measured) }()
	o.each(len(rows), func(i int) {
		t := &trial{row: &rows[i], replicas: o.replicas, length: o.length(), timeout: o.timeout, redis: redis, sidecar: sidecar,
			dir: filepath.Join(dir, strings.ReplaceAll(rows[i].name, " ", "-"))}
		results[i] = t.run(ctx)
	})
	stop()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	fmt.Printf("%d replicas, %d projects of %d calls a minute, %.1f times as many for %s, at %s\n\n",
		o.replicas, projects, limit, overload, o.length(), begin.UTC().Format(time.DateTime))
	met = printTable(os.Stdout, rows, results)
	fmt.Printf("\n%d rows in %s; this machine kept a process waiting for up to %s, and a call to the store may take %s\n",
		len(rows), time.Since(begin).Round(time.Second), (<-pause).Round(time.Millisecond), o.timeout)
	return met, nil
}

// each calls f for 0 to n-1, some at once.
func (o *options) each(n int, f func(i int)) {
	parallel := o.parallel
	if o.quick {
		parallel = n
	}
	slots := make(chan struct{}, max(parallel, 1))
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	all.Wait()
}

func (o *options) length() time.Duration {
	if o.quick {
		return quickLength
	}
	return wholeLength
}

// rows returns the rows that the flags name.
func (o *options) rows() (rows []row) {
	for _, r := range allRows(o.replicas, o.timeout) {
		if (r.quick || !o.quick || o.only.String() != "") && o.only.MatchString(r.name) {
			rows = append(rows, r)
		}
	}
	return rows
}
