package router_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const spare = "gemini-2.5-pro"

// moody is a Google that answers what it likes, and takes as long as it likes.
type moody struct {
	mu  sync.Mutex
	rng *rand.Rand
	bad float64 // the share of calls that it does not answer well
}

// moods are what it answers: the status and the body.
var moods = []struct {
	status int
	body   string
}{
	{429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded.","details":[` +
		`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel","quotaValue":"40"}]},` +
		`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17s"}]}}`},
	{429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Resource exhausted. Please try again later."}}`},
	{429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Too many requests. Exceeded the Provisioned Throughput."}}`},
	{503, `{"error":{"code":503,"status":"UNAVAILABLE","message":"The model is overloaded. Please try again later."}}`},
	{500, `{"error":{"code":500,"status":"INTERNAL","message":"An internal error has occurred."}}`},
	{400, `{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"API key not valid. Please pass a valid API key.",` +
		`"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}`},
	{403, `{"error":{"code":403,"status":"PERMISSION_DENIED","message":"This API method requires billing to be enabled."}}`},
}

func (m *moody) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
	m.mu.Lock()
	takes := time.Duration(m.rng.ExpFloat64() * float64(300*time.Millisecond))
	status, body := 200, okBody
	if m.rng.Float64() < m.bad {
		mood := moods[m.rng.IntN(len(moods))]
		status, body = mood.status, mood.body
	}
	m.mu.Unlock()
	select {
	case <-time.After(takes):
		return answerOf(status, body), nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

// moodyPool has an order, limits, keys, locations, priorities and a model that stands in.
func moodyPool(rng *rand.Rand) (pool.Config, router.Config) {
	a, b, v, w := keyed("a", "a-1", "a-2"), keyed("b", "b-1"), vertexed("v", "global", "eu"), vertexed("w", "global", "eu")
	a.pool.Limits = []pool.Limit{{Model: flash, RPM: 30}}
	b.pool.Limits = []pool.Limit{{Model: "*", Concurrency: 2, TPM: 5_000}}
	v.pool.Provisioned = []pool.Order{{Model: flash, Location: "global", TokensPerSecond: 150, Window: 10 * time.Second}}
	projects := []project{a, b, v, w}
	for i := range projects {
		projects[i].pool.Priority = rng.IntN(4) / 3
		projects[i].pool.Weight = float64(1 + rng.IntN(3))
		if rng.IntN(4) == 0 {
			projects[i].pool.OnDemand = [][]string{{"standard", "priority"}, flexFirst, {"priority"}}[rng.IntN(3)]
			projects[i].pool.BatchOnDemand = [][]string{nil, flexFirst, {"flex"}}[rng.IntN(3)]
		}
	}
	rng.Shuffle(len(projects), func(i, j int) { projects[i], projects[j] = projects[j], projects[i] })
	cfg := router.Config{
		Policy: []router.Policy{"", router.PolicyRoundRobin, router.PolicyRandom}[rng.IntN(3)],
		Models: map[string]string{"fast": flash},
	}
	if rng.IntN(2) == 0 {
		cfg.Fallbacks = []router.Fallback{{Model: flash, To: []string{spare}}}
	}
	p := poolOf(projects[:2+rng.IntN(len(projects)-1)]...)
	p.Ramp = rng.IntN(4) == 0
	return p, cfg
}

// firstOf notes the first attempt of the calls that are watched.
type firstOf struct {
	mu    sync.Mutex
	at    string
	model string
}

type watchKey struct{}

func (f *firstOf) trace() *router.Trace {
	return &router.Trace{AttemptStart: func(ctx context.Context, a router.AttemptStart) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if ctx.Value(watchKey{}) != nil && f.at == "" {
			f.at, f.model = a.Endpoint.Name, a.Model
		}
	}}
}

// randomCall is a call with bounds.
func randomCall(rng *rand.Rand) (model string, c router.Call) {
	c = router.Call{InputTokens: int64(20 + rng.IntN(400)), OutputTokens: int64(10 + rng.IntN(200)), MaxWait: -1}
	if rng.IntN(4) == 0 {
		c.Affinity = fmt.Sprint("user-", rng.IntN(5))
	}
	if rng.IntN(4) == 0 {
		c.Priority = router.PriorityBatch
	}
	return []string{flash, "fast", spare}[rng.IntN(3)], c
}

// TestExplainAgreesWithWhereTheNextCallGoes brings a router into random states and asks it where a
// call would go; then the call is made.
func TestExplainAgreesWithWhereTheNextCallGoes(t *testing.T) {
	var went, drawn, refused, waiting int
	for seed := range uint64(amount(200, 2_000)) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				p, cfg := moodyPool(rng)
				google := &moody{rng: rand.New(rand.NewPCG(seed, 2)), bad: rng.Float64() * rng.Float64()}
				first := &firstOf{}
				r := newRouter(t, p, cfg, router.WithTransport(google), router.WithTrace(first.trace()))
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				var wg sync.WaitGroup
				defer wg.Wait()
				call := func(ctx context.Context, model string, c router.Call) int {
					resp, err := r.RoundTrip(gen(router.WithCall(ctx, c), "models/"+model+":generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`))
					if err != nil {
						return 0
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					return resp.StatusCode
				}
				for range rng.IntN(200) {
					model, c := randomCall(rng)
					if rng.IntN(5) == 0 {
						c.MaxWait = time.Duration(rng.IntN(5_000)) * time.Millisecond
					}
					wg.Go(func() { call(ctx, model, c) })
					time.Sleep(time.Duration(rng.ExpFloat64() * float64(60*time.Millisecond)))
				}
				for range rng.IntN(3) {
					name := p.Projects[rng.IntN(len(p.Projects))].Name
					if err := r.Pause("project:"+name, time.Duration(rng.IntN(2))*time.Minute, "a test"); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Duration(rng.ExpFloat64() * float64(time.Second)))
				synctest.Wait()
				model, c := randomCall(rng)
				before := stateOf(r)
				e := r.Explain(model, c)
				if after := stateOf(r); after != before {
					t.Errorf("explaining changes the state:\n%s\n%s", before, after)
				}
				status := call(context.WithValue(ctx, watchKey{}, true), model, c)
				first.mu.Lock()
				defer first.mu.Unlock()
				switch {
				case len(e.Next) > 0 && (!slices.Contains(e.Next, first.at) || e.Model != first.model):
					t.Errorf("%s: the call went to %q for %s with %d, want %q for %s\n%s", model, first.at, first.model, status, e.Next, e.Model, before)
				case len(e.Next) == 0 && first.at != "":
					t.Errorf("%s: the call went to %q for %s, want nowhere: %s", model, first.at, first.model, before)
				case len(e.Next) == 0 && e.Plans[0].Ahead > 0:
					waiting++
				case len(e.Next) == 0:
					refused++
				case len(e.Next) > 1:
					drawn++
				default:
					went++
				}
			})
		})
	}
	t.Logf("%d went where one was foreseen, %d where several were, %d nowhere, %d behind others", went, drawn, refused, waiting)
	if went < 20 || drawn < 5 || refused < 20 {
		t.Error("the states are all of a kind: the test shows little")
	}
}

