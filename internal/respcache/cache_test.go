package respcache_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/internal/respcache"
)

// at is the time of a test that has no clock.
var at = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func request(key byte, now time.Time) respcache.Request {
	return respcache.Request{Key: respcache.Key{key}, Now: now, Fresh: time.Hour, Terms: respcache.Terms{Wait: time.Second}}
}

// keep makes a request for a key and keeps its value.
func keep(t *testing.T, c *respcache.Cache[string], key byte, value string, bytes int64) {
	t.Helper()
	f := c.Ask(request(key, at))
	if !f.Leads {
		t.Fatalf("key %d is there: %+v", key, f)
	}
	f.Flight.End(respcache.Outcome[string]{Value: value, At: at, TTL: time.Minute, Bytes: bytes})
}

func TestEntriesGoByAgeAndByUse(t *testing.T) {
	c := respcache.New[string](10_000)
	for key := range byte(4) {
		keep(t, c, key, "value", 2000)
	}
	if f := c.Ask(request(0, at)); f.Flight != nil || f.Value != "value" {
		t.Errorf("the first is %+v", f)
	}
	keep(t, c, 4, "value", 2000) // the second was used least recently
	if f := c.Ask(request(1, at)); f.Flight == nil {
		t.Error("the second is still there")
	} else {
		f.Flight.End(respcache.Outcome[string]{Fate: respcache.Left})
	}
	if f := c.Ask(request(0, at.Add(59*time.Second))); f.Flight != nil || f.Age != 59*time.Second {
		t.Errorf("after 59 s: %+v", f)
	}
	old := request(0, at.Add(59*time.Second))
	old.Fresh = 59 * time.Second
	if f := c.Ask(old); f.Flight == nil {
		t.Error("an entry is as old as it must not be")
	}
	if f := c.Ask(request(2, at.Add(time.Minute))); f.Flight == nil {
		t.Error("an entry outlives its time")
	}
	if s := c.Stat(); s.Entries != 3 || s.Bytes != 3*2256 || s.Bound != 10_000 {
		t.Errorf("%+v", s)
	}
	c.SetBound(0)
	if s := c.Stat(); s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("without room: %+v", s)
	}
}

func TestWhatIsRecordedCounts(t *testing.T) {
	c := respcache.New[string](10_000)
	for key := range byte(3) {
		keep(t, c, key, "value", 2000)
	}
	var flights []*respcache.Flight[string]
	for key := range byte(4) {
		f := c.Alone(request(10+key, at))
		if !f.Record(2000) {
			t.Errorf("there is no room for recording %d", key)
		}
		flights = append(flights, f)
	}
	if s := c.Stat(); s.Bytes > s.Bound || s.Entries != 0 {
		t.Errorf("%+v", s)
	}
	if flights[0].Record(1000) {
		t.Error("a recording has more than a quarter")
	}
	for i := range 2 { // the second end says nothing
		flights[0].End(respcache.Outcome[string]{Value: "value", At: at, TTL: time.Minute, Bytes: int64(3000 - 1000*i)})
	}
	for _, f := range flights[1:] {
		f.End(respcache.Outcome[string]{Fate: respcache.Left})
	}
	if s := c.Stat(); s.Bytes != 0 || s.Entries != 0 {
		t.Errorf("at the end %+v", s)
	}
}

func TestCallsJoinRequestsThatSuitThem(t *testing.T) {
	for _, tt := range []struct {
		leader, other respcache.Terms
		joins         bool
	}{
		{respcache.Terms{Wait: time.Second}, respcache.Terms{Wait: time.Second}, true},
		{respcache.Terms{Wait: time.Second}, respcache.Terms{Wait: time.Minute}, true},
		{respcache.Terms{Wait: time.Second}, respcache.Terms{Wait: 0}, false},
		{respcache.Terms{Wait: time.Second, Batch: true}, respcache.Terms{Wait: time.Second}, false},
		{respcache.Terms{Wait: time.Second}, respcache.Terms{Wait: time.Second, Batch: true}, true},
	} {
		c := respcache.New[string](10_000)
		r := request(1, at)
		r.Terms = tt.leader
		first := c.Ask(r)
		r.Terms = tt.other
		if f := c.Ask(r); f.Leads == tt.joins {
			t.Errorf("%+v joins %+v: %v, want %v", tt.other, tt.leader, !f.Leads, tt.joins)
		}
		if f := c.Ask(r); f.Leads {
			t.Errorf("a third call, like the second, leads")
		}
		first.Flight.End(respcache.Outcome[string]{Fate: respcache.Left})
	}
}

func TestWaitEndsWithTheRequestOrTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := respcache.New[string](10_000)
		ask := func() respcache.Found[string] { return c.Ask(request(1, time.Now())) }
		leader := ask()
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				o, err := ask().Flight.Wait(t.Context(), 15*time.Second)
				if err != nil || o.Fate != respcache.Answered || o.Value != "value" {
					t.Errorf("%+v, %v", o, err)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := ask().Flight.Wait(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call that has ended waits on: %v", err)
		}
		for range 10 { // the server takes its time, and the call less
			leader.Flight.Leave(time.Now())
			time.Sleep(10 * time.Second)
			leader.Flight.Return(time.Now())
			time.Sleep(11 * time.Second)
			leader.Flight.Record(10)
		}
		leader.Flight.End(respcache.Outcome[string]{Value: "value", At: time.Now(), TTL: time.Hour})
		waiting.Wait()
	})
}

func TestACallThatReadsSlowlyHoldsNoOther(t *testing.T) {
	const patience = 2 * time.Second
	for _, tt := range []struct {
		name       string
		read, away time.Duration // again and again
		held       time.Duration // how long another call waits
	}{
		{"it stops", 0, time.Hour, patience},
		{"it reads on now and then", 100 * time.Millisecond, time.Second, 2500 * time.Millisecond},
		{"it reads byte by byte", 0, 100 * time.Millisecond, patience},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := respcache.New[string](10_000)
				slow := c.Ask(request(1, time.Now()))
				ctx, stop := context.WithCancel(t.Context())
				var reader sync.WaitGroup
				defer reader.Wait()
				defer stop()
				reader.Go(func() {
					for ctx.Err() == nil {
						time.Sleep(tt.read)
						slow.Flight.Leave(time.Now())
						select {
						case <-time.After(tt.away):
						case <-ctx.Done():
						}
						slow.Flight.Return(time.Now())
					}
				})
				began := time.Now()
				o, err := c.Ask(request(1, began)).Flight.Wait(t.Context(), patience)
				if took := time.Since(began); err != nil || o.Fate != respcache.Held || took < tt.held || took > tt.held+100*time.Millisecond {
					t.Errorf("after %v: %+v, %v", took, o, err)
				}
				if f := c.Ask(request(1, time.Now())); !f.Leads {
					t.Error("a call joins a request whose response is held")
				}
			})
		})
	}
}

func TestWhatHasOutlivedItsTimeGoesWithoutBeingAskedFor(t *testing.T) {
	c := respcache.New[string](100_000)
	for key := range byte(10) {
		keep(t, c, key, "value", 1000)
	}
	f := c.Ask(request(20, at.Add(time.Minute)))
	f.Flight.End(respcache.Outcome[string]{Value: "value", At: at.Add(time.Minute), TTL: time.Minute, Bytes: 1000})
	if s := c.Stat(); s.Entries != 1 || s.Bytes != 1256 {
		t.Errorf("%+v", s)
	}
}

func TestGetMakesNoRequest(t *testing.T) {
	c := respcache.New[string](100_000)
	if _, _, ok := c.Get(request(1, at)); ok {
		t.Error("an empty cache has it")
	}
	keep(t, c, 1, "value", 10)
	if value, age, ok := c.Get(request(1, at.Add(time.Second))); !ok || value != "value" || age != time.Second {
		t.Errorf("%q, %v, %v", value, age, ok)
	}
	long := request(1, at.Add(20*time.Second))
	for left, want := range map[time.Duration]bool{40 * time.Second: true, 41 * time.Second: false} {
		if long.Left = left; func() bool { _, _, ok := c.Get(long); return ok }() != want {
			t.Errorf("that it is kept for %v more is not %v", left, want)
		}
	}
	if s := c.Stat(); s.MissCount != 1 || s.HitCount != 2 {
		t.Errorf("%+v", s)
	}
}
