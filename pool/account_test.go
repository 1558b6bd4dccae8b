package pool_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// methods are accounts of a model's methods; the first is that of generating.
var methods = []string{"", "embedContent", "batches.create"}

// of returns an endpoint as it stands for an account of a model's methods.
func (b *bed) of(model, method, name string) *pool.Candidate {
	b.t.Helper()
	for _, c := range b.pool.ViewOf(b.start, model, method).All() {
		if c.String() == name {
			return c
		}
	}
	b.t.Fatalf("%s has no endpoint %s", model, name)
	return nil
}

// TestARefusalOfAMethodLeavesTheOthersAlone has a refusal of every class that starts a cooldown.
func TestARefusalOfAMethodLeavesTheOthersAlone(t *testing.T) {
	for _, class := range pool.RuledClasses() {
		if class == pool.ClassProvisionedFull { // an order is one, whatever calls it carries
			continue
		}
		for _, refused := range methods {
			t.Run(fmt.Sprintf("%s of %q", class, refused), func(t *testing.T) {
				inBubble(t, scene(), func(t *testing.T, b *bed) {
					now := b.start
					for range 12 {
						if l, ok := b.of(flash, refused, "v/global/on_demand").Lease(now, small); ok {
							l.Settle(now, pool.Outcome{Class: class})
						}
					}
					for _, method := range methods {
						for _, c := range b.pool.ViewOf(now, flash, method).All() {
							if method != refused && !c.Ready(now) {
								t.Errorf("%q at %s is refused, too: %s", method, c, c.Reason(now, small))
							}
						}
					}
				})
			})
		}
	}
}

func TestOnlyTheSameAccountsSuccessEndsACooldown(t *testing.T) {
	for _, class := range []pool.Class{pool.ClassBilling, pool.ClassKeyDead, pool.ClassProjectMisconfigured, pool.ClassEgressBlocked, pool.ClassSpendRate} {
		for _, refused := range methods {
			t.Run(fmt.Sprintf("%s of %q", class, refused), func(t *testing.T) {
				cfg := pool.Config{Projects: []pool.Project{geminiProject("a", "key-a")}}
				inBubble(t, cfg, func(t *testing.T, b *bed) {
					const name = "a/global/on_demand"
					now := b.start
					b.answer(now, b.of(flash, refused, name), pool.Outcome{Class: class})
					for _, method := range methods {
						if method == refused {
							continue
						}
						for _, model := range []string{flash, pro, ""} {
							b.answer(now, b.of(model, method, name), good)
						}
					}
					for _, model := range []string{flash, pro, ""} { // it is the project's, or the key's
						b.refuses(now, b.of(model, refused, name), "after others' success")
					}
					now = now.Add(2 * minute)
					b.answer(now, b.of(pro, refused, name), good)
					if got := b.pool.Cooldowns(now); len(got) > 0 {
						t.Errorf("after a success of the same account there rests %v", got)
					}
				})
			})
		}
	}
}

func TestALocationsCooldownLeavesTheOthersAlone(t *testing.T) {
	for _, o := range []pool.Outcome{
		{Class: pool.ClassContention}, {Class: pool.ClassModelMissing}, {Class: pool.ClassModelForbidden, Evidence: pool.Evidence{Scope: pool.ScopeEndpoint}},
		{Class: pool.ClassMinuteQuota, Evidence: pool.Evidence{Scope: pool.ScopeEndpoint}}, {Class: pool.ClassDayQuota, Evidence: pool.Evidence{Scope: pool.ScopeEndpoint}},
		{Class: pool.ClassQuotaUnknown, Evidence: pool.Evidence{Scope: pool.ScopeEndpoint}}, {Class: pool.ClassProjectNotReady, Evidence: pool.Evidence{Scope: pool.ScopeEndpoint}},
	} {
		t.Run(fmt.Sprintf("%s %d", o.Class, o.Scope), func(t *testing.T) {
			cfg := pool.Config{Projects: []pool.Project{keyless("v", "us-central1", "asia-northeast3"), keyless("w", "us-central1")}}
			inBubble(t, cfg, func(t *testing.T, b *bed) {
				b.answer(b.start, b.candidate(flash, "v/us-central1/on_demand"), o)
				b.refuses(b.start, b.candidate(flash, "v/us-central1/on_demand"), "that was refused")
				b.answer(b.start, b.candidate(flash, "v/asia-northeast3/on_demand"), good)
				b.answer(b.start, b.candidate(flash, "w/us-central1/on_demand"), good)
				b.answer(b.start, b.candidate(pro, "v/us-central1/on_demand"), good)
				b.refuses(b.start, b.candidate(flash, "v/us-central1/on_demand"), "though others were answered well")
			})
		})
	}
}

