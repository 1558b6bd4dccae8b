package pool_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
)

// life is how something rests for one class.
type life struct {
	class pool.Class
	// from is the endpoint whose call for flash was answered so.
	from string
	// rests is everything that rests then; all that is not named does not. See scene.resting.
	rests []string
	// lengths are those of rests that end after a time, one after the other, while no hint is
	// given; jitter is the share that may be added. hints are lengths for a hint.
	lengths []time.Duration
	jitter  float64
	hints   map[time.Duration]time.Duration
	// gaps are those between probes that are refused again. last says that there are no more of
	// them.
	gaps []time.Duration
	last bool
	// lasting says that only a probe ends it.
	lasting bool
}

const (
	second = time.Second
	minute = time.Minute

	// fullRest is the shortest rest of a full order.
	fullRest = 250 * time.Millisecond
)

// lives has a row for every class.
var lives = []life{
	{class: pool.ClassOK, from: "v/global/on_demand"},
	{class: pool.ClassCallerFault, from: "v/global/on_demand"},
	{class: pool.ClassCancelled, from: "v/global/on_demand"},
	{class: pool.ClassPaused, from: "v/global/on_demand"},
	{class: pool.ClassOverloaded, from: "v/global/on_demand"},
	{class: pool.ClassServerFault, from: "v/global/on_demand"},
	{class: pool.ClassTransport, from: "v/global/on_demand"},
	{
		class: pool.ClassMinuteQuota, from: "v/global/on_demand",
		rests:   []string{flash + " v/eu/on_demand", flash + " v/global/on_demand"},
		lengths: doubling(second, 65*second),
		jitter:  0.1,
		hints: map[time.Duration]time.Duration{
			-minute: second, 1: second, 999 * time.Millisecond: second, 1500 * time.Millisecond: 1500 * time.Millisecond,
			39 * second: 39 * second, 65 * second: 65 * second, 66 * second: 65 * second, math.MaxInt64: 65 * second,
		},
	},
	{
		class: pool.ClassQuotaUnknown, from: "a/global/on_demand",
		rests:   []string{flash + " a/global/on_demand"},
		lengths: doubling(second, 30*minute),
		jitter:  0.1,
		hints:   map[time.Duration]time.Duration{1: second, 40 * second: 40 * second, time.Hour: 30 * minute, math.MaxInt64: 30 * minute},
	},
	{
		class: pool.ClassContention, from: "v/global/on_demand",
		rests:   []string{flash + " v/global/on_demand"},
		lengths: []time.Duration{400 * time.Millisecond, 400 * time.Millisecond, 400 * time.Millisecond, 400 * time.Millisecond},
		jitter:  0.25,
		hints:   map[time.Duration]time.Duration{1: 400 * time.Millisecond, 2 * second: 2 * second, time.Hour: 65 * second},
	},
	{
		class: pool.ClassProvisionedFull, from: "v/global/provisioned",
		rests:   []string{flash + " v/global/provisioned", flash + "-001 v/global/provisioned"},
		lengths: doubling(fullRest, 30*second),
		jitter:  0.1,
		hints:   map[time.Duration]time.Duration{1: fullRest, 5 * second: 5 * second, time.Hour: 30 * second},
	},
	{ // from four in the afternoon on
		class: pool.ClassDayQuota, from: "v/eu/on_demand",
		rests: []string{flash + " v/eu/on_demand", flash + " v/global/on_demand"},
		gaps:  []time.Duration{15 * minute, 30 * minute, time.Hour, 2 * time.Hour}, last: true,
	},
	{
		class: pool.ClassNoQuota, from: "v/global/on_demand",
		rests: []string{flash + " v/eu/on_demand", flash + " v/global/on_demand"},
		gaps:  []time.Duration{time.Hour, time.Hour, time.Hour}, lasting: true,
	},
	{
		class: pool.ClassModelForbidden, from: "v/global/on_demand",
		rests: []string{flash + " v/eu/on_demand", flash + " v/global/on_demand"},
		gaps:  []time.Duration{time.Hour, time.Hour, time.Hour}, lasting: true,
	},
	{
		class: pool.ClassModelMissing, from: "v/global/on_demand",
		rests: []string{flash + " v/global/on_demand"},
		gaps:  []time.Duration{time.Hour, time.Hour, time.Hour}, lasting: true,
	},
	{
		class: pool.ClassBilling, from: "v/eu/on_demand",
		rests: []string{
			flash + " v/eu/on_demand", flash + " v/global/on_demand", flash + " v/global/provisioned", flash + "-001 v/eu/on_demand",
			flash + "-001 v/global/on_demand", flash + "-001 v/global/provisioned", pro + " v/eu/on_demand", pro + " v/global/on_demand",
			"project v",
		},
		gaps: doubling(minute, time.Hour), lasting: true,
	},
	{
		class: pool.ClassProjectMisconfigured, from: "c/global/on_demand",
		rests: []string{flash + " c/global/on_demand", flash + "-001 c/global/on_demand", pro + " c/global/on_demand", "project c"},
		gaps:  doubling(minute, time.Hour), lasting: true,
	},
	{
		class: pool.ClassProjectNotReady, from: "c/global/on_demand",
		rests:   []string{flash + " c/global/on_demand", flash + "-001 c/global/on_demand", pro + " c/global/on_demand", "project c"},
		lengths: doubling(minute, 10*minute), jitter: 0.1,
		hints: map[time.Duration]time.Duration{40 * second: 40 * second, time.Hour: 10 * minute},
	},
	{
		class: pool.ClassSpendRate, from: "c/global/on_demand",
		rests:   []string{flash + " c/global/on_demand", flash + "-001 c/global/on_demand", pro + " c/global/on_demand", "project c"},
		lengths: doubling(30*second, 10*minute), jitter: 0.1,
		hints: map[time.Duration]time.Duration{10 * second: 10 * second, 45 * second: 45 * second, time.Hour: 10 * minute},
	},
	{
		class: pool.ClassEgressBlocked, from: "a/global/on_demand",
		rests: []string{
			flash + " a/global/on_demand", flash + "-001 a/global/on_demand", pro + " a/global/on_demand", "project a",
		},
		gaps: doubling(minute, time.Hour), lasting: true,
	},
	{ // the only key of c: no endpoint is left without it
		class: pool.ClassKeyDead, from: "c/global/on_demand",
		rests: []string{flash + " c/global/on_demand", flash + "-001 c/global/on_demand", pro + " c/global/on_demand", "key c0"},
		gaps:  doubling(minute, time.Hour), lasting: true,
	},
}

