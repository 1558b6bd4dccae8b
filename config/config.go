package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// Config is what a file says.
type Config struct {
	// Pool holds the projects, the breaker and the pacing.
	Pool pool.Config
	// Router says how calls are routed among them.
	Router router.Config
	// Warnings are what works and had better be otherwise, sorted by line. None shows a key.
	Warnings []Warning
}

// maxFile bounds a config file: ten thousand projects fit.
const maxFile = 4 << 20

// Load reads the file at path. The files that it names are relative to its folder, variables come from the environment. On failure
// the config is nil and the error is of type [Errors]: all mistakes at once, or that the file could not be read.
func Load(path string) (*Config, error) {
	data, err := readFile(path, maxFile)
	if err != nil {
		return nil, Errors{{File: path, Problem: "the file " + unreadable(err), Fix: "name a readable TOML file", cause: plainCause(err)}}
	}
	return Parse(path, data, WithDir(filepath.Dir(path)))
}

// Parse is [Load] for a file that is in memory. The name is for messages only: without [WithDir], files that data names are relative
// to the working directory.
func Parse(name string, data []byte, options ...Option) (*Config, error) {
	s := sources{env: os.LookupEnv, read: func(path string) ([]byte, error) { return readFile(path, maxSecret) }}
	for _, o := range options {
		o(&s)
	}
	return newReading(name, s).parse(data)
}

// Option says where [Parse] finds what a file refers to.
type Option func(*sources)

// WithEnv looks up variables with lookup instead of [os.LookupEnv]. An access token ("env:NAME" in credentials) is looked up once, to
// see that it is there; the calls that use it read the environment themselves.
func WithEnv(lookup func(name string) (string, bool)) Option {
	return func(s *sources) { s.env = lookup }
}

// WithDir sets the folder that relative paths start from. The default is the working directory.
func WithDir(dir string) Option {
	return func(s *sources) { s.dir = dir }
}

// WithFiles reads files with read instead of from the disk. The path is joined to the folder of [WithDir] already.
func WithFiles(read func(path string) ([]byte, error)) Option {
	return func(s *sources) { s.read = read }
}

// sources is where a file's references lead.
type sources struct {
	env  func(name string) (string, bool)
	dir  string
	read func(path string) ([]byte, error)
}

// maxSecret bounds a file with a key or credentials.
const maxSecret = 64 << 10

var errTooLarge = errors.New("config: file too large")

// path is where a path in the file leads.
func (s sources) path(path string) string {
	if path == "" || s.dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.dir, path)
}

func (s sources) file(path string) ([]byte, error) {
	data, err := s.read(s.path(path))
	if err == nil && len(data) > maxSecret {
		return nil, errTooLarge
	}
	return data, err
}

// readFile is os.ReadFile that refuses more than limit bytes instead of reading them all.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, errTooLarge
	}
	return data, err
}

// unreadable says why a file was not read, in words of ours: a reader's own error may quote what it read.
func unreadable(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "may not be read by this user"
	case errors.Is(err, errTooLarge):
		return "is too large"
	}
	return "cannot be read"
}

// plainCause keeps of err only what callers test for.
func plainCause(err error) error {
	for _, cause := range []error{fs.ErrNotExist, fs.ErrPermission} {
		if errors.Is(err, cause) {
			return cause
		}
	}
	return nil
}

// shownPath quotes a path or variable for a message, unless it looks like a credential that was written in its place.
func shownPath(text string) string {
	if pool.LooksLikeCredential(text) || !utf8.ValidString(text) || len(text) > 200 {
		return "(not shown)"
	}
	return fmt.Sprintf("%q", text)
}
