package plan_test

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	flash  = "gemini-2.5-flash"
	perGSU = 2690.0 // tokens a second

	meanInput, meanOutput = 1500, 400
	outputRate            = 9
)

// google is Google with one order, which shares nothing with the model of package plan: it counts in
// slices of a tenth of a second, and foresees of each call the mean output of some before it.
type google struct {
	calls  []demand.Call
	start  time.Time
	window time.Duration
	rate   float64 // tokens a second
	memory int     // of how many responses the estimate is the mean

	mu              sync.Mutex
	buckets         map[int64]float64
	last            []float64 // what responses cost
	total           float64   // of last
	ordered, spills float64   // tokens
	refused         int
}

// foresee is what the next response is estimated to cost.
func (g *google) foresee() float64 {
	if len(g.last) == 0 {
		return 1000
	}
	return g.total / float64(len(g.last))
}

func (g *google) slice() int64 { return int64(time.Since(g.start) / (100 * time.Millisecond)) }

// used is what counts against the order now.
func (g *google) used(at int64) (sum float64) {
	for s, tokens := range g.buckets {
		if at-s >= int64(g.window/(100*time.Millisecond)) {
			delete(g.buckets, s)
			continue
		}
		sum += tokens
	}
	return sum
}

func (g *google) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var n int
	_, text, _ := strings.Cut(string(body), "call ")
	if _, err := fmt.Sscanf(text, "%d.", &n); err != nil {
		return nil, err
	}
	c := &g.calls[n]
	input, output := float64(c.Usage.Input), float64(c.Usage.Output)*outputRate
	traffic := "ON_DEMAND"
	if slices.Equal(req.Header["X-Vertex-Ai-Llm-Request-Type"], []string{"dedicated"}) {
		g.mu.Lock()
		at, foreseen := g.slice(), g.foresee()
		if g.used(at)+input+foreseen > g.rate*g.window.Seconds() {
			g.refused++
			g.mu.Unlock()
			time.Sleep(50 * time.Millisecond)
			return respond(req, 429, `{"error":{"code":429,"message":"Too many requests. Exceeded the provisioned throughput.","status":"RESOURCE_EXHAUSTED"}}`), nil
		}
		g.buckets[at] += input + foreseen
		g.mu.Unlock()
		time.Sleep(c.Took)
		g.mu.Lock()
		if _, counts := g.buckets[at]; counts {
			g.buckets[at] += output - foreseen
		}
		g.total += output
		if g.last = append(g.last, output); len(g.last) > g.memory {
			g.total -= g.last[0]
			g.last = g.last[1:]
		}
		g.ordered += input + output
		g.mu.Unlock()
		traffic = "PROVISIONED_THROUGHPUT"
	} else {
		time.Sleep(c.Took)
		g.mu.Lock()
		g.spills += input + output
		g.mu.Unlock()
	}
	return respond(req, 200, fmt.Sprintf(`{"candidates":[{"content":{"role":"model","parts":[{"text":"x"}]},"finishReason":"STOP"}],
		"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d,"trafficType":%q}}`, c.Usage.Input, c.Usage.Output, traffic)), nil
}

func respond(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// serve sends the calls through a whole router, and returns the part of the tokens that the order did
// not serve.
func serve(t *testing.T, calls []demand.Call, gsus int, window time.Duration, memory int) (spill float64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &google{
			calls: calls, window: window, rate: perGSU * float64(gsus), memory: memory,
			buckets: make(map[int64]float64), start: time.Now(),
		}
		r, err := router.New(pool.Config{Projects: []pool.Project{{
			Name: "prod", Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Locations: []string{"global"},
			Provisioned: []pool.Order{{Model: flash, Location: "global", GSUs: gsus}},
		}}}, router.Config{}, router.WithTransport(g))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		var wait sync.WaitGroup
		for i := range calls {
			time.Sleep(time.Until(g.start.Add(calls[i].At.Sub(calls[0].At))))
			wait.Go(func() {
				// A token has about four letters.
				text := fmt.Sprintf("call %d. %s", i, strings.Repeat("word ", int(calls[i].Usage.Input)*4/5))
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
					"https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/"+flash+":generateContent",
					strings.NewReader(`{"contents":[{"role":"user","parts":[{"text":"`+text+`"}]}]}`))
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := r.RoundTrip(req)
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("call %d: %v, %v", i, resp, err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			})
		}
		wait.Wait()
		spill = g.spills / (g.spills + g.ordered)
	})
	return spill
}

