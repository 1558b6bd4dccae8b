package main

import (
	"github.com/spillway-go/spillway/config"
)

// reload puts another configuration in force, or none of it.
func (s *sidecar) reload(cfg *config.Config) error {
	if err := guard(s.exposed.Load(), &cfg.Serve); err != nil {
		return err
	}
	if err := s.router.Reload(cfg.Pool, cfg.Router); err != nil {
		return err
	}
	s.configure(cfg.Serve)
	warn(s.log, cfg)
	s.level.Set(cfg.Log.Level)
	if s.first != nil && !s.first.SameStore(cfg) {
		s.log.Warn("[store] has changed; it stays as it was until the program starts again")
	}
	if s.first != nil && (!s.first.SameCallLog(cfg) || s.first.Log.Format != cfg.Log.Format) {
		s.log.Warn("[log] has changed; all of it but the level stays as it was until the program starts again")
	}
	if s.first != nil && !s.first.SameDoors(cfg) {
		s.log.Warn("the addresses, TLS or bounds of [serve] have changed; they stay as they were until the program starts again")
	}
	return nil
}
