package pool_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// TestEveryCooldownSaysWhyAndWhatToDo: of every class, in Stat as in the error.
func TestEveryCooldownSaysWhyAndWhatToDo(t *testing.T) {
	eachLife(t, rests, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		b.answer(b.start, c, pool.Outcome{Class: l.class})
		k := c.Resting(b.start)
		if k.Cause == "" || k.Remedy == "" || k.Page == "" || k.Subject == "" {
			t.Errorf("%s: the cooldown is %+v", l.class, k)
		}
		e := b.endpoint(b.start, c, flash)
		if e.Cause != k.Cause || e.Remedy != k.Remedy || e.Page != k.Page || e.Subject != k.Subject || !e.Until.Equal(k.Until) {
			t.Errorf("%s: the cooldown is %+v, and the endpoint's reason %+v", l.class, k, e.Reason)
		}
	})
}

// refusal asks for an endpoint and returns why there is none.
func (b *bed) refusal(r pool.Request) *pool.ExhaustedError {
	b.t.Helper()
	_, err := b.pool.Acquire(b.t.Context(), &r)
	e, ok := errors.AsType[*pool.ExhaustedError](err)
	if !ok {
		b.t.Fatalf("the call gets %v", err)
	}
	return e
}

func TestLimitsSayWhoseTheyAre(t *testing.T) {
	inBubble(t, limited(pool.Limit{RPM: 1}), func(t *testing.T, b *bed) {
		b.ask(pool.Request{Model: flash})
		r := b.refusal(pool.Request{Model: flash}).Reasons[0]
		if r.Cause != "own_limit" || r.Subject != "model:studio/"+flash || r.Until.IsZero() || !strings.Contains(r.Remedy, "[[project.limits]]") {
			t.Errorf("of a limit in the file the reason is %+v", r)
		}
	})
	inBubble(t, limited(pool.Limit{RPM: 1000}), func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, studio), pool.Outcome{Class: pool.ClassMinuteQuota, Quota: "PerMinute-FreeTier", Stated: quota.Limits{RPM: 1}})
		if r := b.refusal(pool.Request{Model: flash}).Reasons[0]; r.Cause != "free_minute" {
			t.Errorf("while it is on cooldown the reason is %+v", r)
		}
		now := b.next(b.start, b.candidate(flash, studio))
		time.Sleep(time.Until(now))
		b.ask(pool.Request{Model: flash})
		if r := b.refusal(pool.Request{Model: flash}).Reasons[0]; r.Cause != "learned_limit" {
			t.Errorf("of a limit that Google named the reason is %+v", r)
		}
	})
}

func TestBreakersAndLargeCallsSayWhyAndWhatToDo(t *testing.T) {
	v := keyless("v", "global")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		large := pool.Request{Model: flash, Traffic: pool.TrafficProvisioned, Estimate: pool.Estimate{Input: 1e9, Output: 1e9}}
		e := b.refusal(large)
		if r := e.Leading; r.Cause != "call_too_large" || r.Subject != "order:v/global/"+flash || !r.Until.IsZero() || r.Remedy == "" {
			t.Errorf("of a call larger than the order the reason is %+v", r)
		}
		c := b.candidate(flash, "v/global/on_demand")
		for range 5 {
			b.answer(b.start, c, pool.Outcome{Class: pool.ClassServerFault})
		}
		if e := b.endpoint(b.start, c, flash); e.Cause != "breaker_open" || e.Subject != "model:v/global/"+flash || e.Until.IsZero() || e.Page == "" {
			t.Errorf("of an open breaker the reason is %+v", e.Reason)
		}
	})
}

func TestAnOrderThatGoogleBypassesIsShownUntilItServes(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/provisioned")
		if w := b.endpoint(b.start, c, flash).Warning; w != (pool.Reason{}) {
			t.Errorf("before the first call there is the warning %+v", w)
		}
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassOK, Traffic: "ON_DEMAND"})
		e := b.endpoint(b.start, c, flash)
		if w := e.Warning; e.Why != "" || w.Cause != "order_bypassed" || w.Subject != "order:v/global/"+flash || w.Remedy == "" || w.Page == "" {
			t.Errorf("after an answer on demand the warning is %+v, and the reason %+v", w, e.Reason)
		}
		line := said(b.lines(), "spillway: a call for a provisioned order was served on demand")[0]
		if line["cause"] != "order_bypassed" || line["remedy"] == nil || line["page"] == nil || line["until"] != "the order serves a call" {
			t.Errorf("the line is %v", line)
		}
		now := b.start.Add(time.Second)
		b.answer(now, c, pool.Outcome{Class: pool.ClassOK, Traffic: "PROVISIONED_THROUGHPUT"})
		if w := b.endpoint(now, c, flash).Warning; w != (pool.Reason{}) {
			t.Errorf("after an answer by the order there is the warning %+v", w)
		}
	})
}

