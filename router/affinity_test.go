package router_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// talk is many conversations at once.
type talk struct {
	chats, turns int
	system       int           // tokens of the instruction that all of them share
	first, next  int           // tokens of what is said first, which is different in each chat, and then
	think        time.Duration // longest time between an answer and the next turn
	latency      geminitest.Latency
}

// places are where conversations may go: projects with their locations, none of them for the Gemini
// back end.
type places struct {
	projects  int
	locations []string
	weights   []float64
}

func (p places) all() (all []project) {
	for i := range p.projects {
		name := fmt.Sprintf("p%d", i)
		one := keyed(name, "key-"+name)
		if p.locations != nil {
			one = vertexed(name, p.locations...)
		}
		if p.weights != nil {
			one.pool.Weight = p.weights[i]
		}
		all = append(all, one)
	}
	return all
}

// hold holds the conversations in virtual time. It returns the share of the prompts' tokens that
// were cached, and how many calls each endpoint answered.
func (k talk) hold(t *testing.T, in places, policy router.Policy) (cached float64, served map[string]int) {
	t.Helper()
	var mu sync.Mutex
	var tokens, hits int64
	served = make(map[string]int)
	synctest.Test(t, func(t *testing.T) {
		google := geminitest.Config{Caching: geminitest.Caching{Implicit: true}, Latency: k.latency}
		b := setup{google: google, router: router.Config{Policy: policy}}.bed(t, in.all()...)
		c := b.client(t)
		var wg sync.WaitGroup
		for i := range k.chats {
			wg.Go(func() {
				chat, err := c.Chats.Create(t.Context(), flash, &genai.GenerateContentConfig{
					SystemInstruction: genai.NewContentFromText(strings.Repeat("word", k.system), genai.RoleUser),
				}, nil)
				if err != nil {
					t.Error(err)
					return
				}
				said := k.first
				for turn := range k.turns {
					text := fmt.Sprintf("chat %4d, turn %2d: %s", i, turn, strings.Repeat("word", said-5))
					resp, err := chat.SendMessage(t.Context(), genai.Part{Text: text})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					tokens += int64(resp.UsageMetadata.PromptTokenCount)
					hits += int64(resp.UsageMetadata.CachedContentTokenCount)
					served[endpoint(resp)]++
					mu.Unlock()
					said = k.next
					// Some think long and some do not, in each run alike.
					time.Sleep(k.think * time.Duration((i*7919+turn*104729)%1000) / 1000)
				}
			})
		}
		wg.Wait()
	})
	return float64(hits) / float64(tokens), served
}

// TestChatsFindTheirPrefixesCachedAndLoadEachEndpointFairly compares what is cached of the prompts
// with what a single endpoint would cache.
func TestChatsFindTheirPrefixesCachedAndLoadEachEndpointFairly(t *testing.T) {
	turns := amount(8, 10)
	documents := talk{chats: 200, turns: turns, first: 1500, next: 50, latency: geminitest.Latency{FirstToken: time.Second}}
	helpdesk := talk{
		chats: 200, turns: turns, system: 2000, first: 50, next: 50,
		think: 20 * time.Second, latency: geminitest.Latency{FirstToken: 2 * time.Second, Jitter: 0.5},
	}
	projects := places{projects: 8}
	locations := places{projects: 4, locations: []string{"us", "eu"}}
	for name, tt := range map[string]struct {
		talk
		in map[router.Policy]places
	}{
		"about documents": {documents, map[router.Policy]places{router.PolicyLeastLoaded: projects, "": locations}},
		"with a helpdesk": {helpdesk, map[router.Policy]places{router.PolicyRoundRobin: locations, router.PolicyRandom: projects}},
	} {
		t.Run(name, func(t *testing.T) {
			best, _ := tt.hold(t, places{projects: 1}, "")
			if best < 0.5 {
				t.Errorf("a single endpoint caches %.3f", best)
			}
			for policy, in := range tt.in {
				cached, served := tt.hold(t, in, policy)
				if cached < 0.9*best {
					t.Errorf("%s: %.3f of the prompts was cached, of %.3f on a single endpoint", policy, cached, best)
				}
				if len(served) != 8 {
					t.Errorf("%s: %d endpoints served", policy, len(served))
				}
				for name, n := range served {
					if share := float64(n) / float64(tt.chats*tt.turns) * 8; share > 1.25 {
						t.Errorf("%s: %s has %.3f of its fair share", policy, name, share)
					}
				}
			}
		})
	}
}

