package main

import (
	"log/slog"
	"os"

	"github.com/spillway-go/spillway/config"
)

// reloadOn reloads the file for every signal, until the channel is closed. A file with mistakes
// changes nothing.
func (s *sidecar) reloadOn(signals <-chan os.Signal, file string) {
	for range signals {
		cfg, err := config.Load(file)
		if err == nil {
			err = s.router.Reload(cfg.Pool, cfg.Router)
		}
		if err != nil {
			s.log.Error("file not reloaded; the old configuration stays in force",
				slog.Any("error", err))
			continue
		}
		s.configure(cfg.Serve)
		warn(s.log, cfg)
		s.log.Info("file reloaded", slog.String("file", file))
	}
}