// TestWhatKeepsMostEndpointsLeads: but not a full order, where calls may go on from it.
func TestWhatKeepsMostEndpointsLeads(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, "a/global/on_demand"), pool.Outcome{Class: pool.ClassSpendRate})
		b.answer(b.start, b.candidate(flash, "c/global/on_demand"), pool.Outcome{Class: pool.ClassSpendRate})
		b.answer(b.start, b.candidate(flash, "v/global/provisioned"), pool.Outcome{Class: pool.ClassProvisionedFull, Hint: 20 * time.Second})
		b.answer(b.start, b.candidate(flash, "v/global/on_demand"), pool.Outcome{Class: pool.ClassBilling})
		b.answer(b.start, b.candidate(flash, "w/global/on_demand"), pool.Outcome{Class: pool.ClassBilling, Evidence: pool.Evidence{Cause: "prepay_gone"}})
		b.lines()
		e := b.refusal(pool.Request{Model: flash})
		if e.Leading.Cause != "prepay_gone" && e.Leading.Cause != "billing" {
			t.Errorf("billing keeps most, and %+v leads", e.Leading)
		}
		line := said(b.lines(), refusedLine)[0]
		if why := line["why"].(string); !strings.HasPrefix(why, "billing; spend_rate") || line["by"] != e.Leading.Subject || line["remedy"] != e.Leading.Remedy {
			t.Errorf("the line is %v", line)
		}
	})
	v := keyless("v", "global")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1000}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, "v/global/provisioned"), pool.Outcome{Class: pool.ClassProvisionedFull, Hint: 20 * time.Second})
		b.answer(b.start, b.candidate(flash, "v/global/on_demand"), pool.Outcome{Class: pool.ClassContention, Hint: 20 * time.Second})
		if e := b.refusal(pool.Request{Model: flash}); e.Leading.Cause != "contention" {
			t.Errorf("beside a full order %+v leads", e.Leading)
		}
		for _, e := range b.pool.Stat(time.Now()).Endpoints {
			if e.RefusedCount != 1 {
				t.Errorf("%s counts %d refused calls, want 1", e.Endpoint, e.RefusedCount)
			}
		}
		if m := b.pool.Stat(time.Now()).Models[0]; m.RefusedCount != 1 {
			t.Errorf("the model counts %d refused calls, want 1", m.RefusedCount)
		}
	})
}

func TestRestartKeepsTheCause(t *testing.T) {
	cfg := scene()
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		leaked := pool.Outcome{Class: pool.ClassKeyDead, Evidence: pool.Evidence{Cause: "key_leaked"}}
		b.answer(b.start, b.candidate(flash, "c/global/on_demand"), leaked)
		data := b.saved(b.start)
		now := b.restart(cfg, data, time.Second)
		if got := b.candidate(flash, "c/global/on_demand").Resting(now); got.Cause != "key_leaked" {
			t.Errorf("after a restart the cooldown is %+v", got)
		}
		for _, other := range []string{`"a word of another version"`, `"spend_cap"`, `""`} {
			now = b.restart(cfg, bytes.ReplaceAll(data, []byte(`"key_leaked"`), []byte(other)), time.Second)
			if got := b.candidate(flash, "c/global/on_demand").Resting(now); got.Class != pool.ClassKeyDead || got.Cause != "key_dead" || got.Remedy == "" {
				t.Errorf("with the cause %s it is %+v", other, got)
			}
		}
	})
}

func TestFleetHearsOfTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 2, known(1, pool.Limit{}), func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		ask(rs.pools[0], pool.Outcome{Class: pool.ClassKeyDead, Evidence: pool.Evidence{Cause: "key_expired"}})
		time.Sleep(time.Second)
		for i, p := range rs.pools {
			k := p.Stat(time.Now()).Projects[0].Keys[0].Cooldown
			if k.Cause != "key_expired" || k.Remedy == "" {
				t.Errorf("replica %d knows %+v", i, k)
			}
		}
	})
}
