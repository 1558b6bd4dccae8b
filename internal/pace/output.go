package pace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
)

// Output is the file of responses, and beside it FILE.state, which says what was sent. A line is in
// the file once its request has ended. So whatever ends a run, the next one sends what is not in the
// file. It is safe for concurrent use.
type Output struct {
	mu    sync.Mutex
	file  *os.File
	state *os.File
	saved state
	most  int64  // no line has a larger number: each takes a byte
	done  bitmap // lines that are in the file
	ended bitmap // lines that were there, and are to be sent again
	count Counts // of those that were there
	was   int64  // the last line that earlier runs had sent, or were about to

	broken error // a line may have been written in part: none follows it
}

// Counts are of lines of the output.
type Counts struct {
	Served, Failed int64
}

// state is what is kept beside the output.
type state struct {
	File    identity `json:"file"`    // of the requests
	Started int64    `json:"started"` // the last line that was sent, or about to be
}

// Files returns the files that an output at a path has or makes, that of responses first.
func Files(path string) []string { return []string{path, path + ".state", path + ".new"} }

// Open opens or makes an output for the requests in a file. again has the requests sent again whose
// lines are errors. It fails if another run has the output open, or if the output is of other
// requests. Close it.
func Open(path string, in io.ReadSeeker, again bool) (o *Output, err error) {
	o = &Output{}
	defer func() {
		if err != nil {
			_ = o.Close()
			o = nil
		}
	}()
	for _, file := range Files(path) { // a device may give bytes without end
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			return o, fmt.Errorf("%s is not a file; write another --out", file)
		}
	}
	if o.state, err = os.OpenFile(path+".state", os.O_RDWR|os.O_CREATE, 0o600); err != nil { //nolint:gosec // the user names it
		return o, err
	}
	switch err = lock(o.state); {
	case errors.Is(err, errLocked):
		return o, fmt.Errorf("another run writes to %s", path)
	case err != nil:
		return o, fmt.Errorf("%s.state cannot be kept from other runs, so write --out on another disk: %w", path, err)
	}
	if err = o.recognize(path, in); err != nil {
		return o, err
	}
	if again {
		if err = o.dropFailed(path); err != nil {
			return o, err
		}
	}
	if o.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil { //nolint:gosec // as above
		return o, err
	}
	return o, o.load()
}

// recognize reads the state, and checks that the output is of these requests.
func (o *Output) recognize(path string, in io.ReadSeeker) error {
	text, err := io.ReadAll(io.LimitReader(o.state, 1<<16))
	if err != nil {
		return err
	}
	if o.most, err = in.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if _, err = in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &o.saved); err != nil {
			return fmt.Errorf("%s.state is not what an earlier run has written; write another --out", path)
		}
		o.was = min(o.saved.Started, o.most)
		switch id, err := identify(in, o.saved.File.Bytes); {
		case err != nil:
			return err
		case id != o.saved.File:
			return fmt.Errorf("%s has responses to other requests than these; write another --out", path)
		case id.Bytes == o.most:
			return nil
		}
		return o.identify(in) // it has grown
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s is there, and no %s.state that says what its lines are; write another --out", path, filepath.Base(path))
	}
	return o.identify(in)
}

// identify notes which requests the output is of.
func (o *Output) identify(in io.ReadSeeker) (err error) {
	if o.saved.File, err = identify(in, math.MaxInt64); err != nil {
		return err
	}
	return o.save()
}

// load reads which lines are there. It cuts off a line that was not written to its end.
func (o *Output) load() error {
	r, whole := bufio.NewReaderSize(o.file, 1<<16), int64(0)
	for {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		line, well, err := o.resultOf(text)
		if err != nil {
			return fmt.Errorf("%s: %w; write another --out", o.file.Name(), err)
		}
		whole += int64(len(text))
		if !o.done.add(line) {
			continue
		}
		if well {
			o.count.Served++
		} else {
			o.count.Failed++
		}
	}
	if err := o.file.Truncate(whole); err != nil {
		return err
	}
	_, err := o.file.Seek(whole, io.SeekStart)
	return err
}

// resultOf reads the number of a line of the output, and whether its request was served.
func (o *Output) resultOf(text []byte) (line int64, well bool, err error) {
	var r struct {
		Line  int64           `json:"line"`
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(text, &r); err != nil || r.Line < 1 || r.Line > o.most {
		return 0, false, errors.New("a line is none that an earlier run has written")
	}
	return r.Line, len(r.Error) == 0 || bytes.Equal(r.Error, []byte("null")), nil
}

// dropFailed removes the lines that are errors, all of them or none.
func (o *Output) dropFailed(path string) error {
	from, err := os.Open(path) //nolint:gosec // the user names it
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // as above
	if err != nil {
		return err
	}
	w := bufio.NewWriter(to)
	r := bufio.NewReader(from)
	for {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // what has no end was not written to it
			break
		}
		if err != nil {
			return errors.Join(err, to.Close())
		}
		if line, well, err := o.resultOf(text); err == nil && !well {
			o.ended.add(line)
			continue
		}
		_, _ = w.Write(text) // Flush says whether it failed
	}
	if err := errors.Join(w.Flush(), to.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// has reports whether the line of a request is there.
func (o *Output) has(line int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done.has(line)
}

// twice reports whether a request may have been sent by an earlier run, which did not see its end.
func (o *Output) twice(line int64) bool { return line <= o.was && !o.ended.has(line) }

// start notes that a line is about to be sent.
func (o *Output) start(line int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if line <= o.saved.Started {
		return nil
	}
	o.saved.Started = line
	return o.save()
}

// save writes the state: always as many bytes or more, so that nothing of an earlier one is left.
func (o *Output) save() error {
	text, err := json.Marshal(o.saved)
	if err == nil {
		_, err = o.state.WriteAt(append(text, '\n'), 0)
	}
	return err
}

// add writes the line of a request that has ended.
func (o *Output) add(r result) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken != nil {
		return o.broken
	}
	if _, o.broken = o.file.Write(append(text, '\n')); o.broken != nil {
		return o.broken
	}
	o.done.add(r.Line)
	return nil
}

// Close closes the files. What is written is there already, whatever becomes of the process.
func (o *Output) Close() error {
	var errs []error
	for _, f := range []*os.File{o.file, o.state} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// bitmap is a set of numbers of lines.
type bitmap []uint64

func (b bitmap) has(n int64) bool {
	return n/64 < int64(len(b)) && b[n/64]&(1<<(n%64)) != 0
}

// add reports whether the number is new.
func (b *bitmap) add(n int64) bool {
	if b.has(n) {
		return false
	}
	if more := n/64 + 1 - int64(len(*b)); more > 0 {
		*b = append(*b, make([]uint64, more)...)
	}
	(*b)[n/64] |= 1 << (n % 64)
	return true
}
