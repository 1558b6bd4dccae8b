package storetest

import (
	"time"

	"github.com/spillway-go/spillway/store"
)

var fleetLaws = []law{
	{"MembersAreRankedByName", func(k *kit) {
		k.wantFleet(k.beat(bert), 1, 0)
		k.wantFleet(k.beat(anna), 2, 0)
		k.wantFleet(k.beat(bert), 2, 1)
		k.wantFleet(k.beat(carla), 3, 2)
		k.wantFleet(k.beat(anna), 3, 0)
	}},
	{"MembersThatLeaveAreGone", func(k *kit) {
		k.beat(anna)
		k.beat(bert)
		f, err := k.Beat(k.ctx, anna, true)
		if err != nil {
			k.Fatalf("Beat failed: %v", err)
		}
		k.wantFleet(f, 1, 0)
		k.wantFleet(k.beat(bert), 1, 0)
		k.wantFleet(k.beat(anna), 2, 0)
	}},
	{"AFleetBegins", func(k *kit) {
		f := k.beat(anna)
		if f.Since.Sub(f.Now).Abs() > near {
			k.Errorf("a new fleet's Since is %v, want %v", f.Since, f.Now)
		}
		k.sleep(100 * time.Millisecond)
		g := k.beat(bert)
		if !g.Since.Equal(f.Since) {
			k.Errorf("Since moves from %v to %v without a pause", f.Since, g.Since)
		}
		if past := g.Now.Sub(f.Now); past < 50*time.Millisecond {
			k.Errorf("%v passed between two beats, want 100ms", past)
		}
		if now := k.now(); now.Sub(g.Now) < 0 || now.Sub(g.Now) > soon {
			k.Errorf("Beat says that it is %v, Take says %v", g.Now, now)
		}
	}},
}

// beat returns the fleet to a member that is alive.
func (k *kit) beat(member string) store.Fleet {
	k.Helper()
	f, err := k.Beat(k.ctx, member, false)
	if err != nil {
		k.Fatalf("Beat failed: %v", err)
	}
	return f
}

// wantFleet checks a fleet of which none has lapsed.
func (k *kit) wantFleet(f store.Fleet, members, rank int) {
	k.Helper()
	if f.Members != members || f.Rank != rank || f.Lapsed != 0 {
		k.Errorf("the fleet has %d members, the asker's rank is %d and %d lapsed, want %d, %d and 0",
			f.Members, f.Rank, f.Lapsed, members, rank)
	}
}
