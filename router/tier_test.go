package router_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// told is what a response says of where a call went.
type told struct {
	status            int
	endpoint, traffic string
	attempts          string
	header            http.Header
	body              string
}

// tell makes a request through the router.
func (b *bed) tell(t *testing.T, req *http.Request, err error) told {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	h := resp.Header
	return told{resp.StatusCode, h.Get("Spillway-Endpoint"), h.Get("Spillway-Traffic"), h.Get("Spillway-Attempts"), h, string(body)}
}

// batch is a small batch call in the router's dialect, with a deadline if give is not zero.
func (b *bed) batch(t *testing.T, give time.Duration) told {
	t.Helper()
	ctx := router.WithCall(t.Context(), router.Call{Priority: router.PriorityBatch})
	if give > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, give)
		defer cancel()
	}
	req, err := tierRequest(ctx, b.router.Backend(), "")
	return b.tell(t, req, err)
}

// last is the newest request that Google got.
func (b *bed) last() geminitest.Request {
	all := b.Requests()
	return all[len(all)-1]
}

var flexFirst = []string{"flex", "standard"}

func TestFlexHasItsOwnTimeAndIsLeftInTimeForTheDeadline(t *testing.T) {
	for name, tt := range map[string]struct {
		warm     int           // good answers of flex before, a second each
		takes    time.Duration // flex
		give     time.Duration
		firstOut time.Duration // first_byte_timeout
		traffic  string
		within   time.Duration
		timeout  time.Duration // that flex is told
	}{
		"without a deadline":                      {takes: 29 * time.Minute, traffic: "on_demand_flex", within: 29 * time.Minute, timeout: 30 * time.Minute},
		"after fast answers":                      {warm: 30, takes: 29 * time.Minute, traffic: "on_demand_flex", within: 29 * time.Minute, timeout: 30 * time.Minute},
		"whatever first_byte_timeout says":        {takes: 29 * time.Minute, firstOut: time.Minute, traffic: "on_demand_flex", within: 29 * time.Minute, timeout: 30 * time.Minute},
		"in time for a deadline":                  {takes: time.Minute, give: 2 * time.Minute, traffic: "on_demand_flex", within: time.Minute, timeout: 85 * time.Second},
		"too late for a deadline":                 {takes: 3 * time.Minute, give: 2 * time.Minute, traffic: "on_demand", within: 87 * time.Second, timeout: 85 * time.Second},
		"later than flex may be":                  {takes: 40 * time.Minute, traffic: "on_demand", within: 31 * time.Minute, timeout: 30 * time.Minute},
		"a deadline with no time for flex at all": {takes: time.Minute, give: 30 * time.Second, traffic: "on_demand", within: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setup{
					google: geminitest.Config{Latency: geminitest.Latency{FirstToken: time.Second}},
					router: router.Config{FirstByteTimeout: tt.firstOut},
				}
				b := s.bed(t, laddered(nil, flexFirst, "global"))
				for range tt.warm {
					b.batch(t, 0)
				}
				b.Keep(geminitest.Match{Tier: "flex"}, geminitest.Answer{Delay: tt.takes - time.Second})
				began := time.Now()
				got := b.batch(t, tt.give)
				if got.status != http.StatusOK || got.traffic != tt.traffic {
					t.Errorf("%d at %s (%s): %s", got.status, got.endpoint, got.traffic, got.body)
				}
				if took := time.Since(began); took > tt.within {
					t.Errorf("it took %v, want at most %v", took, tt.within)
				}
				for _, r := range b.Requests()[tt.warm:] {
					want := strconv.FormatFloat(tt.timeout.Seconds(), 'f', 0, 64)
					if said := r.Header.Get("X-Server-Timeout"); r.Tier == "flex" && said != want {
						t.Errorf("flex is given %s s, want %s", said, want)
					}
				}
				for _, e := range b.router.Stat().Endpoints {
					if n := e.AttemptCounts[pool.ClassTransport]; n > 0 || e.Cooldown.Class != "" {
						t.Errorf("%s: %d transport faults, %v: that flex is slow is no fault", e.Endpoint, n, e.Cooldown)
					}
				}
			})
		})
	}
}

func TestGooglesOwnTimeoutAtFlexIsNoFault(t *testing.T) {
	b := setup{}.bed(t, laddered(nil, flexFirst, "global"))
	b.Keep(geminitest.Match{Tier: "flex"}, geminitest.Fault(http.StatusGatewayTimeout))
	if got := b.batch(t, 0); got.status != http.StatusOK || got.traffic != "on_demand" || got.attempts != "2" {
		t.Errorf("%+v", got)
	}
}

