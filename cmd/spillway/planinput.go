package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/report"
)

// statedRates is the origin of calls that no log has.
const statedRates = "stated rates"

// demand returns the calls to plan for.
func (f *planFlags) demand() (*demand.Log, error) {
	if len(f.logs) == 0 {
		r := f.rates
		r.Model, r.Start = f.model, time.Now().Truncate(time.Minute)
		log := &demand.Log{Format: statedRates, Calls: r.Calls()}
		if len(log.Calls) == 0 {
			return nil, errors.New("at these rates no call is made; write a longer --for")
		}
		return log, nil
	}
	all := &demand.Log{}
	for _, name := range f.logs {
		if err := readDemand(all, name); err != nil {
			return nil, err
		}
	}
	if len(all.Calls) == 0 {
		return nil, errors.New(strings.Join(append([]string{"the log has no calls of Gemini with tokens"}, leftOut(all)...), "; "))
	}
	return all, nil
}

// readDemand adds the calls of a log, and of those that were rotated from it.
func readDemand(all *demand.Log, name string) error {
	if name == "-" {
		return addDemand(all, "standard input", os.Stdin)
	}
	paths, err := report.Files(name, time.Time{})
	if err != nil {
		return err
	}
	for _, path := range paths {
		file, err := os.Open(path) //nolint:gosec // the user of the command names it
		if err != nil {
			return err
		}
		err = addDemand(all, path, file)
		_ = file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// addDemand adds the calls of one file, which may be compressed.
func addDemand(all *demand.Log, name string, from io.Reader) error {
	in := bufio.NewReader(from)
	var text io.Reader = in
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		text = unpacked
	}
	log, err := demand.Read(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	all.Add(log, name)
	return nil
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
