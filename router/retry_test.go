package router_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// TestBackoffAgreesWithAWSWherePoliciesAgree takes the cases of AWS's retry specification 2.1
// ("standard mode") as published in aws-sdk-go-v2, aws/retry/retry2026_test.go, and smithy-kotlin,
// NewStandardRetryIntegrationTestResources.kt. They fix the random share at 1. The periods are the
// same: doubling, capped before the jitter. So is a hint of the server's that is longer than the
// period, and one that is absent or invalid. We differ in one: AWS clamps a hint to 5 s above the
// period; Google's hints are when its quota has room again, so we keep to them, and a call whose
// deadline is earlier fails at once.
func TestBackoffAgreesWithAWSWherePoliciesAgree(t *testing.T) {
	aws := router.Retry{Initial: 50 * time.Millisecond, Max: 20 * time.Second}
	for _, tt := range []struct {
		name string
		n    int
		hint time.Duration
		want time.Duration
	}{
		{"first retry", 1, 0, 50 * time.Millisecond},
		{"second retry", 2, 0, 100 * time.Millisecond},
		{"third retry", 3, 0, 200 * time.Millisecond},
		{"fourth retry", 4, 0, 400 * time.Millisecond},
		{"capped", 10, 0, 20 * time.Second},
		{"capped for good", 1 << 30, 0, 20 * time.Second},
		{"x-amz-retry-after 1500", 1, 1500 * time.Millisecond, 1500 * time.Millisecond},
		{"x-amz-retry-after 0", 1, 0, 50 * time.Millisecond},
		{"x-amz-retry-after 10000; AWS: 5.05 s", 1, 10 * time.Second, 10 * time.Second},
	} {
		if got := aws.Backoff(tt.n, tt.hint, 1); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		if got := aws.Backoff(tt.n, 0, 0); got != 0 {
			t.Errorf("%s: with no share of the period %v, want 0", tt.name, got)
		}
	}
}

// TestRetryBudgetFollowsATrace is the counterpart of gRPC's TestRetryThrottling (grpc-go,
// test/retry_test.go; proposal A6). There a token is lost with each failure and half a one won with
// each success, and retries stop below half of the tokens: a store that lasts for as long as nobody
// succeeds. Ours looks back ten seconds instead, so that it forgets an outage that is over: a fifth
// of the calls, and ten.
func TestRetryBudgetFollowsATrace(t *testing.T) {
	start := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	b := router.NewBudget(0.2)
	for i, step := range []struct {
		at      int // seconds
		calls   int
		retries int // asked for
		allowed int // of them
	}{
		{0, 0, 12, 10},   // it starts with ten
		{5, 0, 1, 0},     // which are used up for ten seconds
		{5, 10, 3, 2},    // a fifth of the calls is won
		{9, 100, 30, 20}, //
		{10, 0, 12, 10},  // the first ten are forgotten
		{14, 0, 1, 0},    //
		{15, 0, 3, 0},    // those of second 5 too, but so are its calls
		{19, 0, 12, 0},   // in any ten seconds ten
		{20, 0, 12, 10},  //
		{100, 0, 12, 10}, // and never more, however long nothing was asked
		{100, 1000, 300, 200},
	} {
		now := start.Add(time.Duration(step.at) * time.Second)
		for range step.calls {
			b.Call(now)
		}
		allowed := 0
		for range step.retries {
			if b.Retry(now) {
				allowed++
			}
		}
		if allowed != step.allowed {
			t.Errorf("step %d, second %d: %d of %d retries allowed, want %d", i, step.at, allowed, step.retries, step.allowed)
		}
	}
}