// An order is asked for nothing else: it is full in whatever words it refuses.
func TestAnOrderRefusedInWhateverWordsRestsWithDoubling(t *testing.T) {
	for name, o := range map[string]pool.Outcome{
		"the documented ones": {Class: pool.ClassProvisionedFull},
		"contention's":        {Class: pool.ClassContention},
		"an unknown quota's":  {Class: pool.ClassQuotaUnknown},
		"a location's quota":  {Class: pool.ClassQuotaUnknown, Evidence: pool.Evidence{Scope: pool.ScopeEndpoint}},
		"a model's quota":     {Class: pool.ClassQuotaUnknown, Evidence: pool.Evidence{Scope: pool.ScopeModel}},
		"a version's":         {Class: pool.ClassQuotaUnknown, Evidence: pool.Evidence{Scope: pool.ScopeVersion}},
	} {
		t.Run(name, func(t *testing.T) {
			v := keyless("v", "global")
			v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1000}}
			inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
				c, now := b.candidate(flash, "v/global/provisioned"), b.start
				for _, want := range doubling(250*time.Millisecond, 30*second) {
					l := b.leaseFor(now, c, small.For(beta))
					l.Settle(now, o)
					for _, other := range []string{flash, flash + "-001"} { // it is one order
						if d := b.candidate(other, "v/global/provisioned"); d.Ready(now) {
							t.Fatalf("the order is asked for %s", other)
						}
					}
					wake, ok := c.Wake(now, small.For(beta))
					if d := wake.Sub(now); !ok || d < want || d > want*11/10+1 {
						t.Fatalf("it rests for %v, want %v", d, want)
					}
					if rest := c.Resting(now); rest.Class != pool.ClassProvisionedFull {
						t.Fatalf("it rests for %q", rest.Class)
					}
					now = wake
				}
				b.answer(now, b.candidate(flash, "v/global/on_demand"), good)
			})
		})
	}
}

