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
			began = time.Now()
			var a, b Carrier
			time.Sleep(turn + at)
			a.Carried(many) // before was nobody
			start := time.Now()
			b.Carried(many)
			if got := time.Since(start); got != want {
				t.Errorf("%v after the begin of a turn it waits %v, want %v", at, got, want)
			}
		})
	}
}

func TestWhoCarriesAloneOrLittleDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began = time.Now()
		var a, b Carrier
		a.Carried(many)
		for at := time.Duration(0); at < 2*turn; at += turn / 8 {
			time.Sleep(turn / 8)
			start := time.Now()
			a.Carried(1 << 20)
			b.Carried(many - 1)
			if took := time.Since(start); took != 0 {
				t.Errorf("after %v they wait %v", at, took)
			}
		}
		time.Sleep(2*turn - time.Millisecond/2)
		start := time.Now()
		b.Carried(many)
		if took := time.Since(start); took != 0 {
			t.Errorf("long after another it waits %v", took)
		}
	})
}
