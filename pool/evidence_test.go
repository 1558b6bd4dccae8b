package pool_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// beta is a call as most are.
var beta = pool.Asked{Version: "v1beta"}

// doubtful are refusals that may be about one call alone.
var doubtful = []struct {
	name string
	pool.Outcome
	named bool
}{
	{"a missing model", pool.Outcome{Class: pool.ClassModelMissing, Message: "models/x is not found"}, true},
	{"a suspicion that the model is missing", pool.Outcome{Class: pool.ClassModelMissing, Evidence: pool.Evidence{Suspected: true}}, false},
	{"a forbidden model", pool.Outcome{Class: pool.ClassModelForbidden, Message: "not allowed to use model"}, true},
	{"a suspicion that the model is forbidden", pool.Outcome{Class: pool.ClassModelForbidden, Evidence: pool.Evidence{Suspected: true}}, false},
	{"a location that a policy forbids", pool.Outcome{Class: pool.ClassModelForbidden, Evidence: pool.Evidence{Scope: pool.ScopeEndpoint}}, true},
	{"a misconfigured project", pool.Outcome{Class: pool.ClassProjectMisconfigured}, true},
	{"a suspicion that the project is not ready", pool.Outcome{Class: pool.ClassProjectNotReady, Evidence: pool.Evidence{Suspected: true}}, false},
	{"a blocked address", pool.Outcome{Class: pool.ClassEgressBlocked}, true},
}

// eachDoubt runs a test for every doubtful refusal, on two projects a and b.
func eachDoubt(t *testing.T, test func(t *testing.T, s *suspect)) {
	t.Helper()
	for _, d := range doubtful {
		t.Run(d.name, func(t *testing.T) {
			inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("a", "key-a"), geminiProject("b", "key-b")}}, func(t *testing.T, b *bed) {
				test(t, &suspect{
					bed: b, refusal: d.Outcome, named: d.named, now: b.start,
					a: b.candidate(flash, "a/global/on_demand"), b: b.candidate(flash, "b/global/on_demand"),
				})
			})
		})
	}
}

// suspect is an endpoint a that is refused at times, beside another one, on a clock of their own.
type suspect struct {
	*bed
	refusal pool.Outcome
	named   bool
	a, b    *pool.Candidate
	now     time.Time
}

// call makes a call to an endpoint, which has to be admitted.
func (s *suspect) call(c *pool.Candidate, o pool.Outcome) {
	s.t.Helper()
	s.leaseFor(s.now, c, small.For(beta)).Settle(s.now, o)
}

// refuse makes a call that is refused.
func (s *suspect) refuse(call uint64) {
	s.t.Helper()
	o := s.refusal
	o.Call = call
	s.call(s.a, o)
}

// rests reports whether a is on cooldown.
func (s *suspect) rests() bool { return s.a.Rests(s.now, beta).Class != "" }

func TestANamedRefusalConvictsAtOnceWhereNothingWasAnswered(t *testing.T) {
	eachDoubt(t, func(t *testing.T, s *suspect) {
		s.refuse(1)
		if s.rests() != s.named {
			t.Errorf("after one refusal it rests: %v, want %v", s.rests(), s.named)
		}
	})
}

func TestDifferentCallsThatAreRefusedAlikeConvict(t *testing.T) {
	eachDoubt(t, func(t *testing.T, s *suspect) {
		s.refusal.Suspected = true
		s.refusal.Message = "request 17 is refused"
		s.refuse(1)
		if s.rests() {
			t.Fatal("one call is enough")
		}
		s.refusal.Message = "request 18 is refused"
		s.refuse(2)
		if !s.rests() {
			t.Error("two different calls that were refused alike are not enough")
		}
	})
}

func TestDifferentCallsThatAreRefusedOtherwiseDoNotConvict(t *testing.T) {
	eachDoubt(t, func(t *testing.T, s *suspect) {
		s.refusal.Suspected = true
		for i, why := range []string{"the file is gone", "the cache is being made", "no"} {
			s.refusal.Message = why
			s.refuse(uint64(i))
			s.now = s.now.Add(second)
		}
		if s.rests() {
			t.Error("three calls that were refused for three reasons are enough")
		}
	})
}

