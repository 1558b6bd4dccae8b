package router_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// sold is a model that Google sells at every service tier.
const sold = "gemini-3.5-flash"

// laddered returns a project of Vertex AI, or of the Developer API without locations, that buys these
// service tiers.
func laddered(interactive, batch []string, locations ...string) project {
	p := keyed("acme", "key-of-acme")
	if len(locations) > 0 {
		p = vertexed("acme", locations...)
	}
	p.pool.OnDemand, p.pool.BatchOnDemand = interactive, batch
	return p
}

// rain makes calls at random moments and notes how they end.
type rain struct {
	bed  *bed
	call router.Call
	give time.Duration // each call's deadline; zero: none

	mu      sync.Mutex
	wg      sync.WaitGroup
	traffic map[string]int // by Spillway-Traffic; "failed" for calls without a response of 200
	lost    []string       // why
}

// fall makes calls for some time, so many a second.
func (r *rain) fall(t *testing.T, lasts time.Duration, perSecond float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for end := time.Now().Add(lasts); ; {
		time.Sleep(time.Duration(rng.ExpFloat64() / perSecond * float64(time.Second)))
		if time.Now().After(end) {
			return
		}
		r.wg.Go(func() { r.drop(t) })
	}
}

// drop makes one call.
func (r *rain) drop(t *testing.T) {
	ctx := router.WithCall(t.Context(), r.call)
	if r.give > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.give)
		defer cancel()
	}
	req, err := tierRequest(ctx, r.bed.router.Backend(), "")
	if err != nil {
		t.Error(err)
		return
	}
	how := "failed"
	var why string
	resp, err := r.bed.http.Do(req)
	if err != nil {
		why = err.Error()
	} else {
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if why = string(body); err == nil && resp.StatusCode == http.StatusOK {
			how = resp.Header.Get("Spillway-Traffic")
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.traffic == nil {
		r.traffic = map[string]int{}
	}
	if r.traffic[how]++; how == "failed" && len(r.lost) < 3 {
		r.lost = append(r.lost, why)
	}
}

// calls returns how many calls there were.
func (r *rain) calls() (n int) {
	for _, m := range r.traffic {
		n += m
	}
	return n
}

// tierRequest is a small call in a dialect, whose body begins with these members.
func tierRequest(ctx context.Context, b pool.Backend, members string) (*http.Request, error) {
	address := "https://generativelanguage.googleapis.com/v1beta/models/" + sold + ":generateContent"
	if b == pool.BackendVertex {
		address = "https://aiplatform.googleapis.com/v1beta1/projects/x/locations/global/publishers/google/models/" +
			sold + ":generateContent"
	}
	body := `{` + members + `"contents":[{"role":"user","parts":[{"text":"four score and seven years ago"}]}]}`
	return http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
}

// Standard refuses half of what comes for a minute: because it has room for half, or whatever is sent.
func TestInteractiveCallsPayPriorityOnlyForWhatStandardRefuses(t *testing.T) {
	const perSecond = 20
	half := func(location string) []geminitest.Capacity {
		return []geminitest.Capacity{{Location: location, Requests: 1000, Steps: []geminitest.Step{
			{At: time.Minute, Requests: perSecond / 2}, {At: 2 * time.Minute, Requests: 1000},
		}}}
	}
	for name, tt := range map[string]struct {
		locations []string
		capacity  []geminitest.Capacity
		refusal   geminitest.Answer // of half of what is sent
	}{
		"half has room":                        {locations: []string{"global"}, capacity: half("*")},
		"half is refused":                      {locations: []string{"global"}, refusal: geminitest.Contention()},
		"half has room on the Developer API":   {capacity: half("")},
		"half is refused on the Developer API": {refusal: geminitest.Contention()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setup{google: geminitest.Config{Capacity: tt.capacity, Latency: geminitest.Latency{FirstToken: time.Second}}}
				r := rain{bed: s.bed(t, laddered([]string{"standard", "priority"}, nil, tt.locations...))}
				r.fall(t, time.Minute, perSecond)
				if tt.refusal.Status > 0 {
					mend := r.bed.KeepSome(geminitest.Match{Tier: "none"}, 0.5, tt.refusal)
					time.AfterFunc(time.Minute, mend)
				}
				r.fall(t, 2*time.Minute, perSecond)
				r.wg.Wait()

				none := geminitest.Match{Tier: "none"}
				refused := r.bed.CountStatus(none, http.StatusTooManyRequests) + r.bed.CountStatus(none, http.StatusServiceUnavailable)
				dear := r.traffic["on_demand_priority"]
				t.Logf("%d calls: %v; standard refused %d", r.calls(), r.traffic, refused)
				if n := r.traffic["failed"]; n > 0 {
					t.Errorf("%d calls were lost: %v", n, r.lost)
				}
				if dear > refused+refused/50 {
					t.Errorf("%d calls were at priority, want no more than the %d that standard refused", dear, refused)
				}
				if most := perSecond * 60 * 6 / 10; refused > most || refused < perSecond*60*4/10 {
					t.Errorf("standard refused %d calls, want about half of a minute's", refused)
				}
			})
		})
	}
}