// doubling returns first, twice first, and so on, ending with most, twice.
func doubling(first, most time.Duration) []time.Duration {
	var all []time.Duration
	for d := first; d < most; d *= 2 {
		all = append(all, d)
	}
	return append(all, most, most)
}

// scene has a sibling of every kind: keys, locations, models, model versions, orders, projects,
// back ends.
func scene() pool.Config {
	v := keyless("v", "global", "eu")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1000}}
	return pool.Config{Projects: []pool.Project{geminiProject("a", "a-first", "a-second"), geminiProject("c", "c-only"), v, keyless("w", "global")}}
}

// resting names what rests in the scene: endpoints as "model endpoint", keys, projects as a whole.
func (b *bed) resting(now time.Time) []string {
	var all []string
	for _, model := range []string{flash, flash + "-001", pro} {
		for _, c := range b.pool.View(now, model).All() {
			ready, resting := c.Ready(now), c.Resting(now).Class != ""
			if ready == resting {
				b.t.Errorf("%s %s is ready: %v, but rests: %v", model, c, ready, resting)
			}
			if resting {
				all = append(all, model+" "+c.String())
			}
		}
	}
	for _, p := range b.pool.Stat(now).Projects {
		if p.Cooldown.Class != "" {
			all = append(all, "project "+p.Name)
		}
		for i, k := range p.Keys {
			if k.Cooldown.Class != "" {
				all = append(all, "key "+p.Name+string(rune('0'+i)))
			}
		}
	}
	slices.Sort(all)
	return all
}

// eachLife runs a test for every class that matches, in a scene of its own.
func eachLife(t *testing.T, match func(life) bool, test func(t *testing.T, b *bed, l life, c *pool.Candidate)) {
	t.Helper()
	for _, l := range lives {
		if !match(l) {
			continue
		}
		t.Run(string(l.class), func(t *testing.T) {
			cfg := scene()
			cfg.Pacing.Tolerance = 1 // no pace, which takes the place of contention's rests
			inBubble(t, cfg, func(t *testing.T, b *bed) { test(t, b, l, b.candidate(flash, l.from)) })
		})
	}
}

