package report_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/report"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// TestReportIsWhatGoogleSaw makes calls of many kinds over an emulator with quotas and faults, and
// compares the report of their log with the emulator's journal and with what callers got.
func TestReportIsWhatGoogleSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const flash = "gemini-3.5-flash"
		cfg := geminitest.Config{Log: 10_000, Latency: geminitest.Latency{FirstToken: 200 * time.Millisecond, PerToken: 10 * time.Millisecond}}
		var projects []pool.Project
		for _, name := range []string{"a", "b", "c"} {
			cfg.Projects = append(cfg.Projects, geminitest.Project{
				ID: name, Keys: []string{"k-" + name}, Limits: []geminitest.Limit{{Model: flash, RPM: 40}},
			})
			projects = append(projects, pool.Project{Name: name, Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("k-" + name)}})
		}
		google := geminitest.New(cfg)
		var written strings.Builder
		log := calls.NewLog(&written, nil)
		r, err := router.New(pool.Config{Projects: projects}, router.Config{MaxWait: -1}, router.WithTransport(google),
			router.WithTrace(calls.Trace(log)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			google.Script(geminitest.Match{Key: "k-a"}, []geminitest.Answer{
				geminitest.Unavailable(), geminitest.QuotaUnknown(), geminitest.ConnectionReset(), geminitest.Internal(),
			}[i%4])
		}
		var mu sync.Mutex
		got := map[string]int64{} // statuses that callers got
		call := func(i int) {
			method, path, body := http.MethodPost, flash+":generateContent", `{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}`
			switch i % 10 {
			case 1, 3, 5:
				path = flash + ":streamGenerateContent?alt=sse"
			case 7:
				body = `{"contents":7}`
			case 9:
				method, path, body = http.MethodGet, "", ""
			}
			path = strings.TrimSuffix("https://generativelanguage.googleapis.com/v1beta/models/"+path, "/models/")
			if body == "" {
				path += "/cachedContents"
			}
			ctx := router.WithCall(t.Context(), router.Call{Label: fmt.Sprintf("team-%d", i%3)})
			if i%25 == 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			}
			req, err := http.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			what := "error"
			if resp, err := r.RoundTrip(req); ctx.Err() != nil {
				what = "cancelled"
			} else if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				what = strconv.Itoa(resp.StatusCode)
			}
			mu.Lock()
			got[what]++
			mu.Unlock()
		}
		var all sync.WaitGroup
		for i := range 400 {
			all.Go(func() { call(i) })
			time.Sleep(50 * time.Millisecond)
		}
		all.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}

		rep := reportOf(t, report.ByLabel, time.Time{}, written.String())
		g := rep.All
		type truth struct{ requests, tooMany, input, output, calls, refused, servedOrFailed int64 }
		var want truth
		for _, q := range google.Requests() {
			want.requests++
			if q.Model == "" {
				continue // a page of a list, which is no attempt
			}
			if q.Status == http.StatusTooManyRequests {
				want.tooMany++
			}
			if q.Status == http.StatusOK {
				want.input += int64(q.PromptTokens)
				want.output += int64(q.OutputTokens)
			}
		}
		want.calls, want.refused = 400, got["429"]
		want.servedOrFailed = 400 - got["429"] - got["cancelled"]
		have := truth{
			g.Attempts + g.Lookups, g.TooMany, g.Tokens.Input, g.Tokens.Output, g.Calls, g.Refused, g.Served + g.Failed,
		}
		if diff := cmp.Diff(want, have, cmp.AllowUnexported(truth{})); diff != "" {
			t.Errorf("-journal +report:\n%s", diff)
		}
		if g.Served == 0 || g.Failed < 20 || g.Refused < 30 || g.Cancelled < 5 || want.tooMany < 5 || g.Lookups < 40 {
			t.Errorf("the run has too little of something: %+v, %v", g, got)
		}
		sum := int64(0)
		for _, one := range rep.Groups() {
			sum += one.Calls
		}
		if sum != 400 || len(rep.Groups()) != 3 || rep.Broken != 0 {
			t.Errorf("%d calls in %d groups, %d broken lines", sum, len(rep.Groups()), rep.Broken)
		}
	})
}
