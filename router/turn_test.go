package router_test

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestQueueOfAWholeMinuteIsReleasedSpreadAndInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 2 * time.Minute}, limited("a", pool.Limit{RPM: 600}))
		l.numbered(0, 1200, router.Call{}) // 600 go at once, and free the minute at once
		l.wg.Wait()
		if len(l.failed()) != 0 || len(l.requests()) != 1200 {
			t.Fatalf("%d calls were sent and %d failed, want 1200 and 0", len(l.requests()), len(l.failed()))
		}
		if n := l.most(600); n > 32 { // of the 600: ten at once, then twenty a second
			t.Errorf("%d calls of those that waited went in one second, want at most 32", n)
		}
		requests := l.requests()
		slices.SortStableFunc(requests, func(a, b sending) int { // those of one moment go side by side
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
		})
		for i, s := range requests {
			if s.name != strconv.Itoa(i) {
				t.Fatalf("call %s went as number %d", s.name, i)
			}
		}
		if first, last := l.requests()[600].at, l.requests()[1199].at; first < time.Minute || first > 60500*time.Millisecond || last-first > 31*time.Second {
			t.Errorf("those that waited went from %v to %v, want from a minute on, in about 30 s", first, last)
		}
	})
}

func TestNobodyFailsForTakingTurns(t *testing.T) {
	for _, wait := range []time.Duration{61 * time.Second, 62 * time.Second, 65 * time.Second, 75 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := newLine(t, router.Config{MaxWait: wait}, limited("a", pool.Limit{RPM: 600}))
			for i := range 1200 {
				l.call(strconv.Itoa(i), router.Call{})
			}
			l.wg.Wait()
			if len(l.failed()) != 0 {
				t.Errorf("with %v to wait, %d calls failed that the quota had room for, the first after %v", wait, len(l.failed()), l.failed()[0].at)
			}
			// The second half of the time is kept: no more haste than that calls for.
			if n, most := l.most(600), 10+int(math.Ceil(2.2*600/(wait-60250*time.Millisecond).Seconds())); n > most {
				t.Errorf("with %v to wait, %d calls went in one second, want at most %d", wait, n, most)
			}
		})
	}
}

func TestFewWaitingCallsGoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 2 * time.Minute}, limited("a", pool.Limit{RPM: 60}))
		for i := range 70 {
			l.call(strconv.Itoa(i), router.Call{})
		}
		l.wg.Wait()
		if took := l.requests()[69].at - l.requests()[60].at; took != 0 {
			t.Errorf("ten calls that waited took %v to go", took)
		}
	})
}

func TestQueueBeginsSlowlyAfterARestOfUnknownCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: time.Minute})
		l.answer = func(name string) *http.Response {
			if name == "first" {
				return answerOf(429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"20s"},`+
					`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]}]}}`)
			}
			return answerOf(200, okBody)
		}
		l.call("first", router.Call{MaxWait: -1})
		l.at(time.Second)
		l.numbered(0, 500, router.Call{})
		l.wg.Wait()
		if len(l.requests()) != 501 {
			t.Fatalf("%d requests, want 501", len(l.requests()))
		}
		if n := l.most(1); n > 300 { // in the last one, when it has doubled four times
			t.Errorf("%d calls went in one second, want at most 300 of the 500", n)
		}
		begin := 0
		for _, s := range l.requests()[1:] {
			if s.at < l.requests()[1].at+time.Second {
				begin++
			}
		}
		if took := l.requests()[500].at - l.requests()[1].at; begin > 45 || took > 6*time.Second {
			t.Errorf("%d calls went in the first second and all in %v, want about 40 and 5 s", begin, took)
		}
	})
}

func TestTurnsOfABatchDoNotDelayInteractiveCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: 5 * time.Minute}, limited("a", pool.Limit{RPM: 60}))
		l.numbered(0, 100, router.Call{Priority: router.PriorityBatch}) // 60 go at once, 40 when the minute is over: ten at once, then two a second
		l.at(65100 * time.Millisecond)
		for i := range 5 {
			l.call("interactive"+strconv.Itoa(i), router.Call{})
		}
		l.wg.Wait()
		n := 0
		for _, s := range l.requests() {
			if strings.HasPrefix(s.name, "interactive") {
				if n++; s.at != 65100*time.Millisecond {
					t.Errorf("%s went at %v, want at once", s.name, s.at)
				}
			}
		}
		if n != 5 || len(l.failed()) != 0 {
			t.Errorf("%d of 5 interactive calls were sent, %d calls failed", n, len(l.failed()))
		}
	})
}