func TestTheStateFileKeepsTheCooldownsOfPartsAndHosts(t *testing.T) {
	cfg := hosts()
	cfg.Projects[0].Locations = []string{"eu", "us"}
	cfg.Projects[2] = at(geminiProject("p2", "key-of-p2"), "https://here.example")
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		now := b.start
		search := pool.Asked{Version: "v1beta", Tools: []string{"google_search"}}
		for _, x := range []struct {
			method, endpoint string
			asked            pool.Asked
			pool.Outcome
		}{
			{"", "p0/eu/on_demand", beta, pool.Outcome{Class: pool.ClassModelMissing, Answer: &pool.Answer{Status: 404, Body: []byte("gone")}}},
			{"", "p0/us/on_demand", search, pool.Outcome{Class: pool.ClassDayQuota, Evidence: pool.Evidence{Scope: pool.ScopeTool, Tools: search.Tools}}},
			{"embedContent", "p0/eu/on_demand", beta, pool.Outcome{Class: pool.ClassNoQuota}},
			{"embedContent", "p1/global/on_demand", beta, pool.Outcome{Class: pool.ClassBilling}},
			{"files.get", "p2/global/on_demand", beta, pool.Outcome{Class: pool.ClassKeyDead}},
			{"countTokens", "p1/global/on_demand", beta, pool.Outcome{Class: pool.ClassEgressBlocked}},
			{"countTokens", "p0/eu/on_demand", beta, pool.Outcome{Class: pool.ClassEgressBlocked}},
			{"", "p3/global/on_demand", beta, pool.Outcome{Class: pool.ClassDayQuota, Evidence: pool.Evidence{Scope: pool.ScopeEndpoint}}},
		} {
			b.leaseFor(now, b.of(flash, x.method, x.endpoint), small.For(x.asked)).Settle(now, x.Outcome)
		}
		for i := range 5 {
			b.answer(now, b.of(pro, "", fmt.Sprintf("p%d/global/on_demand", 1+i%2)), page)
			now = now.Add(second)
		}
		before := b.pool.Cooldowns(now)
		var kinds []string
		for s := range before {
			words := []string{s.Kind}
			for _, part := range []struct{ name, value string }{{"method", s.Method}, {"version", s.Version}, {"tool", s.Tool}, {"address", s.Host}} {
				if part.value != "" {
					words = append(words, part.name)
				}
			}
			kinds = append(kinds, strings.Join(words, " "))
		}
		slices.Sort(kinds)
		want := []string{"backend method", "host address", "key method", "model", "model method", "model tool", "model version", "project method", "project method"}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Fatalf("the test tests too little (-want +got):\n%s", diff)
		}
		data := b.saved(now)

		now = b.restart(cfg, data, 10*second)
		if diff := cmp.Diff(before, b.pool.Cooldowns(now)); diff != "" {
			t.Errorf("cooldowns after a restart (-want +got):\n%s", diff)
		}
		if again := b.saved(now); string(again) != string(data) {
			t.Errorf("what was saved as\n%s\nis saved again as\n%s", data, again)
		}
		if _, ok := b.candidate(flash, "p0/eu/on_demand").Lease(now, small.For(beta)); ok {
			t.Error("the version that was refused is asked after a restart")
		}
	})
}