func TestATierThatLacksTheModelIsLeftOutAndTheCallGoesOn(t *testing.T) {
	for _, tier := range []string{"flex", "priority"} {
		for _, locations := range [][]string{{"global"}, nil} {
			synctest.Test(t, func(t *testing.T) {
				ladder := []string{tier, "standard"}
				if tier == "priority" {
					ladder = []string{"standard", tier}
				}
				b := setup{google: geminitest.Config{NoFlex: []string{sold}}}.bed(t, laddered(nil, ladder, locations...))
				if tier == "priority" { // what standard cannot take goes there
					b.Keep(geminitest.Match{Tier: tier}, geminitest.InvalidArgument("no such tier"))
					b.Script(geminitest.Match{Tier: "none"}, geminitest.Contention())
					if got := b.batch(t, 0); got.status != http.StatusOK || got.traffic != "on_demand" {
						t.Fatalf("%+v", got)
					}
				} else {
					if got := b.batch(t, 0); got.status != http.StatusOK || got.traffic != "on_demand" || got.attempts != "2" {
						t.Fatalf("%+v", got)
					}
					if got := b.batch(t, 0); got.status != http.StatusOK || got.attempts != "1" {
						t.Errorf("the next call asks flex again: %+v", got)
					}
				}
				out := false
				for _, e := range b.router.Stat().Endpoints {
					if strings.HasSuffix(e.Endpoint, "/on_demand_"+tier) {
						out = e.Cooldown.Class == pool.ClassModelMissing && e.Cooldown.Cause == "tier_lacks_model" &&
							strings.Contains(e.Cooldown.Remedy, "on_demand")
					}
				}
				if !out {
					t.Errorf("%s is not out: %+v", tier, b.router.Stat().Cooldowns)
				}
			})
		}
	}
}

func TestACallersMistakeIsToldAndTakesNoTierOut(t *testing.T) {
	b := setup{}.bed(t, laddered(nil, flexFirst, "global"))
	ctx := router.WithCall(t.Context(), router.Call{Priority: router.PriorityBatch})
	for range 5 {
		req, err := tierRequest(ctx, pool.BackendVertex, `"generationConfig":{"candidateCount":99},`)
		if got := b.tell(t, req, err); got.status != http.StatusBadRequest || !strings.Contains(got.body, "candidateCount") {
			t.Fatalf("%+v", got)
		}
	}
	if got := b.batch(t, 0); got.traffic != "on_demand_flex" {
		t.Errorf("after mistakes of callers: %+v", got)
	}
}

func TestADowngradedAnswerIsReportedAsWhatItIs(t *testing.T) {
	full := []geminitest.Capacity{{Location: "*", Tier: "priority"}, {Tier: "priority"}}
	for _, locations := range [][]string{{"global"}, nil} {
		var ended []router.AttemptEnd
		s := setup{google: geminitest.Config{Capacity: full}, opts: []router.Option{router.WithTrace(&router.Trace{
			AttemptEnd: func(_ context.Context, a router.AttemptEnd) { ended = append(ended, a) },
		})}}
		b := s.bed(t, laddered([]string{"priority"}, nil, locations...))
		req, err := tierRequest(t.Context(), b.router.Backend(), "")
		got := b.tell(t, req, err)
		if got.endpoint != "acme/global/on_demand_priority" || got.traffic != "on_demand" {
			t.Errorf("%+v", got)
		}
		if len(ended) != 1 || ended[0].Traffic != "on_demand" {
			t.Errorf("the trace has %+v", ended)
		}
		downgraded := int64(0)
		for _, e := range b.router.Stat().Endpoints {
			downgraded += e.DowngradedCount
		}
		if downgraded != 1 {
			t.Errorf("%d answers are counted as downgraded, want 1", downgraded)
		}
	}
}

// Vertex AI ignores the header in single regions, and a proxy may drop it.
func TestATierThatGoogleDoesNotConfirmIsNotReported(t *testing.T) {
	r := routerOver(t, func(req *http.Request) (*http.Response, error) {
		return answerOf(http.StatusOK, okBody), nil
	}, router.Config{}, laddered([]string{"priority"}, nil, "global").pool)
	b := bed{router: r, http: &http.Client{Transport: r}}
	req, err := tierRequest(t.Context(), pool.BackendVertex, "")
	if got := b.tell(t, req, err); got.endpoint != "acme/global/on_demand_priority" || got.traffic != "on_demand" {
		t.Errorf("%+v", got)
	}
}

