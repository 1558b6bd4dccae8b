package quota_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

var unreached = quota.Limits{RPM: 1 << 40, TPM: 1 << 50, RPD: 1 << 40, Concurrency: 1 << 40}

func BenchmarkReserveSettle(b *testing.B) {
	q, now := quota.New(unreached), noon
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		r, _ := q.Reserve(now, 1000)
		q.Settle(now, r, 900)
	}
}

func BenchmarkReserveSettleParallel(b *testing.B) {
	q := quota.New(unreached)
	var clock atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			now := noon.Add(time.Duration(clock.Add(int64(time.Millisecond))))
			r, _ := q.Reserve(now, 1000)
			q.Settle(now, r, 900)
		}
	})
}

func BenchmarkLedger(b *testing.B) {
	l, err := quota.NewLedger(quota.Order{Model: "gemini-2.5-flash", GSUs: 10})
	if err != nil {
		b.Fatal(err)
	}
	now := noon
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(10 * time.Millisecond)
		if h, ok := l.Reserve(now, quota.Cost{Input: 100, Output: 150}); ok {
			l.Settle(now, h, quota.Cost{Input: 100, Output: 140})
		}
	}
}

func BenchmarkPacerUnlimited(b *testing.B) {
	p := quota.NewPacer(quota.Pacing{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.Allow(noon)
		}
	})
}

func BenchmarkPacerLimited(b *testing.B) {
	p := quota.NewPacer(quota.Pacing{})
	second(p, 0, 100, 2)
	second(p, time.Second, 1, 0)
	now := noon.Add(2 * time.Second)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		if p.Allow(now) {
			p.Accepted(now)
		}
	}
}

func TestReservingAndSettlingAllocateNothing(t *testing.T) {
	q, p := quota.New(unreached), quota.NewPacer(quota.Pacing{})
	var ramp quota.Ramp
	second(p, 0, 100, 2)
	l, err := quota.NewLedger(quota.Order{Model: "gemini-2.5-flash", GSUs: 10})
	if err != nil {
		t.Fatal(err)
	}
	shared, err := quota.NewSharedLedger(quota.Order{Model: "gemini-2.5-flash", GSUs: 10}, "a")
	if err != nil {
		t.Fatal(err)
	}
	shared.Pulled(noon, store.OrderNews{Now: noon, Epoch: "first", Whole: true})
	now := noon.Add(2 * time.Second)
	for name, f := range map[string]func(){
		"quota": func() {
			r, _ := q.Reserve(now, 1000)
			q.Settle(now, r, 900)
			r, _ = q.Reserve(now, 1000)
			q.Release(now, r)
			q.Headroom(now)
			q.Wait(now, 1000)
			r, _ = q.ReserveWithin(now, 1000, quota.Limits{})
			q.Release(now, r)
			q.WaitWithin(now, 1000, quota.Limits{RPM: 1})
		},
		"ledger": func() {
			h, _ := l.Reserve(now, quota.Cost{Input: 100, Output: 150})
			l.Settle(now, h, quota.Cost{Input: 100, Output: 140})
			h, _ = l.Reserve(now, quota.Cost{Input: 100, Output: 150})
			l.Refuse(now, h)
			h, _ = l.Reserve(now, quota.Cost{Input: 100, Output: 150})
			l.Release(now, h)
			l.Headroom(now)
			l.Wait(now, quota.Cost{Input: 100, Output: 150})
			l.Cost(quota.Usage{Input: 10, Output: 10})
		},
		"shared ledger": func() {
			h, room := shared.Reserve(now, quota.Cost{Input: 100, Output: 150})
			if room == quota.RoomUnknown {
				ask := shared.Ask(h)
				h, room = shared.Granted(now, h, store.OrderGrant{Now: now, OK: true, Bucket: now.UnixNano() / 25e6, Sum: ask.Charge})
			}
			if room != quota.RoomHeld {
				t.Error("no room")
			}
			shared.Held(h)
			shared.Told(now, h, shared.Settle(now, h, quota.Cost{Input: 100, Output: 140}), store.OrderChanged{Now: now})
		},
		"pacer": func() {
			p.Allow(now)
			p.Accepted(now)
			p.Allow(now)
			p.Rejected(now, now)
			p.Allow(now)
			p.Return(now)
			p.Wait(now)
		},
		"ramp": func() {
			ramp.Allow(now)
			ramp.Allow(now)
			ramp.Return()
			ramp.Wait(now)
		},
	} {
		if n := testing.AllocsPerRun(1000, func() { now = now.Add(7 * time.Millisecond); f() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
