package cooldown_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
)

// strikes makes attempts fail as soon as they are admitted, and returns for how long nothing is
// asked after the last one.
func (b *bench) strikes(r *cooldown.Rule, n int) (last time.Duration) {
	b.Helper()
	for range n {
		b.pass(b.wait())
		last = b.strike(r, 0)
	}
	return last
}

func TestStrikesFadeByOneForEveryTenMinutesWithoutARefusal(t *testing.T) {
	for _, tt := range []struct {
		free time.Duration // after the end of the fifth cooldown, of 16 s
		want time.Duration // that the next one lasts
	}{
		{0, 32 * second}, {10*minute - 1, 32 * second}, {10 * minute, 16 * second}, {20*minute - 1, 16 * second}, {20 * minute, 8 * second},
		{30 * minute, 4 * second}, {40 * minute, 2 * second}, {50 * minute, second}, {60 * minute, second}, {1000 * hour, second},
	} {
		b := newBench(t)
		if got := b.strikes(&timed, 5); got != 16*second {
			t.Fatalf("the fifth cooldown lasts %v", got)
		}
		b.pass(b.wait() + tt.free)
		if got := b.strike(&timed, 0); got != tt.want {
			t.Errorf("after %v in which it could be asked it rests for %v, want %v", tt.free, got, tt.want)
		}
	}
}

func TestTimeInACooldownFadesNothing(t *testing.T) {
	long := cooldown.Rule{Ending: cooldown.Timed, Min: 20 * minute, Max: 1000 * hour}
	b := newBench(t)
	for _, want := range []time.Duration{20 * minute, 40 * minute, 80 * minute, 160 * minute} {
		if got := b.strike(&long, 0); got != want {
			t.Errorf("it rests for %v, want %v", got, want)
		}
		b.pass(b.wait())
	}
}

// Faded strikes do not come back, and each free time counts once.
func TestFadedStrikesAreForgotten(t *testing.T) {
	b := newBench(t)
	b.strikes(&timed, 5)
	for _, want := range []time.Duration{16 * second, 16 * second, 16 * second} { // one goes, one comes
		b.pass(b.wait() + 10*minute)
		if got := b.strike(&timed, 0); got != want {
			t.Errorf("it rests for %v, want %v", got, want)
		}
	}
	b.pass(b.wait())
	if got := b.strike(&timed, 0); got != 32*second {
		t.Errorf("a refusal at once rests for %v, want 32s", got)
	}
}

func TestALateErrorDoesNotFadeStrikes(t *testing.T) {
	b := newBench(t)
	late, _ := b.begin()
	b.strikes(&timed, 5)
	b.pass(b.wait() + 25*minute)
	b.fail(late, &timed, 0)
	if got := b.wait(); got > 16*second {
		t.Errorf("an error from before the episode makes it rest for %v", got)
	}
	b.pass(b.wait())
	if got := b.strike(&timed, 0); got > 16*second {
		t.Errorf("the next one rests for %v", got)
	}
}

func TestASuccessForgetsAllStrikesAtOnce(t *testing.T) {
	b := newBench(t)
	b.strikes(&timed, 5)
	b.pass(b.wait())
	seq, _ := b.begin()
	b.Succeed(b.at, seq)
	if got := b.strike(&timed, 0); got != second {
		t.Errorf("it rests for %v", got)
	}
}

func TestAHintMayBeShorterThanTheLeastOfDoublingButNotThanASecond(t *testing.T) {
	slow := cooldown.Rule{Ending: cooldown.Timed, Min: minute, Max: 10 * minute}
	for hint, want := range map[time.Duration]time.Duration{
		time.Millisecond: second, 5 * second: 5 * second, 90 * second: 90 * second, hour: 10 * minute, 0: minute, -second: minute,
	} {
		if got := newBench(t).strike(&slow, hint); got != want {
			t.Errorf("a hint of %v makes it rest for %v, want %v", hint, got, want)
		}
	}
}

func TestHastenMakesAProbeDueAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		rule *cooldown.Rule
		want bool
	}{"probed": {&probed, true}, "midnight": {&midnight, true}, "timed": {&timed, false}} {
		b := newBench(t)
		b.strikes(tt.rule, 1)
		b.Hasten(b.at)
		if got := b.Ready(b.at); got != tt.want {
			t.Fatalf("%s: ready: %v, want %v", name, got, tt.want)
		}
		if !tt.want {
			continue
		}
		seq, probe := b.begin()
		if !probe {
			t.Errorf("%s: the next attempt is no probe", name)
		}
		b.Hasten(b.at)
		b.refuses("beside the probe")
		b.ReturnProbe(b.at, seq, false)
		b.begin()
	}
	b := newBench(t)
	b.Hasten(b.at) // of none
	if b.Active(b.at) {
		t.Error("a cooldown comes from nothing")
	}
}
