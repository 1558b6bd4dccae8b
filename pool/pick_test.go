package pool_test

import (
	"math"
	"testing"

	"github.com/spillway-go/spillway/pool"
)

func always(*pool.Candidate) bool { return true }

// only is a readiness of the candidates of these names.
func only(names string) func(*pool.Candidate) bool {
	return func(c *pool.Candidate) bool {
		for _, name := range names {
			if c.String() == string(name) {
				return true
			}
		}
		return false
	}
}

// picker is a policy without state of its own: what differs between calls is who is ready.
type picker struct {
	name string
	pick func(t *pool.Tier, ready func(*pool.Candidate) bool) *pool.Candidate
}

func idle(*pool.Candidate) float64 { return 0 }

var pickers = []picker{
	{"first", pool.PickFirst},
	{"random", pool.PickRandom},
	{"round robin", pool.PickNext},
	{"least loaded", func(t *pool.Tier, ready func(*pool.Candidate) bool) *pool.Candidate {
		return pool.PickLeastLoaded(t, nil, ready, idle)
	}},
}

// byWeight are the pickers that give each member its share.
var byWeight = pickers[1:]

// drawn counts n picks by name; "" counts the picks that found none.
func drawn(n int, pick func() *pool.Candidate) map[string]int {
	counts := make(map[string]int)
	for range n {
		if c := pick(); c != nil {
			counts[c.String()]++
		} else {
			counts[""]++
		}
	}
	return counts
}

// deviation is the chi-square statistic of counts against shares by weight. With two degrees of
// freedom it exceeds 40 by chance once in 10^8.
func deviation(counts map[string]int, weights map[string]float64) float64 {
	picks, sum, chi := 0, 0.0, 0.0
	for name, w := range weights {
		picks += counts[name]
		sum += w
	}
	for name, w := range weights {
		want := float64(picks) * w / sum
		chi += (float64(counts[name]) - want) * (float64(counts[name]) - want) / want
	}
	return chi
}

func TestPickersGiveSharesByWeight(t *testing.T) {
	for _, p := range byWeight {
		tier := pool.NewTier(1, 2.5, 5)
		counts := drawn(17_000, func() *pool.Candidate { return p.pick(tier, always) })
		if d := deviation(counts, map[string]float64{"a": 1, "b": 2.5, "c": 5}); d > 40 || counts[""] > 0 {
			t.Errorf("%s: weights of 1, 2.5 and 5 give %v", p.name, counts)
		}
	}
}

func TestPickersGiveNothingToMembersThatAreNotReady(t *testing.T) {
	for _, p := range pickers {
		tier := pool.NewTier(1, 1, 1, 1)
		counts := drawn(4_000, func() *pool.Candidate { return p.pick(tier, only("bd")) })
		if counts["a"]+counts["c"] > 0 || counts["b"] == 0 {
			t.Errorf("%s: with b and d ready it gives %v", p.name, counts)
		}
		if got := p.pick(tier, only("")); got != nil {
			t.Errorf("%s: with none ready it gives %v", p.name, got)
		}
		if got := p.pick(pool.NewTier(3), always); got == nil || got.String() != "a" {
			t.Errorf("%s: of one member it gives %v", p.name, got)
		}
	}
}

func TestPickersShareTheRestByWeightWhenOneIsNotReady(t *testing.T) {
	for _, p := range byWeight {
		tier := pool.NewTier(1, 2, 4)
		counts := drawn(9_000, func() *pool.Candidate { return p.pick(tier, only("ac")) })
		found := counts["a"] + counts["c"]
		if d := deviation(counts, map[string]float64{"a": 1, "c": 4}); d > 40 || found < 8_500 {
			t.Errorf("%s: with b on cooldown weights of 1 and 4 give %v", p.name, counts)
		}
	}
}

func TestPickersFollowReadinessFromCallToCall(t *testing.T) {
	for _, p := range pickers {
		tier := pool.NewTier(1, 2, 3)
		for i, ready := range []string{"a", "b", "c", "ab", "bc", "ca", "b", "abc", "a"} {
			for range 50 {
				got := p.pick(tier, only(ready))
				if got == nil && p.name == "first" {
					t.Errorf("%s: in phase %d it finds none of %q", p.name, i, ready)
				}
				if got != nil && !only(ready)(got) {
					t.Errorf("%s: in phase %d it gives %v of %q", p.name, i, got, ready)
				}
			}
		}
	}
}

