package storetest

import (
	"time"

	"github.com/spillway-go/spillway/store"
)

var dayLaws = []law{
	{"TheDayEndsAtTheLimit", func(k *kit) {
		days := k.days()
		a := store.Ask{Key: window(), Limits: store.Limits{RPD: 7}, Requests: 3, Days: days}
		k.wantGranted(anna, a, 3, 0)
		k.wantGranted(bert, a, 3, 0)
		k.wantGranted(anna, a, 1, 0)
		g := k.wantGranted(bert, a, 0, 0)
		if !g.Next.Equal(days[1]) || !g.Used.DayEnds.Equal(days[1]) {
			k.Errorf("the day is full, ends at %v and Next is %v, want both %v", g.Used.DayEnds, g.Next, days[1])
		}
	}},
	{"TheDayOfManyEndsAtTheLimit", func(k *kit) {
		a := store.Ask{Key: window(), Limits: store.Limits{RPD: 61}, Requests: 3, Days: k.days()}
		if got := k.storm(a).requests.Load(); got != 61 {
			k.Errorf("askers at once got %d requests, want 61", got)
		}
	}},
	{"AtMidnightANewDayBegins", func(k *kit) {
		now := k.now()
		midnight := now.Add(400 * time.Millisecond).Truncate(time.Millisecond)
		days := [3]time.Time{midnight.Add(-24 * time.Hour), midnight, midnight.Add(24 * time.Hour)}
		a := store.Ask{Key: window(), Limits: store.Limits{RPD: 4}, Requests: 4, Days: days}
		yesterday := k.wantGranted(anna, a, 4, 0)
		k.wantGranted(anna, a, 0, 0)
		k.sleep(450*time.Millisecond - k.now().Sub(now))

		a.Requests = 2
		k.wantGranted(anna, a, 2, 0) // Its clock says that it is yesterday.
		a.Days = [3]time.Time{midnight, midnight.Add(24 * time.Hour), midnight.Add(48 * time.Hour)}
		g := k.wantGranted(bert, a, 2, 0)
		if !g.Used.DayEnds.Equal(a.Days[1]) {
			k.Errorf("the day ends at %v, want %v", g.Used.DayEnds, a.Days[1])
		}
		k.wantGranted(bert, a, 0, 0)
		k.wantUsed(a, 8, 0, 4)

		a.Requests, a.Number = 0, 1
		a.Changes = []store.Change{{At: yesterday.At, Requests: -3}}
		k.ask(anna, a) // A give-back of yesterday leaves today as it is.
		k.wantUsed(a, 5, 0, 4)
	}},
	{"ChangesInADayThatEndedChangeTheWindow", func(k *kit) {
		now := k.now()
		midnight := now.Add(-10 * time.Second)
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPD: 9}, Number: 1,
			Days: [3]time.Time{midnight, midnight.Add(24 * time.Hour), midnight.Add(48 * time.Hour)},
			Changes: []store.Change{
				{At: midnight.Add(-5 * time.Second), Requests: 3, Tokens: 30},
				{At: midnight.Add(5 * time.Second), Requests: 2, Tokens: 20},
				{At: midnight.Add(-48 * time.Hour), Requests: 7, Tokens: 70},
			},
		}
		k.ask(anna, a)
		k.wantUsed(a, 5, 50, 2)
	}},
	{"DaysAreApartFromMinutes", func(k *kit) {
		a := store.Ask{
			Key: window(), Limits: store.Limits{RPM: 2, RPD: 9}, Days: k.days(), Requests: 3, Number: 1,
			Changes: []store.Change{{At: k.now().Add(-2 * store.Keep), Requests: 8}},
		}
		k.wantGranted(anna, a, 1, 0)
		k.wantUsed(a, 1, 0, 9)
	}},
}
