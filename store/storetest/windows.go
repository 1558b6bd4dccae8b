package storetest

import (
	"time"

	"github.com/spillway-go/spillway/store"
)

var windowLaws = []law{
	{"UsedNextAndProfileAgree", func(k *kit) {
		now := k.now()
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 125, TPM: 2000}, Number: 1, Requests: 2,
			Tokens: 20, Least: 10, Profile: true,
		}
		for i := range 120 { // requests in all, with 1800 tokens
			at := now.Add(-time.Duration(i) * 450 * time.Millisecond)
			a.Changes = append(a.Changes, store.Change{At: at, Requests: int64(i % 3), Tokens: 10 * int64(i%4)})
		}
		k.checkProfile(a, k.wantGranted(anna, a, 2, 20))
		b := a
		b.Number, b.Changes, b.Requests, b.Tokens = 0, nil, 0, 0
		for _, b.Least = range []int64{500, 1000, 1700} {
			k.checkProfile(b, k.ask(bert, b))
		}
		b.Limits.RPM = 60
		k.checkProfile(b, k.ask(bert, b))
		b.Profile = false
		if g := k.ask(bert, b); g.Profile != nil {
			k.Error("a profile came unasked for")
		}
	}},
	{"WindowsForgetAfterKeep", func(k *kit) {
		now := k.now()
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 5}, Requests: 1, Number: 1,
			Changes: []store.Change{
				{At: now.Add(-store.Keep + 500*time.Millisecond), Requests: 2},
				{At: now.Add(-time.Minute + time.Second), Requests: 3},
			},
		}
		if g := k.ask(anna, a); k.now().Sub(now) < store.Slice && g.Requests > 0 {
			k.Error("what was used less than Keep ago is free")
		}
		k.sleep(600 * time.Millisecond)
		g := k.ask(bert, store.Ask{Key: a.Key, Limits: a.Limits, Requests: 3})
		if g.Requests != 2 {
			k.Errorf("2 of 5 requests were used Keep ago: %d are granted, want 2", g.Requests)
		}
	}},
	{"SomethingPassesAtNext", func(k *kit) {
		now := k.now()
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 1}, Number: 1,
			Changes: []store.Change{{At: now.Add(-store.Keep + 400*time.Millisecond), Requests: 1}},
		}
		k.ask(anna, a)
		b := store.Ask{Key: a.Key, Limits: a.Limits, Requests: 1}
		g := k.ask(anna, b)
		if g.Requests == 0 {
			k.sleep(g.Next.Sub(k.now()))
			k.wantGranted(anna, b, 1, 0)
		}
	}},
	{"GrantsCountAtTheStoresTime", func(k *kit) {
		before := k.now()
		grants, now := k.take(anna, store.Ask{Key: window(), Requests: 1, Profile: true})
		after := k.now()
		at := grants[0].At
		if now.Before(before) || now.After(after) {
			k.Errorf("Take returned %v, want %v to %v", now, before, after)
		}
		if at.Before(before.Add(-store.Slice)) || at.After(after) {
			k.Errorf("the grant counts at %v, want %v to %v", at, before, after)
		}
	}},
	{"EpochsStay", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 9}, Requests: 1}
		window, fleet := k.ask(anna, a).Epoch, k.beat(anna).Epoch
		for range 3 {
			if e := k.ask(bert, a).Epoch; e != window || e == "" {
				k.Errorf("a window's epoch is %q, want %q", e, window)
			}
			if e := k.beat(bert).Epoch; e != fleet || e == "" {
				k.Errorf("the fleet's epoch is %q, want %q", e, fleet)
			}
			k.sleep(30 * time.Millisecond)
		}
	}},
}