func TestOneCallThatIsRefusedOverAndOverConvictsOnlyWhereOthersAnswer(t *testing.T) {
	for _, others := range []bool{false, true} {
		for _, gap := range []time.Duration{100 * time.Millisecond, 999 * time.Millisecond, second} {
			eachDoubt(t, func(t *testing.T, s *suspect) {
				s.refusal.Suspected = true
				if others {
					s.call(s.b, good)
				}
				for range 3 {
					if s.rests() {
						t.Fatal("it rests too early")
					}
					s.refuse(1)
					s.now = s.now.Add(gap)
				}
				want := others && gap == second
				if s.rests() != want {
					t.Errorf("three times, %v apart, others answered: %v: it rests: %v, want %v", gap, others, s.rests(), want)
				}
			})
		}
	}
}

func TestRefusalsWithAGoodAnswerBetweenThemAreNotAddedUp(t *testing.T) {
	eachDoubt(t, func(t *testing.T, s *suspect) {
		s.refusal.Suspected = true
		for i := range 50 {
			s.refuse(uint64(i))
			if s.rests() {
				t.Fatalf("it rests after %d refusals", i)
			}
			s.call(s.a, good)
			s.now = s.now.Add(time.Duration(rand.IntN(4000)) * time.Millisecond)
		}
	})
}

// What has answered well lately may yet have gone: then it is not asked for ever.
func TestWhatAnsweredWellAndThenRefusesEverythingRests(t *testing.T) {
	eachDoubt(t, func(t *testing.T, s *suspect) {
		for range 10 * 60 {
			s.call(s.a, good)
			if s.refusal.Class == pool.ClassEgressBlocked {
				s.call(s.b, good)
			}
			s.now = s.now.Add(3 * second)
		}
		last := s.now
		for i := 0; !s.rests(); i++ {
			s.refuse(uint64(i))
			s.now = s.now.Add(second)
			if s.now.Sub(last) > minute {
				t.Fatal("it does not rest after a minute of refusals")
			}
		}
		if after := s.now.Sub(last); after < 10*second {
			t.Errorf("it rests after %v already", after)
		}
		if !s.named {
			return
		}
		// And long after its last good answer one named refusal is enough.
		s.now = s.now.Add(24 * time.Hour)
		if s.refuse(1); !s.rests() {
			t.Error("a probe that is refused ends the cooldown")
		}
	})
}

// Another cooldown, of a few seconds, is no evidence: a call that was sent before it is one call.
func TestAWrongCallDuringACooldownForQuotaIsStillOneCall(t *testing.T) {
	eachDoubt(t, func(t *testing.T, s *suspect) {
		s.refusal.Suspected = true
		for range 30 {
			s.call(s.a, good)
			s.now = s.now.Add(second)
		}
		for _, quota := range []pool.Outcome{
			{Class: pool.ClassMinuteQuota}, {Class: pool.ClassQuotaUnknown, Evidence: pool.Evidence{Scope: pool.ScopeEndpoint}},
			{Class: pool.ClassSpendRate, Hint: second}, {Class: pool.ClassMinuteQuota, Evidence: pool.Evidence{Scope: pool.ScopeVersion}},
			{Class: pool.ClassQuotaUnknown, Evidence: pool.Evidence{Scope: pool.ScopeBackend}},
		} {
			wrong, other := s.leaseFor(s.now, s.a, small.For(beta)), s.leaseFor(s.now, s.a, small.For(beta))
			other.Settle(s.now, quota)
			wrong.Settle(s.now, s.refusal)
			if got := s.a.Rests(s.now, beta).Class; got != quota.Class {
				t.Fatalf("it rests for %q, want %q", got, quota.Class)
			}
			s.now = s.now.Add(3 * second)
			s.call(s.a, good)
		}
	})
}

