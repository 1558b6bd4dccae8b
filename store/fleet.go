package store

import "time"

// fleet is what a Memory knows of members. The lock of the Memory guards it.
type fleet struct {
	seen  map[string]time.Time // when each member was last heard of
	heard time.Time            // when any was
	since time.Time            // see Fleet.Since
}

// beat notes a word of one member and describes the fleet, but for its epoch.
func (f *fleet) beat(now time.Time, member string, leaves bool) Fleet {
	if f.seen == nil {
		f.seen = map[string]time.Time{}
	}
	if now.Sub(f.heard) > Lapse {
		f.since = now
	}
	f.heard = now
	f.seen[member] = now
	if leaves {
		delete(f.seen, member)
	}

	fleet := Fleet{Now: now, Since: f.since}
	for name, seen := range f.seen {
		if seen.After(now) {
			// The clock went back. The member is not to be alive until it has caught up.
			seen = now
			f.seen[name] = now
		}
		switch silent := now.Sub(seen); {
		case silent < Lapse:
			fleet.Members++
			if name < member {
				fleet.Rank++
			}
		case silent < Lapse+Absence:
			fleet.Lapsed++
			if fleet.LapsedSince.IsZero() || seen.Before(fleet.LapsedSince) {
				fleet.LapsedSince = seen
			}
		default:
			delete(f.seen, name)
		}
	}
	return fleet
}
