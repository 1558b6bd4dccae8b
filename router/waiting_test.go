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

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// line is a router before a Google that keeps a record of what it was sent, in the bubble of a
// test.
type line struct {
	t      *testing.T
	router *router.Router
	start  time.Time
	wg     sync.WaitGroup
	answer func(name string) *http.Response // nil: well, and at once

	mu   sync.Mutex
	sent []sending
	left []leaving
}

// sending is a request that reached Google, leaving a call that was told that the pool is
// exhausted.
type sending struct {
	name string
	at   time.Duration
}

type leaving struct {
	name      string
	at, retry time.Duration // since the start
}

func newLine(t *testing.T, cfg router.Config, ps ...pool.Project) *line {
	t.Helper()
	l := &line{t: t, start: time.Now()}
	l.router = routerOver(t, func(req *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(req.Body)
		name := strings.Trim(string(body), `{"n: }`)
		l.mu.Lock()
		l.sent = append(l.sent, sending{name, time.Since(l.start)})
		l.mu.Unlock()
		if l.answer != nil {
			return l.answer(name), nil
		}
		return answerOf(200, okBody), nil
	}, cfg, ps...)
	return l
}

// limited is a project of the Gemini back end with limits.
func limited(name string, l pool.Limit) pool.Project {
	p := keyed(name, "k-"+name).pool
	p.Limits = []pool.Limit{l}
	return p
}

// call makes a call of this name in the background. It is well if it is answered well, or told when
// to come back.
func (l *line) call(name string, asked router.Call) { l.callWith(l.t.Context(), name, asked, genPath) }

func (l *line) callWith(ctx context.Context, name string, asked router.Call, path string) {
	l.wg.Go(func() {
		resp, err := l.router.RoundTrip(gen(router.WithCall(ctx, asked), path, fmt.Sprintf(`{"n": %q}`, name)))
		if err != nil {
			if ctx.Err() == nil {
				l.t.Errorf("%s: %v", name, err)
			}
			return
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode == http.StatusOK {
			return
		}
		e, ok := router.Exhausted(genaiError(l.t, body))
		if !ok {
			l.t.Errorf("%s: %d %s", name, resp.StatusCode, body)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.left = append(l.left, leaving{name, time.Since(l.start), e.RetryAt.Sub(l.start)})
	})
}

// at lets time pass until so long after the start.
func (l *line) at(d time.Duration) {
	time.Sleep(d - time.Since(l.start))
	synctest.Wait()
}

// requests are what has reached Google, in its order.
func (l *line) requests() []sending {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

// failed are the calls that were told that the pool is exhausted.
func (l *line) failed() []leaving {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.left)
}

// names are those of the requests that reached Google, in their order.
func (l *line) names() string {
	var names []string
	for _, s := range l.requests() {
		names = append(names, s.name)
	}
	return strings.Join(names, " ")
}

// most returns the most requests that reached Google in any second of those from the i-th on.
func (l *line) most(from int) int {
	most, sent := 0, l.requests()
	for i := from; i < len(sent); i++ {
		n := i
		for n < len(sent) && sent[n].at < sent[i].at+time.Second {
			n++
		}
		most = max(most, n-i)
	}
	return most
}

// genaiError is what the SDK makes of an error's body.
func genaiError(t *testing.T, body []byte) error {
	t.Helper()
	c := clientOver(t, pool.BackendGemini, transport(func(*http.Request) (*http.Response, error) {
		return answerOf(http.StatusTooManyRequests, string(body)), nil
	}))
	_, err := ask(context.Background(), c, flash)
	return err
}

// numbered makes n calls, named by their numbers from first on.
func (l *line) numbered(first, n int, asked router.Call) {
	for i := range n {
		l.call(strconv.Itoa(first+i), asked)
		time.Sleep(time.Millisecond)
	}
}

func TestCallTooFarBackFailsAtOnceAndIsToldItsOwnMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 90 * time.Second}, limited("a", pool.Limit{RPM: 60}))
		l.numbered(0, 220, router.Call{})
		l.at(time.Second)
		if len(l.failed()) != 100 {
			t.Fatalf("%d calls failed at once, want the 100 that come after two minutes' worth", len(l.failed()))
		}
		for i, f := range l.failed() {
			if f.name != strconv.Itoa(120+i) {
				t.Errorf("call %s failed, want 120 and those after it", f.name)
			}
			if f.retry < 120*time.Second || f.retry > 121500*time.Millisecond {
				t.Errorf("call %s was told to come back at %v, want when two windows have passed", f.name, f.retry)
			}
		}
		l.wg.Wait()
		if len(l.failed()) != 100 || len(l.requests()) != 120 {
			t.Errorf("in the end %d failed and %d were sent, want 100 and 120", len(l.failed()), len(l.requests()))
		}
		// A call that will not wait is told of those that do.
		l2 := newLine(t, router.Config{MaxWait: 200 * time.Second}, limited("a", pool.Limit{RPM: 10}))
		l2.numbered(0, 25, router.Call{})
		l2.call("hasty", router.Call{MaxWait: -1})
		l2.wg.Wait()
		if len(l2.failed()) != 1 || l2.failed()[0].at > time.Second || l2.failed()[0].retry < 120*time.Second || l2.failed()[0].retry > 122*time.Second {
			t.Errorf("the call that did not wait: %+v, want one that is told to come back after two windows", l2.failed())
		}
	})
}

