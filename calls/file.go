package calls

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// FileConfig says how large a log's files get.
type FileConfig struct {
	// MaxSize is the size in bytes at which a file is rotated: "calls.jsonl" becomes
	// "calls.jsonl.1", that one "calls.jsonl.2" and so on. Zero means 100 MB.
	MaxSize int64
	// MaxFiles is how many rotated files are kept. Zero means 5.
	MaxFiles int
}

const (
	defaultMaxSize  = 100_000_000
	defaultMaxFiles = 5
	// movedAfter is how often a file is looked for where it was opened: another program, such as
	// logrotate, may have moved it.
	movedAfter = time.Second
)

// file is a file that is rotated by its size. One goroutine uses it.
type file struct {
	path    string
	cfg     FileConfig
	f       *os.File // nil: it is not open
	info    fs.FileInfo
	size    int64
	checked time.Time
}

func newFile(path string, cfg FileConfig) *file {
	if cfg.MaxSize <= 0 {
		cfg.MaxSize = defaultMaxSize
	}
	if cfg.MaxFiles <= 0 {
		cfg.MaxFiles = defaultMaxFiles
	}
	return &file{path: path, cfg: cfg}
}

// Write appends whole lines. After an error the file is opened again by the next Write.
func (w *file) Write(lines []byte) (int, error) {
	if err := w.ready(int64(len(lines))); err != nil {
		return 0, err
	}
	n, err := w.f.Write(lines)
	w.size += int64(n)
	if err != nil {
		w.close()
	}
	return n, err
}

// ready opens the file, anew if it was moved away or has no room for n bytes.
func (w *file) ready(n int64) error {
	if w.f != nil && time.Since(w.checked) >= movedAfter && w.moved() {
		w.close()
	}
	if err := w.open(); err != nil {
		return err
	}
	if w.size == 0 || w.size+n <= w.cfg.MaxSize || !w.info.Mode().IsRegular() || given(w.path) {
		return nil
	}
	moved := w.moved() // another process may have rotated it
	w.close()
	if !moved {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	return w.open()
}

// given reports whether a path is one of the system's for what a program was started with, such as
// /dev/stdout. That is not the log's to rename, also where it leads to a file.
func given(path string) bool {
	return strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/")
}

// moved reports whether the path leads to another file than the one that is open, or to none.
func (w *file) moved() bool {
	w.checked = time.Now()
	info, err := os.Stat(w.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, w.info)
}

// open opens the file, if it is not. Only its owner may read it.
func (w *file) open() error {
	if w.f != nil {
		return nil
	}
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	w.f, w.info, w.size, w.checked = f, info, info.Size(), time.Now()
	return w.finishLine()
}

// finishLine ends a line that a program which was killed has left half written.
func (w *file) finishLine() error {
	last := make([]byte, 1)
	if w.size == 0 || !w.info.Mode().IsRegular() {
		return nil
	}
	if _, err := w.f.ReadAt(last, w.size-1); err != nil || last[0] == '\n' {
		return nil //nolint:nilerr // then the line is taken for whole
	}
	n, err := w.f.WriteString("\n")
	w.size += int64(n)
	if err != nil {
		w.close()
	}
	return err
}

// rotate renames the file and those that were rotated before it. A symbolic link stays where it is:
// what it leads to is renamed, on the disk that was chosen for it.
func (w *file) rotate() error {
	path := w.path
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	last := 1 // that is free, or is the last one to be kept
	for ; last < w.cfg.MaxFiles; last++ {
		if _, err := os.Lstat(rotated(path, last)); err != nil {
			break
		}
	}
	for i := last; i > 0; i-- {
		if err := os.Rename(rotated(path, i-1), rotated(path, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// rotated returns the path of the i-th rotated file; of the 0th the file's own.
func rotated(path string, i int) string {
	if i == 0 {
		return path
	}
	return path + "." + strconv.Itoa(i)
}

func (w *file) close() {
	if w.f != nil {
		_ = w.f.Close()
		w.f = nil
	}
}