func TestACallersOwnTierIsObeyed(t *testing.T) {
	const openai = `{"model":"` + sold + `","messages":[{"role":"user","content":"hi"}],"service_tier":"`
	for _, tt := range []struct {
		name, members, header, chat string // how the caller names it
		want                        string // tier that Google is asked
	}{
		{"no tier", "", "", "", "flex"},
		{"a tier that is left open", `"serviceTier":"unspecified",`, "", "", "flex"},
		{"standard in the body", `"serviceTier":"standard",`, "", "", "standard"},
		{"priority in the body", `"service_tier":"PRIORITY",`, "", "", "priority"},
		{"flex in the body", `"serviceTier":"flex",`, "", "", "flex"},
		{"priority in a header", "", "priority", "", "priority"},
		{"flex in a header", "", "flex", "", "flex"},
		{"standard in a header", "", "standard", "", "standard"},
		{"a body that leaves it open, and a header", `"serviceTier":"unspecified",`, "priority", "", "priority"},
		{"standard in the body, flex in a header", `"serviceTier":"standard",`, "flex", "", "standard"},
		{"flex in the body, standard in a header", `"serviceTier":"flex",`, "standard", "", "flex"},
		{"priority in the body, flex in a header", `"serviceTier":"priority",`, "flex", "", "priority"},
		{"standard in a chat, flex in a header", "", "flex", "default", "standard"},
		{"priority in a chat, flex in a header", "", "flex", "priority", "priority"},
		{"a chat that leaves it open, and a header", "", "priority", "auto", "priority"},
		{"priority in a chat", "", "", "priority", "priority"},
		{"flex in a chat", "", "", "flex", "flex"},
		{"standard in a chat", "", "", "default", "standard"},
		{"a chat that leaves it open", "", "", "auto", "flex"},
	} {
		for _, dialect := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			for _, locations := range [][]string{{"global", "europe-west4"}, nil} {
				on := pool.BackendGemini
				if locations != nil {
					on = pool.BackendVertex
				}
				t.Run(tt.name+" of "+string(dialect)+" on "+string(on), func(t *testing.T) {
					s := setup{router: router.Config{Backend: dialect}}
					b := s.bed(t, laddered([]string{"flex", "standard", "priority"}, nil, locations...))
					req, err := tierRequest(t.Context(), dialect, tt.members)
					if tt.chat != "" {
						address := "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"
						body := openai + tt.chat + `"}`
						if dialect == pool.BackendVertex {
							address = "https://aiplatform.googleapis.com/v1beta1/projects/x/locations/global/endpoints/openapi/chat/completions"
							body = strings.Replace(body, sold, "google/"+sold, 1)
						}
						req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
					}
					if tt.header != "" {
						req.Header.Set("X-Vertex-Ai-Llm-Shared-Request-Type", tt.header)
					}
					got := b.tell(t, req, err)
					if got.status != http.StatusOK {
						t.Fatalf("%d %s", got.status, got.body)
					}
					asked := b.last().Tier
					if asked == "none" {
						asked = "standard"
					}
					want := "acme/global/on_demand"
					if tt.want != "standard" {
						want += "_" + tt.want
					}
					if asked != tt.want || got.endpoint != want {
						t.Errorf("Google is asked at %s, by %s; want %s", asked, got.endpoint, tt.want)
					}
				})
			}
		}
	}
}

// A project without the tier of a caller passes it on, as ever.
func TestACallersOwnTierPassesWhereTheProjectHasNoLadder(t *testing.T) {
	for _, locations := range [][]string{{"global"}, nil} {
		b := setup{}.bed(t, laddered(nil, nil, locations...))
		req, err := tierRequest(t.Context(), b.router.Backend(), "")
		if locations == nil {
			req, err = tierRequest(t.Context(), b.router.Backend(), `"serviceTier":"flex",`)
		} else {
			req.Header.Set("X-Vertex-Ai-Llm-Shared-Request-Type", "flex")
		}
		if got := b.tell(t, req, err); got.endpoint != "acme/global/on_demand" || got.traffic != "on_demand_flex" || b.last().Tier != "flex" {
			t.Errorf("%+v, asked %s", got, b.last().Tier)
		}
	}
}

func TestADeadKeyOrAProjectsQuotaKeepsACallFromAllTiers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer geminitest.Answer
		both   bool // tiers are out
	}{
		"billing":              {geminitest.BillingDisabled("acme"), true},
		"quota of the project": {geminitest.MinuteQuota(sold, 10, 30*time.Second), true},
		"contention":           {geminitest.Contention(), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup{router: router.Config{MaxWait: -1}}.bed(t, laddered([]string{"standard", "priority"}, nil))
				b.Keep(geminitest.Match{Tier: "none"}, tt.answer)
				req, err := tierRequest(t.Context(), pool.BackendGemini, "")
				got := b.tell(t, req, err)
				if served := got.status == http.StatusOK; served == tt.both || served && got.traffic != "on_demand_priority" {
					t.Errorf("%+v", got)
				}
				if n := b.Count(geminitest.Match{Tier: "priority"}); n > 0 && tt.both {
					t.Errorf("priority was asked %d times", n)
				}
			})
		})
	}
}

