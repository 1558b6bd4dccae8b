package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/store"
)

var factLaws = []law{
	{"TheLaterFactWins", func(k *kit) {
		f := k.fact(store.KindLimits, "first")
		k.publish(f)
		k.wantFact(f)
		later := f
		later.Value, later.At = []byte("later"), f.At.Add(2*time.Second)
		later.Until = f.Until.Add(-time.Minute)
		k.publish(later)
		k.wantFact(later)
		between := f
		between.Value, between.At = []byte("between"), f.At.Add(time.Second)
		between.Extends = true // of one alone it says nothing
		k.publish(between)
		k.wantFact(later)
	}},
	{"OfTwoThatExtendTheLongerWins", func(k *kit) {
		long := k.fact(store.KindCooldown, "long")
		long.Extends = true
		short := long
		short.Value = []byte("short")
		short.At, short.Until = long.At.Add(time.Second), long.Until.Add(-time.Minute)
		k.publish(long)
		k.publish(short)
		k.wantFact(long)

		longer := long
		longer.Value = []byte("longer")
		longer.At, longer.Until = long.At.Add(-time.Second), long.Until.Add(time.Minute)
		k.publish(longer)
		k.wantFact(longer)

		end := k.fact(store.KindCooldown, "")
		end.Key, end.At, end.Until = long.Key, long.At.Add(time.Second), long.Until.Add(-time.Minute)
		k.publish(end) // It does not extend: the later At wins.
		k.wantFact(end)
	}},
	{"AnEmptyValueKeepsOldFactsAway", func(k *kit) {
		f := k.fact(store.KindCooldown, "old")
		end := f
		end.Value, end.At = nil, f.At.Add(time.Second)
		k.publish(end)
		k.publish(f)
		k.wantFact(end)
	}},
	{"FactsOfOnePublishAreMerged", func(k *kit) {
		a, b := k.fact(store.KindCooldown, "a"), k.fact(store.KindLimits, "b")
		newer := a
		newer.Value, newer.At = []byte("newer"), a.At.Add(time.Second)
		k.publish(newer, b, a)
		k.wantFact(newer)
		k.wantFact(b)
		if _, err := k.Publish(k.ctx, nil); err != nil {
			k.Errorf("Publish of nothing failed: %v", err)
		}
	}},
	{"FactsExpire", func(k *kit) {
		f := k.fact(store.KindOwner, "short")
		f.Until = f.At.Add(150 * time.Millisecond)
		k.publish(f)
		k.sleep(200 * time.Millisecond)
		k.wantNoFact(f.Key)
		older := f // What has expired keeps none away.
		older.At, older.Until = f.At.Add(-time.Second), f.At.Add(time.Hour)
		k.publish(older)
		k.wantFact(older)
		expired := k.fact(store.KindOwner, "expired")
		expired.Until = expired.At.Add(-time.Second)
		k.publish(expired)
		k.wantNoFact(expired.Key)
	}},
	{"LookupFindsWhatThereIs", func(k *kit) {
		k.wantNoFact(key(store.KindOwner))
		facts := make([]store.Fact, 50)
		keys := make([]store.Key, 0, 100)
		for i := range facts {
			facts[i] = k.fact(store.KindOwner, fmt.Sprint("project ", i))
			keys = append(keys, facts[i].Key, key(store.KindOwner))
		}
		k.publish(facts...)
		if got := k.lookup(keys...); len(got) != len(facts) {
			k.Errorf("Lookup found %d facts, want %d", len(got), len(facts))
		}
		for _, f := range facts {
			k.wantFact(f)
		}
		if got := k.lookup(); len(got) != 0 {
			k.Errorf("Lookup of nothing found %v", got)
		}
	}},
	{"ValuesThatAreTooLargeAreRefused", func(k *kit) {
		f := k.fact(store.KindOwner, strings.Repeat("x", store.MaxValue))
		k.publish(f)
		k.wantFact(f)
		g := k.fact(store.KindOwner, strings.Repeat("x", store.MaxValue+1))
		if _, err := k.Publish(k.ctx, []store.Fact{g}); err == nil {
			k.Error("Publish took a value that is too large")
		}
		k.wantNoFact(g.Key)
	}},
	{"NamesAndValuesHoldAnyBytes", func(k *kit) {
		for _, name := range oddNames {
			f := k.fact(store.KindOwner, name)
			f.Key.Name += name
			k.publish(f)
			k.wantFact(f)
			f.Key.Kind = store.KindLimits
			k.wantNoFact(f.Key)
			f.Key.Name += " "
			k.wantNoFact(f.Key)
		}
	}},
	{"NamesOfWindowsAndClaimsHoldAnyBytes", func(k *kit) {
		for _, name := range oddNames {
			a := store.Ask{Key: window(), Limits: store.Limits{RPM: 1}, Requests: 1}
			a.Key.Name += name
			k.wantGranted(anna, a, 1, 0)
			k.wantGranted(anna, a, 0, 0)
			a.Key.Name += " "
			k.wantGranted(anna, a, 1, 0)
			k.wantClaim(anna, a.Key, time.Minute, true)
			k.wantClaim(bert, a.Key, time.Minute, false)
		}
	}},
}

// oddNames are bytes that an engine may trip over.
var oddNames = []string{
	"a b", "a:b|c/d", "{a}", "}{", "%s%d", "a\nb\r\n", "\x00", "a\x00b", "\xff\xfe", "żółć 🦊",
	`"quoted" \`, "*?[a-z]", strings.Repeat("long ", 2000)[:store.MaxValue],
	string(bytes.Repeat([]byte{0, 1, 2, 255}, 64)),
}

// fact returns a new fact for an hour. Its times are whole milliseconds, for engines that know no
// others.
func (k *kit) fact(kind store.Kind, value string) store.Fact {
	k.Helper()
	now := k.now().Truncate(time.Millisecond)
	return store.Fact{Key: key(kind), Value: []byte(value), At: now, Until: now.Add(time.Hour)}
}

// publish publishes facts.
func (k *kit) publish(facts ...store.Fact) {
	k.Helper()
	now, err := k.Publish(k.ctx, facts)
	if err != nil {
		k.Fatalf("Publish failed: %v", err)
	}
	if off := k.now().Sub(now); off < 0 || off > soon {
		k.Errorf("Publish says that it is %v before Take does", off)
	}
}

// lookup returns the facts about some keys.
func (k *kit) lookup(keys ...store.Key) []store.Fact {
	k.Helper()
	facts, err := k.Lookup(k.ctx, keys)
	if err != nil {
		k.Fatalf("Lookup failed: %v", err)
	}
	return facts
}

// wantFact checks what is known about a key.
func (k *kit) wantFact(want store.Fact) {
	k.Helper()
	got := k.lookup(want.Key)
	if len(got) != 1 || !equal(got[0], want) {
		k.Errorf("Lookup found %.200q, want one fact %.200q", fmt.Sprint(got), fmt.Sprint(want))
	}
}

// wantNoFact checks that nothing is known about a key.
func (k *kit) wantNoFact(about store.Key) {
	k.Helper()
	if got := k.lookup(about); len(got) != 0 {
		k.Errorf("Lookup found %.200q, want nothing", fmt.Sprint(got))
	}
}

// equal reports whether two facts are the same to the millisecond.
func equal(a, b store.Fact) bool {
	same := func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond }
	return a.Key == b.Key && slices.Equal(a.Value, b.Value) && a.Extends == b.Extends &&
		same(a.At, b.At) && same(a.Until, b.Until)
}
