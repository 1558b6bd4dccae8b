package cooldown_test

import (
	"encoding/json"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/cooldown"
)

const second, minute, hour = time.Second, time.Minute, time.Hour

// epoch is instant 0: nine in the morning in Los Angeles, in winter.
var epoch = time.Date(2026, 11, 25, 17, 0, 0, 0, time.UTC)

var (
	timed    = cooldown.Rule{Ending: cooldown.Timed, Min: second, Max: minute}
	flat     = cooldown.Rule{Ending: cooldown.Timed, Min: second, Max: minute, Flat: true}
	midnight = cooldown.Rule{Ending: cooldown.Midnight, Probe: 15 * minute, ProbeMax: 12 * hour, Probes: 4}
	probed   = cooldown.Rule{Ending: cooldown.Probed, Probe: minute, ProbeMax: hour, Remember: true}
)

// bench is a Cooldown on a clock that stands still. Attempts are numbered.
type bench struct {
	*testing.T
	cooldown.Cooldown

	at    int64
	seq   uint64
	shift time.Duration // of instant 0 from epoch
}

func newBench(t *testing.T) *bench { return &bench{T: t, at: int64(hour)} }

func (b *bench) now() time.Time { return epoch.Add(b.shift + time.Duration(b.at)) }

func (b *bench) pass(d time.Duration) { b.at += int64(d) }

// begin begins an attempt that has to be admitted, and reports whether it is a probe.
func (b *bench) begin() (seq uint64, probe bool) {
	b.Helper()
	b.seq++
	probe, ok := b.Admit(b.at, cooldown.Forever, b.seq)
	if !ok {
		b.Fatalf("not admitted after %v", time.Duration(b.at))
	}
	return b.seq, probe
}

// refuses checks that an attempt is not admitted.
func (b *bench) refuses(why string) {
	b.Helper()
	b.seq++
	if _, ok := b.Admit(b.at, cooldown.Forever, b.seq); ok || b.Ready(b.at) {
		b.Errorf("an attempt is admitted %s", why)
	}
}

// fail tells of an attempt's error.
func (b *bench) fail(seq uint64, r *cooldown.Rule, hint time.Duration) (cooldown.Info, cooldown.Change) {
	return b.Start(b.now(), b.at, seq, b.seq, &cooldown.Refusal{Class: classOf(r), Rule: r, Hint: hint})
}

// strike makes an attempt that fails, and returns for how long nothing is asked then.
func (b *bench) strike(r *cooldown.Rule, hint time.Duration) time.Duration {
	b.Helper()
	seq, _ := b.begin()
	b.fail(seq, r, hint)
	return b.wait()
}

// wait is the time until an attempt is admitted.
func (b *bench) wait() time.Duration {
	wake := b.Wake(b.at)
	if wake == cooldown.Forever {
		return math.MaxInt64
	}
	return time.Duration(wake - b.at)
}

func classOf(r *cooldown.Rule) string {
	return map[cooldown.Ending]string{
		cooldown.Timed: "timed", cooldown.Midnight: "midnight", cooldown.Probed: "probed", cooldown.Never: "never",
	}[r.Ending]
}

func TestTheZeroCooldownIsNone(t *testing.T) {
	b := newBench(t)
	if !b.Ready(b.at) || b.Active(b.at) || b.Dirty() || !b.Clean(b.at) || b.wait() != 0 || b.Ended(b.at) != 0 || b.Bytes() != 0 {
		t.Error("the zero value is a cooldown")
	}
	if _, probe := b.begin(); probe {
		t.Error("an attempt is a probe")
	}
	if _, _, ok := b.Succeed(b.at, b.seq); ok {
		t.Error("a success ends something")
	}
	b.ReturnProbe(b.at, b.seq, true)
	b.Clear(b.at)
	if _, ok := b.Save(b.now(), b.at); ok || b.Class(b.at) != "" || b.Info(b.now(), b.at).Class != "" || !b.Ready(b.at) {
		t.Error("there is something to save")
	}
}