func TestOtherCallsThanGeneratingAreStandard(t *testing.T) {
	for _, locations := range [][]string{{"global"}, nil} {
		b := setup{}.bed(t, laddered([]string{"priority"}, nil, locations...))
		req, err := tierRequest(t.Context(), b.router.Backend(), "")
		req.URL.Path = strings.Replace(req.URL.Path, "generateContent", "countTokens", 1)
		if got := b.tell(t, req, err); got.status != http.StatusOK || got.endpoint != "acme/global/on_demand" {
			t.Errorf("%+v", got)
		}
		if tier := b.last().Tier; tier != "none" {
			t.Errorf("Google is asked at %s", tier)
		}
	}
}

// The body of a call is Google's to read: what names the tier must not break it.
func TestTheBodyAtATierIsTheCallersWithItsTier(t *testing.T) {
	var sent map[string]any
	r := routerOver(t, func(req *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(req.Body)
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Errorf("%v: %s", err, body)
		}
		if req.ContentLength != int64(len(body)) {
			t.Errorf("the length is %d, want %d", req.ContentLength, len(body))
		}
		return answerOf(http.StatusOK, okBody, "X-Gemini-Service-Tier", "flex"), nil
	}, router.Config{}, laddered([]string{"flex"}, nil).pool)
	b := bed{router: r, http: &http.Client{Transport: r}}
	for _, length := range []int{10, 3 << 20} {
		text := strings.Repeat("x", length)
		req := gen(t.Context(), "models/"+sold+":generateContent", `{"contents":[{"role":"user","parts":[{"text":"`+text+`"}]}]}`)
		if got := b.tell(t, req, nil); got.traffic != "on_demand_flex" {
			t.Errorf("%+v", got)
		}
		if sent["serviceTier"] != "flex" || sent["contents"] == nil || len(sent) != 2 {
			t.Errorf("the body of %d bytes has other members", length)
		}
	}
}

