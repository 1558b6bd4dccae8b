package storetest

import (
	"maps"
	"slices"
	"time"

	"github.com/spillway-go/spillway/store"
)

var orderNewsLaws = []law{
	{"AGrantIsInTheNewsOfItsVersion", func(k *kit) {
		o := k.order(100 * time.Millisecond)
		before := o.pull(store.OrderPull{Member: anna})
		g := o.reserve(call(300, 0))
		after := o.pull(store.OrderPull{Member: anna, Number: 2, Epoch: before.Epoch, Version: before.Version})
		if g.Version <= before.Version || g.Version > after.Version || known(after)[g.Bucket] != 300 {
			k.Errorf("a grant has version %d between news of %d and %d, which hold %v", g.Version, before.Version, after.Version, known(after))
		}
	}},
	{"ChangesCountInTheirBucket", func(k *kit) {
		o := k.order(20 * time.Millisecond)
		g := o.wantOK(call(900, 50), true)
		k.sleep(50 * time.Millisecond)
		o.settle(store.OrderChange{Bucket: g.Bucket, Charge: charge(-600)})
		o.settle(store.OrderChange{Bucket: g.Bucket - 1000, Charge: charge(500)}) // has left the order's time
		ahead := o.settle(store.OrderChange{Bucket: g.Bucket + 10_000, Charge: charge(200)})
		now := ahead.Now.UnixNano() / int64(o.key.Bucket)
		want := map[int64]int64{g.Bucket: 300}
		want[now] += 200
		if got := known(o.pull(store.OrderPull{Member: anna})); !maps.Equal(got, want) {
			k.Errorf("buckets hold %v, want %v", got, want)
		}
		if sum := o.reserve(call(0, 0)).Sum; sum.Known != 500 || sum.Open != [store.Estimates]int64{50, 100, 150} {
			k.Errorf("the sum is %+v, want 500 known and 50, 100, 150 open", sum)
		}
	}},
	{"RefusalsOfCallsThatLeftTogetherTeachOnce", func(k *kit) {
		o := k.order(20 * time.Millisecond)
		refuse := func(lesson, want int64, teaches bool) {
			k.Helper()
			c := o.settle(store.OrderChange{Bucket: 1, Refused: true, Lesson: lesson})
			if c.Lesson != want || c.Teaches != teaches {
				k.Errorf("a refusal that knew lesson %d: %+v, want lesson %d, taught now: %t", lesson, c, want, teaches)
			}
		}
		refuse(0, 1, true)
		refuse(0, 1, false) // It knew as much.
		if c := o.settle(store.OrderChange{Bucket: 1}); c.Lesson != 1 || c.Teaches {
			k.Errorf("a change without a refusal: %+v, want lesson 1, not taught now", c)
		}
		if g := o.reserve(call(0, 0)); g.Lesson != 0 {
			k.Errorf("lesson %d is told before it is in the evidence", g.Lesson)
		}
		n := o.pull(store.OrderPull{Member: anna, Number: 1, Lesson: 1, Evidence: []store.Shift{{Add: []float64{1}}}})
		if g := o.reserve(call(0, 0)); n.Lesson != 1 || g.Lesson != 1 {
			k.Errorf("lessons %d and %d are told, want 1 once it is in the evidence", n.Lesson, g.Lesson)
		}
		refuse(1, 2, true)
		refuse(1, 2, false)
		k.sleep(store.OrderLesson + 50*time.Millisecond)
		refuse(1, 3, true) // The lesson has not come into the evidence for too long.
	}},
	{"PullsBringWhatHasChanged", func(k *kit) {
		o := k.order(20 * time.Millisecond)
		first := o.wantOK(call(10, 0), true)
		k.sleep(50 * time.Millisecond)
		second := o.wantOK(call(20, 0), true)
		n := o.pull(store.OrderPull{Member: anna})
		o.wantNews(n, true, map[int64]int64{first.Bucket: 10, second.Bucket: 20})
		if n.Epoch == "" || n.Now.Before(second.Now) {
			k.Errorf("%+v, want an epoch, and a time from %v on", n, second.Now)
		}
		pull := store.OrderPull{Member: anna, Epoch: n.Epoch, Version: n.Version, Count: n.Count}
		o.wantNews(o.pull(pull), false, map[int64]int64{})
		o.settle(store.OrderChange{Bucket: first.Bucket, Charge: charge(5)})
		o.wantNews(o.pull(pull), false, map[int64]int64{first.Bucket: 15})
		m := o.pull(pull)
		o.wantNews(m, false, map[int64]int64{first.Bucket: 15}) // The first answer may be lost.
		if m.Epoch != n.Epoch {
			k.Errorf("the epoch changes from %q to %q", n.Epoch, m.Epoch)
		}
		pull.Version = m.Version
		o.wantNews(o.pull(pull), false, map[int64]int64{})
		pull.Epoch = "another"
		o.wantNews(o.pull(pull), true, map[int64]int64{first.Bucket: 15, second.Bucket: 20})
	}},
	{"BucketsThatHaveLeftAreNoNews", func(k *kit) {
		o := k.order(5 * time.Millisecond)
		o.key.Buckets = 20
		first := o.reserve(call(10, 0))
		k.sleep(150 * time.Millisecond)
		second := o.reserve(call(20, 0))
		n := o.pull(store.OrderPull{Member: anna})
		if now := n.Now.UnixNano() / int64(o.key.Bucket); now-second.Bucket < o.key.Buckets {
			o.wantNews(n, true, map[int64]int64{second.Bucket: 20})
		}
		if second.Sum.Known != 0 {
			k.Errorf("%d are used of bucket %d in bucket %d, want none of what has left", second.Sum.Known, first.Bucket, second.Bucket)
		}
	}},
	{"PullsAreTakenOnce", func(k *kit) {
		o := k.order(100 * time.Millisecond)
		at := o.reserve(call(0, 0)).Bucket
		pull := store.OrderPull{Member: anna, Number: 1, Changes: []store.OrderChange{
			{Bucket: at, Charge: charge(7)}, {Bucket: at - 3, Charge: charge(8)}, {Bucket: at, Charge: charge(9)},
		}}
		for range 3 {
			o.pull(pull)
			if sum := o.reserve(call(0, 0)).Sum.Known; sum != 24 {
				k.Errorf("%d are used, want the 24 of one pull", sum)
			}
		}
		if got, want := known(o.pull(store.OrderPull{Member: bert})), map[int64]int64{at: 16, at - 3: 8}; !holds(got, want) {
			k.Errorf("buckets hold %v, want %v", got, want)
		}
		pull.Number = 5
		o.pull(pull)
		pull.Member, pull.Number = bert, 1
		o.pull(pull)
		pull.Number = 0
		o.pull(pull)
		if sum := o.reserve(call(0, 0)).Sum.Known; sum != 72 {
			k.Errorf("%d are used, want the 72 of three pulls", sum)
		}
	}},
	{"EvidenceShifts", func(k *kit) {
		o := k.order(100 * time.Millisecond)
		pull := store.OrderPull{Member: anna, Number: 1, Evidence: []store.Shift{{Add: []float64{1, 2}}, {Add: []float64{4}}}}
		pulled := func(want ...float64) {
			k.Helper()
			n := o.pull(pull)
			if !slices.Equal(n.Evidence, want) {
				k.Errorf("evidence is %v, want %v", n.Evidence, want)
			}
			pull.Count, pull.Epoch = n.Count, n.Epoch
		}
		pulled(1, 2, 4) // from zeros
		pulled()        // It knows that already.
		pull.Number, pull.Evidence = 2, []store.Shift{{Keep: 0.5, Add: []float64{10, 0}}, {Keep: 1, Add: []float64{1.0 / 3}}}
		pulled(10.5, 1, 4+1.0/3)
		pull.Number, pull.Evidence = 3, nil
		pulled()
		pull.Epoch = "another"
		pulled(10.5, 1, 4+1.0/3)
		late := store.OrderPull{Member: bert, Number: 1, Evidence: []store.Shift{{Add: []float64{9, 9, 9}}}}
		if n := o.pull(late); !slices.Equal(n.Evidence, []float64{10.5, 1, 4 + 1.0/3}) {
			k.Errorf("evidence is %v, want that of the first: from zeros comes nothing any more", n.Evidence)
		}
		// A member of another epoch knows evidence that this store has lost.
		o = k.order(100 * time.Millisecond)
		late.Count = 3
		if n := o.pull(late); len(n.Evidence) != 0 || n.Count != 0 {
			k.Errorf("evidence is %v, want none: what was shifted is lost", n.Evidence)
		}
	}},
	{"SumsAgreeWithBuckets", func(k *kit) {
		o := k.order(50 * time.Millisecond)
		o.key.Buckets = 2401
		now := o.reserve(call(0, 0)).Bucket
		pull := store.OrderPull{Member: anna, Number: 1}
		for i := range o.key.Buckets {
			c := store.Charge{Known: i * i % 1009, Open: [store.Estimates]int64{i % 7, i % 11, -i % 13}}
			pull.Changes = append(pull.Changes, store.OrderChange{Bucket: now - i, Charge: c})
		}
		n := o.pull(pull)
		if len(n.Buckets) < len(pull.Changes)-100 {
			k.Fatalf("%d buckets hold anything, want %d", len(n.Buckets), len(pull.Changes))
		}
		for window := range 49 {
			a := call(0, 0)
			a.Window.Buckets = int64(window * window)
			g := o.reserve(a)
			var want store.Charge
			for _, b := range n.Buckets {
				if b.Bucket >= g.Bucket-a.Window.Buckets {
					want.Add(b.Charge)
				}
			}
			if g.Sum != want {
				k.Errorf("in a window of %d the sum is %+v, its buckets hold %+v", a.Window.Buckets, g.Sum, want)
			}
			k.sleep(2 * time.Millisecond)
		}
	}},
}

