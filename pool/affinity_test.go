package pool_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

const (
	smallTier = 12    // every candidate is known to an affinity
	largeTier = 4_096 // found on the ring
)

// farm is so many projects that are equal but for their weights, and share no servers.
func farm(n int, weight func(i int) float64) pool.Config {
	cfg := pool.Config{Memory: 1 << 30}
	for i := range n {
		p := keyless(fmt.Sprintf("p%d", i))
		p.BaseURL = fmt.Sprintf("https://p%d.example", i)
		p.Weight = weight(i)
		cfg.Projects = append(cfg.Projects, p)
	}
	return cfg
}

// without is a configuration without one project.
func without(cfg pool.Config, name string) pool.Config {
	cfg.Projects = slices.DeleteFunc(slices.Clone(cfg.Projects), func(p pool.Project) bool { return p.Name == name })
	return cfg
}

func alike(int) float64 { return 1 }

// affinities are n numbers as a hash gives them.
func affinities(n int) []uint64 {
	all := make([]uint64, 0, n)
	x := uint64(42)
	for range n {
		x = x*6364136223846793005 + 1442695040888963407
		all = append(all, x^x>>29|1)
	}
	return all
}

// affine leases for an affinity.
func (b *bed) affine(affinity uint64) pool.Lease {
	b.t.Helper()
	return b.acquire(&pool.Request{Model: flash, Affinity: affinity})
}

// homeOf is the project that an affinity finds.
func (b *bed) homeOf(affinity uint64) string {
	b.t.Helper()
	l := b.affine(affinity)
	l.Release(time.Now())
	return l.Endpoint().Project
}

func (b *bed) homesOf(all []uint64) []string {
	b.t.Helper()
	homes := make([]string, 0, len(all))
	for _, a := range all {
		homes = append(homes, b.homeOf(a))
	}
	return homes
}

// eachTier runs a test with a small and with a large tier.
func eachTier(t *testing.T, test func(t *testing.T, b *bed, cfg pool.Config)) {
	t.Helper()
	for _, n := range []int{smallTier, largeTier} {
		t.Run(fmt.Sprintf("%d endpoints", n), func(t *testing.T) {
			cfg := farm(n, alike)
			inBubble(t, cfg, func(t *testing.T, b *bed) { test(t, b, cfg) })
		})
	}
}

func TestAnAffinityFindsTheSameEndpointInEveryProcess(t *testing.T) {
	eachTier(t, func(t *testing.T, b *bed, cfg pool.Config) {
		all := affinities(2_000)
		want := b.homesOf(all)
		again := b.homesOf(all)
		slices.Reverse(cfg.Projects)
		cfg.Projects[0], cfg.Projects[5] = cfg.Projects[5], cfg.Projects[0]
		other := newBed(t, cfg).homesOf(all)
		for i := range all {
			if again[i] != want[i] || other[i] != want[i] {
				t.Fatalf("affinity %d found %s, then %s, and %s in another process", all[i], want[i], again[i], other[i])
			}
		}
		slices.Sort(want)
		if n := len(slices.Compact(want)); n < min(smallTier, 12) {
			t.Errorf("2,000 affinities find %d endpoints", n)
		}
	})
}

func TestAnEndpointThatGoesMovesOnlyItsOwnAffinities(t *testing.T) {
	eachTier(t, func(t *testing.T, b *bed, cfg pool.Config) {
		all := affinities(2_000)
		before := b.homesOf(all)
		gone := before[0]
		b.reload(b.start, without(cfg, gone))
		after := b.homesOf(all)
		for i := range all {
			if moved := after[i] != before[i]; moved != (before[i] == gone) {
				t.Fatalf("%s went, and an affinity of %s finds %s", gone, before[i], after[i])
			}
		}
		b.reload(b.start, cfg)
		if back := b.homesOf(all); !slices.Equal(back, before) {
			t.Error("when it is back, not all affinities find what they found before")
		}
	})
}

func TestAffinitiesOfASmallTierSpreadByWeight(t *testing.T) {
	weight := func(i int) float64 { return float64(1 + i%4) }
	inBubble(t, farm(smallTier, weight), func(t *testing.T, b *bed) {
		counts := make(map[string]int)
		for _, home := range b.homesOf(affinities(20_000)) {
			counts[home]++
		}
		weights := make(map[string]float64)
		for i := range smallTier {
			weights[fmt.Sprintf("p%d", i)] = weight(i)
		}
		if d := deviation(counts, weights); d > 45 { // of 11 degrees of freedom: once in 10^5
			t.Errorf("chi-square is %.1f: %v", d, counts)
		}
	})
}

