package report

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/spillway-go/spillway/calls"
)

// maxLine bounds a line. No record has a tenth of it.
const maxLine = 1 << 20

// entry is a line of a log: a record, or how many were dropped.
type entry struct {
	calls.Record

	Dropped int64 `json:"dropped"`
}

// Read adds the calls of a log, which may be compressed by gzip. The name is for messages. Lines that
// are broken are counted, and read past. ctx ends the reading.
func (r *Report) Read(ctx context.Context, name string, in io.Reader) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	if magic, _ := lines.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(lines)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		lines = bufio.NewReaderSize(unzipped, 64<<10)
	}
	var line []byte
	for number := 1; ; number++ {
		var err error
		if line, err = readLine(lines, line[:0]); len(bytes.TrimSpace(line)) > 0 {
			r.line(name, number, line)
		}
		if err == nil && number%1024 == 0 {
			err = ctx.Err()
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
}

// readLine appends the next line to line, and no more than maxLine bytes of it.
func readLine(in *bufio.Reader, line []byte) ([]byte, error) {
	for {
		piece, err := in.ReadSlice('\n')
		line = append(line, piece[:min(len(piece), maxLine-len(line))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func (r *Report) line(name string, number int, line []byte) {
	var e entry
	err := json.Unmarshal(line, &e)
	switch {
	case err == nil && e.Dropped > 0 && e.Dropped <= maxSum:
		if !e.Time.Before(r.since) {
			r.Dropped += e.Dropped
		}
	case err == nil && e.ID != "" && !e.Time.IsZero() && sound(&e.Record):
		r.add(&e.Record)
	default:
		if r.Broken++; len(r.Problems) < maxProblems {
			r.Problems = append(r.Problems, fmt.Sprintf("%s:%d: not a line of a call log", name, number))
		}
	}
}

// maxSum bounds each number of a record, so that no file of them makes a sum overflow.
const maxSum = 1 << 40

// sound reports whether a record has what a call may have.
func sound(c *calls.Record) bool {
	switch c.Outcome {
	case calls.OutcomeServed, calls.OutcomeRefused, calls.OutcomeFailed, calls.OutcomeCancelled:
	default:
		return false
	}
	t := &c.Tokens
	for _, n := range []int64{
		t.Input, t.Cached, t.ToolUse, t.InputAudio, t.InputImage, t.Output, t.Thoughts, t.OutputAudio, t.OutputImage, int64(c.Lookups),
	} {
		if n < 0 || n > maxSum {
			return false
		}
	}
	return c.WaitedMS >= 0 && c.FirstByteMS >= 0 && c.LatencyMS >= 0
}

// rotated matches what stands behind the name of a file that was rotated, by a call log or by
// logrotate: calls.jsonl.1, calls.jsonl.2.gz, calls.jsonl-20261126.gz.
var rotated = regexp.MustCompile(`^[.-][0-9]{1,20}(?:\.gz)?$`)

// Files returns the file at path and those that were rotated, without those that were last written
// before since. It is an error if there is no file at all.
func Files(path string, since time.Time) ([]string, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name the call log in it", path)
	}
	if link, err := os.Lstat(path); err == nil && link.Mode()&fs.ModeSymlink != 0 {
		if to, err := filepath.EvalSymlinks(path); err == nil {
			path = to // what was rotated is beside it
		}
	}
	folder, base := filepath.Split(path)
	entries, _ := os.ReadDir(filepath.Clean(folder + "."))
	var all []string
	for _, e := range entries {
		if name := e.Name(); len(name) > len(base) && name[:len(base)] == base && rotated.MatchString(name[len(base):]) {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() && !info.ModTime().Before(since) {
				all = append(all, folder+name)
			}
		}
	}
	switch {
	case err == nil && (!info.Mode().IsRegular() || !info.ModTime().Before(since)):
		all = append(all, path)
	case err != nil && len(all) == 0:
		return nil, err
	}
	return all, nil
}