// askAs makes a small call with an affinity and returns the endpoint that answered.
func askAs(t *testing.T, c *genai.Client, affinity string) string {
	t.Helper()
	resp, err := ask(router.WithCall(t.Context(), router.Call{Affinity: affinity}), c, flash)
	if err != nil {
		t.Error(err)
		return ""
	}
	return endpoint(resp)
}

func TestAnEndpointThatRestsMovesOnlyItsOwnAffinitiesAndTheyComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := weighted(t, "", 1, 1, 1, 1, 1)
		c := b.client(t)
		home := map[string]string{}
		used := map[string]int{}
		for i := range 50 {
			user := fmt.Sprintf("user-%d", i)
			home[user] = askAs(t, c, user)
			used[home[user]]++
			for range 3 {
				if is := askAs(t, c, user); is != home[user] {
					t.Fatalf("%s went from %s to %s", user, home[user], is)
				}
			}
		}
		if len(used) != 5 {
			t.Errorf("50 users share %d of 5 endpoints", len(used))
		}
		rested := b.Keep(geminitest.Match{Project: "p0"}, geminitest.MinuteQuota(flash, 1000, 30*time.Second))
		refuge := map[string]string{}
		for range 3 {
			for user, was := range home {
				is := askAs(t, c, user)
				switch {
				case was != "p0/global/on_demand" && was != is:
					t.Errorf("%s had to leave %s although only p0 rests", user, was)
				case was == "p0/global/on_demand" && refuge[user] != "" && refuge[user] != is:
					t.Errorf("%s went on from %s to %s", user, refuge[user], is)
				}
				refuge[user] = is
			}
		}
		rested()
		time.Sleep(time.Minute)
		for user, was := range home {
			if is := askAs(t, c, user); is != was {
				t.Errorf("%s did not come back to %s from %s", user, was, is)
			}
		}
	})
}

func TestAffinitiesAreSharedOutByWeight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := weighted(t, "", 1, 2, 5)
		c := b.client(t)
		const users = 2000
		served := map[string]int{}
		for i := range users {
			served[askAs(t, c, fmt.Sprintf("user-%d", i))]++
		}
		for i, w := range []float64{1, 2, 5} {
			got := float64(served[fmt.Sprintf("p%d/global/on_demand", i)]) / users
			if want := w / 8; got < want-0.04 || got > want+0.04 {
				t.Errorf("p%d has %.3f of the affinities, want %.3f", i, got, want)
			}
		}
	})
}

// TestAHotAffinitySpillsOver holds many calls with one affinity at once.
func TestAHotAffinitySpillsOver(t *testing.T) {
	for name, tt := range map[string]struct {
		calls      int
		endpoints  int
		most, home int
	}{
		"few stay together":         {calls: 8, endpoints: 1, most: 8, home: 8},
		"many are spread":           {calls: 400, endpoints: 8, most: 62, home: 57},
		"one after the other stays": {calls: -400, endpoints: 1, most: 400, home: 400},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := weighted(t, "", 1, 1, 1, 1, 1, 1, 1, 1)
				c := b.client(t)
				b.Keep(geminitest.Match{}, geminitest.Answer{Delay: 10 * time.Millisecond})
				home := askAs(t, c, "tenant")
				time.Sleep(2 * time.Minute)
				served := map[string]int{}
				var mu sync.Mutex
				one := func() {
					is := askAs(t, c, "tenant")
					mu.Lock()
					served[is]++
					mu.Unlock()
				}
				var wg sync.WaitGroup
				for range tt.calls {
					wg.Go(one)
				}
				wg.Wait()
				for range -tt.calls {
					one()
				}
				most := 0
				for _, n := range served {
					most = max(most, n)
				}
				if len(served) != tt.endpoints || most > tt.most || served[home] < tt.home {
					t.Errorf("%d endpoints served %v, at most %d; home %s has %d", len(served), served, most, home, served[home])
				}
			})
		})
	}
}

