package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/spillway-go/spillway/store"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// tenths is an order whose time is cut into tenths of a second, of which it keeps a hundred.
func tenths() *store.OrderState {
	return store.NewOrderState(store.OrderKey{Name: "order", Bucket: 100 * time.Millisecond, Buckets: 101}, "first")
}

// call asks for a call of a prompt and an answer in a window of five seconds that holds 1,000.
func call(known, open int64) *store.OrderAsk {
	return &store.OrderAsk{
		Charge: store.Charge{Known: known, Open: [store.Estimates]int64{open, 2 * open, 3 * open}},
		Guess:  0.5, By: 1, Window: store.OrderWindow{Buckets: 50, Capacity: 1000},
	}
}

func after(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func TestOrderAdmitsWhatFitsTheWindow(t *testing.T) {
	s := tenths()
	for _, step := range []struct {
		at          float64
		known, open int64
		ok          bool
		sum         int64 // known before the call
	}{
		{0, 300, 100, true, 0}, // 400 as guessed
		{1, 500, 50, true, 300},
		{1, 100, 0, false, 800}, // 950 are used
		{1, 50, 0, true, 800},
		{5, 1, 0, false, 850},
		{5.1, 1, 0, true, 550}, // the first has left
		{5.1, 400, 0, false, 551},
		{60, 1000, 0, true, 0},
	} {
		g := s.Reserve(after(step.at), call(step.known, step.open))
		if g.OK != step.ok || g.Sum.Known != step.sum || g.Now != after(step.at) {
			t.Errorf("at %v: %d and %d: %+v, want %v with %d used", step.at, step.known, step.open, g, step.ok, step.sum)
		}
	}
}

func TestOrderLeavesTheMarginFreeAndTakesLargeCallsWhenIdle(t *testing.T) {
	s := tenths()
	large := call(100, 300) // 700 by its own measure, 400 by the guess
	large.Guess = 5
	if g := s.Reserve(noon, large); !g.OK {
		t.Error("an idle order refused a call that is not larger than it")
	}
	s = tenths()
	s.Reserve(noon, call(500, 0))
	full := call(480, 0)
	full.Window.Margin = 0.05
	if g := s.Reserve(noon, full); g.OK {
		t.Error("what has to be left free was used")
	}
	full.Charge.Known = 475
	if g := s.Reserve(noon, full); !g.OK {
		t.Error("more was left free than has to be")
	}
}

func TestOrderSettlesAtOnceAndOnlyWhatItRemembers(t *testing.T) {
	s := tenths()
	g := s.Reserve(noon, call(900, 0))
	s.Settle(after(2), &store.OrderChange{Bucket: g.Bucket, Charge: store.Charge{Known: -600}})
	if g := s.Reserve(after(2), call(700, 0)); !g.OK || g.Sum.Known != 300 {
		t.Errorf("%+v, want 300 used", g)
	}
	s.Settle(after(60), &store.OrderChange{Bucket: g.Bucket, Charge: store.Charge{Known: 900}})
	s.Settle(after(60), &store.OrderChange{Bucket: g.Bucket + 10_000, Charge: store.Charge{Known: 200}}) // a clock that is ahead
	if g := s.Reserve(after(60), call(0, 0)); g.Sum.Known != 200 {
		t.Errorf("%+v, want only what was said to be of later", g)
	}
}

func TestOrderTriesALongerWindowNowAndThen(t *testing.T) {
	s := tenths()
	try := call(600, 0)
	try.Longer, try.Every = store.OrderWindow{Buckets: 100, Capacity: 2400}, 50
	var got []bool
	for _, at := range []float64{0, 1, 2, 6.2, 7} {
		got = append(got, s.Reserve(after(at), try).OK)
	}
	if want := []bool{true, true, false, true, true}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v: the second tries, the third comes too soon, the fourth fits, and the fifth tries", got, want)
	}
}