func TestWaitingCallsFailWhenThingsBecomeHopeless(t *testing.T) {
	refusal := func(delay string) *http.Response {
		return answerOf(429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`+delay+`"},`+
			`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]}]}}`)
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 20 * time.Second})
		l.answer = func(string) *http.Response {
			switch now := time.Since(l.start); {
			case now < 5*time.Second:
				return refusal("5s")
			case now < 7*time.Second:
				return refusal("50s")
			default:
				return answerOf(200, okBody)
			}
		}
		l.call("first", router.Call{MaxWait: -1})
		l.at(time.Second)
		l.numbered(0, 8, router.Call{})
		l.call("patient", router.Call{MaxWait: time.Hour})
		l.at(7 * time.Second) // those that went when the rest was over met a longer one
		for _, f := range l.failed()[1:] {
			if f.at < 5*time.Second || f.at > 6*time.Second || f.retry < 55*time.Second || f.retry > 61*time.Second {
				t.Errorf("%s failed at %v and was told to come back at %v, want after 5 s and about 50 s later", f.name, f.at, f.retry)
			}
		}
		if len(l.failed()) != 9 {
			t.Errorf("%d calls had failed by then, want the first and the 8 that cannot wait so long", len(l.failed()))
		}
		l.wg.Wait()
		if len(l.failed()) != 9 || l.requests()[len(l.requests())-1].name != "patient" {
			t.Errorf("the patient call was not served: %+v", l.requests()[len(l.requests())-1])
		}
	})
}

func TestBatchCallsFailWhenInteractiveOnesTakeTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 90 * time.Second}, limited("a", pool.Limit{RPM: 10}))
		l.numbered(0, 10, router.Call{})
		l.numbered(100, 10, router.Call{Priority: router.PriorityBatch})
		l.at(time.Second)
		if len(l.failed()) != 0 {
			t.Fatalf("%+v failed, though the next window has room for all", l.failed())
		}
		l.numbered(10, 4, router.Call{})
		l.at(3 * time.Second)
		var names []string
		for _, f := range l.failed() {
			names = append(names, f.name)
			if f.retry < 120*time.Second || f.retry > 122*time.Second {
				t.Errorf("%s was told to come back at %v, want after two windows", f.name, f.retry)
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != "106 107 108 109" {
			t.Errorf("calls %s failed, want the last four batch calls", got)
		}
		l.wg.Wait()
		if len(l.failed()) != 4 {
			t.Errorf("in the end %d calls failed, want 4", len(l.failed()))
		}
	})
}

func TestCallThatCouldBeServedInTimeIsNotGivenUpForTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 2 * time.Minute}, limited("a", pool.Limit{TPM: 1000}))
		ctx, leave := context.WithCancel(t.Context())
		l.answer = func(name string) *http.Response {
			used := map[string]int{"half": 600, "small": 100}[name]
			return answerOf(200, strings.Replace(okBody, `"promptTokenCount":1`, fmt.Sprintf(`"promptTokenCount":%d`, used), 1))
		}
		tokens := func(n int64) router.Call { return router.Call{InputTokens: n} }
		l.call("half", tokens(600))
		l.at(time.Second)
		l.callWith(ctx, "large", tokens(900), genPath) // not before a minute has passed
		l.at(2 * time.Second)
		small := tokens(100)
		small.MaxWait = 20 * time.Second
		l.call("small", small)
		large := tokens(900)
		large.MaxWait = 20 * time.Second
		l.call("hopeless", large)
		l.at(10 * time.Second)
		if len(l.failed()) != 1 || l.failed()[0].name != "hopeless" || l.failed()[0].at != 2*time.Second {
			t.Errorf("%+v failed, want only the large one, at once", l.failed())
		}
		leave()
		l.wg.Wait()
		if got := l.names(); got != "half small" || l.requests()[1].at != 10*time.Second {
			t.Errorf("sent: %+v; want the small one as soon as the large one ahead of it has gone", l.requests())
		}
	})
}

