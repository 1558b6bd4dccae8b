package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

// retryDelay returns the RetryInfo of an exhausted answer, and the metadata of its ErrorInfo.
func retryDelay(t *testing.T, e genai.APIError) (time.Duration, map[string]any) {
	t.Helper()
	if e.Code != 429 || e.Status != "RESOURCE_EXHAUSTED" {
		t.Fatalf("error is %v, want 429 RESOURCE_EXHAUSTED", e)
	}
	var delay time.Duration
	var metadata map[string]any
	for _, d := range e.Details {
		switch typ, _ := d["@type"].(string); {
		case strings.HasSuffix(typ, "google.rpc.RetryInfo"):
			parsed, err := time.ParseDuration(d["retryDelay"].(string))
			if err != nil {
				t.Fatal(err)
			}
			delay = parsed
		case strings.HasSuffix(typ, "google.rpc.ErrorInfo"):
			if d["reason"] != "POOL_EXHAUSTED" || d["domain"] != "spillway" {
				t.Errorf("ErrorInfo is %v", d)
			}
			metadata, _ = d["metadata"].(map[string]any)
		}
	}
	return delay, metadata
}

func TestExhaustedAnswerTellsWhenToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		b.Script(geminitest.Match{Project: "a"}, geminitest.MinuteQuota(flash, 10, 40*time.Second))
		b.Script(geminitest.Match{Project: "b"}, geminitest.MinuteQuota(flash, 10, 55*time.Second))

		start := time.Now()
		_, err := ask(t.Context(), c, flash)
		took := time.Since(start)
		delay, why := retryDelay(t, apiError(t, err))
		if took > 10*time.Second {
			t.Errorf("the answer took %v, longer than max_wait", took)
		}
		for _, name := range []string{"a/global/on_demand", "b/global/on_demand"} {
			if reason, _ := why[name].(string); !strings.Contains(reason, "minute_quota") || !strings.Contains(reason, "GenerateRequestsPerMinute") {
				t.Errorf("the reason for %s is %q", name, reason)
			}
		}
		// The router itself must send again within a second of what it told.
		time.Sleep(delay - time.Millisecond - time.Since(start) + took)
		asked := b.Count(geminitest.Match{})
		if asked != 2 {
			t.Errorf("Google was asked %d times, want 2", asked)
		}
		resp, err := ask(t.Context(), c, flash)
		if err != nil {
			t.Fatal(err)
		}
		if late := time.Since(start) - took - delay; late > time.Second || endpoint(resp) != "a/global/on_demand" {
			t.Errorf("served by %s, %v after the moment told", endpoint(resp), late)
		}
	})
}

func TestDeadlineIsNotOverrunWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		b.Keep(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 9*time.Second))
		_, _ = ask(t.Context(), c, flash)
		for _, timeout := range []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second} {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			_, err := ask(ctx, c, flash)
			cancel()
			if took := time.Since(start); took > timeout+50*time.Millisecond {
				t.Errorf("with %v to go the call took %v", timeout, took)
			}
			if err == nil {
				t.Fatal("answered while everything rests")
			}
			retryDelay(t, apiError(t, err))
		}
	})
}

func TestCallWaitsForTheEarliestEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		b.Script(geminitest.Match{Project: "a"}, geminitest.MinuteQuota(flash, 10, 5*time.Second))
		b.Script(geminitest.Match{Project: "b"}, geminitest.MinuteQuota(flash, 10, 7*time.Second))
		start := time.Now()
		resp, err := ask(t.Context(), c, flash)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 5*time.Second || took > 6*time.Second || endpoint(resp) != "a/global/on_demand" {
			t.Errorf("served by %s after %v, want a after its 5 s", endpoint(resp), took)
		}
	})
}

func TestWaitingCallsAreServedInTheirOrderAndInteractiveOnesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := keyed("a", "key-a")
		p.pool.Limits = []pool.Limit{{Concurrency: 1}}
		google := geminitest.Config{Latency: geminitest.Latency{FirstToken: time.Second}}
		b := setup{google: google, router: router.Config{MaxWait: time.Minute}}.bed(t, p)
		c := b.client(t)
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		send := func(name string, priority router.Priority) {
			wg.Go(func() {
				ctx := router.WithCall(t.Context(), router.Call{Priority: priority})
				if _, err := ask(ctx, c, flash); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
			})
			time.Sleep(10 * time.Millisecond)
		}
		send("first", "")
		send("batch 1", router.PriorityBatch)
		send("batch 2", router.PriorityBatch)
		send("second", router.PriorityInteractive)
		send("third", "")
		wg.Wait()
		want := "first, second, third, batch 1, batch 2"
		if got := strings.Join(order, ", "); got != want {
			t.Errorf("answered in the order %s, want %s", got, want)
		}
	})
}

func TestMaxWaitOfTheCallHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		b.Keep(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 8*time.Second))
		start := time.Now()
		_, err := ask(router.WithCall(t.Context(), router.Call{MaxWait: -1}), c, flash)
		if time.Since(start) != 0 || err == nil {
			t.Errorf("a call that does not wait took %v, and gave %v", time.Since(start), err)
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://generativelanguage.googleapis.com/v1beta/models/"+flash+":generateContent", strings.NewReader("{}"))
		req.Header.Set("Spillway-Max-Wait", "a while")
		resp, err := b.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("a wait that is no duration gave %s, want 400", resp.Status)
		}
	})
}

func TestCloseFailsWhoWaitsAndWhoComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		b.Keep(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 9*time.Second))
		done := make(chan error)
		go func() {
			_, err := ask(t.Context(), c, flash)
			done <- err
		}()
		time.Sleep(time.Second)
		if err := b.router.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, router.ErrClosed) {
			t.Errorf("the waiting call got %v, want ErrClosed", err)
		}
		if _, err := ask(t.Context(), c, flash); !errors.Is(err, router.ErrClosed) {
			t.Errorf("a later call got %v, want ErrClosed", err)
		}
	})
}

func TestExhaustedErrorSaysWhenAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		b.Script(geminitest.Match{Project: "a"}, geminitest.MinuteQuota(flash, 10, 40*time.Second))
		b.Script(geminitest.Match{Project: "b"}, geminitest.DayQuota(flash, 10, 20*time.Second))
		_, err := ask(t.Context(), c, flash)
		e, ok := router.Exhausted(fmt.Errorf("wrapped: %w", err))
		if !ok {
			t.Fatalf("%v is not taken for exhausted", err)
		}
		if in := time.Until(e.RetryAt); in < 20*time.Second || in > 21*time.Second {
			t.Errorf("retry in %v, want at b's first probe after 20 s", in)
		}
		if len(e.Reasons) != 2 || e.Reasons[0].Endpoint != "a/global/on_demand" || !strings.HasPrefix(e.Reasons[0].Why, "minute_quota until ") ||
			e.Reasons[1].Endpoint != "b/global/on_demand" || !strings.HasPrefix(e.Reasons[1].Why, "day_quota until ") {
			t.Errorf("reasons are %q", e.Reasons)
		}
		if again, ok := router.Exhausted(e); !ok || again != e {
			t.Error("an ExhaustedError is not taken for itself")
		}
		if apiError(t, e).Code != 429 {
			t.Error("the genai.APIError is not beneath it")
		}

		for _, other := range []error{nil, errors.New("exhausted"), genai.APIError{Code: 429, Status: "RESOURCE_EXHAUSTED"}} {
			if _, ok := router.Exhausted(other); ok {
				t.Errorf("%v is taken for exhausted", other)
			}
		}
	})
}

// What Google said of a key is for the operator: its caller comes back when the other project has
// quota.
func TestCallThatMeetsADeadKeyLastIsToldWhenToComeBack(t *testing.T) {
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		synctest.Test(t, func(t *testing.T) {
			b := setup{router: router.Config{MaxWait: -1, Policy: router.PolicyRoundRobin}}.bed(t, keyed(order[0], "k-"+order[0]), keyed(order[1], "k-"+order[1]))
			b.Script(geminitest.Match{Project: "a"}, geminitest.PaidMinuteQuota(flash, 100, 20*time.Second))
			b.Revoke("k-b")
			_, err := ask(t.Context(), b.client(t), flash)
			e, ok := router.Exhausted(err)
			if !ok || time.Until(e.RetryAt) < 20*time.Second || time.Until(e.RetryAt) > 23*time.Second {
				t.Errorf("order %v: the error is %v, want the pool's own with the moment of a's quota", order, err)
			}
		})
	}
}
