package geminitest

import (
	"slices"
	"time"
)

// Resource is something that callers have made: a file, a cached content, a job, ….
type Resource struct {
	Name     string // as answers have it; of those around the Interactions API "interactions/" and so on with the id
	Project  string // id of the owner
	Location string // Vertex AI only
	State    string // "" if its kind has none
	Created  time.Time
}

// Resources returns everything that exists, in the order in which it was made. What has expired or
// was deleted is gone.
func (e *Emulator) Resources() []Resource {
	now := time.Now()
	list := e.resources.list(now, func(*record) bool { return true })
	slices.Reverse(list)
	all := make([]Resource, len(list))
	for i, r := range list {
		all[i] = Resource{Name: r.full(e), Project: r.at.project, Location: r.at.location, State: r.stateAt(now), Created: r.made}
	}
	return all
}

// SetState puts a resource into a state from now on, whatever the time: a file into PROCESSING,
// ACTIVE or FAILED, a document into STATE_PENDING, STATE_ACTIVE or STATE_FAILED, a job into
// JOB_STATE_FAILED, a batch into BATCH_STATE_EXPIRED, an operation into RUNNING, DONE or FAILED,
// and so on. "" leaves it to Config.Processing again. It reports false if there is no resource of
// that name, as answers have it, or its kind has no states.
func (e *Emulator) SetState(name, state string) bool {
	now := time.Now()
	kept, ok := e.named(name)
	if !ok || kept.kind.working == "" {
		return false
	}
	_, ok = e.resources.change(kept.name, func(r *record) { r.state, r.ended, r.changed = state, now, now })
	return ok
}

// FileContent returns what a file or a document of a file search store holds, which Google lets
// nobody download who has uploaded it.
func (e *Emulator) FileContent(name string) (content []byte, ok bool) {
	r, ok := e.named(name)
	if !ok || r.kind != kinds["files"] && r.kind != kinds["documents"] {
		return nil, false
	}
	return slices.Clone(r.content), true
}

// named returns the resource of a name as answers have it.
func (e *Emulator) named(name string) (record, bool) {
	at, name := e.readName(call{route: route{backend: vertex}}, name)
	r, ok := e.resources.get(time.Now(), name)
	return r, ok && (r.at.location == "" || r.at == at)
}