// peak is the busiest demand, as a multiple of what five GSUs serve.
const peak = 1.37

// arrivals are calls at the peak, of which a shape keeps some and moves others.
func arrivals(length time.Duration, shape func(at time.Duration) (moved time.Duration, keeps float64)) []demand.Call {
	all := demand.Rates{
		Model: flash, RPM: 60 * peak * 5 * perGSU / (meanInput + outputRate*meanOutput), Input: meanInput, Output: meanOutput,
		Length: length, Start: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), Seed: 3,
	}.Calls()
	rng := rand.New(rand.NewPCG(4, 4))
	var calls []demand.Call
	start := all[0].At
	for _, c := range all {
		moved, keeps := shape(c.At.Sub(start))
		if c.At = start.Add(moved); rng.Float64() < keeps {
			calls = append(calls, c)
		}
	}
	return calls
}

func shapes(length time.Duration) map[string][]demand.Call {
	return map[string][]demand.Call{
		"steady": arrivals(length, func(at time.Duration) (time.Duration, float64) { return at, 1 }),
		"a wave": arrivals(length, func(at time.Duration) (time.Duration, float64) {
			return at, (1 - math.Cos(2*math.Pi*at.Seconds()/length.Seconds())) / 2
		}),
		"a ramp": arrivals(length, func(at time.Duration) (time.Duration, float64) { return at, at.Seconds() / length.Seconds() }),
		"minutes on and off": arrivals(length, func(at time.Duration) (time.Duration, float64) {
			return at, map[bool]float64{true: 1, false: 0.2}[int(at.Minutes())%2 == 0]
		}),
		"a burst every ten seconds": arrivals(length, func(at time.Duration) (time.Duration, float64) {
			return at.Truncate(10*time.Second) + (at%(10*time.Second))/10, 1
		}),
	}
}

// amount is little, or all of it in long runs without the race detector.
func amount(little, all int) int {
	if os.Getenv("SPILLWAY_LONG") == "1" && !raced {
		return all
	}
	return little
}

func ask(t *testing.T, calls []demand.Call, from, to int) *plan.Answer {
	t.Helper()
	a, err := plan.Ask(t.Context(), plan.Question{
		Buy: plan.Buy{Model: flash, Location: "global"}, Calls: calls, Spill: 0.01, From: from, To: to,
		Prices: price.BuiltIn(), Term: price.Week,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// memories are of how many responses Google may take the mean to estimate the next: few, or all.
var memories = []int{50, math.MaxInt}

// The plan is compared with a whole router before a Google that shares nothing with the plan's: windows
// at both ends of what is documented, and estimates of its own.
func TestPlanForeseesWhatSpills(t *testing.T) {
	length := time.Duration(amount(8, 60)) * time.Minute
	for name, calls := range shapes(length) {
		t.Run(name, func(t *testing.T) {
			a := ask(t, calls, 5, 5)
			for _, foreseen := range []*plan.Tally{a.Sizes[0].Short, a.Sizes[0].Long} {
				for _, memory := range memories[:amount(1, 2)] {
					got := serve(t, calls, 5, foreseen.Window, memory)
					t.Logf("%d calls, window %v: foreseen %.3f, spilled %.3f", len(calls), foreseen.Window, foreseen.Spill(), got)
					if math.Abs(got-foreseen.Spill()) > 0.03 {
						t.Errorf("a window of %v spills %.3f, and %.3f was foreseen", foreseen.Window, got, foreseen.Spill())
					}
				}
			}
		})
	}
}

func TestTheRecommendedOrderSpillsLittle(t *testing.T) {
	length := time.Duration(amount(8, 60)) * time.Minute
	for name, calls := range shapes(length) {
		t.Run(name, func(t *testing.T) {
			a := ask(t, calls, 0, 0)
			if a.Recommended == 0 {
				t.Fatal("no order is recommended")
			}
			size := a.Sizes[slices.IndexFunc(a.Sizes, func(s plan.Size) bool { return s.GSUs == a.Recommended })]
			for _, window := range []time.Duration{size.Short.Window, size.Long.Window} {
				for _, memory := range memories[:amount(1, 2)] {
					spill := serve(t, calls, a.Recommended, window, memory)
					t.Logf("%d GSUs, window %v: %.4f spilled", a.Recommended, window, spill)
					if spill >= 0.01 {
						t.Errorf("%d GSUs with a window of %v spill %.4f", a.Recommended, window, spill)
					}
				}
			}
		})
	}
}