func TestCallFailsWhenTheTokensItCountedOnAreUsedByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 2 * time.Minute}, limited("a", pool.Limit{TPM: 1000}))
		l.answer = func(string) *http.Response {
			time.Sleep(5 * time.Second)
			return answerOf(200, strings.Replace(okBody, `"promptTokenCount":1`, `"promptTokenCount":950`, 1))
		}
		l.call("long", router.Call{InputTokens: 600}) // as its caller says
		l.at(time.Second)
		l.call("large", router.Call{InputTokens: 900})
		l.at(2 * time.Second)
		l.call("small", router.Call{InputTokens: 300, MaxWait: 40 * time.Second})
		l.wg.Wait()
		if f := l.failed(); len(f) != 1 || f[0].name != "small" || f[0].at != 5*time.Second || f[0].retry < time.Minute {
			t.Errorf("%+v failed, want the small one when the long one turns out to be longer, told to come back after a minute", f)
		}
	})
}

func TestBatchStandsBackOnlyWhileInteractiveCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 2 * time.Minute}, limited("a", pool.Limit{TPM: 1000}), farAway(1))
		l.answer = func(string) *http.Response {
			return answerOf(200, strings.Replace(okBody, `"promptTokenCount":1`, `"promptTokenCount":600`, 1))
		}
		ctx, leave := context.WithCancel(t.Context())
		l.call("first", router.Call{InputTokens: 600})
		l.at(time.Second)
		l.callWith(ctx, "interactive", router.Call{InputTokens: 900, Locations: []string{"global", region(0)}}, genPath)
		l.at(2 * time.Second)
		l.call("batch", router.Call{InputTokens: 100, Priority: router.PriorityBatch}) // there is room for it
		l.at(10 * time.Second)
		if got := l.names(); got != "first" {
			t.Errorf("sent: %s; want no batch call while an interactive one waits for the endpoint", got)
		}
		leave()
		l.wg.Wait()
		if r := l.requests(); len(r) != 2 || r[1].at != 10*time.Second {
			t.Errorf("sent: %+v; want the batch call as soon as the interactive one has gone", r)
		}
	})
}

func TestConcurrentCallMayEndAnyMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 500 * time.Millisecond}, limited("a", pool.Limit{Concurrency: 1}))
		l.answer = func(string) *http.Response { time.Sleep(300 * time.Millisecond); return answerOf(200, okBody) }
		l.numbered(0, 2, router.Call{})
		l.numbered(2, 1, router.Call{MaxWait: 100 * time.Millisecond})
		l.wg.Wait()
		if got := l.names(); got != "0 1" || len(l.failed()) != 1 || l.failed()[0].at > 110*time.Millisecond {
			t.Errorf("sent: %s, failed: %+v; want the call that waited half a second to be served and the other to fail", got, l.failed())
		}
	})
}

func TestBatchStandsBackForInteractiveCallsOfOtherLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: time.Minute}, limited("a", pool.Limit{Concurrency: 1}), farAway(27))
		l.answer = func(string) *http.Response { time.Sleep(time.Second); return answerOf(200, okBody) }
		elsewhere := router.Call{Locations: []string{"global", region(0)}} // another line for the same endpoint
		batch := router.Call{Priority: router.PriorityBatch}
		l.call("first", router.Call{})
		l.at(100 * time.Millisecond)
		l.call("batch", batch)
		l.at(200 * time.Millisecond)
		l.call("second", elsewhere)
		l.call("third", elsewhere)
		for i := range 40 { // batch calls that come just when the endpoint is free
			l.at(time.Duration(i+3) * 100 * time.Millisecond)
			if i < 25 {
				l.call("late", router.Call{Priority: router.PriorityBatch, Locations: []string{"global", region(1), region(2 + i)}, MaxWait: -1})
			}
		}
		l.wg.Wait()
		got := l.names()
		if !strings.HasPrefix(got, "first ") || strings.Index(got, "batch") < strings.Index(got, "second") || strings.Index(got, "batch") < strings.Index(got, "third") {
			t.Errorf("sent: %s; want the interactive calls before the batch call", got)
		}
		if n := strings.Count(got, "late"); n > 0 && strings.Index(got, "late") < strings.Index(got, "third") {
			t.Errorf("sent: %s; a batch call that came late went before an interactive one that waited", got)
		}
		if d := l.requests()[3].at; d != 3*time.Second {
			t.Errorf("the batch call went after %v, want at once when the last interactive call has ended", d)
		}
	})
}

func TestCallsThatOtherThingsServeDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 2 * time.Minute}, limited("a", pool.Limit{RPM: 1}))
		l.numbered(0, 2, router.Call{})
		l.at(time.Second)
		l.callWith(t.Context(), "count", router.Call{}, "models/"+flash+":countTokens")
		l.at(2 * time.Second)
		if n := len(l.requests()); n != 2 || l.requests()[1].name != "count" {
			t.Errorf("%d requests after 2 s: %+v; want the counting of tokens, which no limit holds, among them", n, l.requests())
		}
		l.wg.Wait()
	})
}