func TestTimedCooldownsDoubleFromTheLeastToTheMost(t *testing.T) {
	b := newBench(t)
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		if got := b.strike(&timed, 0); got != want*second {
			t.Errorf("it lasts %v, want %v", got, want*second)
		}
		b.pass(b.wait() - 1)
		b.refuses("a nanosecond before the end")
		b.pass(1)
	}
	b.strike(&timed, 0)
	b.pass(minute)
	seq, _ := b.begin()
	if ended, active, ok := b.Succeed(b.at, seq); !ok || active || ended.Class != "timed" {
		t.Errorf("a success ends %+v, active: %v, %v", ended, active, ok)
	}
	if got := b.strike(&timed, 0); got != second {
		t.Errorf("after a success it lasts %v, want a second", got)
	}
}

func TestHintsOfTimedCooldownsAreKeptWithinBounds(t *testing.T) {
	for hint, want := range map[time.Duration]time.Duration{
		0: second, -hour: second, 1: second, 999 * time.Millisecond: second, 1500 * time.Millisecond: 1500 * time.Millisecond,
		minute: minute, minute + 1: minute, hour: minute, math.MaxInt64: minute,
	} {
		if got := newBench(t).strike(&timed, hint); got != want {
			t.Errorf("with a hint of %v it lasts %v, want %v", hint, got, want)
		}
	}
}

func TestFlatCooldownsDoNotDouble(t *testing.T) {
	b := newBench(t)
	for range 5 {
		if got := b.strike(&flat, 0); got != second {
			t.Errorf("it lasts %v", got)
		}
		b.pass(second)
	}
	if got := b.strike(&flat, 7*second); got != 7*second {
		t.Errorf("with a hint of 7 s it lasts %v", got)
	}
}

func TestLeastIsALowerBoundUpToTheMost(t *testing.T) {
	for least, want := range map[time.Duration]time.Duration{0: second, 3 * second: 3 * second, hour: minute, math.MaxInt64: minute} {
		b := newBench(t)
		seq, _ := b.begin()
		b.Start(b.now(), b.at, seq, b.seq, &cooldown.Refusal{Class: "timed", Rule: &timed, Least: least})
		if got := b.wait(); got != want {
			t.Errorf("with %v at least it lasts %v, want %v", least, got, want)
		}
	}
}

func TestJitterIsAddedUpToItsShare(t *testing.T) {
	r := timed
	r.Jitter = 0.5
	least, most := time.Duration(math.MaxInt64), time.Duration(0)
	for range 200 {
		d := newBench(t).strike(&r, 10*second)
		least, most = min(least, d), max(most, d)
	}
	if least < 10*second || most > 15*second || most-least < 3*second {
		t.Errorf("200 cooldowns of 10 s and half of it last %v to %v", least, most)
	}
}

func TestMidnightIsThatOfLosAngeles(t *testing.T) {
	for now, want := range map[string]time.Duration{
		"2026-11-25T17:00:00Z": 15 * hour,
		"2026-11-26T07:59:59Z": second,
		"2026-11-26T08:00:00Z": 24 * hour,
		"2026-07-01T06:59:00Z": minute,    // summer time
		"2026-10-31T07:00:00Z": 24 * hour, // the day before the longest
		"2026-11-01T07:00:00Z": 25 * hour, // on it summer time ends
		"2026-03-08T08:00:00Z": 23 * hour, // and begins here
		"2026-12-31T12:30:00Z": 19*hour + 30*minute,
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		var c cooldown.Cooldown
		info, change := c.Start(at, 5, 1, 1, &cooldown.Refusal{Class: "midnight", Rule: &midnight})
		if d := info.Until.Sub(at) - want; d < 0 || d >= second || change != cooldown.Started {
			t.Errorf("at %s it lasts %v, want %v and less than a second", now, info.Until.Sub(at), want)
		}
		if end := int64(info.Until.Sub(at)) + 5; c.Active(end) || !c.Active(end-1) || c.Ended(end) != end || c.Ended(end-1) != 0 {
			t.Errorf("at %s it does not end when it says", now)
		}
	}
}

