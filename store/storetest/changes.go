package storetest

import (
	"time"

	"github.com/spillway-go/spillway/store"
)

var changeLaws = []law{
	{"GiveBacksAreFreeAgain", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 4, TPM: 400, RPD: 4}, Days: k.days(),
			Requests: 4, Tokens: 400, Least: 100,
		}
		g := k.wantGranted(anna, a, 4, 400)
		k.wantGranted(bert, a, 0, 0)
		back := a
		back.Requests, back.Tokens = 0, 0
		back.Number, back.Changes = 1, []store.Change{{At: g.At, Requests: -3, Tokens: -250}}
		k.wantGranted(anna, back, 0, 0)
		k.wantUsed(a, 1, 150, 1)
		k.wantGranted(bert, a, 2, 250) // 3 requests need 300 tokens
	}},
	{"ChangesComeBeforeTheGrant", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 2}, Requests: 2}
		g := k.wantGranted(anna, a, 2, 0)
		a.Number, a.Changes = 1, []store.Change{{At: g.At, Requests: -1}}
		k.wantGranted(anna, a, 1, 0)
		k.wantUsed(a, 2, 0, 0)
	}},
	{"ChangesAreAppliedOncePerNumber", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 100}, Number: 5,
			Changes: []store.Change{{At: k.now(), Requests: 3, Tokens: 30}},
		}
		for range 3 {
			k.ask(anna, a)
		}
		k.wantUsed(a, 3, 30, 0)
		k.ask(bert, a) // has numbers of its own
		k.wantUsed(a, 6, 60, 0)
		a.Number = 4
		k.ask(anna, a)
		k.wantUsed(a, 6, 60, 0)
		a.Number = 1 << 40
		k.ask(anna, a)
		k.wantUsed(a, 9, 90, 0)
		a.Key = window()
		k.ask(anna, a)
		k.wantUsed(a, 3, 30, 0)
	}},
	{"ARepeatedNumberStillGrants", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 3}, Number: 1, Requests: 1,
			Changes: []store.Change{{At: k.now(), Requests: 1}},
		}
		k.wantGranted(anna, a, 1, 0)
		k.wantGranted(anna, a, 1, 0)
		k.wantGranted(anna, a, 0, 0)
	}},
	{"ReportsMayExceedTheLimit", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 5, TPM: 50, RPD: 5}, Days: k.days(),
			Requests: 1, Tokens: 10, Least: 10, Number: 1,
			Changes: []store.Change{{At: k.now(), Requests: 9, Tokens: 90}},
		}
		k.wantGranted(anna, a, 0, 0)
		k.wantUsed(a, 9, 90, 9)
	}},
	{"NoMoreIsTakenBackThanThereIs", func(k *kit) {
		now := k.now()
		early := now.Add(-10 * time.Second)
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 100, RPD: 100}, Days: k.days(), Number: 1}
		a.Changes = []store.Change{
			{At: early, Requests: 3, Tokens: 30}, {At: now, Requests: 4, Tokens: 40},
			{At: early, Requests: -5, Tokens: -20},
		}
		k.ask(anna, a)
		k.wantUsed(a, 4, 50, 4)
		a.Number, a.Changes = 2, []store.Change{
			{At: early.Add(time.Second), Requests: -1, Tokens: -1}, // has nothing
			{At: now, Requests: -4, Tokens: -400},
		}
		k.ask(anna, a)
		k.wantUsed(a, 0, 10, 0)
	}},
	{"NothingIsTakenBackFromWhatIsYetToCome", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPM: 100, RPD: 100}, Days: k.days(), Requests: 4}
		k.wantGranted(anna, a, 4, 0)
		a.Requests, a.Number = 0, 1
		ahead := k.now().Add(time.Hour)
		a.Changes = []store.Change{{At: ahead, Requests: -2}, {At: ahead, Requests: 1, Tokens: 1}}
		k.ask(anna, a)
		g := k.wantUsed(a, 5, 1, 5)
		for _, step := range g.Profile {
			if step.At.After(k.now()) {
				k.Errorf("the profile holds a step at %v, which is yet to come", step.At)
			}
		}
	}},
	{"LateChangesCountAtTheirTime", func(k *kit) {
		now := k.now()
		late := now.Add(-30 * time.Second)
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 2, RPD: 9}, Days: k.days(), Number: 1,
			Changes: []store.Change{{At: late, Requests: 2, Tokens: 20}},
		}
		k.ask(anna, a)
		g := k.wantUsed(a, 2, 20, 2)
		free := late.Add(store.Keep)
		if g.Next.After(free) || g.Next.Before(free.Add(-store.Slice)) {
			k.Errorf("what was used at %v is free at %v, want %v or a slice earlier", late, g.Next, free)
		}
	}},
	{"ChangesOlderThanTheWindowChangeTheirDay", func(k *kit) {
		old := k.now().Add(-store.Keep - time.Second)
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 9, RPD: 9}, Days: k.days(), Number: 1,
			Changes: []store.Change{{At: old, Requests: 5, Tokens: 50}},
		}
		k.ask(anna, a)
		k.wantUsed(a, 0, 0, 5)
		a.Number, a.Changes = 2, []store.Change{{At: old, Requests: -2}}
		k.ask(anna, a)
		k.wantUsed(a, 0, 0, 3)
		a.Number, a.Changes = 3, []store.Change{{At: old, Requests: -9}}
		k.ask(anna, a)
		k.wantUsed(a, 0, 0, 0)
	}},
}
