package config

import (
	"context"
	"crypto/sha256"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"cloud.google.com/go/auth"
)

const (
	// watchEvery is how often Watch looks at the files.
	watchEvery = 10 * time.Second
	// settled is how long a file must have stayed as it is: whoever writes it may not be done.
	settled = time.Second
)

// source is what a configuration was loaded from.
type source struct {
	path        string
	files       []stamp // the file itself, and those that it names
	credentials map[digest]auth.TokenProvider
}

// digest is of a credentials file: of its name and content.
type digest [sha256.Size]byte

// stamp is a file as it was when it was read.
type stamp struct {
	path string
	info fs.FileInfo
}

// read reads a file and remembers how it was. What is not a regular file cannot be read twice and
// is not remembered.
func (s *source) read(path string, limit int64) ([]byte, error) {
	data, info, err := readFile(path, limit)
	if err == nil && info.Mode().IsRegular() {
		s.files = append(s.files, stamp{path, info})
	}
	return data, err
}

// changed reports whether a file is not what it was. Kubernetes replaces a mounted file by another
// one of the same name. A file that is not there is about to come back, or a mistake to tell.
func (s *source) changed() bool {
	changed := false
	for _, was := range s.files {
		is, err := os.Stat(was.path)
		if err != nil {
			changed = true
			continue
		}
		if os.SameFile(was.info, is) && was.info.Size() == is.Size() && was.info.ModTime().Equal(is.ModTime()) {
			continue
		}
		if age := time.Since(is.ModTime()); age >= 0 && age < settled {
			return false // it is being written
		}
		changed = true
	}
	return changed
}

// Newer loads the file again that c was loaded from, if it has changed, or a file that it names: a
// key or credentials. It returns nil and no error if nothing has changed, and for a configuration
// that is not of [Load]. It does not notice variables that have changed.
func (c *Config) Newer() (*Config, error) {
	if c == nil || c.source == nil || !c.source.changed() {
		return nil, nil //nolint:nilnil // documented
	}
	return load(c.source.path, c.source.credentials)
}

// Files returns the files that c was loaded from: its own, and those that it names. A configuration that
// is not of [Load] has none.
func (c *Config) Files() []string {
	if c == nil || c.source == nil {
		return nil
	}
	var all []string
	for _, was := range c.source.files {
		all = append(all, was.path)
	}
	return all
}

// Watch calls apply with a new configuration whenever a file of the current one has changed, see
// [Config.Newer], until ctx ends. It looks every 10 seconds. A file with mistakes changes nothing:
// Watch logs one line and tries again, as it does if apply fails. Success is apply's to tell.
func Watch(ctx context.Context, current func() *Config, apply func(*Config) error, log *slog.Logger) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next, err := current().Newer()
		if err == nil && next != nil {
			err = apply(next)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && err.Error() != told:
			told = err.Error()
			log.Error("spillway: a file of the configuration has changed and cannot be used; the old one stays in force", slog.Any("error", err))
		case err == nil && next != nil:
			told = ""
		}
	}
}