func TestMidnightCooldownsAreProbedFourTimesAtDoublingGaps(t *testing.T) {
	b := newBench(t)
	for i, want := range []time.Duration{15 * minute, 30 * minute, hour, 2 * hour} {
		if got := b.strike(&midnight, 0); got != want {
			t.Errorf("gap %d is %v, want %v", i, got, want)
		}
		b.pass(b.wait())
	}
	b.strike(&midnight, 0)
	end := b.Info(b.now(), b.at).Until.Sub(b.now())
	if got := b.wait(); got != end {
		t.Errorf("after four probes it is asked again after %v, want at its end, %v", got, end)
	}
	b.pass(end)
	if got := b.strike(&midnight, 0); got != 15*minute {
		t.Errorf("the next day the first gap is %v", got)
	}
}

func TestAHintIsTheFirstGapOfAMidnightCooldown(t *testing.T) {
	for hint, want := range map[time.Duration]time.Duration{
		1: second, 30 * second: 30 * second, 3 * hour: 3 * hour,
	} {
		b := newBench(t)
		if got := b.strike(&midnight, hint); got != want {
			t.Errorf("a hint of %v gives a gap of %v, want %v", hint, got, want)
		}
		b.pass(b.wait())
		if got, want := b.strike(&midnight, hint), max(2*want, 15*minute); got != want {
			t.Errorf("after a hint of %v the second gap is %v, want %v", hint, got, want)
		}
	}
}

func TestProbedCooldownsEndBySuccessAlone(t *testing.T) {
	b := newBench(t)
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if got := b.strike(&probed, 10*hour); got != want*minute { // it takes no hints
			t.Errorf("gap %d is %v, want %v", i, got, want*minute)
		}
		info := b.Info(b.now(), b.at)
		if !info.Until.IsZero() || info.Probe.Sub(b.now()) != want*minute || info.Class != "probed" {
			t.Errorf("it says %+v", info)
		}
		b.pass(b.wait() - 1)
		b.refuses("before the gap is over")
		b.pass(1)
		if i == 7 {
			break
		}
	}
	b.pass(1000 * hour)
	if !b.Active(b.at) {
		t.Error("it has ended by time")
	}
	seq, probe := b.begin()
	if !probe {
		t.Error("the attempt is no probe")
	}
	if ended, active, ok := b.Succeed(b.at, seq); !ok || !active || ended.Class != "probed" {
		t.Errorf("its success ends %+v, active: %v, %v", ended, active, ok)
	}
	if b.Active(b.at) || b.Dirty() || !b.Clean(b.at) || b.Ended(b.at) != b.at || b.Class(b.at) != "" {
		t.Error("it goes on")
	}
	if _, _, again := b.Succeed(b.at, seq); again {
		t.Error("the same success ends something twice")
	}
}

func TestOneProbeAtATime(t *testing.T) {
	for name, tt := range map[string]struct {
		deadline time.Duration
		after    time.Duration
	}{
		"without a deadline":     {math.MaxInt64, 30 * second},
		"with a long deadline":   {5 * minute, 30 * second},
		"with a short deadline":  {7 * second, 7 * second},
		"after its own deadline": {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.strike(&probed, 0)
			b.pass(minute)
			deadline := int64(cooldown.Forever)
			if tt.deadline != math.MaxInt64 {
				deadline = b.at + int64(tt.deadline)
			}
			b.seq++
			lost := b.seq
			if probe, ok := b.Admit(b.at, deadline, lost); !probe || !ok {
				t.Fatal("not admitted as a probe")
			}
			if got := b.wait(); got != tt.after {
				t.Errorf("another probe is admitted after %v, want %v", got, tt.after)
			}
			b.pass(tt.after)
			second, _ := b.begin()
			b.ReturnProbe(b.at, lost, false) // it is forgotten already
			if got := b.wait(); got != 30*time.Second {
				t.Errorf("the lost probe came back, and one is admitted after %v", got)
			}
			b.ReturnProbe(b.at, second, false)
			if got := b.wait(); got != 0 {
				t.Errorf("the second probe was not sent, and one is admitted after %v", got)
			}
		})
	}
}