// rhythms are ways in which good answers come: each returns the time to the next one.
var rhythms = []struct {
	name string
	next func(r *rand.Rand) func() time.Duration
}{
	{"evenly", func(r *rand.Rand) func() time.Duration {
		gap := logarithmic(r, 10*time.Millisecond, 50*minute)
		return func() time.Duration { return gap }
	}},
	{"at random", func(r *rand.Rand) func() time.Duration {
		mean := float64(logarithmic(r, 10*time.Millisecond, 5*minute))
		return func() time.Duration { return time.Duration(r.ExpFloat64() * mean) }
	}},
	{"in bursts", func(r *rand.Rand) func() time.Duration {
		in, pause, n := logarithmic(r, time.Millisecond, 2*second), logarithmic(r, second, 20*minute), 1+r.IntN(300)
		i := 0
		return func() time.Duration {
			if i++; i%n == 0 {
				return pause
			}
			return in
		}
	}},
}

func logarithmic(r *rand.Rand, least, most time.Duration) time.Duration {
	d := float64(least)
	for range 30 {
		if d *= 1 + r.Float64(); d > float64(most) || r.IntN(12) == 0 {
			break
		}
	}
	return min(time.Duration(d), most)
}

// TestWhatIsAnsweredWellAtItsRhythmNeverRestsForWrongCalls plays random schedules: good calls of
// one caller in whatever rhythm, and any number of wrong calls of others in whatever rhythm
// between, the same or different ones.
func TestWhatIsAnsweredWellAtItsRhythmNeverRestsForWrongCalls(t *testing.T) {
	for _, rhythm := range rhythms {
		t.Run(rhythm.name, func(t *testing.T) {
			for seed := range uint64(amount(16, 200)) {
				eachDoubt(t, func(t *testing.T, s *suspect) {
					r := rand.New(rand.NewPCG(seed, 1)) // a schedule that can be played again
					well, wrong := rhythm.next(r), rhythms[r.IntN(len(rhythms))].next(r)
					calls := 1 + r.IntN(20)
					s.playRhythm(r, well, wrong, calls)
					if t.Failed() {
						t.Logf("seed %d, %d different calls", seed, calls)
					}
				})
			}
		})
	}
}

// playRhythm plays good and wrong calls in turn, as they come, once the rhythm of the good ones is
// known: after a few of them.
func (s *suspect) playRhythm(r *rand.Rand, well, wrong func() time.Duration, calls int) {
	s.t.Helper()
	for range 320 {
		s.call(s.a, good)
		s.now = s.now.Add(well())
	}
	s.call(s.a, good)
	nextGood, nextWrong := s.now.Add(well()), s.now.Add(wrong())
	for range 1500 {
		if nextGood.Before(nextWrong) {
			s.now = nextGood
			if s.rests() {
				s.t.Fatalf("a good call after %v finds it on cooldown: %v", s.now.Sub(s.start), s.a.Rests(s.now, beta))
			}
			s.call(s.a, good)
			nextGood = s.now.Add(well())
			continue
		}
		s.now = nextWrong
		s.refuse(uint64(r.IntN(calls)))
		if s.rests() {
			s.t.Fatalf("it rests after %v: %v", s.now.Sub(s.start), s.a.Rests(s.now, beta))
		}
		nextWrong = s.now.Add(wrong())
	}
}

// The first good answer is known to nobody's rhythm yet.
func TestWhatAnsweredOnceIsTrustedForMinutes(t *testing.T) {
	eachDoubt(t, func(t *testing.T, s *suspect) {
		s.call(s.a, good)
		for i := range 290 {
			s.now = s.now.Add(second)
			if s.refuse(uint64(i)); s.rests() {
				t.Fatalf("it rests %v after a good answer", s.now.Sub(s.start))
			}
		}
	})
}

// A refusal that starts nothing gives the probe back that its call was.
func TestAProbeThatIsRefusedWithoutProofIsGivenBack(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("a", "key-a")}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "a/global/on_demand")
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassDayQuota})
		now := b.start.Add(15*minute + second)
		probe := b.lease(now, c)
		b.refuses(now, c, "while a probe is out")
		probe.Settle(now, pool.Outcome{Class: pool.ClassModelForbidden, Evidence: pool.Evidence{Suspected: true}})
		now = now.Add(1100 * time.Millisecond)
		b.lease(now, c).Settle(now, good)
		if c.Resting(now).Class != "" {
			t.Error("the day's cooldown goes on after a probe that was answered well")
		}
	})
}