// TestAFullHomeMovesAnAffinityToOneOther declares a limit: what does not fit goes to the same
// endpoint each time, not to any.
func TestAFullHomeMovesAnAffinityToOneOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := places{projects: 8}.all()
		for i := range all {
			all[i].pool.Limits = []pool.Limit{{RPM: 5}}
		}
		c := setup{}.bed(t, all...).client(t)
		served := map[string]int{}
		for range 10 {
			served[askAs(t, c, "user")]++
		}
		if len(served) != 2 {
			t.Errorf("ten calls of one affinity over limits of five went to %v", served)
		}
	})
}

// conversation asks with an opening and some turns after it.
func conversation(t *testing.T, c *genai.Client, opening string, turns int) string {
	t.Helper()
	contents := genai.Text(opening)
	for i := range turns - 1 {
		role := []genai.Role{genai.RoleModel, genai.RoleUser}[i%2]
		contents = append(contents, genai.NewContentFromText(fmt.Sprintf("turn %d", i), role))
	}
	resp, err := c.Models.GenerateContent(t.Context(), flash, contents, &genai.GenerateContentConfig{
		SystemInstruction: genai.NewContentFromText("be brief", genai.RoleUser),
	})
	if err != nil {
		t.Fatal(err)
	}
	return endpoint(resp)
}

func TestConversationsStayInEveryPolicyAndReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		home := map[string]string{}
		used := map[string]bool{}
		for _, policy := range []router.Policy{router.PolicyLeastLoaded, router.PolicyRoundRobin, router.PolicyRandom} {
			all := places{projects: 5}.all()
			if policy == router.PolicyRandom { // another replica may list them in another order
				slices.Reverse(all)
			}
			c := setup{router: router.Config{Policy: policy}}.bed(t, all...).client(t)
			first := map[string]bool{}
			for i := range 60 {
				opening := fmt.Sprintf("chat %d", i)
				first[conversation(t, c, opening, 1)] = true
				for turns := 3; turns < 9; turns += 2 {
					is := conversation(t, c, opening, turns)
					if home[opening] == "" {
						home[opening] = is
					}
					if is != home[opening] {
						t.Errorf("%s: %s with %d turns went to %s, not to %s", policy, opening, turns, is, home[opening])
					}
					used[is] = true
				}
				if is := askAs(t, c, "user"); home["user"] == "" {
					home["user"] = is
				} else if is != home["user"] {
					t.Errorf("%s: the user went to %s, not to %s", policy, is, home["user"])
				}
			}
			if len(first) != 5 {
				t.Errorf("%s: 60 calls of one turn went to %d of 5 endpoints", policy, len(first))
			}
		}
		if len(used) != 5 {
			t.Errorf("60 conversations share %d of 5 endpoints", len(used))
		}
	})
}

// TestALongFirstTurnGoesWhereTheConversationWillStay has conversations about documents, one call at
// a time.
func TestALongFirstTurnGoesWhereTheConversationWillStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := setup{}.bed(t, places{projects: 5}.all()...).client(t)
		used := map[string]bool{}
		for i := range 30 {
			opening := strconv.Itoa(i) + strings.Repeat("word", 1000)
			first := conversation(t, c, opening, 1)
			if then := conversation(t, c, opening, 3); then != first {
				t.Errorf("a conversation began at %s and went on at %s", first, then)
			}
			used[first] = true
		}
		if len(used) != 5 {
			t.Errorf("30 conversations share %d of 5 endpoints", len(used))
		}
	})
}

func BenchmarkAffinity(b *testing.B) {
	for _, projects := range []int{8, 256} {
		for name, affinity := range map[string]string{"with": "user", "without": ""} {
			b.Run(fmt.Sprintf("%d endpoints %s", projects, name), func(b *testing.B) {
				r := newRouter(b, poolOf(places{projects: projects}.all()...), router.Config{}, router.WithTransport(answering{}))
				ctx := router.WithCall(b.Context(), router.Call{Affinity: affinity})
				b.ReportAllocs()
				for b.Loop() {
					req, err := toGemini(ctx)
					if err != nil {
						b.Fatal(err)
					}
					if _, err = r.RoundTrip(req); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// answering answers everything at once.
type answering struct{}

func (answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"candidates":[{"finishReason":"STOP"}]}`))}, nil
}

func toGemini(ctx context.Context) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodPost, "https://generativelanguage.googleapis.com/v1beta/models/"+flash+":generateContent",
		strings.NewReader(`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`))
}