// checkProfile checks that the profile of a grant holds what is used, in steps of a second, and
// that by it something passes at Next, or within the second after it.
func (k *kit) checkProfile(a store.Ask, g store.Grant) {
	k.Helper()
	requests, tokens := g.Used.Requests, g.Used.Tokens
	for i, step := range g.Profile {
		requests -= step.Requests
		tokens -= step.Tokens
		if i > 0 && !step.At.After(g.Profile[i-1].At) {
			k.Errorf("step %d of the profile is no later than the one before", i)
		}
	}
	if requests != 0 || tokens != 0 {
		k.Errorf("the profile holds %d requests and %d tokens less than are used", requests, tokens)
	}
	if len(g.Profile) > int(store.Keep/store.Slice) {
		k.Errorf("the profile has %d steps, want at most one a slice", len(g.Profile))
	}

	fits := func() bool { return requests < a.Limits.RPM && tokens+a.Least <= a.Limits.TPM }
	requests, tokens = g.Used.Requests, g.Used.Tokens
	var free time.Time
	for _, step := range g.Profile {
		if fits() {
			break
		}
		requests -= step.Requests
		tokens -= step.Tokens
		free = step.At.Add(store.Keep)
	}
	if late := free.Sub(g.Next); late < 0 || late > time.Second+store.Slice {
		k.Errorf("Next is %v, by the profile something is free at %v", g.Next, free)
	}
}

// slowLaws are those of whole windows and absences.
var slowLaws = []law{
	{"GrantsAreUsedFor60SecondsAndALife", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 3, TPM: 30}, Requests: 3, Tokens: 30, Least: 10}
		// Late in a slice, where a grant has the least time until the slice leaves the window.
		into := time.Duration(k.now().UnixNano() % int64(store.Slice))
		k.sleep((store.Slice + 200*time.Millisecond - into) % store.Slice)
		g := k.wantGranted(anna, a, 3, 30)
		k.sleep(time.Minute + store.Life - k.now().Sub(g.At) - 50*time.Millisecond)
		k.wantGranted(bert, a, 0, 0)
		k.sleep(store.Slice + 100*time.Millisecond)
		k.wantGranted(bert, a, 3, 30)
	}},
	{"ASteadyWindowIsFullAndNeverMore", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 60}, Requests: 1}
		granted := map[int64]int64{} // by slices since the start
		start := k.now()
		var total int64
		for range 1300 {
			g := k.ask(anna, a)
			granted[int64(g.At.Sub(start)/store.Slice)] += g.Requests
			total += g.Requests
			k.sleep(97 * time.Millisecond)
		}
		for from := range granted {
			var sum int64
			for slice, n := range granted {
				if slice >= from && slice < from+int64(time.Minute/store.Slice) {
					sum += n
				}
			}
			if sum > 60 {
				k.Errorf("%d requests in 60 s from slice %d, want at most 60", sum, from)
			}
		}
		if total < 120 {
			k.Errorf("%d requests in 126 s, want at least 120", total)
		}
	}},
	{"ALapsedMemberIsAbsentForAMinute", func(k *kit) {
		k.beat(bert)
		for range int((store.Lapse + store.Absence) / (2 * time.Second)) {
			k.beat(anna)
			k.sleep(2 * time.Second)
		}
		if f := k.beat(anna); f.Lapsed != 1 || f.Members != 1 {
			k.Errorf("%d members lapsed and %d are alive, want 1 and 1", f.Lapsed, f.Members)
		}
		k.sleep(2 * time.Second)
		if f := k.beat(anna); f.Lapsed != 0 || f.Members != 1 {
			k.Errorf("%d members lapsed and %d are alive, want 0 and 1", f.Lapsed, f.Members)
		}
	}},
	{"SinceMovesWithAPause", func(k *kit) {
		first := k.beat(anna)
		k.sleep(2 * time.Second)
		if f := k.beat(bert); !f.Since.Equal(first.Since) {
			k.Errorf("Since is %v, want %v: there was no pause", f.Since, first.Since)
		}
		k.sleep(store.Lapse + time.Second)
		f := k.beat(anna)
		if f.Since.Sub(f.Now).Abs() > near {
			k.Errorf("the fleet paused: Since is %v, want %v", f.Since, f.Now)
		}
		if f.Epoch != first.Epoch {
			k.Error("the fleet paused and the epoch has changed")
		}
	}},
}