func TestPickFirstKeepsTheOrderWhateverTheWeights(t *testing.T) {
	tier := pool.NewTier(0.001, 5, 1000)
	for ready, want := range map[string]string{"abc": "a", "bc": "b", "ac": "a", "c": "c"} {
		if got := pool.PickFirst(tier, only(ready)); got.String() != want {
			t.Errorf("the first of %q is %v, want %s", ready, got, want)
		}
	}
}

func TestPickNextIsExactAndEvenlySpread(t *testing.T) {
	tier := pool.NewTier(1, 2, 5)
	counts, last, longest := make(map[string]int), make(map[string]int), make(map[string]int)
	for i := range 8_000 {
		name := pool.PickNext(tier, always).String()
		counts[name]++
		longest[name] = max(longest[name], i-last[name])
		last[name] = i
	}
	for name, want := range map[string]int{"a": 1_000, "b": 2_000, "c": 5_000} {
		if got := counts[name]; got < want-1 || got > want+1 {
			t.Errorf("of 8,000 turns %s has %d, want %d", name, got, want)
		}
		if most := 2 * 8_000 / want; longest[name] > most {
			t.Errorf("%s waits %d turns, want %d at most", name, longest[name], most)
		}
	}
}

func TestPickNextTakesEqualMembersInTurn(t *testing.T) {
	tier := pool.NewTier(2, 2, 2)
	for i, want := range []string{"a", "b", "c", "a", "b", "c", "a", "b", "c"} {
		if got := pool.PickNext(tier, always); got.String() != want {
			t.Errorf("turn %d is %v, want %s", i, got, want)
		}
	}
	for i, want := range []string{"a", "c", "a", "c"} {
		if got := pool.PickNext(tier, only("ac")); got.String() != want {
			t.Errorf("with b on cooldown turn %d is %v, want %s", i, got, want)
		}
	}
}

// A call that looks for another tier first, as batch calls do for flex, takes no turn of this one.
func TestPickNextKeepsItsTurnWhileNoneIsReady(t *testing.T) {
	tier := pool.NewTier(2, 1)
	counts := drawn(3_000, func() *pool.Candidate {
		if c := pool.PickNext(tier, only("")); c != nil {
			t.Fatalf("%s was taken, and is not ready", c)
		}
		return pool.PickNext(tier, always)
	})
	if got := counts["a"]; got < 1_999 || got > 2_001 {
		t.Errorf("of 3,000 turns two thirds are a's: %v", counts)
	}
}

func TestPickersBearExtremeWeights(t *testing.T) {
	for _, p := range byWeight {
		tier := pool.NewTier(1e-12, 1, 1e12)
		counts := drawn(1_000, func() *pool.Candidate { return p.pick(tier, always) })
		if counts["c"] < 998 {
			t.Errorf("%s: %v", p.name, counts)
		}
	}
}

func TestPickLeastLoadedTakesTheLessLoadedOfTwo(t *testing.T) {
	tier := pool.NewTier(1, 1, 1)
	busy := func(c *pool.Candidate) float64 { return map[string]float64{"a": 9, "b": 1, "c": 1}[c.String()] }
	counts := drawn(27_000, func() *pool.Candidate { return pool.PickLeastLoaded(tier, nil, always, busy) })
	// It has to be drawn three times in a row: 1 of 27.
	if got := counts["a"]; got < 800 || got > 1_200 {
		t.Errorf("the loaded one of three is taken %d of 27,000 times, want about 1,000", got)
	}
	pair := pool.NewTier(1, 1)
	counts = drawn(8_000, func() *pool.Candidate { return pool.PickLeastLoaded(pair, nil, only("ab"), busy) })
	if got := counts["a"]; got < 800 || got > 1_200 { // 1 of 8
		t.Errorf("the loaded one of two is taken %d of 8,000 times, want about 1,000", got)
	}
}

