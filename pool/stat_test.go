package pool_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

func TestStatShowsEveryProjectKeyAndEndpoint(t *testing.T) {
	cfg := scene()
	cfg.Projects[0].Limits = []pool.Limit{{Model: flash, RPM: 7}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		if s := b.pool.Stat(b.start); len(s.Projects) != 4 || len(s.Endpoints) != 0 || !s.At.Equal(b.start) {
			t.Errorf("before a model was asked for: %+v", s)
		}
		b.pool.View(b.start, pro)
		b.pool.View(b.start, flash)
		s := b.pool.Stat(b.start)
		type row struct {
			Model, Endpoint      string
			Tier                 int
			Quota, Order, Pacing bool
		}
		var got []row
		for _, e := range s.Endpoints {
			got = append(got, row{e.Model, e.Endpoint, e.Tier, e.Quota != nil, e.Order != nil, e.Pacing != nil})
			if e.Calls != 0 || e.Tokens != 0 || e.Cooldown != (pool.Cooldown{}) || e.Breaker.State != breaker.StateClosed || e.Breaker.Weight != 1 {
				t.Errorf("%s has a past: %+v", e.Endpoint, e)
			}
		}
		want := []row{
			{flash, "v/global/provisioned", 0, false, true, false},
			{flash, "a/global/on_demand", 1, true, false, false},
			{flash, "c/global/on_demand", 1, false, false, false},
			{flash, "v/global/on_demand", 1, false, false, true},
			{flash, "w/global/on_demand", 1, false, false, true},
			{flash, "v/eu/on_demand", 2, false, false, true},
			{pro, "a/global/on_demand", 0, false, false, false},
			{pro, "c/global/on_demand", 0, false, false, false},
			{pro, "v/global/on_demand", 0, false, false, true},
			{pro, "w/global/on_demand", 0, false, false, true},
			{pro, "v/eu/on_demand", 1, false, false, true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("endpoints (-want +got):\n%s", diff)
		}
		var projects []string
		for _, p := range s.Projects {
			projects = append(projects, fmt.Sprintf("%s %s %d", p.Name, p.Backend, len(p.Keys)))
		}
		if diff := cmp.Diff([]string{"a gemini 2", "c gemini 1", "v vertex 0", "w vertex 0"}, projects); diff != "" {
			t.Errorf("projects (-want +got):\n%s", diff)
		}
	})
}

func TestStatFollowsWhatHappens(t *testing.T) {
	cfg := scene()
	cfg.Projects[0].Limits = []pool.Limit{{RPM: 7, TPM: 900, RPD: 50, Concurrency: 3}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		now := b.start
		a, order, eu := b.candidate(flash, "a/global/on_demand"), b.candidate(flash, "v/global/provisioned"), b.candidate(flash, "v/eu/on_demand")

		b.lease(now, a)
		b.lease(now, a)
		if e := b.endpoint(now, a, flash); e.Calls != 2 || e.Tokens != 400 {
			t.Errorf("in flight %d calls and %d tokens, want 2 and 400", e.Calls, e.Tokens)
		}
		q := *b.endpoint(now, a, flash).Quota
		want := quota.Stat{
			Requests: quota.Dimension{Used: 2, Limit: 7}, Tokens: quota.Dimension{Used: 200, Limit: 900},
			Day: quota.Dimension{Used: 2, Limit: 50}, Concurrency: quota.Dimension{Used: 2, Limit: 3},
		}
		q.Requests.Resets, q.Tokens.Resets, q.Day.Resets = time.Time{}, time.Time{}, time.Time{}
		if q != want {
			t.Errorf("the quota is %+v, want %+v", q, want)
		}

		b.answer(now, order, pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 70}})
		if o := b.endpoint(now, order, flash).Order; o.Used != 70 || o.ServedCount != 1 {
			t.Errorf("the order is %+v", *o)
		}

		b.answer(now, eu, pool.Outcome{Class: pool.ClassServerFault})
		b.answer(now, eu, pool.Outcome{Class: pool.ClassContention, Hint: 2 * time.Second})
		e := b.endpoint(now, eu, flash)
		if e.Breaker.Run != 1 || e.Breaker.Failures != 1 || e.Pacing.RejectedCount != 1 || e.Cooldown.Class != pool.ClassContention {
			t.Errorf("the endpoint is %+v", e)
		}

		b.answer(now, a, pool.Outcome{Class: pool.ClassKeyDead, Message: "API key expired."})
		b.answer(now, order, pool.Outcome{Class: pool.ClassBilling, Message: "No money."})
		s := b.pool.Stat(now)
		if r := s.Projects[0].Keys[0].Cooldown; r.Class != pool.ClassKeyDead || r.Message != "API key expired." || !r.Probe.Equal(now.Add(time.Minute)) {
			t.Errorf("the dead key's rest is %+v", r)
		}
		if r := s.Projects[0].Keys[1].Cooldown; r != (pool.Cooldown{}) {
			t.Errorf("the other key's rest is %+v", r)
		}
		if r := s.Projects[2].Cooldown; r.Class != pool.ClassBilling || r.Message != "No money." || !r.Since.Equal(now) || !r.Until.IsZero() {
			t.Errorf("the project's rest is %+v", r)
		}
		if r := b.endpoint(now, eu, flash).Cooldown; r.Class != pool.ClassBilling {
			t.Errorf("the longest of the endpoint's rests is %+v", r)
		}
	})
}

