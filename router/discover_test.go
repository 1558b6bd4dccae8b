package router_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/router"
)

// discovered returns a project of the Gemini back end that is asked what it has.
func discovered(name string, limits ...geminitest.Limit) project {
	p := keyed(name, "key-of-"+name)
	p.google.Tokens, p.google.Limits = []string{"token-of-" + name}, limits
	p.pool.Discover, p.pool.ProjectID, p.pool.Credentials = true, name, token("token-of-"+name)
	return p
}

// fillers are quotas of other things, so that a project shows so many in all.
func fillers(n int) (all []geminitest.Quota) {
	for i := range n {
		all = append(all, geminitest.Quota{
			ID: fmt.Sprintf("OtherThingsPerProject%d", i), Metric: fmt.Sprintf("generativelanguage.googleapis.com/other_things_%d", i),
			Values: []geminitest.QuotaValue{{Value: int64(i)}},
		})
	}
	return all
}

// lines is a log that timers write, too.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// threeProjects are one with 40 quotas, one with two orders, and one that may not ask.
func threeProjects() (studio, prod, closed project) {
	studio = discovered("studio", geminitest.Limit{Model: flash, RPM: 120, TPM: 1_000_000}, geminitest.Limit{Model: "gemini-3.5-flash", RPM: 40})
	studio.google.Quotas = fillers(32)
	prod = vertexed("prod", "global")
	prod.pool.Discover, prod.pool.Models = true, []string{"gemini-3.1-flash-lite", "gemini-2.5-pro"}
	prod.google.Orders = []geminitest.Order{
		{Model: "gemini-3.1-flash-lite", Location: "global", GSUs: 2}, {Model: "gemini-2.5-pro", Location: "europe-west4", GSUs: 5},
	}
	closed = discovered("closed")
	closed.pool.Models = []string{"gemini-3.6-flash"}
	closed.google.Denied = []string{"cloudquotas.quotas.get", "serviceusage.quotas.get", "resourcemanager.projects.get"}
	return studio, prod, closed
}

func TestARouterThatDiscoversKeepsToTheLimitsFromTheFirstMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		studio, prod, closed := threeProjects()
		log := &lines{}
		b := setup{
			google: geminitest.Config{QuotaPage: 10, Latency: geminitest.Latency{FirstToken: 300 * time.Millisecond}},
			router: router.Config{MaxWait: 2 * time.Second, Backend: pool.BackendGemini},
			opts:   []router.Option{router.WithLogger(slog.New(slog.NewTextHandler(log, nil)))},
		}.bed(t, studio, prod, closed)
		client := b.client(t)
		var served atomic.Int64
		var calls sync.WaitGroup
		span := amount(5*time.Minute, time.Hour)
		drive := func(model string, perMinute float64) {
			gap := time.Duration(float64(time.Minute) / perMinute)
			for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(gap) {
				calls.Go(func() {
					if _, err := ask(t.Context(), client, model); err == nil {
						served.Add(1)
					}
				})
			}
		}
		calls.Go(func() { drive(flash, 180) })             // 1.5 times what there is
		calls.Go(func() { drive("gemini-3.5-flash", 60) }) // as this
		calls.Go(func() { drive("gemini-3.1-flash-lite", 60) })
		calls.Wait()
		refused := b.CountStatus(geminitest.Match{Method: "generateContent"}, 429)
		// A router that learns its limits would meet one refusal for each; 0.002 of the calls is the bound.
		if n := served.Load(); refused > 0 || n < int64(200*span.Minutes()) {
			t.Errorf("%d calls were served, and Google refused %d", n, refused)
		}
		if n := b.CountStatus(geminitest.Match{Method: "quotaInfos.list", Project: "studio"}, 200); n < 4 {
			t.Errorf("%d pages of the first project's 40 quotas were read, want 4", n)
		}
		if n := b.OrderUsage("prod", "global", "gemini-3.1-flash-lite"); n == 0 {
			t.Error("the order that was discovered has served nothing")
		}
		text := log.String()
		for _, want := range []string{
			`subject=project:studio message="2 limits"`, `subject=project:prod message="0 limits, 2 orders"`,
			`subject=project:closed remedy="grant the role roles/cloudquotas.viewer: gcloud projects add-iam-policy-binding closed ` +
				`--member=serviceAccount:EMAIL --role=roles/cloudquotas.viewer"`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the log lacks %s:\n%s", want, text)
			}
		}
		for _, secret := range []string{"token-of-", "key-of-"} {
			if strings.Contains(text, secret) {
				t.Errorf("the log shows %s", secret)
			}
		}
	})
}

func TestDiscoveryNeverDelaysAStartNorACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		studio := discovered("studio", geminitest.Limit{Model: flash, RPM: 120})
		google := googleOf(geminitest.Config{}, studio)
		google.SetOutage(geminitest.Outage{Backend: "cloud", Hang: true})
		began := time.Now()
		b := setup{}.over(t, google, studio)
		client := b.client(t)
		for range 20 {
			if _, err := ask(t.Context(), client, flash); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("20 calls took %v, want none but the pauses", took)
		}
		if err := b.router.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait() // the bubble fails if a goroutine stays
	})
}

func TestADiscoveredLimitAndOneThatGoogleNamesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		studio := discovered("studio", geminitest.Limit{Model: flash, RPM: 120})
		var mu sync.Mutex
		var told []pool.Event
		b := setup{opts: []router.Option{router.WithEvents(func(e pool.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Kind == pool.LimitDisputed {
				told = append(told, e)
			}
		})}}.bed(t, studio)
		time.Sleep(2 * time.Second)
		b.Script(geminitest.Match{Method: "generateContent"}, geminitest.MinuteQuota(flash, 15, time.Second))
		_, _ = ask(t.Context(), b.client(t), flash)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 1 || told[0].Limits != (quota.Limits{RPM: 15}) || told[0].Discovered != (quota.Limits{RPM: 120}) {
			t.Errorf("told %+v", told)
		}
	})
}

func TestAnEchoedTokenShowsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		studio := discovered("studio")
		google := googleOf(geminitest.Config{}, studio)
		echo := fmt.Sprintf(`{"error": {"code": 403, "message": "no: %[1]s and key-of-studio", "details": [{"reason": "%[1]s", "metadata": {"consumer": "projects/%[1]s"}}]}}`,
			"token-of-studio")
		google.Keep(geminitest.Match{Backend: "cloud"}, geminitest.Answer{Status: 403, Body: []byte(echo)})
		log := &lines{}
		setup{opts: []router.Option{router.WithLogger(slog.New(slog.NewTextHandler(log, nil)))}}.over(t, google, studio)
		time.Sleep(time.Minute)
		if text := log.String(); !strings.Contains(text, "[redacted]") || strings.Contains(text, "token-of-studio") || strings.Contains(text, "key-of-studio") {
			t.Errorf("logged:\n%s", text)
		}
	})
}