func TestAProbeThatWasSentForNothingIsRepeatedAfterASecond(t *testing.T) {
	b := newBench(t)
	b.strike(&midnight, 0)
	b.pass(b.wait())
	for range 20 { // those that are not sent cost nothing
		seq, _ := b.begin()
		b.ReturnProbe(b.at, seq, false)
	}
	for i := range 4 {
		seq, probe := b.begin()
		if !probe {
			t.Fatalf("attempt %d is no probe", i)
		}
		b.ReturnProbe(b.at, seq, true)
		b.ReturnProbe(b.at, seq, false) // it has none to give back any more
		if want := second; i < 3 && b.wait() != want {
			t.Errorf("after probe %d the next comes in %v, want %v", i, b.wait(), want)
		}
		if i < 3 {
			b.pass(second)
		}
	}
	b.refuses("though four probes were sent")
}

func TestErrorsOfOneEpisodeAreOneStrike(t *testing.T) {
	for _, r := range []*cooldown.Rule{&timed, &midnight, &probed} {
		t.Run(classOf(r), func(t *testing.T) {
			b := newBench(t)
			var began []uint64
			for range 50 {
				seq, _ := b.begin()
				began = append(began, seq)
			}
			_, change := b.fail(began[0], r, 0)
			if change != cooldown.Started {
				t.Errorf("the first error is %v", change)
			}
			first := b.Wake(b.at)
			for _, seq := range began[1:] {
				b.pass(time.Millisecond)
				b.fail(seq, r, 0)
			}
			switch wake := b.Wake(b.at); {
			case r.Ending == cooldown.Timed && wake != first+int64(49*time.Millisecond):
				t.Errorf("50 errors end %v after one does", time.Duration(wake-first))
			case r.Ending != cooldown.Timed && wake != first:
				t.Errorf("late errors move the probe by %v", time.Duration(wake-first))
			}
			once, _ := b.Save(b.now(), b.at)
			if once.Strikes != 1 {
				t.Errorf("they are %d strikes", once.Strikes)
			}
			b.pass(b.wait())
			b.strike(r, 0)
			if twice, _ := b.Save(b.now(), b.at); twice.Strikes != 2 {
				t.Errorf("with a later error they are %d strikes", twice.Strikes)
			}
		})
	}
}

func TestALateErrorLeavesTheProbeAlone(t *testing.T) {
	b := newBench(t)
	late, _ := b.begin()
	b.strike(&probed, 0)
	b.pass(b.wait())
	seq, _ := b.begin()
	if _, change := b.fail(late, &probed, 0); change != cooldown.Unchanged {
		t.Errorf("the late error is %v", change)
	}
	b.refuses("while the probe is out")
	if _, _, ok := b.Succeed(b.at, seq); !ok {
		t.Error("the probe's success ends nothing")
	}
}

func TestOnlyNewerAttemptsEndACooldown(t *testing.T) {
	b := newBench(t)
	older, _ := b.begin()
	failing, _ := b.begin()
	last, _ := b.begin() // the newest when the cooldown starts
	b.fail(failing, &probed, 0)
	for _, seq := range []uint64{older, failing, last} {
		if _, _, ok := b.Succeed(b.at, seq); ok {
			t.Errorf("attempt %d, which began before the cooldown, ends it", seq)
		}
	}
	b.pass(b.wait())
	newer, _ := b.begin()
	if _, _, ok := b.Succeed(b.at, newer); !ok {
		t.Error("a newer one does not")
	}
}