// eventful returns a bed where something of everything rests, with Google's answer kept.
func eventful(t *testing.T, b *bed) time.Time {
	t.Helper()
	for _, l := range lives {
		answer := &pool.Answer{Status: 403, Body: []byte(`{"error":{"code":403}}`)}
		if lease, ok := b.candidate(flash, l.from).Lease(b.start, small); ok {
			lease.Settle(b.start, pool.Outcome{Class: l.class, Answer: answer, Quota: "q", Message: "m"})
		}
	}
	return b.start
}

func TestStatSharesNothingWithThePool(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, "c/global/on_demand"), pool.Outcome{
			Class: pool.ClassModelForbidden, Answer: &pool.Answer{Status: 403, Body: []byte("forbidden")},
		})
		now := eventful(t, b)
		text := func(s pool.Stat) string {
			encoded, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			return string(encoded)
		}
		mine := b.pool.Stat(now)
		before := text(mine)
		answers := 0
		for i := range mine.Endpoints {
			e := &mine.Endpoints[i]
			if e.Cooldown.Answer != nil {
				answers++
				e.Cooldown.Answer.Status = 999
				for k := range e.Cooldown.Answer.Body {
					e.Cooldown.Answer.Body[k] = 'x'
				}
			}
			if e.Quota != nil {
				e.Quota.Day.Used = 999
			}
			if e.Order != nil {
				e.Order.Used = 999
			}
			if e.Pacing != nil {
				e.Pacing.Rate = 999
			}
			e.Endpoint = "changed"
		}
		for i := range mine.Projects {
			for k := range mine.Projects[i].Keys {
				mine.Projects[i].Keys[k].Key = pool.NewSecret("changed")
			}
		}
		if answers == 0 {
			t.Error("no answer is kept: the test tests little")
		}
		if diff := cmp.Diff(before, text(b.pool.Stat(now))); diff != "" {
			t.Errorf("what was done to a snapshot shows in the next (-want +got):\n%s", diff)
		}
	})
}

func TestStatShowsNoKey(t *testing.T) {
	cfg := scene()
	cfg.Projects[0].Keys = []pool.Secret{pool.NewSecret(secretText), pool.NewSecret(secretText + "2")}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, "a/global/on_demand"), pool.Outcome{Class: pool.ClassKeyDead})
		now := eventful(t, b)
		s := b.pool.Stat(now)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			mustHide(t, verb, fmt.Sprintf(verb, s))
			mustHide(t, verb+" of a pointer", fmt.Sprintf(verb, &s))
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		mustHide(t, "JSON", string(encoded))
		if !strings.Contains(string(encoded), pool.NewSecret(secretText).String()) {
			t.Error("JSON does not tell the keys apart")
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("stat", slog.Any("stat", s))
		mustHide(t, "slog", log.String())
	})
}

func TestARestKeepsGooglesAnswerForTheClassesThatCallersGetToSeeAgain(t *testing.T) {
	kept := map[pool.Class]bool{
		pool.ClassModelForbidden: true, pool.ClassModelMissing: true, pool.ClassProjectMisconfigured: true,
		pool.ClassEgressBlocked: true, pool.ClassKeyDead: true,
	}
	eachLife(t, rests, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		answer := pool.Answer{Status: 403, Body: []byte("scrubbed")}
		b.answer(b.start, c, pool.Outcome{Class: l.class, Answer: &answer})
		switch got := c.Resting(b.start).Answer; {
		case !kept[l.class] && got != nil:
			t.Errorf("it keeps %+v", *got)
		case kept[l.class] && (got == nil || got.Status != 403 || string(got.Body) != "scrubbed"):
			t.Errorf("it keeps %+v", got)
		}
	})
}

func TestARestSaysItselfInAFewWords(t *testing.T) {
	until := time.Date(2026, 11, 22, 9, 30, 0, 250e6, time.FixedZone("", 3600))
	for _, tt := range []struct {
		rest pool.Cooldown
		want string
	}{
		{pool.Cooldown{}, "ready"},
		{pool.Cooldown{Class: pool.ClassMinuteQuota, Until: until}, "minute_quota until 2026-11-22T08:30:00.250Z"},
		{pool.Cooldown{Class: pool.ClassDayQuota, Until: until, Quota: "PerDay"}, "day_quota until 2026-11-22T08:30:00.250Z (PerDay)"},
		{pool.Cooldown{Class: pool.ClassBilling}, "billing until a probe succeeds"},
	} {
		if got := tt.rest.String(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