// TestStreamsAreRetriedAsGRPCDoesButForTheHeader takes the cases of gRPC's TestRetryStreaming
// (grpc-go, test/retry_test.go; proposal A6) that apply. A failure before anything was sent is
// retried, one after a message is not, the attempts are capped, and a body too large to keep is
// sent once (gRPC: buffer overflow). We differ in one: gRPC commits to an answer with its header;
// Google sends the header of a 200 before it knows that it can answer, so we commit to the first
// event with content.
func TestStreamsAreRetriedAsGRPCDoesButForTheHeader(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answers  []geminitest.Answer
		attempts int
		served   bool
	}{
		{"failure, then a good stream", []geminitest.Answer{geminitest.Unavailable()}, 2, true},
		{"two failures, then a good stream", []geminitest.Answer{geminitest.Unavailable(), geminitest.Internal()}, 3, true},
		{"failure after a message", []geminitest.Answer{geminitest.Unavailable().AfterEvents(1)}, 1, false},
		{"failure after the header", []geminitest.Answer{geminitest.Unavailable().AfterEvents(0)}, 2, true},
		{"failures to the cap", []geminitest.Answer{geminitest.Unavailable(), geminitest.Unavailable(), geminitest.Unavailable(), geminitest.Unavailable()}, 4, false},
		{"a status that is not retried", []geminitest.Answer{geminitest.InvalidArgument("no")}, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := regions(t, geminitest.Config{})
				b.Script(geminitest.Match{}, tt.answers...)
				_, _, err := listen(t.Context(), b.client(t))
				if (err == nil) != tt.served {
					t.Errorf("the stream ended with %v, want it served: %v", err, tt.served)
				}
				if n := b.Count(geminitest.Match{}); n != tt.attempts {
					t.Errorf("%d attempts, want %d", n, tt.attempts)
				}
			})
		})
	}
}

func TestBodyTooLargeToKeepIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := regions(t, geminitest.Config{})
		b.Script(geminitest.Match{}, geminitest.Unavailable())
		body := &countingReader{left: 65 << 20}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"https://aiplatform.googleapis.com/v1/projects/x/locations/global/publishers/google/models/"+flash+":generateContent", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if n := b.Count(geminitest.Match{}); n != 1 || resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%d attempts, answered %s; want one attempt and Google's own answer", n, resp.Status)
		}
		if !body.closed {
			t.Error("the request's body is not closed")
		}
	})
}

// countingReader is a body of so many bytes.
type countingReader struct {
	left   int
	closed bool
}

func (r *countingReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, bytes.Repeat([]byte{' '}, min(len(p), r.left)))
	r.left -= n
	return n, nil
}

func (r *countingReader) Close() error {
	r.closed = true
	return nil
}

func TestRetryBudgetBoundsTheLoadOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := regions(t, geminitest.Config{})
		c := b.client(t)
		b.Outage("global", true)
		b.Outage("europe-west4", true)
		const calls = 1000
		began := time.Now()
		for range calls {
			if _, err := ask(t.Context(), c, flash); err == nil {
				t.Fatal("answered in an outage of everything")
			} else if e := apiError(t, err); e.Code != 503 {
				t.Fatalf("%v, want Google's 503", err)
			}
		}
		// The calls themselves, a fifth of them again, and one more for each second that their
		// backoffs took, of which ten may come at once.
		seconds := int(time.Since(began).Seconds())
		if n := b.Count(geminitest.Match{}); n > calls*12/10+seconds+10 {
			t.Errorf("%d requests for %d calls in %d s", n, calls, seconds)
		}
	})
}

func TestHintBeyondTheDeadlineFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		b.Keep(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 30*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		_, err := ask(ctx, c, flash)
		if took := time.Since(start); took != 0 || err == nil {
			t.Errorf("took %v and gave %v, want an error at once", took, err)
		}
	})
}

// TestBlackHoleIsLeftBeforeItsCallersDeadlines: a location that accepts and never answers costs
// nobody the call.
func TestBlackHoleIsLeftBeforeItsCallersDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := regions(t, geminitest.Config{})
		c := b.client(t)
		b.SetOutage(geminitest.Outage{Location: "global", Hang: true})
		failed := 0
		for i := range 180 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := ask(ctx, c, flash)
			cancel()
			if err != nil {
				failed++
				t.Logf("call %d: %v", i, err)
			}
			time.Sleep(time.Second)
		}
		if failed > 0 {
			t.Errorf("%d of 180 callers met the black hole, want none", failed)
		}
		if n := b.Count(geminitest.Match{Location: "global"}); n > 12 {
			t.Errorf("the black hole was asked %d times, want the 5 that find it and a few probes", n)
		}
	})
}