func anyLife(life) bool { return true }

func rests(l life) bool { return len(l.rests) > 0 }

func timed(l life) bool { return len(l.lengths) > 0 }

func probed(l life) bool { return len(l.gaps) > 0 }

// next is the moment at which the endpoint can be asked again.
func (b *bed) next(now time.Time, c *pool.Candidate) time.Time {
	b.t.Helper()
	t, ok := c.Wake(now, small)
	if !ok {
		b.t.Fatalf("nothing is known to end the rest of %s", c)
	}
	return t
}

func TestEveryClassHasALife(t *testing.T) {
	var have []pool.Class
	for _, l := range lives {
		have = append(have, l.class)
		if rests(l) != (timed(l) || probed(l)) || timed(l) && probed(l) {
			t.Errorf("the row of %s says neither or both of how it ends", l.class)
		}
	}
	for _, class := range pool.RuledClasses() {
		if !slices.Contains(have, class) {
			t.Errorf("%s has no row", class)
		}
	}
}

func TestWhatRestsForAClassAndWhatDoesNot(t *testing.T) {
	eachLife(t, anyLife, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		if before := b.resting(b.start); before != nil {
			t.Fatalf("before anything happened there rest %q", before)
		}
		call := b.lease(b.start, c)
		if before := b.resting(b.start); before != nil {
			t.Errorf("while the call is under way there rest %q", before)
		}
		call.Settle(b.start, pool.Outcome{Class: l.class})
		want := slices.Sorted(slices.Values(l.rests))
		if diff := cmp.Diff(want, b.resting(b.start)); diff != "" {
			t.Errorf("what rests (-want +got):\n%s", diff)
		}
		if rest := c.Resting(b.start); rests(l) {
			if rest.Class != l.class || !rest.Since.Equal(b.start) || rest.Until.IsZero() != l.lasting || rest.Probe.IsZero() == probed(l) {
				t.Errorf("the rest is %+v", rest)
			}
			b.refuses(b.start, c, "while it rests")
		}
		if got := l.class.NeedsOperator(); got != l.lasting {
			t.Errorf("Lasting is %v", got)
		}
	})
}

// spans checks the length of the rest that began now, and returns what was added to it as a share.
func (b *bed) spans(now time.Time, c *pool.Candidate, want time.Duration, jitter float64) float64 {
	b.t.Helper()
	rest := c.Resting(now)
	got := rest.Until.Sub(now)
	if most := want + time.Duration(jitter*float64(want)); got < want || got > most {
		b.t.Errorf("%s rests for %v, want %v to %v", rest.Class, got, want, most)
	}
	if c.Ready(rest.Until.Add(-1)) {
		b.t.Errorf("%s is ready before the rest ends", c)
	}
	if !c.Ready(rest.Until) {
		b.t.Errorf("%s is not ready when the rest ends", c)
	}
	return float64(got-want) / float64(want)
}

func TestRestsThatRepeatDoubleUpToTheirMost(t *testing.T) {
	eachLife(t, timed, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		now := b.start
		for range 2 { // a success between makes it begin anew
			for _, want := range l.lengths {
				b.answer(now, c, pool.Outcome{Class: l.class})
				b.spans(now, c, want, l.jitter)
				now = b.next(now, c)
			}
			b.answer(now, c, pool.Outcome{Class: pool.ClassOK})
			now = b.next(now, c).Add(6 * minute) // for 5 minutes an answer proves that an order exists
		}
	})
}

func TestHintsAreKeptWithinTheClassesBounds(t *testing.T) {
	eachLife(t, timed, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		now := b.start
		for hint, want := range l.hints {
			b.answer(now, c, pool.Outcome{Class: l.class, Hint: hint})
			b.spans(now, c, want, l.jitter)
			now = b.next(now, c)
			b.answer(now, c, pool.Outcome{Class: pool.ClassOK})
			now = b.next(now, c).Add(6 * minute) // for 5 minutes an answer proves that an order exists
		}
	})
}

func TestRestsAreJittered(t *testing.T) {
	eachLife(t, timed, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		now, least, most := b.start, 1.0, 0.0
		for range 64 {
			b.answer(now, c, pool.Outcome{Class: l.class, Hint: 5 * second})
			added := b.spans(now, c, 5*second, l.jitter)
			least, most = min(least, added), max(most, added)
			now = b.next(now, c).Add(minute)
		}
		if least > 0.4*l.jitter || most < 0.6*l.jitter { // all of 64 lie within 60 % of the range once in 10^14
			t.Errorf("shares added lie between %v and %v, want them spread over 0 to %v", least, most, l.jitter)
		}
	})
}

