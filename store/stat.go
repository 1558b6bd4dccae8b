package store

import "time"

// Stat is a snapshot of what one member knows of its store.
type Stat struct {
	Member  string // the name of this member
	Answers bool   // whether the store answered last
	Problem string // why it did not
	// In says that the store knows what all members have used. While it does not, each member keeps to
	// its part of the limits.
	In    bool
	Since time.Time // when Answers changed
	// Members are those alive, Lapsed those that went silent in the last minute without leaving.
	Members, Lapsed int
	Lag             time.Duration // that the last call to the store took
	Ahead           time.Duration // of the store's clock before this member's
	Windows         int           // limits that are shared
}
