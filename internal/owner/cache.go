// Package owner remembers where resources live.
package owner

import (
	"container/list"
	"strings"
	"sync"
	"unique"
)

const (
	// overhead is what an entry takes beside its strings, in bytes: measured on a 64-bit machine
	// with room for the growth of the map.
	overhead = 200
	// maxStrings bounds the strings of an entry, in bytes. Longer names are never kept.
	maxStrings = 1 << 10
)

// Home is where a resource lives: a project, and a location of it.
type Home struct{ Project, Location string }

// A Cache maps names of resources to their homes. It also remembers for a while that a resource is
// missing. The bytes of its entries are bounded. Missing resources make room first, then the
// resources that were used least recently. It is safe for concurrent use.
type Cache struct {
	mu           sync.Mutex
	bound        int64
	bytes        int64
	bytesMissing int64                    // of these, of missing resources
	byName       map[string]*list.Element // of *entry
	// The entries, the most recently used ones first.
	known, missing list.List
}

// entry is what is remembered of one resource.
type entry struct {
	name  string
	home  unique.Handle[Home] // zero: the resource is missing
	until int64               // of a missing resource
	bytes int64
}

// isMissing reports whether the entry is of a missing resource.
func (e *entry) isMissing() bool { return e.home == unique.Handle[Home]{} }

// New returns an empty cache whose entries take at most bound bytes.
func New(bound int64) *Cache {
	return &Cache{bound: max(bound, 0), byName: make(map[string]*list.Element)}
}

// Put notes that a resource lives somewhere.
func (c *Cache) Put(name string, h Home) {
	e := entry{name: name, bytes: int64(len(name) + len(h.Project) + len(h.Location))}
	if e.bytes <= maxStrings {
		e.home = unique.Make(h)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putLocked(e)
}

// Miss notes that a resource was searched for and is missing until an instant, unless its home has
// become known meanwhile.
func (c *Cache) Miss(name string, until int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.byName[name]; el == nil || entryOf(el).isMissing() {
		c.putLocked(entry{name: name, until: until, bytes: int64(len(name))})
	}
}

// Forget drops what is known of a resource.
func (c *Cache) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(c.byName[name])
}

// Lookup returns the home of a resource if it is known. missing says that the resource is missing
// at an instant.
func (c *Cache) Lookup(name string, at int64) (h Home, known, missing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byName[name]
	if el == nil {
		return Home{}, false, false
	}
	switch e := entryOf(el); {
	case !e.isMissing():
		c.known.MoveToFront(el)
		return e.home.Value(), true, false
	case at < e.until:
		c.missing.MoveToFront(el)
		return Home{}, false, true
	default:
		c.dropLocked(el)
		return Home{}, false, false
	}
}

// Len returns the number of entries.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byName)
}

// Bytes returns how many bytes the entries take.
func (c *Cache) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

// putLocked replaces the entry of a name. The caller holds c.mu.
func (c *Cache) putLocked(e entry) {
	c.dropLocked(c.byName[e.name])
	if e.bytes > maxStrings {
		return
	}
	e.name = strings.Clone(e.name) // it may be a piece of a large response
	e.bytes += overhead
	entries := &c.known
	if e.isMissing() {
		entries = &c.missing
	}
	c.byName[e.name] = entries.PushFront(&e)
	c.bytes += e.bytes
	if e.isMissing() {
		c.bytesMissing += e.bytes
	}
	c.trimLocked()
}

// missingShare is the part of the bound, as a divisor, that missing resources keep however many
// known ones there are: without it a full cache would forget each at once, and it would be searched
// for at every call.
const missingShare = 16

// trimLocked drops what is over the bound. The caller holds c.mu.
func (c *Cache) trimLocked() {
	for c.bytes > c.bound {
		oldest := c.missing.Back()
		if oldest == nil || c.bytesMissing <= c.bound/missingShare && c.known.Len() > 0 {
			oldest = c.known.Back()
		}
		c.dropLocked(oldest)
	}
}

// SetBound changes the bound. Over it the cache drops entries at once.
func (c *Cache) SetBound(bound int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound = max(bound, 0)
	c.trimLocked()
}

// dropLocked drops an entry, if it is not nil. The caller holds c.mu.
func (c *Cache) dropLocked(el *list.Element) {
	if el == nil {
		return
	}
	e := entryOf(el)
	c.bytes -= e.bytes
	if e.isMissing() {
		c.bytesMissing -= e.bytes
	}
	delete(c.byName, e.name)
	c.known.Remove(el) // a list ignores the elements of others
	c.missing.Remove(el)
}

func entryOf(el *list.Element) *entry {
	e, _ := el.Value.(*entry)
	return e
}
