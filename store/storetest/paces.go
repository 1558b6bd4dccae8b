package storetest

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/store"
)

var paceLaws = []law{
	{"TheFirstLocationThatHasRoomIsAllowed", func(k *kit) {
		p := k.pacers()
		for _, want := range []int{0, 1, -1} {
			g := p.allow(0.5, "near", "far")
			if g.Index != want || !slices.Equal(g.Rates, []float64{0.5, 0.5}) {
				k.Errorf("%+v, want location %d at 0.5 a second", g, want)
			}
			if ok := g.Wait > 0 && g.Wait <= 2*time.Second+time.Microsecond; ok != (want < 0) {
				k.Errorf("%+v, want a wait of up to 2s if none is allowed, else none", g)
			}
		}
		if g := p.allow(0.5, "far", "near", "new"); g.Index != 2 {
			k.Errorf("%+v, want location 2, which has room", g)
		}
	}},
	{"ARequestIsAllowedAfterTheWait", func(k *kit) {
		p := k.pacers()
		p.allow(10, "near")
		for range 3 {
			g := p.allow(10, "near")
			if g.Index < 0 {
				k.sleep(g.Wait)
				g = p.allow(10, "near")
			}
			if g.Index != 0 {
				k.Errorf("%+v after the wait, want it allowed", g)
			}
		}
	}},
	{"TheSumAllowedKeepsToTheRate", func(k *kit) {
		p := k.pacers()
		var allowed atomic.Int64
		var members sync.WaitGroup
		begun := p.allow(40, "near").Now
		for range 8 {
			members.Go(func() {
				for range 40 {
					if p.allow(40, "near").Index == 0 {
						allowed.Add(1)
					}
					k.sleep(10 * time.Millisecond)
				}
			})
		}
		members.Wait()
		passed := p.allow(40, "near").Now.Sub(begun).Seconds()
		if n := float64(allowed.Load()); n > 40*passed+2 || n < 40*min(passed, 0.4)-3 {
			k.Errorf("%v requests were allowed in %v s at 40 a second", n, passed)
		}
	}},
	{"RejectionsLowerTheRate", func(k *kit) {
		p := k.pacers()
		if rate := p.fall(); rate > 35 || rate < 5 {
			k.Errorf("a rate of %v after half of the requests at 40 a second met contention, want it lower", rate)
		}
		rate := p.reject(time.Second)
		if g := p.allow(40, "near"); g.Rates[0] != rate {
			k.Errorf("asks are told a rate of %v, a rejection was told %v", g.Rates[0], rate)
		}
	}},
	{"WhatIsReturnedIsAllowedAgain", func(k *kit) {
		p := k.pacers()
		p.give("unheard of")
		p.allow(0.5, "near")
		if g := p.allow(0.5, "near"); g.Index >= 0 {
			k.Fatalf("%+v, want no more allowed", g)
		}
		p.give("near")
		if g := p.allow(0.5, "near"); g.Index != 0 {
			k.Errorf("%+v, want what was returned", g)
		}
		if g := p.allow(0.5, "near"); g.Index >= 0 {
			k.Errorf("%+v, want it allowed once", g)
		}
	}},
	{"WithoutARateAllIsAllowed", func(k *kit) {
		p := k.pacers()
		for range 20 {
			if g := p.allow(0, "near", "far"); g.Index != 0 || !slices.Equal(g.Rates, []float64{0, 0}) || g.Wait != 0 {
				k.Errorf("%+v, want the first location, without a rate", g)
			}
		}
		if g := p.allow(5, "near"); g.Rates[0] != 5 {
			k.Errorf("%+v, want the rate that the first asker believes in", g)
		}
	}},
	{"APaceInUseNeedsNoSeed", func(k *kit) {
		p, other := k.pacers(), k.pacers()
		comes := func(seed, want float64) {
			k.Helper()
			l := store.PaceLocation{Name: "near", Seed: seed, Comes: true}
			g, err := k.AllowPaced(k.ctx, p.key, store.PaceAsk{Pacing: pacing, Locations: []store.PaceLocation{l}})
			if err != nil || g.Rates[0] != want {
				k.Errorf("%+v (%v) with a seed of %v, want a rate of %v", g, err, seed, want)
			}
		}
		p.allow(4, "near")
		p.allow(8, "near")
		comes(8, 4)
		other.allow(4, "near")
		k.sleep(1100 * time.Millisecond)
		comes(8, 8) // what a member found since then is newer
		if g := other.allow(2, "near"); g.Rates[0] < 4 || g.Rates[0] > 4.1 {
			k.Errorf("%+v, want the rate that is in use", g)
		}
	}},
	{"PacesAreApart", func(k *kit) {
		p := k.pacers()
		p.allow(0.5, "near")
		if g := p.allow(2, "far"); g.Index != 0 || g.Rates[0] != 2 {
			k.Errorf("%+v, want another location to have its own pace", g)
		}
		if g := k.pacers().allow(3, "near"); g.Index != 0 || g.Rates[0] != 3 {
			k.Errorf("%+v, want another key to have its own paces", g)
		}
	}},
}

