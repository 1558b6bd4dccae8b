package main

import (
	"context"
	"log/slog"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/router"
)

// watch reloads the file when it changes, or a file of keys or credentials that it names, until ctx
// ends.
func watch(ctx context.Context, cfg *config.Config, r *router.Router, log *slog.Logger) {
	current := func() *config.Config { return cfg }
	config.Watch(ctx, current, func(next *config.Config) error {
		if err := r.Reload(next.Pool, next.Router); err != nil {
			return err
		}
		cfg = next
		warn(log, cfg)
		return nil
	}, log)
}
