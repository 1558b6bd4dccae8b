package geminitest

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// place is where a resource lives: a project and, on Vertex AI, a location. Location "" is the
// Gemini Developer API.
type place struct{ project, location string }

// record is one resource. Its fields are never changed in place, but replaced.
type record struct {
	kind    *kind
	at      place
	name    string // without the place: "files/abc", "fileSearchStores/s/documents/d"
	serial  uint64 // in the order of creation
	made    time.Time
	changed time.Time
	ready   time.Time // when its work is done
	expires time.Time // zero: never
	ended   time.Time // cancelled or set by a test; zero: neither
	state   string    // since then
	fields  map[string]any
	content []byte // files, documents
	size    share  // cached contents, interactions: tokens
	digest  uint64 // cached contents: of the texts
	model   string // of caches, tuned models and endpoints
}

// id is the last part of the name.
func (r record) id() string { return r.name[strings.LastIndexByte(r.name, '/')+1:] }

// full is the name as answers have it. On Vertex AI it begins with the place, and Google puts the
// number of the project for its id there.
func (r record) full(e *Emulator) string { return e.fullName(r.at, r.name) }

// stateAt is the state at a time, of those that the kind has.
func (r record) stateAt(now time.Time) string {
	switch {
	case r.state != "":
		return r.state
	case now.Before(r.ready):
		return r.kind.working
	default:
		return r.kind.finished
	}
}

// done reports whether the work is over, well or badly.
func (r record) done(now time.Time) bool { return r.stateAt(now) != r.kind.working }

// end is when the work was over, for a record that is done.
func (r record) end() time.Time {
	if r.state != "" {
		return r.ended
	}
	return r.ready
}

// resources keeps what the projects have made. It is safe for concurrent use.
type resources struct {
	seed uint64

	mu     sync.Mutex
	serial uint64
	byName map[string]*record // names are unique, whoever they belong to
}

// add gives a record its serial number and, if the name ends in a slash, an id; it reports false if
// the name is taken.
func (s *resources) add(now time.Time, r record) (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	s.serial++
	r.serial, r.made, r.changed = s.serial, now, now
	if prefix := r.name; strings.HasSuffix(prefix, "/") {
		rng := rand.New(rand.NewPCG(s.seed, s.serial))
		for r.name = prefix + r.kind.id(r.at, rng); s.byName[r.name] != nil; {
			r.name = prefix + r.kind.id(r.at, rng)
		}
	} else if s.byName[r.name] != nil {
		return record{}, false
	}
	kept := r
	s.byName[r.name] = &kept
	return r, true
}

// expire forgets what is past its time. mu is held.
func (s *resources) expire(now time.Time) {
	for name, r := range s.byName {
		if !r.expires.IsZero() && !now.Before(r.expires) {
			delete(s.byName, name)
		}
	}
}

// none reports whether there is nothing at all.
func (s *resources) none() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byName) == 0
}

// get returns a record, whoever it belongs to.
func (s *resources) get(now time.Time, name string) (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byName[name]
	if r == nil || !r.expires.IsZero() && !now.Before(r.expires) {
		return record{}, false
	}
	return *r, true
}

// change changes a record, and returns it as it is then. It reports false if it is gone.
func (s *resources) change(name string, change func(*record)) (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byName[name]
	if r == nil {
		return record{}, false
	}
	change(r)
	return *r, true
}

// remove forgets a record and everything below it.
func (s *resources) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName, name)
	for other := range s.byName {
		if strings.HasPrefix(other, name+"/") {
			delete(s.byName, other)
		}
	}
}

// list returns the records that are wanted, the newest first.
func (s *resources) list(now time.Time, wanted func(*record) bool) []record {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	var list []record
	for _, r := range s.byName {
		if wanted(r) {
			list = append(list, *r)
		}
	}
	slices.SortFunc(list, func(a, b record) int { return cmp.Compare(b.serial, a.serial) })
	return list
}

// with returns a copy of fields with more of them, for a record that changes.
func with(fields, more map[string]any) map[string]any {
	merged := map[string]any{}
	maps.Copy(merged, fields)
	maps.Copy(merged, more)
	return merged
}

// stamp is a time as Google writes it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// letters returns an id of n characters of an alphabet.
func letters(rng *rand.Rand, n int, alphabet string) string {
	id := make([]byte, n)
	for i := range id {
		id[i] = alphabet[rng.IntN(len(alphabet))]
	}
	return string(id)
}

const (
	lowerAlnum = "abcdefghijklmnopqrstuvwxyz0123456789"
	base64URL  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)

// shortID is an id as the Gemini Developer API gives them to files.
func shortID(_ place, rng *rand.Rand) string { return letters(rng, 12, lowerAlnum) }

// placeID is an id as each back end gives them to caches and jobs: on Vertex AI 19 digits, which
// fit into an int64.
func placeID(at place, rng *rand.Rand) string {
	if at.location == "" {
		return letters(rng, 32, lowerAlnum)
	}
	return strconv.FormatInt(1_000_000_000_000_000_000+rng.Int64N(8_000_000_000_000_000_000), 10)
}

// longID gives ids as those around the Interactions API.
func longID(prefix string) func(place, *rand.Rand) string {
	return func(_ place, rng *rand.Rand) string { return prefix + letters(rng, 40, base64URL) }
}
