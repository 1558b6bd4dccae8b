package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// Config is the content of a file.
type Config struct {
	// Pool holds the projects, the breaker and the pacing.
	Pool pool.Config
	// Router says how calls are routed.
	Router router.Config
	// Serve says how `spillway serve` serves.
	Serve Serve
	// Store says by which server replicas share their limits.
	Store Store
	// Log says what is logged, and where.
	Log Log
	// Warnings are what works but should be changed, sorted by line. None shows a key.
	Warnings []Warning

	source     *source // nil if it is not of Load
	references map[string]References
}

// References are how the file writes the credentials of a project. They hold none.
type References struct {
	// Keys are "env:NAME" or "file:PATH" for each key, and "" for one that is written out.
	Keys []string
	// Credentials is "adc", "file:PATH", "env:NAME", "none", or empty.
	Credentials string
}

// References returns how the file writes the credentials of the project of a name; the zero value if
// it has no such project.
func (c *Config) References(project string) References { return c.references[project] }

// maxFile bounds the size of a file. Ten thousand projects fit.
const maxFile = 4 << 20

// Load reads the file at path. Files that it names are relative to its folder, and variables are
// read from the environment. If Load fails, the config is nil and the error is of type [Errors]:
// all mistakes at once, or why the file could not be read.
func Load(path string) (*Config, error) {
	return load(path, nil)
}

// load is Load. It takes over the credentials of files that have not changed, with their tokens.
func load(path string, known map[digest]auth.TokenProvider) (*Config, error) {
	from := &source{path: path, credentials: map[digest]auth.TokenProvider{}}
	data, err := from.read(path, maxFile)
	if err != nil {
		return nil, Errors{{File: path, Problem: "the file " + unreadable(err), Fix: "name a readable TOML file", cause: plainCause(err)}}
	}
	s := sources{
		env: os.LookupEnv, dir: filepath.Dir(path), mode: fileMode, known: known, found: from.credentials,
		read: func(path string) ([]byte, error) { return from.read(path, maxSecret) },
	}
	cfg, err := newReading(path, s).parse(data)
	if err != nil {
		return nil, err
	}
	cfg.source = from
	return cfg, nil
}

// Parse is [Load] for a file in memory. The name is used in messages only. Without [WithDir], files
// that data names are relative to the working directory.
func Parse(name string, data []byte, options ...Option) (*Config, error) {
	s := sources{env: os.LookupEnv, mode: fileMode, read: func(path string) ([]byte, error) {
		data, _, err := readFile(path, maxSecret)
		return data, err
	}}
	for _, o := range options {
		o(&s)
	}
	return newReading(name, s).parse(data)
}

// Option says where [Parse] finds the variables and files that a file names.
type Option func(*sources)

// WithEnv looks up variables with lookup instead of [os.LookupEnv]. An access token ("env:NAME" in
// credentials) is looked up once, to check that it is set. The calls that use the token read the
// environment themselves.
func WithEnv(lookup func(name string) (string, bool)) Option {
	return func(s *sources) { s.env = lookup }
}

// WithDir sets the folder that relative paths start from. The default is the working directory.
func WithDir(dir string) Option {
	return func(s *sources) { s.dir = dir }
}

// WithFiles reads files with read instead of from the disk. The path is already joined to the
// folder of [WithDir].
func WithFiles(read func(path string) ([]byte, error)) Option {
	return func(s *sources) { s.read, s.mode = read, nil }
}

// sources finds the variables and files that a file names.
type sources struct {
	env  func(name string) (string, bool)
	dir  string
	read func(path string) ([]byte, error)
	mode func(path string) (fs.FileMode, error) // nil: files have none

	// Credentials by their files: of an earlier load, and of this one. Both may be nil.
	known, found map[digest]auth.TokenProvider
}

// maxSecret bounds the size of a file with a key or credentials.
const maxSecret = 64 << 10

var errTooLarge = errors.New("config: file too large")

// path resolves a path in the file.
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

// readFile is os.ReadFile with a bound: it refuses a file of more than limit bytes without reading
// all of it.
func readFile(path string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat() // before it is read: what is written meanwhile makes it another
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, nil, errTooLarge
	}
	return data, info, err
}

// unreadable says why a file was not read. It does not use the reader's own error, which may quote
// the file.
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

// plainCause returns the part of err that callers test for.
func plainCause(err error) error {
	for _, cause := range []error{fs.ErrNotExist, fs.ErrPermission} {
		if errors.Is(err, cause) {
			return cause
		}
	}
	return nil
}

const notShown = "(not shown)"

// shownPath quotes a path or variable for a message, unless it looks like a credential in the wrong
// field.
func shownPath(text string) string {
	if credential.Looks(text) || !utf8.ValidString(text) || len(text) > 200 {
		return notShown
	}
	return fmt.Sprintf("%q", text)
}
