package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/spillway-go/spillway/config"
)

const (
	// watchEvery is how often files are looked at of which no notice came.
	watchEvery = 10 * time.Second
	// watchSoon is how long after a notice they are looked at: then a file is left alone for the second
	// in which config takes it for half written.
	watchSoon = 1100 * time.Millisecond
)

// following keeps a file in force as it changes.
type following struct {
	sidecar *sidecar
	cfg     *config.Config // in force
	file    string
	told    string // what was wrong when it was looked at last
}

// follow reloads the file for every signal, and when it changes or a file that it names, until ctx ends.
// It is one goroutine, so that no older file takes the place of a newer one. A file with mistakes
// changes nothing.
func (s *sidecar) follow(ctx context.Context, cfg *config.Config, file string, signals <-chan os.Signal, n *notices) {
	f := following{sidecar: s, cfg: cfg, file: file}
	n.of(cfg.Files())
	tick, soon := time.NewTicker(watchEvery), time.NewTimer(watchSoon)
	defer tick.Stop()
	soon.Stop()
	waiting, again := false, false // soon is to come; another notice came meanwhile
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			f.reload()
		case <-n.changed:
			if again = waiting; !waiting {
				waiting = true
				soon.Reset(watchSoon)
			}
			continue
		case <-tick.C:
			f.look()
		case <-soon.C:
			f.look()
			if waiting = again; again {
				soon.Reset(watchSoon)
			}
			again = false
		}
		n.of(f.cfg.Files())
	}
}

// reload reads the file for a signal.
func (f *following) reload() {
	log := f.sidecar.log
	next, err := config.Load(f.file)
	if err == nil {
		err = f.apply(next)
	}
	if err != nil {
		log.Error("file not reloaded; the old configuration stays in force", slog.Any("error", err))
		return
	}
	log.Info("file reloaded", slog.String("file", f.file))
}

// look reads the file if it has changed.
func (f *following) look() {
	next, err := f.cfg.Newer()
	if err == nil && next != nil {
		err = f.apply(next)
	}
	if err != nil && err.Error() != f.told {
		f.told = err.Error()
		f.sidecar.log.Error("a file of the configuration has changed and cannot be used; the old one stays in force", slog.Any("error", err))
	}
}

func (f *following) apply(next *config.Config) error {
	if err := f.sidecar.reload(next); err != nil {
		return err
	}
	f.cfg, f.told = next, ""
	return nil
}
