// Command siege measures what hostile and clumsy clients cost the others of a sidecar. All are
// processes of their own, on loopback and in real time: `spillway serve`, two emulators in place of
// Google, and the clients.
//
//	go -C bench run ./siege [-quick] [-row regexp] [-keep] [-realtime] [-profile directory]
//
// Each row is a sidecar of its own. Other clients call all the while: 100 calls a second, each fifth
// a stream, of an emulator that answers at once. So their time is the sidecar's. First they are
// alone, then the siege is on, then they are alone again. All rows take ten minutes; -quick takes
// four, with a tenth of the clients. The command fails if a row misses a figure.
//
// The columns are:
//
//   - clients: of the siege, that were served or held on at its end.
//   - memory: the most resident memory of the sidecar, from VmHWM, which is reset before the siege.
//   - failed: calls of the others that failed.
//   - alone, beside: p95 of the others' calls without the siege and beside it.
//
// The clients of the siege run at a low priority (nice 19), as does the emulator that they reach:
// elsewhere these have machines of their own. What they cost in the sidecar and in the kernel still
// counts. Others' p95 may be 1.5 times as long, or half a millisecond longer if that is more.
//
// On a machine that is busy with other things -realtime puts what measures before the sidecar, and
// both before all else. It takes root. Linux takes the processor from a process of that class for a
// part of each second in which it wants all of it, so rows that fill it look worse than they are.
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
	"syscall"
	"time"

	"github.com/spillway-go/spillway/bench/built"
)

// options are those of the command.
type options struct {
	quick, keep bool
	realtime    bool
	profile     string
	only        *regexp.Regexp
}

func main() {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			role(os.Args[2:])
			return
		}
	}
	var o options
	flag.BoolVar(&o.quick, "quick", false, "a tenth of the clients, for a shorter time")
	flag.BoolVar(&o.keep, "keep", false, "keep the directory with the logs")
	flag.BoolVar(&o.realtime, "realtime", false, "run all in the real-time class, which takes root: for machines that are busy with other things")
	flag.StringVar(&o.profile, "profile", "", "a directory for CPU profiles of the sidecar, one for each row")
	pattern := flag.String("row", "", "only rows whose name matches this regular expression")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*pattern); err != nil || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: go -C bench run ./siege [-quick] [-row REGEXP] [-keep] [-realtime] [-profile DIRECTORY]")
		os.Exit(2)
	}
	if err := o.rise(); err != nil {
		fmt.Fprintln(os.Stderr, "siege:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	met, err := o.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "siege:", err)
	}
	if err != nil || !met {
		os.Exit(1)
	}
}

// rise starts this program again with the rank that it has to have, once.
func (o *options) rise() error {
	const done = "SIEGE_IS_RANKED=1"
	if words := o.ranked(high, os.Args...); len(words) > len(os.Args) && os.Getenv("SIEGE_IS_RANKED") == "" {
		path, err := exec.LookPath(words[0])
		if err != nil {
			return err
		}
		return syscall.Exec(path, words, append(os.Environ(), done))
	}
	return nil
}

// run measures the rows and prints them. It reports whether all met their figures.
func (o *options) run(ctx context.Context) (met bool, err error) {
	dir, err := os.MkdirTemp("", "spillway-siege-")
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
	begin, met := time.Now(), true
	printHead(os.Stdout)
	for _, w := range allRows(o.quick) {
		if !o.only.MatchString(w.name) {
			continue
		}
		t := &trial{row: w, options: o, sidecar: sidecar, dir: filepath.Join(dir, strings.ReplaceAll(w.name, " ", "-"))}
		r := t.run(ctx)
		if err := ctx.Err(); err != nil {
			return false, err
		}
		met = printRow(os.Stdout, w, &r) && met
	}
	fmt.Printf("\nin %s\n", time.Since(begin).Round(time.Second))
	return met, nil
}