func TestRefusalsOfCallsThatLeftTogetherTeachOnce(t *testing.T) {
	s := tenths()
	refuse := func(at float64, lesson int64) store.OrderChanged {
		return s.Settle(after(at), &store.OrderChange{Bucket: noon.UnixNano() / 1e8, Refused: true, Lesson: lesson})
	}
	if c := refuse(1, 0); !c.Teaches || c.Lesson != 1 {
		t.Errorf("the first refusal: %+v", c)
	}
	if c := refuse(1, 0); c.Teaches || c.Lesson != 1 {
		t.Errorf("the second, which knew as much: %+v", c)
	}
	if g := s.Reserve(after(1), call(0, 0)); g.Lesson != 0 {
		t.Errorf("lesson %d before it is in the evidence", g.Lesson)
	}
	n := s.Pull(after(1), &store.OrderPull{Member: "a", Number: 1, Lesson: 1, Evidence: []store.Shift{{Add: []float64{1}}}})
	if n.Lesson != 1 || !refuse(1.1, 1).Teaches {
		t.Error("a refusal of a call that knew the lesson taught nothing")
	}
	if refuse(1.2, 1).Teaches || !refuse(3, 1).Teaches {
		t.Error("a lesson that never reaches the evidence keeps others from teaching for a second, and no longer")
	}
}

func TestPullsBringWhatHasChanged(t *testing.T) {
	s := tenths()
	first := s.Reserve(noon, call(10, 0)).Bucket
	s.Reserve(after(1), call(20, 0))
	n := s.Pull(after(1), &store.OrderPull{Member: "a"})
	if !n.Whole || len(n.Buckets) != 2 {
		t.Fatalf("the first pull: %+v, want both buckets", n)
	}
	pull := store.OrderPull{Member: "a", Epoch: n.Epoch, Version: n.Version, Count: n.Count}
	if n = s.Pull(after(1), &pull); n.Whole || len(n.Buckets) != 0 {
		t.Errorf("nothing has changed: %+v", n)
	}
	s.Settle(after(2), &store.OrderChange{Bucket: first, Charge: store.Charge{Known: 5}})
	want := store.OrderBucket{Bucket: first, Charge: store.Charge{Known: 15}}
	if n = s.Pull(after(2), &pull); len(n.Buckets) != 1 || n.Buckets[0] != want {
		t.Errorf("%+v, want %+v", n.Buckets, want)
	}
	if n = s.Pull(after(60), &store.OrderPull{Member: "b"}); len(n.Buckets) != 0 {
		t.Errorf("buckets that have left the order's time: %+v", n.Buckets)
	}
	pull.Epoch = "another"
	if n = s.Pull(after(2), &pull); !n.Whole {
		t.Error("a member of another epoch was not told all")
	}
}

func TestPullsAreTakenOnce(t *testing.T) {
	s := tenths()
	pull := store.OrderPull{
		Member: "a", Number: 1, Evidence: []store.Shift{{Add: []float64{1, 2}}, {Add: []float64{4}}},
		Changes: []store.OrderChange{{Bucket: noon.UnixNano() / 1e8, Charge: store.Charge{Known: 7}}},
	}
	pulled := func(want ...float64) {
		t.Helper()
		n := s.Pull(noon, &pull)
		if !slices.Equal(n.Evidence, want) {
			t.Errorf("evidence %v, want %v", n.Evidence, want)
		}
		pull.Count, pull.Epoch = n.Count, n.Epoch
		if sum := s.Reserve(noon, call(0, 0)).Sum.Known; sum != 7 {
			t.Errorf("%d used, want the 7 of one change", sum)
		}
	}
	pulled(1, 2, 4) // from zeros
	pulled()        // again, as if the answer was lost
	pull.Number, pull.Changes = 2, nil
	pull.Evidence = []store.Shift{{Keep: 0.5, Add: []float64{10, 0}}, {Keep: 1, Add: []float64{1}}}
	pulled(10.5, 1, 5)
	late := store.OrderPull{Member: "b", Number: 1, Evidence: []store.Shift{{Add: []float64{9, 9, 9}}}}
	if n := s.Pull(noon, &late); !slices.Equal(n.Evidence, []float64{10.5, 1, 5}) {
		t.Errorf("evidence %v, want that of the first: zeros are known of no longer", n.Evidence)
	}
}

func TestOrderOutlivesAClockThatStepsBack(t *testing.T) {
	s := tenths()
	s.Reserve(noon, call(1000, 0))
	epoch := s.Pull(noon, &store.OrderPull{Member: "a"}).Epoch
	if g := s.Reserve(after(-5), call(1, 0)); g.OK {
		t.Error("a clock that is back a little made room")
	}
	if g := s.Reserve(after(-60), call(1000, 0)); !g.OK || g.Sum.Known != 0 {
		t.Errorf("a clock that is back by more than the order's time: %+v, want it begun anew", g)
	}
	if n := s.Pull(after(-60), &store.OrderPull{Member: "a", Epoch: epoch}); !n.Whole || n.Epoch == epoch {
		t.Errorf("%+v, want another epoch", n)
	}
}
