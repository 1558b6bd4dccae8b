package calls_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

var update = flag.Bool("update", false, "write testdata/records.want")

// drawn are times that the router draws at random: of a hint of 3 s, and of a full order's 250 ms.
var drawn = regexp.MustCompile(`(T00:00:0(?:3\.|0\.2))[0-9]+Z|\b3[0-3][0-9]{2}(?:\.[0-9]+)?\b|\b3(?:\.[0-9]+)?s`)

// TestRecordTellsACall compares the record of one call of each kind, and what it explains, but for
// the id and for the times that the router draws at random.
func TestRecordTellsACall(t *testing.T) {
	var got strings.Builder
	minute := geminitest.MinuteQuota(flash, 10, 3*time.Second)
	for _, tt := range []struct {
		name     string
		projects []pool.Project
		router   router.Config
		google   geminitest.Config
		script   func(*geminitest.Emulator)
		call     func(t *testing.T, b *bed)
	}{
		{
			name: "unary, with a label, in a batch", projects: keyed(1),
			call: func(t *testing.T, b *bed) {
				ctx := router.WithCall(t.Context(), router.Call{Label: "team-a", Priority: router.PriorityBatch})
				b.send(ctx, t, http.MethodPost, generate, asks)
			},
			google: geminitest.Config{Latency: geminitest.Latency{FirstToken: 1250 * time.Millisecond}},
		},
		{
			name: "priority that is downgraded", projects: climbing(), call: asksOnce,
			google: geminitest.Config{Capacity: []geminitest.Capacity{{Tier: "priority"}}},
		},
		{
			name: "a stream", projects: keyed(1),
			call:   func(t *testing.T, b *bed) { b.send(t.Context(), t, http.MethodPost, stream, asks) },
			google: geminitest.Config{Latency: geminitest.Latency{FirstToken: 500 * time.Millisecond, PerToken: 100 * time.Millisecond}},
		},
		{
			name: "three attempts", projects: keyed(3), call: asksOnce,
			script: func(e *geminitest.Emulator) {
				e.Script(geminitest.Match{Key: "CANARY-KEY-a"}, minute)
				e.Revoke("CANARY-KEY-b")
			},
		},
		{
			name: "refused", projects: keyed(1), call: asksOnce, router: router.Config{MaxWait: -1},
			script: func(e *geminitest.Emulator) { e.Script(geminitest.Match{}, minute) },
		},
		{
			name: "a wait for a quota", projects: keyed(1), call: asksOnce,
			script: func(e *geminitest.Emulator) { e.Script(geminitest.Match{}, minute) },
		},
		{
			name: "a fallback", projects: keyed(1),
			router: router.Config{Fallbacks: []router.Fallback{{Model: pro, To: []string{flash}}}},
			call: func(t *testing.T, b *bed) {
				b.send(t.Context(), t, http.MethodPost, "models/"+pro+":generateContent", asks)
			},
			script: func(e *geminitest.Emulator) {
				e.Keep(geminitest.Match{Model: pro}, geminitest.DayQuota(pro, 10, 0))
			},
		},
		{
			name: "the caller's mistake", projects: keyed(1), call: asksOnce,
			script: func(e *geminitest.Emulator) {
				e.Script(geminitest.Match{}, geminitest.InvalidArgument("Invalid value: "+prompt))
			},
		},
		{
			name: "a page of a proxy's", projects: keyed(2), call: asksOnce,
			script: func(e *geminitest.Emulator) {
				page := geminitest.Page(502)
				page.Body = []byte("<html><title>" + prompt + "</title>")
				e.Script(geminitest.Match{Key: "CANARY-KEY-a"}, page)
			},
		},
		{
			name: "a stream that breaks off", projects: keyed(1),
			call: func(t *testing.T, b *bed) { b.send(t.Context(), t, http.MethodPost, stream, asks) },
			script: func(e *geminitest.Emulator) {
				e.Script(geminitest.Match{}, geminitest.Answer{Event: true, After: 1, Truncate: 10, Err: io.ErrUnexpectedEOF})
			},
		},
		{
			name: "a stream that its caller leaves", projects: keyed(1),
			call: func(t *testing.T, b *bed) {
				resp, err := b.router.RoundTrip(b.request(t.Context(), t, http.MethodPost, stream, asks))
				if err != nil {
					t.Fatal(err)
				}
				_, _ = resp.Body.Read(make([]byte, 100))
				_ = resp.Body.Close()
			},
			google: geminitest.Config{Output: 400, Latency: geminitest.Latency{PerToken: time.Millisecond}},
		},
		{
			name: "a deadline that passes", projects: keyed(1),
			call: func(t *testing.T, b *bed) {
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				b.send(ctx, t, http.MethodPost, generate, asks)
			},
			script: func(e *geminitest.Emulator) { e.Keep(geminitest.Match{}, geminitest.Stall()) },
		},
		{
			name: "a caller who leaves the queue", projects: keyed(1), router: router.Config{MaxWait: time.Minute},
			call: func(t *testing.T, b *bed) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(2*time.Second, cancel)
				b.send(ctx, t, http.MethodPost, generate, asks)
			},
			script: func(e *geminitest.Emulator) { e.Keep(geminitest.Match{}, minute) },
		},
		{
			name: "an order that is full", projects: withOrder(), call: asksOnce,
			script: func(e *geminitest.Emulator) {
				e.Script(geminitest.Match{Traffic: "dedicated"}, geminitest.ProvisionedFull())
			},
		},
		{
			name: "a list over two projects", projects: keyed(2),
			call: func(t *testing.T, b *bed) { b.send(t.Context(), t, http.MethodGet, "cachedContents", "") },
		},
		{
			name: "a lookup in vain", projects: keyed(2),
			call: func(t *testing.T, b *bed) { b.send(t.Context(), t, http.MethodGet, "cachedContents/none", "") },
		},
		{
			name: "a Live session", projects: keyed(1),
			call: func(t *testing.T, b *bed) {
				live, err := b.router.LiveConfig(t.Context(), flash)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				live.Release(nil)
			},
		},
		{
			name: "a Live session that breaks", projects: keyed(1),
			call: func(t *testing.T, b *bed) {
				live, err := b.router.LiveConfig(t.Context(), flash)
				if err != nil {
					t.Fatal(err)
				}
				live.Release(errors.New("broken pipe"))
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, tt.projects, tt.router, tt.google)
				if tt.script != nil {
					tt.script(b.Emulator)
				}
				tt.call(t, b)
				r := b.last(t, 1)
				if len(r.ID) != 16 {
					t.Errorf("the id is %q, want 16 digits", r.ID)
				}
				text, err := json.Marshal(withID(r, "ID"))
				if err != nil {
					t.Fatal(err)
				}
				known := drawn.ReplaceAllString(string(text)+"\n"+strings.Join(r.Explain(), "\n"), "${1}?")
				fmt.Fprintf(&got, "## %s\n%s\n\n", tt.name, known)
			})
		})
	}
	const path = "testdata/records.want"
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("differs from %s (-want +got):\n%s", path, diff)
	}
	if strings.Contains(got.String(), "CANARY") {
		t.Error("the records show a key or a prompt")
	}
}

