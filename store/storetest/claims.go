package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/store"
)

var claimLaws = []law{
	{"OneOfManyClaims", func(k *kit) {
		probe := key(store.KindProbe)
		var claimed atomic.Int64
		var members sync.WaitGroup
		for i := range 16 {
			members.Go(func() {
				ok, err := k.Claim(k.ctx, member(i), probe, time.Minute)
				if err != nil {
					k.Errorf("Claim failed: %v", err)
				}
				if ok {
					claimed.Add(1)
				}
			})
		}
		members.Wait()
		if n := claimed.Load(); n != 1 {
			k.Errorf("%d of 16 members have claimed a key, want one", n)
		}
	}},
	{"AMemberClaimsAnew", func(k *kit) {
		probe := key(store.KindProbe)
		k.wantClaim(anna, probe, 100*time.Millisecond, true)
		k.wantClaim(anna, probe, time.Minute, true)
		k.sleep(200 * time.Millisecond)
		k.wantClaim(bert, probe, time.Minute, false)
		k.wantClaim(bert, key(store.KindProbe), time.Minute, true)
	}},
	{"ClaimsAreGivenBackByTheirMember", func(k *kit) {
		probe := key(store.KindProbe)
		k.wantClaim(anna, probe, time.Minute, true)
		k.giveBack(bert, probe, 0)
		k.wantClaim(bert, probe, time.Minute, false)
		k.giveBack(anna, probe, 0)
		k.wantClaim(bert, probe, time.Minute, true)
		k.giveBack(bert, probe, -time.Second)
		k.giveBack(bert, probe, 0)
		k.wantClaim(anna, probe, time.Minute, true)
	}},
	{"ClaimsExpire", func(k *kit) {
		probe := key(store.KindProbe)
		k.wantClaim(anna, probe, 150*time.Millisecond, true)
		k.sleep(200 * time.Millisecond)
		k.wantClaim(bert, probe, time.Minute, true)
		k.giveBack(anna, probe, 0) // It is not hers any more.
		k.wantClaim(anna, probe, time.Minute, false)
	}},
	{"ClaimsOfKindsAreApart", func(k *kit) {
		probe := key(store.KindProbe)
		k.wantClaim(anna, probe, time.Minute, true)
		probe.Kind = store.KindLimits
		k.wantClaim(bert, probe, time.Minute, true)
	}},
}

// wantClaim claims a key and checks whether the member has it.
func (k *kit) wantClaim(member string, about store.Key, ttl time.Duration, want bool) {
	k.Helper()
	got, err := k.Claim(k.ctx, member, about, ttl)
	if err != nil {
		k.Fatalf("Claim failed: %v", err)
	}
	if got != want {
		k.Errorf("Claim of member %s is %t, want %t", member, got, want)
	}
}

// giveBack gives back a claim.
func (k *kit) giveBack(member string, about store.Key, ttl time.Duration) {
	k.Helper()
	if _, err := k.Claim(k.ctx, member, about, ttl); err != nil {
		k.Fatalf("Claim failed: %v", err)
	}
}