// Whatever happens to calls of all kinds at once, nothing is lost: neither room nor probes.
func TestNothingIsLostWhateverHappensToCallsOfAllKinds(t *testing.T) {
	cfg := hosts()
	cfg.Projects[0].Locations = []string{"eu", "us", "global"}
	cfg.Projects[0].Provisioned = []pool.Order{{Model: flash, Location: "eu", GSUs: 1000}}
	cfg.Projects[1] = at(geminiProject("p1", "key-one", "key-two"), "https://here.example")
	for i := range cfg.Projects {
		cfg.Projects[i].Limits = []pool.Limit{{RPM: 100_000, Concurrency: 1000}}
	}
	b := newBed(t, cfg)
	versions, tools := []string{"", "v1", "v1beta"}, [][]string{nil, {"google_search"}, {"google_search", "url_context"}}
	scopes := []pool.Scope{pool.ScopeClass, pool.ScopeCall, pool.ScopeVersion, pool.ScopeTool, pool.ScopeEndpoint, pool.ScopeModel, pool.ScopeKey, pool.ScopeProject, pool.ScopeBackend}
	one := func() {
		r := &pool.Request{Model: []string{flash, pro, ""}[rand.IntN(3)], MaxWait: time.Duration(rand.IntN(3)) * time.Millisecond}
		r.Asked = pool.Asked{Method: methods[rand.IntN(3)], Version: versions[rand.IntN(3)], Tools: tools[rand.IntN(3)]}
		for range 4 {
			l, err := b.pool.Acquire(t.Context(), r)
			if err != nil {
				return
			}
			if rand.IntN(3) == 0 {
				l.Accept(time.Now())
			}
			classes := pool.RuledClasses()
			o := pool.Outcome{Class: pool.ClassOK}
			if rand.IntN(3) == 0 {
				o = pool.Outcome{
					Class: classes[rand.IntN(len(classes))],
					Evidence: pool.Evidence{
						Scope: scopes[rand.IntN(len(scopes))], Suspected: rand.IntN(2) == 0,
						Call: rand.Uint64N(4), Tools: r.Asked.Tools, Foreign: rand.IntN(3) == 0, Unsent: rand.IntN(5) == 0,
					},
				}
			}
			if rand.IntN(9) == 0 {
				l.Release(time.Now())
			}
			l.Settle(time.Now(), o)
			switch {
			case o.Class == pool.ClassOK:
				return
			case o.Class.Fault():
				r.Failed(l, !o.Unsent, time.Now().Add(time.Millisecond))
			default:
				r.Refused(l, o.Class)
			}
			_ = b.pool.Explain(r)
		}
	}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 150 {
				one()
			}
		})
	}
	all.Go(func() {
		for range 20 {
			data, err := b.pool.Save(time.Now())
			if err != nil || b.pool.Restore(time.Now(), data) != nil || b.pool.Reload(time.Now(), cfg) != nil {
				t.Error("it cannot be saved, restored or reloaded")
			}
			b.pool.Stat(time.Now())
		}
	})
	all.Wait()
	for _, e := range b.pool.Stat(time.Now()).Endpoints {
		if e.Calls != 0 || e.Tokens != 0 || e.Quota != nil && e.Quota.Concurrency.Used != 0 {
			t.Errorf("%s %s has %d calls and %d tokens in flight: %+v", e.Model, e.Endpoint, e.Calls, e.Tokens, e.Quota)
		}
	}
	// Two days later every cooldown is over or may be probed, and one good call after the other ends
	// it.
	now := time.Now().Add(48 * time.Hour)
	for _, model := range []string{flash, pro, ""} {
		for _, method := range methods {
			for _, c := range b.pool.ViewOf(now, model, method).All() {
				for _, version := range versions {
					for _, some := range tools {
						now = now.Add(second)
						n := small.For(pool.Asked{Version: version, Tools: some})
						l, ok := c.Lease(now, n)
						if !ok {
							t.Errorf("%s %q %q %q at %s is closed for ever: %s", model, method, version, some, c, c.Reason(now, n))
							continue
						}
						l.Settle(now, pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1, Output: 1}})
					}
				}
			}
		}
	}
	for s, c := range b.pool.Cooldowns(now) {
		if s.Kind != "key" { // the first that is well is taken
			t.Errorf("%s still rests for %s", s, c.Class)
		}
	}
}

// Accounts of methods, as callers may name them all, do not fill the memory.
func TestAccountsOfManyMethodsTakeABoundedMemory(t *testing.T) {
	var cfg pool.Config
	for i := range 300 {
		cfg.Projects = append(cfg.Projects, geminiProject(fmt.Sprintf("p%d", i), fmt.Sprintf("key-%d", i)))
	}
	const bound = 16 << 20
	cfg.Memory = bound
	b := newBed(t, cfg)
	before := heap()
	for i := range 260 {
		method := fmt.Sprintf("things%d.get", i)
		for _, c := range b.pool.ViewOf(b.start, "", method).All()[:3] {
			b.answer(b.start, c, good)
		}
	}
	if grown := heap() - before; grown > bound*5/4 {
		t.Errorf("260 methods of 300 projects take %d MB, want %d at most", grown>>20, bound>>20)
	}
	// What is known of one stays as long as it matters.
	c := b.of("", "files.get", "p7/global/on_demand")
	b.answer(b.start, c, pool.Outcome{Class: pool.ClassBilling})
	for i := range 260 {
		b.pool.ViewOf(b.start, "", fmt.Sprintf("others%d.get", i))
	}
	b.refuses(b.start, b.of("", "files.get", "p7/global/on_demand"), "for its account has no money")
}