func TestAffinitiesOfALargeTierSpreadByWeight(t *testing.T) {
	weight := func(i int) float64 { return []float64{1, 2, 4}[i%3] }
	inBubble(t, farm(largeTier, weight), func(t *testing.T, b *bed) {
		var counts [3]float64
		for _, home := range b.homesOf(affinities(14_000)) {
			var i int
			if _, err := fmt.Sscanf(home, "p%d", &i); err != nil {
				t.Fatal(err)
			}
			counts[i%3]++
		}
		for i, want := range []float64{2_000, 4_000, 8_000} { // the lengths of thousands of arcs, give or take
			if got := counts[i]; got < 0.9*want || got > 1.1*want {
				t.Errorf("of 14,000 affinities %v go to endpoints of weights 1, 2 and 4", counts)
			}
		}
	})
}

func TestAnOverloadedEndpointPassesCallsOnAndTakesThemBack(t *testing.T) {
	eachTier(t, func(t *testing.T, b *bed, cfg pool.Config) {
		affinity := affinities(1)[0]
		home := b.homeOf(affinity)
		var held []pool.Lease
		next := ""
		for len(held) < 20 && next == "" {
			l := b.affine(affinity)
			held = append(held, l)
			if at := l.Endpoint().Project; at != home {
				next = at
			}
		}
		if next == "" || len(held) < 8 {
			t.Fatalf("after %d calls under way the next one goes to %q", len(held), next)
		}
		// The second in its order is the first of a pool without the first.
		if want := newBed(t, without(cfg, home)).homeOf(affinity); next != want {
			t.Errorf("%s passes calls on to %s, want %s", home, next, want)
		}
		for _, l := range held {
			l.Settle(b.start, good)
		}
		if got := b.homeOf(affinity); got != home {
			t.Errorf("idle again, %s has lost the affinity to %s", home, got)
		}
		// A long call alone is no load.
		time.Sleep(2 * time.Minute)
		long := b.affine(affinity)
		if got := b.homeOf(affinity); got != home {
			t.Errorf("with one call under way at %s the next goes to %s", home, got)
		}
		long.Settle(time.Now(), good)
	})
}

func TestAnAffinityPassesEndpointsOnCooldownAndReturns(t *testing.T) {
	eachTier(t, func(t *testing.T, b *bed, cfg pool.Config) {
		for _, affinity := range affinities(5) {
			var order []string
			for range 4 {
				l := b.affine(affinity)
				order = append(order, l.Endpoint().Project)
				l.Settle(time.Now(), pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 30 * time.Second})
			}
			distinct := slices.Clone(order)
			slices.Sort(distinct)
			if len(slices.Compact(distinct)) != 4 {
				t.Fatalf("one on cooldown was asked again: %v", order)
			}
			time.Sleep(time.Minute)
			if got := b.homeOf(affinity); got != order[0] {
				t.Errorf("after the cooldown the affinity finds %s, want %s", got, order[0])
			}
		}
	})
}

func TestAnAffinityFindsTheLastEndpointOfALargeTier(t *testing.T) {
	cfg := farm(100, alike)
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		for _, c := range b.pool.View(b.start, flash).All() {
			if c.Project != "p77" {
				b.answer(b.start, c, pool.Outcome{Class: pool.ClassNoQuota})
			}
		}
		for _, affinity := range affinities(20) {
			if got := b.homeOf(affinity); got != "p77" {
				t.Errorf("it finds %s", got)
			}
		}
	})
}

func TestSpreadAffinitiesOverloadNothing(t *testing.T) {
	// Everyone of 6 has a bound of 1.25 fair shares, and the smallest loads are not worth a move.
	inBubble(t, farm(6, alike), func(t *testing.T, b *bed) {
		counts := make(map[string]int)
		for _, affinity := range affinities(1_200) {
			counts[b.affine(affinity).Endpoint().Project]++ // it does not end
		}
		for name, n := range counts {
			if n > 252 {
				t.Errorf("%s has %d of 1,200 calls, want 1.25 shares of 200 at most", name, n)
			}
		}
		if len(counts) != 6 {
			t.Errorf("%v", counts)
		}
	})
}

func TestOneConversationAloneStaysInItsSharesBound(t *testing.T) {
	inBubble(t, farm(6, alike), func(t *testing.T, b *bed) {
		counts := make(map[string]int)
		for range 600 {
			counts[b.affine(7).Endpoint().Project]++
		}
		for name, n := range counts {
			if n > 127 {
				t.Errorf("%s has %d of 600 calls, want 1.25 shares of 100 at most", name, n)
			}
		}
	})
}

func TestNothingIsRememberedOfAffinities(t *testing.T) {
	eachTier(t, func(t *testing.T, b *bed, _ pool.Config) {
		for _, c := range b.pool.View(b.start, flash).All() { // the endpoints' own state
			b.lease(b.start, c).Release(b.start)
		}
		all := affinities(100_000)
		for _, a := range all[:1_000] {
			b.homeOf(a)
		}
		if len(b.pool.View(b.start, flash).All()) == largeTier {
			all = all[:20_000] // it takes longer
		}
		before := heap()
		for _, a := range all {
			b.homeOf(a)
		}
		if grown := heap() - before; grown > 1<<20 {
			t.Errorf("%d affinities make the heap grow by %d kB", len(all), grown>>10)
		}
		runtime.KeepAlive(all)
	})
}