func TestTheLongerCooldownWins(t *testing.T) {
	b := newBench(t)
	var seqs [5]uint64
	for i := range seqs {
		seqs[i], _ = b.begin()
	}
	for i, tt := range []struct {
		rule   *cooldown.Rule
		hint   time.Duration
		class  string
		change cooldown.Change
	}{
		{&timed, 20 * second, "timed", cooldown.Started},
		{&timed, 5 * second, "timed", cooldown.Unchanged},
		{&timed, 30 * second, "timed", cooldown.Extended},
		{&midnight, 0, "midnight", cooldown.Started},
		{&timed, 50 * second, "midnight", cooldown.Unchanged},
	} {
		before := b.Info(b.now(), b.at).Until
		b.pass(time.Millisecond)
		info, change := b.fail(seqs[i], tt.rule, tt.hint)
		if info.Class != tt.class || change != tt.change || info.Until.Before(before) {
			t.Errorf("step %d: %+v, change %d; want %s, %d", i, info, change, tt.class, tt.change)
		}
		if got := b.Class(b.at); got != tt.class {
			t.Errorf("step %d: the class is %q", i, got)
		}
		if diff := cmp.Diff(b.Info(b.now(), b.at).Until, info.Until); diff != "" {
			t.Errorf("step %d: Info and Start do not agree:\n%s", i, diff)
		}
	}
}

func TestAProbeRefusedForALesserReasonDoublesTheGap(t *testing.T) {
	b := newBench(t)
	b.strike(&probed, 0)
	b.pass(minute)
	if got := b.strike(&timed, 0); got != 2*minute || b.Class(b.at) != "probed" {
		t.Errorf("then %s is probed after %v, want two minutes", b.Class(b.at), got)
	}
}

