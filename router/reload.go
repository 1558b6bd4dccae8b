package router

import (
	"fmt"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// Reload replaces the configuration of the router. Errors are those of [New]; after an error
// nothing has changed.
//
// Projects, keys, endpoints and orders that are the same in both keep their state, see
// [pool.Pool.Reload]. No call fails, waits longer or is sent twice because of a reload. Calls under
// way keep their settings (attempts, aliases, waiting times) and their endpoint, and use the new
// endpoints from then on. A waiting call fails only if nothing in the new configuration serves its
// model.
//
// The dialect cannot change, because clients go on speaking it: Reload refuses a configuration with
// another one. Reload may be called concurrently; the last call wins. After [Router.Close] it fails
// with [ErrClosed].
func (r *Router) Reload(p pool.Config, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	effective := cfg.effective(p.Projects)
	r.reloading.Lock()
	defer r.reloading.Unlock()
	if r.isClosed() {
		return ErrClosed
	}
	if asked, spoken := effective.Backend, r.Backend(); asked != spoken {
		return fmt.Errorf("router: the new configuration makes clients speak %q, "+
			"but the present clients speak %q: "+
			"write backend = %[2]q under [router], or make a new client", asked, spoken)
	}
	if err := r.pool.Reload(time.Now(), p); err != nil {
		return err
	}
	r.configure(effective)
	return nil
}

// configure makes settings the current ones.
func (r *Router) configure(cfg Config) {
	r.budget.allow(cfg.Retry.Budget)
	r.bodies.bound.Store(cfg.BodyMemory)
	cfg.places = placesOf(r.pool)
	var before []shelf
	if old := r.cfg.Load(); old != nil {
		before = old.shelves
	}
	cfg.shelves = shelvesOf(cfg.Caches, before)
	r.cfg.Store(&cfg)
	r.saver.start(r)
}

// isClosed reports whether Close was called.
func (r *Router) isClosed() bool {
	select {
	case <-r.ending.closed:
		return true
	default:
		return false
	}
}