// Whoever has a dearer tier does not ask standard for ever where it refuses all.
func TestFewCallsTryStandardWhereItRefusesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup{google: geminitest.Config{Capacity: []geminitest.Capacity{{Location: "*"}}}}
		r := rain{bed: s.bed(t, laddered([]string{"standard", "priority"}, nil, "global"))}
		r.fall(t, time.Minute, 20)
		r.wg.Wait()
		refused := r.bed.CountStatus(geminitest.Match{Tier: "none"}, http.StatusTooManyRequests)
		if n := r.traffic["on_demand_priority"]; n != r.calls() || refused > n/5 {
			t.Errorf("of %d calls %v; standard refused %d, want at most a fifth", r.calls(), r.traffic, refused)
		}
	})
}

// Flex has room, and sheds a few percent of what is sent all the same, from the first call on.
func TestFlexThatShedsAtRandomServesManyCallsFromTheStart(t *testing.T) {
	for name, at := range map[string][]string{"Vertex AI": {"global"}, "the Developer API": nil} {
		for _, shed := range amount([]float64{0.1}, []float64{0.05, 0.1}) {
			for _, late := range []time.Duration{0, 200 * time.Millisecond} {
				t.Run(fmt.Sprintf("%v after %v on %s", shed, late, name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := setup{google: geminitest.Config{Latency: geminitest.Latency{FirstToken: 20 * time.Second}}}
						r := rain{
							bed: s.bed(t, laddered(nil, flexFirst, at...)), give: 2 * time.Minute,
							call: router.Call{Priority: router.PriorityBatch},
						}
						r.bed.KeepSome(geminitest.Match{Tier: "flex"}, shed, geminitest.Unavailable().Late(late))
						r.fall(t, 10*time.Second, 300)
						r.wg.Wait()
						if n := r.traffic["on_demand_flex"]; n < r.calls()*9/10 || r.traffic["failed"] > 0 {
							t.Errorf("of %d calls %v, want nine tenths at flex and none lost: %v", r.calls(), r.traffic, r.lost)
						}
					})
				})
			}
		}
	}
}

// drought is how much room flex has for batch calls.
type drought struct {
	capacity geminitest.Capacity
	shed     float64 // whatever is sent
	deadline time.Duration
	least    float64 // share of calls at flex
}

func TestBatchCallsAreServedAtFlexAndInTimeElsewhere(t *testing.T) {
	for name, d := range map[string]drought{
		"flex has room":                      {capacity: geminitest.Capacity{Requests: 100}, least: 1},
		"flex has room, and a deadline":      {capacity: geminitest.Capacity{Requests: 100}, deadline: 2 * time.Minute, least: 1},
		"flex has just enough room":          {capacity: geminitest.Capacity{Requests: 6}, deadline: 2 * time.Minute, least: 0.9},
		"flex sheds a tenth of what is sent": {capacity: geminitest.Capacity{Requests: 100}, shed: 0.1, deadline: 2 * time.Minute, least: 0.9},
		"flex has room for half":             {capacity: geminitest.Capacity{Requests: 2.5}, deadline: 2 * time.Minute, least: 0.3},
		"flex sheds all":                     {deadline: 2 * time.Minute},
		"flex sheds all for a minute of five": {capacity: geminitest.Capacity{Requests: 100, Steps: []geminitest.Step{
			{At: time.Minute}, {At: 2 * time.Minute, Requests: 100},
		}}, deadline: 2 * time.Minute, least: 0.8 * 0.9},
		"deadlines are too short for flex": {capacity: geminitest.Capacity{Requests: 100}, deadline: 8 * time.Second},
	} {
		t.Run(name+" on Vertex AI", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { d.test(t, "*", "global") }) })
		t.Run(name+" on the Developer API", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { d.test(t, "") }) })
	}
}

// test makes batch calls to a project with these locations.
func (d drought) test(t *testing.T, at string, locations ...string) {
	d.capacity.Location, d.capacity.Tier = at, "flex"
	s := setup{google: geminitest.Config{
		Capacity: []geminitest.Capacity{d.capacity}, Latency: geminitest.Latency{FirstToken: 2 * time.Second},
	}}
	r := rain{
		bed: s.bed(t, laddered(nil, flexFirst, locations...)), give: d.deadline,
		call: router.Call{Priority: router.PriorityBatch},
	}
	if d.shed > 0 {
		r.bed.KeepSome(geminitest.Match{Tier: "flex"}, d.shed, geminitest.Unavailable())
	}
	r.fall(t, 5*time.Minute, 5)
	r.wg.Wait()
	t.Logf("%d calls: %v; flex shed %d", r.calls(), r.traffic, r.bed.CountStatus(geminitest.Match{Tier: "flex"}, 503))
	if n := r.traffic["failed"]; n > 0 {
		t.Errorf("%d calls were lost: %v", n, r.lost)
	}
	if share := float64(r.traffic["on_demand_flex"]) / float64(r.calls()); share < d.least {
		t.Errorf("%.2f of the calls were at flex, want at least %.2f", share, d.least)
	}
	for _, e := range r.bed.router.Stat().Endpoints {
		if e.Breaker.State != breaker.StateClosed {
			t.Errorf("%s: the breaker is %v: what flex sheds is no fault", e.Endpoint, e.Breaker.State)
		}
	}
}