func TestInfoSaysWhatTheServerSaidAndSharesNothing(t *testing.T) {
	b := newBench(t)
	seq, _ := b.begin()
	body := []byte("what the server said")
	b.Start(b.now(), b.at, seq, b.seq, &cooldown.Refusal{
		Class: "probed", Rule: &probed, Quota: "q", Message: "m", Status: 403, Body: body,
	})
	info := b.Info(b.now(), b.at)
	want := cooldown.Info{
		Class: "probed", Since: b.now(), Probe: b.now().Add(minute), Quota: "q", Message: "m", Status: 403, Body: body,
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := b.Bytes(); got != len(body)+2 {
		t.Errorf("it holds %d bytes", got)
	}
	info.Body[0] = 'X'
	if again := b.Info(b.now(), b.at); string(again.Body) != "what the server said" {
		t.Errorf("what was done to an Info shows in the next: %q", again.Body)
	}
}

func TestARuleThatDoesNotRememberKeepsNoAnswer(t *testing.T) {
	b := newBench(t)
	seq, _ := b.begin()
	b.Start(b.now(), b.at, seq, b.seq, &cooldown.Refusal{Class: "timed", Rule: &timed, Status: 429, Body: []byte("no")})
	if info := b.Info(b.now(), b.at); info.Status != 0 || info.Body != nil {
		t.Errorf("it keeps %+v", info)
	}
}

func TestEndedIsWhenTheLastCooldownEnded(t *testing.T) {
	b := newBench(t)
	b.strike(&timed, 10*second)
	end := b.at + int64(10*second)
	for _, tt := range []struct{ at, want int64 }{{b.at, 0}, {end - 1, 0}, {end, end}, {end + int64(hour), end}} {
		if got := b.Ended(tt.at); got != tt.want {
			t.Errorf("at %d it ended at %d, want %d", tt.at, got, tt.want)
		}
	}
	if b.Clean(end) || !b.Dirty() {
		t.Error("the strikes are forgotten without a success")
	}
	b.pass(hour)
	seq, _ := b.begin()
	b.Succeed(b.at, seq)
	if got := b.Ended(b.at); got != end {
		t.Errorf("a success an hour later makes it %d, want %d", got, end)
	}
	b.strike(&probed, 0)
	b.Clear(b.at)
	if got := b.Ended(b.at); got != b.at || b.Active(b.at) || b.Dirty() {
		t.Errorf("after Clear it ended at %d, want now, %d", got, b.at)
	}
}

func TestARestoredCooldownGoesOnWhereItWas(t *testing.T) {
	for _, r := range []*cooldown.Rule{&timed, &midnight, &probed} {
		t.Run(classOf(r), func(t *testing.T) {
			b := newBench(t)
			for range 3 {
				b.strike(r, 0)
				b.pass(b.wait())
			}
			seq, _ := b.begin()
			b.Start(b.now(), b.at, seq, b.seq, &cooldown.Refusal{
				Class: classOf(r), Rule: r, Quota: "q", Message: "m", Status: 403, Body: []byte("no"),
			})
			b.pass(second)
			saved, ok := b.Save(b.now(), b.at)
			if !ok {
				t.Fatal("nothing is saved")
			}
			encoded, err := json.Marshal(saved)
			if err != nil {
				t.Fatal(err)
			}
			var read cooldown.Saved
			if err := json.Unmarshal(encoded, &read); err != nil {
				t.Fatal(err)
			}
			again := &bench{T: t, at: b.at - int64(30*minute), shift: 30 * minute} // as in another process
			again.Restore(again.now(), again.at, 100, read, r)
			if diff := cmp.Diff(b.Info(b.now(), b.at), again.Info(again.now(), again.at)); diff != "" {
				t.Errorf("Info (-before +after):\n%s", diff)
			}
			if was, is := b.Wake(b.at), again.Wake(again.at)+int64(again.shift); was != is {
				t.Errorf("it wakes %v later", time.Duration(is-was))
			}
			if resaved, _ := again.Save(again.now(), again.at); !cmp.Equal(saved, resaved) {
				t.Errorf("saved again it is\n%+v, want\n%+v", resaved, saved)
			}
			for seq := range uint64(101) {
				if _, _, ok := again.Succeed(again.at, seq); ok {
					t.Fatalf("attempt %d of before the restart ends it", seq)
				}
			}
			// It doubles where it left off.
			again.seq = 100
			b.pass(b.wait())
			again.pass(again.wait())
			b.strike(r, 0)
			again.strike(r, 0)
			was, _ := b.Save(b.now(), b.at)
			is, _ := again.Save(again.now(), again.at)
			if was.Strikes != is.Strikes || was.Gap != is.Gap || (b.wait()-again.wait()).Abs() > 2*second {
				t.Errorf("the next strike is %+v, and would have been %+v", is, was)
			}
		})
	}
}

func TestNoRestoredCooldownIsLongerThanItsRuleAllows(t *testing.T) {
	now, far := epoch, epoch.AddDate(10, 0, 0)
	for name, tt := range map[string]struct {
		rule  *cooldown.Rule
		saved cooldown.Saved
		end   time.Duration // 0: never
		wake  time.Duration
	}{
		"timed":             {&timed, cooldown.Saved{Until: far}, minute, minute},
		"timed, no end":     {&timed, cooldown.Saved{}, minute, minute},
		"midnight":          {&midnight, cooldown.Saved{Until: far}, 15*hour + second, 15*hour + second},
		"midnight, probe":   {&midnight, cooldown.Saved{Until: far, Probe: now.Add(hour)}, 15*hour + second, hour},
		"probed":            {&probed, cooldown.Saved{Until: now.Add(second)}, 0, minute},
		"probed, far probe": {&probed, cooldown.Saved{Probe: far}, 0, 25 * hour},
		"probed, late":      {&probed, cooldown.Saved{Probe: now.Add(-hour)}, 0, 0},
	} {
		var c cooldown.Cooldown
		tt.saved.Class, tt.saved.Since = "x", now.Add(-hour)
		tt.saved.Strikes, tt.saved.Probes, tt.saved.Gap = -3, -3, math.Inf(1)
		if name == "probed" {
			tt.saved.Gap = -1
		}
		c.Restore(now, 0, 9, tt.saved, tt.rule)
		info := c.Info(now, 0)
		if tt.end == 0 != info.Until.IsZero() || tt.end > 0 && info.Until.Sub(now) != tt.end {
			t.Errorf("%s: it ends after %v, want %v", name, info.Until.Sub(now), tt.end)
		}
		if got := time.Duration(c.Wake(0)); got != tt.wake {
			t.Errorf("%s: it wakes after %v, want %v", name, got, tt.wake)
		}
	}
}

func TestWhatHasEndedIsNotRestored(t *testing.T) {
	never := cooldown.Rule{}
	for name, tt := range map[string]struct {
		rule *cooldown.Rule
		end  time.Duration
	}{
		"timed": {&timed, -1}, "now": {&timed, 0}, "midnight": {&midnight, -hour}, "of no rule": {&never, hour},
	} {
		var c cooldown.Cooldown
		c.Restore(epoch, int64(hour), 1, cooldown.Saved{Class: "x", Until: epoch.Add(tt.end), Strikes: 5}, tt.rule)
		if !c.Clean(int64(hour)) || !c.Ready(int64(hour)) {
			t.Errorf("%s: it is restored", name)
		}
	}
}

func TestCooldownsBearManyGoroutines(t *testing.T) {
	var c cooldown.Cooldown
	var seq, probes atomic.Int64
	var done sync.WaitGroup
	rules := []*cooldown.Rule{&timed, &midnight, &probed, &flat}
	for i := range 8 {
		done.Go(func() {
			for k := range 500 {
				at := int64(k) * int64(minute)
				now := epoch.Add(time.Duration(at))
				n := uint64(seq.Add(1))
				probe, ok := c.Admit(at, cooldown.Forever, n)
				if !ok {
					_, _ = c.Wake(at), c.Info(now, at)
					continue
				}
				if probe {
					probes.Add(1)
				}
				switch (i + k) % 4 {
				case 0:
					c.Succeed(at, n)
				case 1:
					c.ReturnProbe(at, n, k%3 == 0)
				default:
					r := rules[(i+k)%len(rules)]
					c.Start(now, at, n, uint64(seq.Load()), &cooldown.Refusal{Class: classOf(r), Rule: r, Body: []byte("x")})
				}
				if s, ok := c.Save(now, at); ok && s.Strikes < 1 {
					t.Errorf("saved without a strike: %+v", s)
				}
				_, _, _, _ = c.Ready(at), c.Ended(at), c.Class(at), c.Bytes()
			}
		})
	}
	done.Wait()
	if probes.Load() == 0 {
		t.Error("no attempt was a probe: the test tests little")
	}
	at := int64(1000 * hour)
	c.Clear(at)
	if !c.Clean(at) || !c.Ready(at) {
		t.Error("after Clear it is not clean")
	}
}

func TestOfManyGoroutinesOneIsTheProbe(t *testing.T) {
	for range 50 {
		var c cooldown.Cooldown
		c.Start(epoch, 0, 1, 1, &cooldown.Refusal{Class: "probed", Rule: &probed})
		var admitted atomic.Int64
		var done sync.WaitGroup
		for i := range 16 {
			done.Go(func() {
				if probe, ok := c.Admit(int64(minute), cooldown.Forever, uint64(2+i)); ok && probe {
					admitted.Add(1)
				}
			})
		}
		done.Wait()
		if got := admitted.Load(); got != 1 {
			t.Fatalf("%d probes are admitted at once", got)
		}
	}
}
