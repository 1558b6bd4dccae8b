package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/report"
)

// statedRates is the origin of calls that no log has.
const statedRates = "stated rates"

// demand returns the calls to plan for.
func (f *planFlags) demand(ctx context.Context) (*demand.Log, error) {
	if len(f.logs) == 0 {
		r := f.rates
		r.Model, r.Start = f.model, time.Now().Truncate(time.Minute)
		log := &demand.Log{Format: statedRates, Calls: r.Calls()}
		if len(log.Calls) == 0 {
			return nil, errors.New("at these rates no call is made; write a longer --for")
		}
		return log, nil
	}
	in := input{ctx, &demand.Log{}, make(map[string]bool)}
	for _, name := range f.logs {
		if err := in.add(name); err != nil {
			return nil, err
		}
	}
	all := in.log
	all.Sort()
	if len(all.Calls) == 0 {
		return nil, errors.New(strings.Join(append([]string{"the log has no calls of Gemini with tokens"}, leftOut(all)...), "; "))
	}
	return all, nil
}

// input adds up logs.
type input struct {
	ctx  context.Context //nolint:containedctx // of one command
	log  *demand.Log
	seen map[string]bool // "calls.jsonl*" names what was rotated twice
}

// add adds the calls of a log, and of those that were rotated from it.
func (in *input) add(name string) error {
	if name == "-" {
		return in.read("standard input", os.Stdin)
	}
	paths, err := report.Files(name, time.Time{})
	if err != nil {
		return err
	}
	for _, path := range paths {
		if in.seen[path] {
			continue
		}
		in.seen[path] = true
		file, err := os.Open(path) //nolint:gosec // the user of the command names it
		if err != nil {
			return err
		}
		err = in.read(path, file)
		_ = file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// read adds the calls of one file, which may be compressed.
func (in *input) read(name string, from io.Reader) error {
	file := bufio.NewReader(until{in.ctx, from})
	var text io.Reader = file
	if magic, _ := file.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(file)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		text = unpacked
	}
	log, err := demand.Read(text)
	if err := in.ctx.Err(); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	in.log.Add(log, name)
	return nil
}

// until is a reader that ends with a context, between two reads.
type until struct {
	ctx context.Context //nolint:containedctx // it is no longer used than the reader
	r   io.Reader
}

func (u until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// othersOf returns the models of a log but for one.
func othersOf(log *demand.Log, model string) []demand.Share {
	return slices.DeleteFunc(log.Models(), func(m demand.Share) bool { return m.Name == model })
}

// names lists a few names.
func names(all []demand.Share) string {
	var list []string
	for _, s := range all[:min(len(all), 5)] {
		list = append(list, s.Name)
	}
	if len(all) > len(list) {
		list = append(list, "others")
	}
	return strings.Join(list, ", ")
}