// TestARecordOfAKeptAnswerSaysWhyGoogleWasNotAsked: the second call gets again what Google said to the first.
func TestARecordOfAKeptAnswerSaysWhyGoogleWasNotAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		answer  geminitest.Answer
		outcome calls.Outcome
		why     string
	}{
		"of a key":     {geminitest.KeyInvalid(), calls.OutcomeRefused, "key_dead until a probe succeeds"},
		"of the model": {geminitest.ModelMissing(flash, "generateContent"), calls.OutcomeFailed, "model_missing until a probe succeeds"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, keyed(1), router.Config{}, geminitest.Config{})
				b.Keep(geminitest.Match{}, tt.answer)
				b.ask(t)
				b.ask(t)
				r := b.last(t, 2)
				want := []calls.PassedOver{{Endpoint: "a/global/on_demand", Why: tt.why}}
				if r.Outcome != tt.outcome || len(r.Attempts) > 0 || !cmp.Equal(r.PassedOver, want) {
					t.Errorf("%s after %d attempts, passed over %v: %q", r.Outcome, len(r.Attempts), r.PassedOver, r.Explain())
				}
			})
		})
	}
}

// TestARecordOfAHitHasNoCost asks twice what the response cache keeps.
func TestARecordOfAHitHasNoCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, keyed(1), router.Config{Caches: []router.Cache{{}}}, geminitest.Config{})
		b.ask(t)
		first := b.last(t, 1)
		b.ask(t)
		hit := b.last(t, 2)
		if first.Cache != router.CacheMiss || first.Tokens == (calls.Tokens{}) {
			t.Errorf("the first is %+v", first)
		}
		want := calls.Record{
			ID: hit.ID, Time: hit.Time, Request: hit.Request, Outcome: calls.OutcomeServed, Status: 200, Cache: router.CacheHit,
			Service: calls.Service{ServedModel: flash}, Attempts: []calls.Attempt{},
		}
		if diff := cmp.Diff(&want, hit); diff != "" {
			t.Error(diff)
		}
		if text := strings.Join(hit.Explain(), "\n"); !strings.Contains(text, "the response cache had") {
			t.Errorf("it is explained as %q", text)
		}
	})
}

func asksOnce(t *testing.T, b *bed) { b.ask(t) }

func withOrder() []pool.Project {
	p := vertexed("a", "global")
	p.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 10}}
	return []pool.Project{p}
}

// withID returns the record with another id.
func withID(r *calls.Record, id string) *calls.Record {
	other := *r
	other.ID = id
	return &other
}

// climbing returns one project that buys priority.
func climbing() []pool.Project {
	projects := keyed(1)
	projects[0].OnDemand = []string{pool.TierPriority}
	return projects
}
