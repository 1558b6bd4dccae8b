package main

import (
	"log/slog"
	"os"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/router"
)

// reloadOn reloads the file for every signal, until the channel is closed. A file with mistakes
// changes nothing.
func reloadOn(signals <-chan os.Signal, file string, r *router.Router, log *slog.Logger) {
	for range signals {
		cfg, err := config.Load(file)
		if err == nil {
			err = r.Reload(cfg.Pool, cfg.Router)
		}
		if err != nil {
			log.Error("file not reloaded; the old configuration stays in force",
				slog.Any("error", err))
			continue
		}
		warn(log, cfg)
		log.Info("file reloaded", slog.String("file", file))
	}
}