// slowOrderLaws are those of whole windows.
var slowOrderLaws = []law{
	{"ASteadyOrderIsFullAndNeverMore", func(k *kit) {
		o := k.order(50 * time.Millisecond)
		a := call(17, 0)
		a.Window.Buckets = 100
		charged := map[int64]int64{} // by bucket
		var total int64
		first := o.reserve(call(0, 0)).Bucket
		for range 600 {
			if g := o.reserve(a); g.OK {
				charged[g.Bucket-first] += a.Charge.Known
				total += a.Charge.Known
			}
			k.sleep(49 * time.Millisecond)
		}
		for from := range charged {
			var sum int64
			for bucket, n := range charged {
				if bucket >= from && bucket <= from+a.Window.Buckets {
					sum += n
				}
			}
			if sum > 1000 {
				k.Errorf("%d were charged in a window that begins %d buckets after the first, want at most 1000", sum, from)
			}
		}
		if total < 5000 {
			k.Errorf("%d were charged in half a minute, want 5000 in its six windows", total)
		}
	}},
}

func charge(known int64) store.Charge { return store.Charge{Known: known} }

// known returns what is known in each bucket.
func known(n store.OrderNews) map[int64]int64 {
	buckets := map[int64]int64{}
	for _, b := range n.Buckets {
		buckets[b.Bucket] += b.Charge.Known
	}
	return buckets
}

// holds reports whether buckets hold as much as is wanted, and nothing beside it.
func holds(buckets, want map[int64]int64) bool {
	maps.DeleteFunc(buckets, func(_, known int64) bool { return known == 0 })
	return maps.Equal(buckets, want)
}

// wantNews checks what a pull brings.
func (o *order) wantNews(n store.OrderNews, whole bool, want map[int64]int64) {
	o.Helper()
	if got := known(n); n.Whole != whole || !maps.Equal(got, want) {
		o.Errorf("a pull brought %v, whole: %t, want %v, whole: %t", got, n.Whole, want, whole)
	}
}