func TestOneVersionsGoodAnswersSpeakForThatVersion(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("a", "key-a")}}, func(t *testing.T, b *bed) {
		c, now := b.candidate(flash, "a/global/on_demand"), b.start
		v1 := pool.Asked{Version: "v1"}
		missing := pool.Outcome{Class: pool.ClassModelMissing, Message: "models/x is not found"}
		for range 10 {
			b.leaseFor(now, c, small.For(beta)).Settle(now, good)
			now = now.Add(second)
		}
		for i := range 100 {
			missing.Call = uint64(i)
			b.leaseFor(now, c, small.For(beta)).Settle(now, missing)
			if got := c.Rests(now, beta); got.Class != "" {
				t.Fatalf("the version that answers rests: %v", got)
			}
			if i%5 == 0 {
				b.leaseFor(now, c, small.For(beta)).Settle(now, good)
			}
			now = now.Add(700 * time.Millisecond)
		}
		b.leaseFor(now, c, small.For(v1)).Settle(now, missing)
		if c.Rests(now, v1).Class == "" || c.Rests(now, beta).Class != "" {
			t.Errorf("of a version that never answered: it rests for %v, the other for %v", c.Rests(now, v1), c.Rests(now, beta))
		}
	})
}

func TestMadeUpVersionsAndToolsTakeABoundedMemory(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{keyless("v", "global")}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		c, now := b.candidate(flash, "v/global/on_demand"), b.start
		b.lease(now, c).Settle(now, good)
		before := b.pool.EntryCount()
		for i := range 5_000 {
			asked := pool.Asked{Version: fmt.Sprintf("v%d", i), Tools: []string{fmt.Sprintf("tool%d", i)}}
			for _, o := range []pool.Outcome{
				good, {Class: pool.ClassQuotaUnknown, Evidence: pool.Evidence{Scope: pool.ScopeTool, Tools: asked.Tools}}, {Class: pool.ClassModelMissing},
				{Class: pool.ClassModelMissing, Evidence: pool.Evidence{Suspected: true, Call: uint64(i)}},
			} {
				if l, ok := c.Lease(now, small.For(asked)); ok {
					l.Settle(now, o)
				}
			}
			if i%10 == 0 {
				now = now.Add(second)
			}
		}
		if parts, entries := c.Parts(), b.pool.EntryCount()-before; parts > 64 || entries > 64 {
			t.Errorf("%d parts and %d more subjects are remembered", parts, entries)
		}
		now = now.Add(time.Hour)
		b.lease(now, c).Settle(now, good) // what most calls ask is well
	})
}

// A key's cooldown and that of every part that a call asks for end with its success, however many
// there are.
func TestASuccessEndsTheCooldownsOfAllThatItsCallAskedFor(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("a", "key-a")}}, func(t *testing.T, b *bed) {
		c, now := b.candidate(flash, "a/global/on_demand"), b.start
		all := []string{"a", "b", "c", "d", "e"}
		for set := 1; set < 1<<len(all); set++ {
			var some []string
			for i, tool := range all {
				if set>>i&1 == 1 {
					some = append(some, tool)
				}
			}
			if l, ok := c.Lease(now, small.For(pool.Asked{Tools: some})); ok {
				l.Settle(now, pool.Outcome{Class: pool.ClassNoQuota, Evidence: pool.Evidence{Scope: pool.ScopeTool, Tools: some}})
			}
		}
		b.answer(now, c, pool.Outcome{Class: pool.ClassKeyDead})
		now = now.Add(2 * time.Hour) // all of it may be probed
		b.leaseFor(now, c, small.For(pool.Asked{Tools: all})).Settle(now, good)
		if got := b.pool.Cooldowns(now); len(got) > 0 {
			t.Errorf("after a success of a call that asked for all, there rests %v", got)
		}
	})
}