// TestThinkingIsNoBlackHole: callers who give up after 5 s are not held against a location whose
// first bytes take 20 s. Until the first answer tells how long answers take, a call or two try
// another location.
func TestThinkingIsNoBlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := regions(t, geminitest.Config{Latency: geminitest.Latency{FirstToken: 20 * time.Second}})
		c := b.client(t)
		var elsewhere atomic.Int64
		call := func(patience time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			resp, err := ask(ctx, c, flash)
			switch {
			case patience < 20*time.Second:
			case err != nil:
				t.Errorf("a patient caller got %v", err)
			case endpoint(resp) != "prod/global/on_demand":
				elsewhere.Add(1)
			}
		}
		for i := range 120 {
			go call(time.Minute)
			if i >= 25 {
				go call(5 * time.Second)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		if n := elsewhere.Load(); n > 2 {
			t.Errorf("%d patient callers went elsewhere", n)
		}
		for _, e := range b.router.Stat().Endpoints {
			if e.Breaker.OpenCount != 0 {
				t.Errorf("the breaker of %s opened", e.Endpoint)
			}
		}
	})
}

func TestSilentEndpointIsLeftAfterFirstByteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{FirstByteTimeout: 30 * time.Second}}.bed(t, vertexed("prod", "global", "europe-west4"))
		b.SetOutage(geminitest.Outage{Location: "global", Hang: true})
		start := time.Now()
		resp, err := ask(t.Context(), b.client(t), flash)
		if err != nil || endpoint(resp) != "prod/europe-west4/on_demand" || time.Since(start) != 30*time.Second {
			t.Errorf("after %v: %v, %v", time.Since(start), resp, err)
		}
	})
}

func TestOneCallsBackoffHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := routerOver(t, func(*http.Request) (*http.Response, error) {
			if n++; n == 1 {
				return answerOf(503, `{"error":{"code":503,"status":"UNAVAILABLE","message":"x"}}`, "Retry-After", "8"), nil
			}
			return answerOf(200, okBody), nil
		}, router.Config{})
		go func() {
			if resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`)); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("the call that backs off: %v, %v", resp, err)
			}
		}()
		time.Sleep(time.Second)
		start := time.Now()
		ctx := router.WithCall(t.Context(), router.Call{MaxWait: -1})
		resp, err := r.RoundTrip(gen(ctx, genPath, `{}`))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("never-waiting call: %v %v", resp.StatusCode, err)
		}
		if resp, err = r.RoundTrip(gen(t.Context(), genPath, `{}`)); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("healthy call: %v, %v", resp, err)
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("healthy call waited %v behind another call's backoff", d)
		}
		time.Sleep(time.Minute)
	})
}

func TestFirstByteTimeoutIsForTheFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(req *http.Request) (*http.Response, error) {
			pr, pw := io.Pipe()
			go func() {
				for range 20 {
					select {
					case <-req.Context().Done():
						pw.CloseWithError(req.Context().Err())
						return
					case <-time.After(time.Second):
					}
					io.WriteString(pw, "some bytes of a file")
				}
				pw.Close()
			}()
			resp := answerOf(200, "", "Content-Type", "video/mp4")
			resp.Body = pr
			return resp, nil
		}, router.Config{FirstByteTimeout: 5 * time.Second})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://generativelanguage.googleapis.com/v1beta/files/x:download?alt=media", nil)
		resp, err := r.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(resp.Body); err != nil || len(data) != 400 {
			t.Errorf("%d bytes, %v; want all 400", len(data), err)
		}
	})
}
