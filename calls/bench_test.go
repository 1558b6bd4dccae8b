package calls_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// tell tells a trace of one small call that is served at once.
func tell(t *router.Trace, e *pool.Endpoint) {
	now := time.Now()
	ctx := t.CallStart(context.Background(), router.CallStart{
		At: now, ID: "0123456789abcdef", Model: "gemini-3.5-flash", Method: "generateContent", Label: "team-a",
	})
	t.WaitEnd(ctx, router.WaitEnd{Began: now, At: now, Endpoint: e})
	start := router.AttemptStart{At: now, Number: 1, Model: "gemini-3.5-flash", Endpoint: e}
	o := pool.Outcome{Class: pool.ClassOK, Counted: true, Traffic: "ON_DEMAND"}
	o.Usage.Input, o.Usage.Output = 1234, 567
	t.AttemptEnd(ctx, router.AttemptEnd{
		AttemptStart: start, Ended: now.Add(1234567 * time.Microsecond), FirstByte: now.Add(time.Second), Status: 200, Outcome: o,
	})
	t.CallEnd(ctx, router.CallEnd{Began: now, At: now.Add(1234567 * time.Microsecond), Attempts: 1, Status: 200})
}

var anEndpoint = &pool.Endpoint{Name: "prod/global/on_demand", Project: "prod", Traffic: pool.TrafficOnDemand}

// BenchmarkCall is what a call costs with a ring, and with a log beside it that is written as fast.
func BenchmarkCall(b *testing.B) {
	b.Run("ring", func(b *testing.B) {
		trace := calls.Trace(calls.NewRing(10_000))
		b.ReportAllocs()
		for b.Loop() {
			tell(trace, anEndpoint)
		}
	})
	b.Run("log", func(b *testing.B) {
		log := calls.NewLog(io.Discard, nil)
		trace := calls.Trace(calls.NewRing(10_000), log)
		b.ReportAllocs()
		for b.Loop() {
			tell(trace, anEndpoint)
		}
		_ = log.Close()
		b.ReportMetric(float64(log.Dropped())/float64(b.N), "dropped/op")
	})
}
