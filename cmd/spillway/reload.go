package main

import (
	"log/slog"
	"os"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/router"
)

// reloadOn reads the file again for every signal, until there will be no more. A file that is wrong changes nothing: the sidecar goes on
// as it was.
func reloadOn(signals <-chan os.Signal, file string, r *router.Router, log *slog.Logger) {
	for range signals {
		cfg, err := config.Load(file)
		if err == nil {
			err = r.Reload(cfg.Pool, cfg.Router)
		}
		if err != nil {
			log.Error("the file was not taken; all stays as it was", slog.Any("error", err))
			continue
		}
		warn(log, cfg)
		log.Info("the file was read again", slog.String("file", file))
	}
}
