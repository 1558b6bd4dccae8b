package main

import (
	"context"

	"github.com/spillway-go/spillway/config"
)

// watch reloads the file when it changes, or a file of keys or credentials that it names, until ctx
// ends.
func (s *sidecar) watch(ctx context.Context, cfg *config.Config) {
	current := func() *config.Config { return cfg }
	config.Watch(ctx, current, func(next *config.Config) error {
		if err := s.reload(next); err != nil {
			return err
		}
		cfg = next
		return nil
	}, s.log)
}