// A streamed chat at a tier asks for its usage as well, and its caller sees neither.
func TestAStreamedChatAtATierIsTheCallers(t *testing.T) {
	b := setup{google: geminitest.Config{Bodies: true}}.bed(t, laddered(nil, flexFirst))
	ctx := router.WithCall(t.Context(), router.Call{Priority: router.PriorityBatch})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
		strings.NewReader(`{"model":"`+sold+`","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	got := b.tell(t, req, err)
	if got.status != http.StatusOK || got.traffic != "on_demand_flex" || strings.Contains(got.body, `"usage"`) || !strings.Contains(got.body, "[DONE]") {
		t.Errorf("%+v", got)
	}
	var sent map[string]any
	if err := json.Unmarshal(b.last().Body, &sent); err != nil {
		t.Fatal(err)
	}
	if options, _ := sent["stream_options"].(map[string]any); sent["service_tier"] != "flex" || options["include_usage"] != true {
		t.Errorf("Google gets %v", sent)
	}
}

// Flex takes at most 20 MB.
func TestALongBatchCallGoesToStandard(t *testing.T) {
	b := setup{}.bed(t, laddered(nil, flexFirst, "global"))
	ctx := router.WithCall(t.Context(), router.Call{Priority: router.PriorityBatch})
	for length, want := range map[int]string{1 << 20: "on_demand_flex", 21 << 20: "on_demand"} {
		image := `"systemInstruction":{"parts":[{"inlineData":{"mimeType":"image/png","data":"` + strings.Repeat("AAAA", length/4) + `"}}]},`
		req, err := tierRequest(ctx, pool.BackendVertex, image)
		if got := b.tell(t, req, err); got.status != http.StatusOK || got.traffic != want {
			t.Errorf("%d bytes: %d by %s, want %s", length, got.status, got.traffic, want)
		}
	}
}

// A call that waits hears of a reload. At flex, which it finds there, it has to be in time all the same.
func TestAReloadThatAddsFlexLosesNoCallThatWaits(t *testing.T) {
	for _, locations := range [][]string{{"global"}, nil} {
		synctest.Test(t, func(t *testing.T) {
			full := geminitest.Capacity{Location: "*", Steps: []geminitest.Step{{At: 20 * time.Second, Requests: 100}}}
			if locations == nil {
				full.Location = ""
			}
			s := setup{
				google: geminitest.Config{Capacity: []geminitest.Capacity{full}},
				router: router.Config{MaxWait: time.Minute, MaxAttempts: 100},
			}
			b := s.bed(t, laddered(nil, nil, locations...))
			b.Keep(geminitest.Match{Tier: "flex"}, geminitest.Answer{Delay: 10 * time.Minute})
			time.AfterFunc(5*time.Second, func() {
				with := laddered(nil, flexFirst, locations...)
				if err := b.router.Reload(poolOf(with), s.router); err != nil {
					t.Error(err)
				}
			})
			got := b.batch(t, 2*time.Minute)
			if got.status != http.StatusOK || got.traffic != "on_demand" || b.Count(geminitest.Match{Tier: "flex"}) == 0 {
				t.Errorf("%+v, want flex asked, and standard in time", got)
			}
		})
	}
}

// What dedicated means together with a service tier Google does not say. The order has no tiers: the
// caller's counts where the call goes on demand.
func TestAServiceTierIsNotNamedToAnOrder(t *testing.T) {
	const header, kind = "X-Vertex-Ai-Llm-Shared-Request-Type", "X-Vertex-Ai-Llm-Request-Type"
	for _, tt := range []struct {
		name     string
		dialect  pool.Backend
		overflow pool.Overflow
		own      string     // request type that the caller names
		want     [][]string // of each request: its type, and the tier in its header
	}{
		{"the router spills", pool.BackendVertex, pool.OverflowRouter, "", [][]string{{"dedicated", ""}, {"shared", "priority"}}},
		{"the router spills, of the other dialect", pool.BackendGemini, pool.OverflowRouter, "", [][]string{{"dedicated", ""}, {"shared", "priority"}}},
		{"the order alone", pool.BackendVertex, pool.OverflowRouter, "dedicated", [][]string{{"dedicated", ""}}},
		{"Vertex AI spills", pool.BackendVertex, pool.OverflowVertex, "", [][]string{{"", "priority"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := laddered([]string{"standard", "priority"}, nil, "global")
			p.pool.Provisioned = []pool.Order{{Model: sold, Location: "global", GSUs: 1, Overflow: tt.overflow}}
			b := setup{router: router.Config{Backend: tt.dialect, MaxWait: -1}}.bed(t, p)
			b.Keep(geminitest.Match{Traffic: "dedicated"}, geminitest.ProvisionedFull())
			members := ""
			if tt.dialect == pool.BackendGemini {
				members = `"serviceTier":"priority",`
			}
			req, err := tierRequest(t.Context(), tt.dialect, members)
			if members == "" {
				req.Header.Set(header, "priority")
			}
			if tt.own != "" {
				req.Header.Set(kind, tt.own)
			}
			b.tell(t, req, err)
			var got [][]string
			for _, r := range b.Requests() {
				got = append(got, []string{r.Header.Get(kind), r.Header.Get(header)})
			}
			if !slices.EqualFunc(got, tt.want, slices.Equal[[]string]) {
				t.Errorf("Google is asked for %q, want %q", got, tt.want)
			}
		})
	}
}

// A call that waits for flex, or is there, when a reload takes flex away.
func TestAReloadThatTakesFlexAwayLosesNoCall(t *testing.T) {
	for name, tt := range map[string]struct {
		flex    geminitest.Answer
		traffic string
		within  time.Duration
	}{
		"it waits":                 {geminitest.Unavailable(), "on_demand", 8 * time.Second},
		"it is there":              {geminitest.Answer{Delay: time.Minute}, "on_demand_flex", 61 * time.Second},
		"it is there for too long": {geminitest.Answer{Delay: 10 * time.Minute}, "on_demand", 100 * time.Second},
		"it is refused later":      {geminitest.Unavailable().Late(20 * time.Second), "on_demand", 25 * time.Second},
	} {
		for _, locations := range [][]string{{"global"}, nil} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := setup{router: router.Config{MaxWait: 10 * time.Second}}.bed(t, laddered(nil, flexFirst, locations...))
					b.Keep(geminitest.Match{Tier: "flex"}, tt.flex)
					time.AfterFunc(2*time.Second, func() {
						if err := b.router.Reload(poolOf(laddered(nil, nil, locations...)), router.Config{MaxWait: 10 * time.Second}); err != nil {
							t.Error(err)
						}
					})
					began := time.Now()
					got := b.batch(t, 2*time.Minute)
					if took := time.Since(began); got.status != http.StatusOK || got.traffic != tt.traffic || took > tt.within {
						t.Errorf("after %v: %+v, want %s", took, got, tt.traffic)
					}
				})
			})
		}
	}
}