// slowPaceLaws need seconds.
var slowPaceLaws = []law{
	{"RefusalsSentBeforeAFallDoNotCountAgain", func(k *kit) {
		for _, again := range []bool{false, true} {
			p := k.pacers()
			begun := k.now()
			fell := p.fall()
			late := k.now()
			p.flood(700 * time.Millisecond) // a period without contention
			for range 7 {
				sent := begun
				if again {
					sent = late.Add(time.Millisecond)
				}
				p.reject(k.now().Sub(sent))
			}
			p.flood(1500 * time.Millisecond)
			if rate := p.allow(40, "near").Rates[0]; rate < fell*0.99 != again {
				k.Errorf("the rate fell to %v, and is %v, want that to be lower: %t", fell, rate, again)
			}
		}
	}},
}

// pacing hardly grows, so that rates are known in a law.
var pacing = store.Pacing{Gain: 1.1, Tolerance: 0.05, Growth: 1e-9, Floor: 0.1, Burst: 50 * time.Millisecond}

// pacers is what a law does with the paces of one key.
type pacers struct {
	*kit

	key store.Key
}

func (k *kit) pacers() *pacers { return &pacers{k, key(store.KindPacer)} }

// allow asks for one request to one of the locations, all with the same seed.
func (p *pacers) allow(seed float64, names ...string) store.PaceGrant {
	a := store.PaceAsk{Pacing: pacing}
	for _, name := range names {
		a.Locations = append(a.Locations, store.PaceLocation{Name: name, Seed: seed})
	}
	g, err := p.AllowPaced(p.ctx, p.key, a)
	if err != nil || len(g.Rates) != len(names) {
		p.Errorf("AllowPaced returned %+v, %v, want %d rates", g, err, len(names))
		return store.PaceGrant{Index: -1, Rates: make([]float64, len(names))}
	}
	return g
}

// flood asks for as much as a location may be sent at 40 a second, and returns how many requests
// were allowed.
func (p *pacers) flood(long time.Duration) int {
	allowed := 0
	for end := p.now().Add(long); p.now().Before(end); p.sleep(5 * time.Millisecond) {
		if p.allow(40, "near").Index == 0 {
			allowed++
		}
	}
	return allowed
}

// fall lets half of what is allowed for a while meet contention, until the rate falls, and returns it. It
// falls as soon as its refusals can be known.
func (p *pacers) fall() float64 {
	p.Helper()
	for range p.flood(350*time.Millisecond)/2 + 1 {
		if rate := p.reject(10 * time.Millisecond); rate < 39 {
			return rate
		}
	}
	p.sleep(20 * time.Millisecond)
	return p.allow(40, "near").Rates[0]
}

// reject returns the rate after a request met contention that was sent so long ago.
func (p *pacers) reject(after time.Duration) float64 {
	p.Helper()
	answer, err := p.RejectPaced(p.ctx, p.key, store.PaceRejection{
		Pacing: pacing, Location: store.PaceLocation{Name: "near", Seed: 40}, After: after,
	})
	if err != nil {
		p.Fatalf("RejectPaced failed: %v", err)
	}
	return answer.Rate
}

// give returns one request.
func (p *pacers) give(location string) {
	p.Helper()
	if err := p.ReturnPaced(p.ctx, p.key, location); err != nil {
		p.Fatalf("ReturnPaced failed: %v", err)
	}
}
