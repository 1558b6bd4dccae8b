package pool_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

var update = flag.Bool("update", false, "write the .golden files of testdata")

// scripted makes a scene in which there is something of everything that Stat shows. Lengths are
// such that their jitter is less than steady takes away. One of the calls that run keeps another
// one waiting.
func scripted(t *testing.T, b *bed) (now time.Time, running pool.Lease) {
	t.Helper()
	now = b.start
	on := func(model, name string, o pool.Outcome) {
		t.Helper()
		b.answer(now, b.candidate(model, name), o)
	}
	counted := pool.Outcome{
		Class: pool.ClassOK, Counted: true,
		Usage:    quota.Usage{Input: 1_200, Cached: 1_000, Output: 300},
		Thoughts: 100,
	}
	on(flash, "a/global/on_demand", counted)
	on(flash, "a/global/on_demand", pool.Outcome{Class: pool.ClassCallerFault})
	on(flash, "a/global/on_demand", pool.Outcome{Class: pool.ClassKeyDead, Message: "API key expired"})
	on(flash, "v/global/provisioned", counted)
	on(pro, "a/global/on_demand", pool.Outcome{
		Class: pool.ClassMinuteQuota, Hint: 31 * time.Second, Quota: "PerMinute",
		Stated: quota.Limits{RPM: 12, TPM: 250_000},
	})
	on(pro, "v/eu/on_demand", pool.Outcome{
		Class: pool.ClassModelMissing, Answer: &pool.Answer{Status: 404, Body: []byte(`{"error":{"code":404}}`)},
	})
	on(pro, "v/global/on_demand", pool.Outcome{
		Class: pool.ClassDayQuota, Quota: "PerDay", Message: "come back tomorrow", Stated: quota.Limits{RPD: 300},
	})
	on(flash, "w/global/on_demand", pool.Outcome{Class: pool.ClassBilling, Message: "no money"})
	for range 5 {
		on(flash, "v/eu/on_demand", pool.Outcome{Class: pool.ClassServerFault})
	}
	// Under way, one of them waiting.
	b.lease(now, b.candidate(flash, "a/global/on_demand"))
	b.leaseFor(now, b.candidate(flash, "v/global/provisioned"), pool.Need{Input: 5_000, Output: 700})
	small := pool.Estimate{Input: 100, Output: 100}
	running = b.acquire(&pool.Request{Model: "gemini-tiny", Estimate: small})
	go func() {
		l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: "gemini-tiny", Estimate: small, MaxWait: time.Minute})
		if err != nil {
			t.Error(err)
		}
		l.Settle(time.Now(), good)
	}()
	if _, err := b.pool.Acquire(t.Context(), &pool.Request{Model: "gemini-tiny", Estimate: small}); err == nil {
		t.Error("a call that does not wait is served")
	}
	time.Sleep(2 * time.Second)
	synctest.Wait()
	return time.Now(), running
}

// moment is the moment in a reason.
var moment = regexp.MustCompile(`until \d{4}-\S+Z`)

// steady takes away what is random: the jitter of ends and probes.
func steady(s *pool.Stat) {
	cooldown := func(c *pool.Cooldown) {
		if !c.Until.IsZero() {
			c.Until = c.Until.Truncate(10 * time.Second)
		}
		if !c.Probe.IsZero() {
			c.Probe = c.Probe.Truncate(10 * time.Second)
		}
	}
	for i := range s.Projects {
		cooldown(&s.Projects[i].Cooldown)
		for k := range s.Projects[i].Keys {
			cooldown(&s.Projects[i].Keys[k].Cooldown)
		}
	}
	for subject, c := range s.Cooldowns {
		cooldown(&c)
		s.Cooldowns[subject] = c
	}
	for i := range s.Endpoints {
		cooldown(&s.Endpoints[i].Cooldown)
		if reason := &s.Endpoints[i].Reason; !reason.Until.IsZero() {
			reason.Until = reason.Until.Truncate(10 * time.Second)
		}
		s.Endpoints[i].Why = moment.ReplaceAllString(s.Endpoints[i].Why, "until then")
		if b := &s.Endpoints[i].Breaker; !b.Until.IsZero() {
			b.Until = b.Until.Truncate(10 * time.Second)
		}
	}
}

func TestStatOfAScriptedSceneIsTheGoldenOne(t *testing.T) {
	cfg := scene()
	cfg.Projects[0].Limits = []pool.Limit{{Model: flash, RPM: 100, TPM: 1_000_000, RPD: 1_000, Concurrency: 50}}
	cfg.Projects[3].Models = []string{flash}
	tiny := geminiProject("t", "t-only")
	tiny.Models, tiny.Limits = []string{"gemini-tiny"}, []pool.Limit{{Concurrency: 1}}
	cfg.Projects = append(cfg.Projects, tiny)
	for i := range cfg.Projects[:3] {
		cfg.Projects[i].Models = []string{"gemini-2.5-*"}
	}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		now, running := scripted(t, b)
		s := b.pool.Stat(now)
		steady(&s)
		encoded, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got, path := string(encoded)+"\n", filepath.Join("testdata", "stat.golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("Stat differs from %s; go test -update writes it anew (-want +got):\n%s", path, diff)
		}
		running.Settle(time.Now(), good) // so that what waits goes on
		synctest.Wait()
	})
}