// stateOf is what a router shows of itself.
func stateOf(r *router.Router) string {
	s := r.Stat()
	var b strings.Builder
	for _, e := range s.Endpoints {
		fmt.Fprintf(&b, "%s %s tier %d calls %d tokens %d why %q cooldown %v breaker %v\n",
			e.Model, e.Endpoint, e.Tier, e.Calls, e.Tokens, e.Why, e.Cooldown.Class, e.Breaker)
	}
	fmt.Fprintf(&b, "%d queues, %+v\n", s.QueueCount, s.Models)
	return b.String()
}

func TestExplainSaysWhatKeepsACallAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := keyed("a", "k-a").pool
		a.Models, a.Limits = []string{flash, spare}, []pool.Limit{{Model: flash, RPM: 1}, {Model: spare, Concurrency: 1}}
		google := transport(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return answerOf(200, okBody), nil
		})
		cfg := router.Config{Models: map[string]string{"fast": flash, "deep": spare}, MaxWait: time.Minute}
		r := routerOver(t, google, cfg, a)
		call := func(model string) {
			resp, err := r.RoundTrip(gen(context.Background(), "models/"+model+":generateContent", `{}`))
			if err == nil {
				_ = resp.Body.Close()
			}
		}
		want := func(model string, c router.Call, text string) router.Explanation {
			t.Helper()
			e := r.Explain(model, c)
			if e.String() != text {
				t.Errorf("%s is explained by %q, want %q", model, e, text)
			}
			return e
		}
		want("fast", router.Call{}, flash+" at a/global/on_demand")
		call("fast") // its minute's limit is used up now
		want("fast", router.Call{MaxWait: -1}, "refused with 429; an endpoint may be asked again at 2000-01-01T00:01:00Z")
		want("fast", router.Call{MaxWait: time.Second}, "refused with 429; an endpoint may be asked again at 2000-01-01T00:01:00Z")
		e := want("fast", router.Call{}, flash+", after a wait until 2000-01-01T00:01:00Z")
		if len(e.Plans) != 1 || len(e.Plans[0].Tiers) != 1 || !strings.HasPrefix(e.Plans[0].Tiers[0][0].Why, "limit reached") {
			t.Errorf("explained by %+v", e.Plans)
		}
		want("fast", router.Call{Locations: []string{"mars"}}, `refused with 400: location "mars" is none of the pool's; it has global`)
		want("fast", router.Call{Priority: "soon"}, `refused with 400: priority is "soon"; write "interactive" or "batch"`)
		want("none\n", router.Call{}, "refused with 400: the model's name is too long, or has control characters; write a name such as gemini-3.5-flash")
		want("gemini-of-others", router.Call{}, "refused with 400: no endpoint may ever serve it")

		var wg sync.WaitGroup
		for range 3 { // one is under way, two wait
			wg.Go(func() { call("deep") })
		}
		synctest.Wait()
		if e := r.Explain("deep", router.Call{}); e.Plans[0].Ahead != 2 || len(e.Next) > 0 {
			t.Errorf("%d are ahead, want 2; it goes to %v", e.Plans[0].Ahead, e.Next)
		}
		wg.Wait()
		if e := r.Explain("deep", router.Call{}); e.Plans[0].Ahead != 0 || len(e.Next) != 1 {
			t.Errorf("%d are ahead, want none; it goes to %v", e.Plans[0].Ahead, e.Next)
		}
	})
}