func TestErrorsOfCallsInFlightTogetherAreOneStrike(t *testing.T) {
	eachLife(t, rests, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		var calls []pool.Lease
		for range 64 {
			calls = append(calls, b.lease(b.start, c))
		}
		now := b.start
		for _, call := range calls {
			now = now.Add(time.Millisecond)
			call.Settle(now, pool.Outcome{Class: l.class})
		}
		if timed(l) {
			now = b.next(now, c)
			if got, most := now.Sub(b.start), l.lengths[0]+time.Duration(l.jitter*float64(l.lengths[0]))+64*time.Millisecond; got > most {
				t.Errorf("64 calls that began together make it rest for %v, want at most %v", got, most)
			}
			b.answer(now, c, pool.Outcome{Class: l.class})
			b.spans(now, c, l.lengths[1], l.jitter)
			return
		}
		if got, want := b.next(now, c), b.start.Add(time.Millisecond+l.gaps[0]); !got.Equal(want) {
			t.Errorf("the first probe is after %v, want %v: late errors do not put it off", got.Sub(b.start), want.Sub(b.start))
		}
		now = b.next(now, c)
		b.answer(now, c, pool.Outcome{Class: l.class})
		if got := b.next(now, c).Sub(now); got != l.gaps[1] {
			t.Errorf("the second gap is %v, want %v", got, l.gaps[1])
		}
	})
}

func TestOnlyASuccessOfANewerAttemptEndsARest(t *testing.T) {
	eachLife(t, rests, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		older, begun := b.lease(b.start, c), b.lease(b.start, c)
		b.answer(b.start, c, pool.Outcome{Class: l.class})
		begun.Accept(b.start)
		older.Settle(b.start, pool.Outcome{Class: pool.ClassOK})
		begun.Settle(b.start, pool.Outcome{Class: pool.ClassOK})
		if diff := cmp.Diff(slices.Sorted(slices.Values(l.rests)), b.resting(b.start)); diff != "" {
			t.Errorf("after successes of older attempts (-want +got):\n%s", diff)
		}

		now := b.next(b.start, c)
		newer := b.lease(now, c)
		newer.Accept(now) // at the first piece of the answer, not at its end
		if got := b.resting(now); got != nil {
			t.Errorf("after a newer attempt was accepted there rest %q", got)
		}
		if !c.Ready(now) {
			t.Error("not ready")
		}
		newer.Settle(now, pool.Outcome{Class: pool.ClassOK})
	})
}

func TestTheLongerRestWins(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "a/global/on_demand")
		var inFlight []pool.Lease
		for range 6 {
			inFlight = append(inFlight, b.lease(b.start, c))
		}
		now := b.start
		for i, tt := range []struct {
			outcome pool.Outcome
			want    pool.Class
			quota   string
		}{
			{pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 20 * second, Quota: "short"}, pool.ClassMinuteQuota, "short"},
			{pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 60 * second, Quota: "same"}, pool.ClassMinuteQuota, "short"},
			{pool.Outcome{Class: pool.ClassQuotaUnknown}, pool.ClassMinuteQuota, "short"},
			{pool.Outcome{Class: pool.ClassDayQuota, Quota: "day"}, pool.ClassDayQuota, "day"},
			{pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 60 * second}, pool.ClassDayQuota, "day"},
			{pool.Outcome{Class: pool.ClassNoQuota}, pool.ClassNoQuota, ""},
		} {
			before := c.Resting(now).Until
			inFlight[i].Settle(now, tt.outcome)
			rest := c.Resting(now)
			if rest.Class != tt.want || rest.Quota != tt.quota {
				t.Errorf("after %s it rests for %s %q, want %s %q", tt.outcome.Class, rest.Class, rest.Quota, tt.want, tt.quota)
			}
			if !rest.Until.IsZero() && rest.Until.Before(before) {
				t.Errorf("%s shortened the rest", tt.outcome.Class)
			}
			if i == 1 && rest.Until.Sub(now) < 60*second {
				t.Errorf("a longer hint of the same class left %v", rest.Until.Sub(now))
			}
			now = now.Add(time.Millisecond)
		}
	})
}
