package turns

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoCarriesMuchBesideOthersLeavesHalfOfTheTime(t *testing.T) {
	for at, want := range map[time.Duration]time.Duration{
		0: 0, carrying - 1: 0, carrying: turn - carrying, turn - 1: 1,
	} {
		synctest.Test(t, func(t *testing.T) {
			var a, b Carrier
			shared := turns{began: time.Now()}
			time.Sleep(turn + at)
			if got := shared.left(&a); got != 0 {
				t.Errorf("the first waits %v", got)
			}
			if got := shared.left(&b); got != want {
				t.Errorf("%v after the begin of a turn it waits %v, want %v", at, got, want)
			}
			if got := shared.left(&a); got != want {
				t.Errorf("%v after the begin of a turn the first waits %v, want %v", at, got, want)
			}
		})
	}
}

func TestWhoCarriesAloneDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a, b Carrier
		shared := turns{began: time.Now()}
		for range 20 {
			time.Sleep(turn / 8)
			if got := shared.left(&a); got != 0 {
				t.Errorf("alone it waits %v", got)
			}
		}
		time.Sleep(turn + carrying)
		if got := shared.left(&b); got != 0 {
			t.Errorf("long after the other it waits %v", got)
		}
	})
}

func TestWhatIsShortDoesNotWait(t *testing.T) {
	var a, b Carrier
	for range 3 {
		a.Carried(many)
		all.at.Store(int64(time.Since(all.began)))
		who := all.who.Load()
		b.Carried(many - 1)
		if all.who.Load() != who {
			t.Error("a few bytes count as many")
		}
	}
}