// TestExplainHasTheStatusThatCallersGet while all that could serve a call is out for good.
func TestExplainHasTheStatusThatCallersGet(t *testing.T) {
	for name, answer := range map[string]geminitest.Answer{
		"a dead key": geminitest.KeyExpired(), "no credits": geminitest.PrepayDepleted(402), "the API is off": geminitest.ServiceDisabled("a"),
		"a day's quota": geminitest.DayQuota(flash, 20, time.Second), "no such model": geminitest.ModelMissing(flash, "generateContent"),
		"a rate": geminitest.SpendRate(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup{router: router.Config{MaxWait: -1}}.bed(t, keyed("a", "k-a"))
				b.Keep(geminitest.Match{}, answer)
				status := 0
				for range 2 {
					_, err := ask(t.Context(), b.client(t), flash)
					status = apiError(t, err).Code
				}
				if e := b.router.Explain(flash, router.Call{}); !strings.HasPrefix(e.String(), fmt.Sprintf("refused with %d", status)) {
					t.Errorf("it says %q, and the caller gets %d", e, status)
				}
			})
		})
	}
}

// TestExplainSendsABatchCallToFlexFirst although another project's standard tier comes earlier.
func TestExplainSendsABatchCallToFlexFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := keyed("first", "key-of-first"), laddered(nil, flexFirst)
		second.pool.Priority = 1
		second.pool.Limits = []pool.Limit{{Model: sold, RPM: 1}} // counts at every tier of the Developer API
		b := setup{router: router.Config{MaxWait: 10 * time.Second}}.bed(t, first, second)
		batch := router.Call{Priority: router.PriorityBatch}
		if b.router.Explain(sold, batch); len(b.router.Stat().Models) > 0 {
			t.Error("Explain has the pool remember the model")
		}
		for _, want := range []string{"acme/global/on_demand_flex", "first/global/on_demand"} {
			next, planned := b.router.Explain(sold, batch).Next, b.router.PlanBatch(sold).Next
			if got := b.batch(t, 0); got.endpoint != want || !slices.Equal(next, []string{want}) || !slices.Equal(planned, next) {
				t.Errorf("a batch call went to %s, want %s; explained by %v, planned for %v", got.endpoint, want, next, planned)
			}
		}
		if next := b.router.Explain(sold, router.Call{}).Next; !slices.Equal(next, []string{"first/global/on_demand"}) {
			t.Errorf("an interactive call would go to %v", next)
		}
	})
}
