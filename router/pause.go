package router

import (
	"strings"
	"time"
)

// Pause takes something out at once: no call is sent to it or by it, not even to probe it, and no
// success brings it back. d is for how long; zero means until [Router.Resume]. why is for whoever
// reads the state, the logs or a refusal; at most 200 bytes of it are kept. Calls under way go on. A
// reload, [Config.State] and other replicas (see [WithStore]) keep the pause. The last endpoint may be
// paused too: then calls are refused.
//
// subject is the text of a [pool.Subject], as logs and [pool.Stat].Pauses show it, such as
// "project:prod", "order:prod/eu/gemini-3.5-flash", "key:studio/1f2e3d4c" or "backend:vertex". It
// takes all with it that belongs to it, whatever the method. Pausing what is paused changes the end
// and the reason. The error says what is wrong with the subject and what to write instead.
func (r *Router) Pause(subject string, d time.Duration, why string) error {
	if r.isClosed() {
		return ErrClosed
	}
	return r.pool.Pause(time.Now(), strings.TrimSpace(subject), d, why)
}

// Resume ends the pause of a subject, in all replicas. It fails if that is not paused, and says what
// is.
func (r *Router) Resume(subject string) error {
	if r.isClosed() {
		return ErrClosed
	}
	return r.pool.Resume(time.Now(), strings.TrimSpace(subject))
}
