package router_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// TestThousandsOfWaitingCallsAreServedInTheirOrder, with one that gives up here and there, and in
// many lines.
func TestThousandsOfWaitingCallsAreServedInTheirOrder(t *testing.T) {
	for _, tt := range []struct{ calls, lines int }{{5_000, 1}, {1_000, 200}} {
		calls, lines := tt.calls, tt.lines
		t.Run(fmt.Sprintf("lines=%d", lines), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLine(t, router.Config{MaxWait: time.Hour}, limited("a", pool.Limit{Concurrency: 1}), farAway(lines))
				l.answer = func(string) *http.Response { time.Sleep(10 * time.Millisecond); return answerOf(200, okBody) }
				served := 0
				for i := range calls {
					asked := router.Call{}
					if lines > 1 {
						asked.Locations = []string{"global", region(i % lines)} // another line for the same endpoint
					}
					if i%10 == 9 {
						asked.MaxWait = time.Second + time.Duration(i)*time.Microsecond
					} else {
						served++
					}
					l.call(strconv.Itoa(i), asked)
					synctest.Wait() // so that it stands in line before the next comes
				}
				l.wg.Wait()
				sent := l.requests()
				if n := len(sent) + len(l.failed()); n != calls || len(sent) < served {
					t.Fatalf("%d calls were served and %d failed, want at least %d and %d in all", len(sent), len(l.failed()), served, calls)
				}
				last := make([]int, lines)
				for _, s := range sent {
					n, _ := strconv.Atoi(s.name)
					if n < last[n%lines] {
						t.Fatalf("call %d went after call %d of its line", n, last[n%lines])
					}
					last[n%lines] = n
				}
				// A call that ends calls a head at once; where there are thousands, one listens at
				// any moment.
				if took, best := sent[len(sent)-1].at, time.Duration(len(sent))*10*time.Millisecond; took > best+best/20 {
					t.Errorf("it took %v, want little more than the %v that the endpoint took", took, best)
				}
			})
		})
	}
}

// BenchmarkWaiting is what one call costs that waits with many others, in one line or in many,
// until one of 16 places comes free.
func BenchmarkWaiting(b *testing.B) {
	for _, bb := range []struct{ calls, lines, endpoints int }{{1_000, 1, 1}, {10_000, 1, 1}, {1_000, 1, 64}, {10_000, 1, 64}, {10_000, 1_000, 1}, {10_000, 1_000, 64}} {
		b.Run(fmt.Sprintf("calls=%d/lines=%d/endpoints=%d", bb.calls, bb.lines, bb.endpoints), func(b *testing.B) {
			ps := []pool.Project{farAway(bb.lines)}
			for i := range bb.endpoints {
				ps = append(ps, limited(strconv.Itoa(i), pool.Limit{Concurrency: int64(max(16/bb.endpoints, 1))}))
			}
			var gate sync.RWMutex
			r := newRouter(b, pool.Config{Projects: ps}, router.Config{MaxWait: time.Hour}, router.WithTransport(transport(func(*http.Request) (*http.Response, error) {
				gate.RLock() // until all calls are there
				defer gate.RUnlock()
				return answerOf(200, okBody), nil
			})))
			for b.Loop() {
				var wg sync.WaitGroup
				gate.Lock()
				for i := range bb.calls {
					ctx := b.Context()
					if bb.lines > 1 {
						ctx = router.WithCall(ctx, router.Call{Locations: []string{"global", region(i % bb.lines)}})
					}
					wg.Go(func() {
						resp, err := r.RoundTrip(gen(ctx, genPath, `{}`))
						if err != nil || resp.StatusCode != http.StatusOK {
							b.Errorf("%v, %v", resp, err)
							return
						}
						_ = resp.Body.Close()
					})
				}
				gate.Unlock()
				wg.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(bb.calls), "ns/call")
		})
	}
}