func TestPickLeastLoadedKeepsSharesUnderLoadOfItsOwnMaking(t *testing.T) {
	tier := pool.NewTier(1, 2, 5)
	calls := make(map[string]float64)
	load := func(c *pool.Candidate) float64 { return calls[c.String()] / c.Weight }
	for range 16_000 {
		calls[pool.PickLeastLoaded(tier, nil, always, load).String()]++
	}
	for name, want := range map[string]float64{"a": 2_000, "b": 4_000, "c": 10_000} {
		if math.Abs(calls[name]-want) > 0.02*want {
			t.Errorf("with calls that do not end the shares are %v", calls)
		}
	}
}

func TestPickLeastLoadedComparesWithTheHome(t *testing.T) {
	tier := pool.NewTier(1, 1, 1)
	home := tier.Members()[1]
	counts := drawn(1_000, func() *pool.Candidate { return pool.PickLeastLoaded(tier, home, always, idle) })
	if counts["b"] != 1_000 {
		t.Errorf("of idle members the home is not taken: %v", counts)
	}
	busy := func(c *pool.Candidate) float64 {
		if c == home {
			return 1
		}
		return 0
	}
	counts = drawn(9_000, func() *pool.Candidate { return pool.PickLeastLoaded(tier, home, always, busy) })
	if got := counts["b"]; got < 750 || got > 1_250 { // drawn twice: 1 of 9
		t.Errorf("a loaded home is taken %d of 9,000 times, want about 1,000", got)
	}
}

// policies are all that a request may ask for.
var policies = map[string]pool.Request{
	"least loaded": {}, "round robin": {Policy: pool.PolicyRoundRobin}, "random": {Policy: pool.PolicyRandom},
	"in order": {Policy: pool.PolicyFirst},
}

// tally makes n calls one after the other and counts them by project.
func (b *bed) tally(n int, like pool.Request) map[string]int {
	b.t.Helper()
	counts := make(map[string]int)
	for range n {
		r := like
		r.Model = flash
		l := b.acquire(&r)
		counts[l.Endpoint().Project]++
		l.Release(b.start)
	}
	return counts
}

func TestPoliciesFollowTheMembershipAcrossReloads(t *testing.T) {
	config := func(names ...string) pool.Config {
		var cfg pool.Config
		for _, name := range names {
			cfg.Projects = append(cfg.Projects, keyless(name))
		}
		return cfg
	}
	for name, like := range policies {
		t.Run(name, func(t *testing.T) {
			inBubble(t, config("a", "b", "c"), func(t *testing.T, b *bed) {
				for _, members := range [][]string{
					{"a", "b", "c"}, {"b", "c"}, {"c", "d", "e", "f"}, {"f"}, {"a", "f", "b"},
				} {
					b.reload(b.start, config(members...))
					counts := b.tally(1_200, like)
					sum := 0
					for i, m := range members {
						sum += counts[m]
						want := 1_200 / len(members)
						if like.Policy == pool.PolicyFirst {
							want = map[bool]int{true: 1_200}[i == 0]
						}
						if counts[m] < want*7/10 || counts[m] > want*13/10 {
							t.Errorf("of %v %s has %d calls, want about %d", members, m, counts[m], want)
						}
					}
					if sum != 1_200 {
						t.Errorf("of %v the calls go to %v", members, counts)
					}
				}
			})
		})
	}
}

func TestPoliciesPassWhatIsOnCooldownAndFindTheLastThatIsReady(t *testing.T) {
	cfg := pool.Config{}
	for i := range 20 {
		cfg.Projects = append(cfg.Projects, keyless(string(rune('a'+i))))
	}
	for name, like := range policies {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cfg, func(t *testing.T, b *bed) {
				for _, c := range b.pool.View(b.start, flash).All() {
					if c.Project != "q" {
						b.answer(b.start, c, pool.Outcome{Class: pool.ClassNoQuota})
					}
				}
				if counts := b.tally(100, like); counts["q"] != 100 {
					t.Errorf("the calls go to %v", counts)
				}
			})
		})
	}
}
