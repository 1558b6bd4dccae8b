package router

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// saveEvery is how often the state file is written while something changes. A program that is
// killed loses at most this much.
const saveEvery = 5 * time.Second

// saver writes the pool's state to the state file, if one is configured.
type saver struct {
	log     *slog.Logger
	once    sync.Once
	stopped chan struct{} // closed after the last write; nil if there never was a file

	// Used by the writing goroutine only.
	file    string // written last
	written []byte // its content
	failed  bool   // the failure was logged
	err     error
}

// restore reads what an earlier program wrote. The router starts even if the file is missing or
// damaged.
func (r *Router) restore(file string) {
	if file == "" {
		return
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = r.pool.Restore(time.Now(), data)
	}
	if err != nil {
		r.saver.log.Warn("spillway: the state file cannot be used; starting without it",
			slog.String("file", file), slog.Any("error", err))
	}
}

// start starts the writing goroutine if there is a file to write.
func (s *saver) start(r *Router) {
	if r.cfg.Load().State == "" {
		return
	}
	s.once.Do(func() {
		s.stopped = make(chan struct{})
		go s.run(r)
	})
}

// stop waits for the last write and returns its error. The router is closed already.
func (s *saver) stop() error {
	s.once.Do(func() {}) // start does nothing from now on
	if s.stopped == nil {
		return nil
	}
	<-s.stopped
	return s.err
}

func (s *saver) run(r *Router) {
	defer close(s.stopped)
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for closed := false; !closed; {
		select {
		case <-tick.C:
		case <-r.ending.closed:
			closed = true
		}
		s.save(r)
	}
}

// save writes the file if something has changed.
func (s *saver) save(r *Router) {
	file := r.cfg.Load().State
	if file == "" { // a reload has removed it
		return
	}
	data, err := r.pool.Save(time.Now())
	if err == nil && file == s.file && bytes.Equal(data, s.written) {
		return
	}
	if err == nil {
		err = replaceFile(file, data)
	}
	if s.err = err; err == nil {
		s.file, s.written, s.failed = file, data, false
		return
	}
	if !s.failed {
		s.failed = true
		r.saver.log.Warn("spillway: the state file cannot be written; "+
			"a restart would forget cooldowns and used quota",
			slog.String("file", file), slog.Any("error", err))
	}
}

// replaceFile replaces the content of a file by data atomically. Readers, and the next start after
// a crash, see the old content or the new.
func replaceFile(file string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
