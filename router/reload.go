package router

import (
	"fmt"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// Reload puts another configuration in the place of the one that the router was made with. Errors are those of [New]; after one, all stays
// as it was.
//
// Projects, keys, endpoints and orders that are the same in both go on with all that is known of them, see [pool.Pool.Reload]; no call
// fails, waits longer or is sent twice for it. Calls that are under way keep the settings that they came with (attempts, aliases, waiting
// times), finish on the endpoint that has them, and go to the new endpoints from then on. What fails a call that waits is that nothing in
// the new configuration can serve its model.
//
// The dialect cannot change, for clients go on speaking it: a configuration that asks for another one is refused. Reload may be called at
// any time, also concurrently; the last one holds. After [Router.Close] it fails with [ErrClosed].
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
		return fmt.Errorf("router: the new configuration makes clients speak %q, and those there are speak %q: "+
			"write backend = %[2]q under [router], or make a new client", asked, spoken)
	}
	if err := r.pool.Reload(time.Now(), p); err != nil {
		return err
	}
	r.configure(effective)
	return nil
}

// configure puts settings in force.
func (r *Router) configure(cfg Config) {
	r.budget.allow(cfg.Retry.Budget)
	r.cfg.Store(&cfg)
	r.saver.start(r)
}

// isClosed reports whether Close was called.
func (r *Router) isClosed() bool {
	select {
	case <-r.closed:
		return true
	default:
		return false
	}
}
