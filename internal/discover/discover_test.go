package discover_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/auth"
	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/discover"
)

// tokens gives one access token, and another once it is dropped.
type tokens struct {
	list []string

	mu      sync.Mutex
	dropped int
}

func (t *tokens) Token(context.Context) (*auth.Token, error) {
	if len(t.list) == 0 {
		return nil, errors.New("no credentials here")
	}
	return &auth.Token{Value: t.current()}, nil
}

func (t *tokens) current() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list[min(t.dropped, len(t.list)-1)]
}

func (t *tokens) Drop(token string) {
	if token == t.current() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.dropped++
	}
}

// world is an emulator with one project, and a source that asks about it.
func world(change func(*geminitest.Config)) (*geminitest.Emulator, discover.Source) {
	cfg := geminitest.Config{
		Models: []string{"gemini-3.5-flash", "gemini-3.1-pro-preview", "gemini-embedding-2"},
		Projects: []geminitest.Project{{
			ID: "acme-prod", Number: "42", Keys: []string{"key-one"}, Tokens: []string{"token-one", "token-two"},
			Limits: []geminitest.Limit{
				{Model: "gemini-3.5-flash", RPM: 10, TPM: 250_000, RPD: 500},
				{Model: "gemini-3.1-pro-preview", RPM: 5},
			},
			Orders: []geminitest.Order{
				{Model: "gemini-3.5-flash", Location: "europe-west4", GSUs: 10},
				{Model: "gemini-3.1-flash-lite", Location: "global", GSUs: 3},
			},
		}},
	}
	if change != nil {
		change(&cfg)
	}
	google := geminitest.New(cfg)
	return google, discover.Source{
		ProjectID: "acme-prod", Tokens: &tokens{list: []string{"token-one", "token-two"}}, Key: func() string { return "key-one" },
		Transport: google,
	}
}

// inBubble runs a test of a world in a bubble: retries pause.
func inBubble(t *testing.T, change func(*geminitest.Config), test func(*testing.T, *geminitest.Emulator, discover.Source)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		google, s := world(change)
		test(t, google, s)
	})
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// problems are those of facts, in short.
func problems(f discover.Facts) []string {
	var all []string
	for _, p := range f.Problems {
		all = append(all, fmt.Sprintf("%s %s %s", p.What, p.Host, p.Role))
	}
	return all
}

var freeLimits = []discover.Limit{
	{Model: "gemini-3.1-pro-preview", RPM: 5},
	{Model: "gemini-3.5-flash", RPM: 10, TPM: 250_000, RPD: 500},
}

func TestLimitsOfTheTierThatTheProjectIsIn(t *testing.T) {
	for _, paid := range []bool{false, true} {
		inBubble(t, func(c *geminitest.Config) {
			c.QuotaPage = 2
			for i := range c.Projects[0].Limits {
				c.Projects[0].Limits[i].Paid = paid
			}
		}, func(t *testing.T, google *geminitest.Emulator, s discover.Source) {
			f := discover.Read(t.Context(), s)
			same(t, "limits", f.Limits, freeLimits)
			same(t, "problems", problems(f), []string(nil))
			same(t, "models", f.Models, []string{"gemini-3.5-flash", "gemini-3.1-pro-preview", "gemini-embedding-2"})
			if (f.Tier == discover.TierPaid) != paid || f.Orders != nil {
				t.Errorf("tier %q, orders %v", f.Tier, f.Orders)
			}
			if n := google.Count(geminitest.Match{Method: "quotaInfos.list"}); n != 4 {
				t.Errorf("%d pages asked for, want 4", n)
			}
		})
	}
}

func TestWithoutBillingTheHighestLimitOfAllTiersHolds(t *testing.T) {
	inBubble(t, func(c *geminitest.Config) { c.Projects[0].Disabled = []string{"cloudbilling.googleapis.com"} },
		func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
			f := discover.Read(t.Context(), s)
			same(t, "limits", f.Limits, []discover.Limit{
				{Model: "gemini-3.1-pro-preview", RPM: 50},
				{Model: "gemini-3.5-flash", RPM: 100, TPM: 2_500_000, RPD: 5_000},
			})
			same(t, "problems", problems(f), []string{"tier cloudbilling.googleapis.com "})
			if want := "gcloud services enable cloudbilling.googleapis.com --project=acme-prod"; f.Problems[0].Command != want {
				t.Errorf("command %q, want %q", f.Problems[0].Command, want)
			}
		})
}

func TestServiceUsageStandsInForCloudQuotas(t *testing.T) {
	inBubble(t, func(c *geminitest.Config) {
		c.Projects[0].Disabled, c.QuotaPage = []string{"cloudquotas.googleapis.com"}, 3
	}, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		f := discover.Read(t.Context(), s)
		same(t, "limits", f.Limits, freeLimits)
		same(t, "problems", problems(f), []string(nil))
	})
}

func TestVertexLimitsAreTheSumOfTheLocations(t *testing.T) {
	for _, test := range []struct {
		locations []string
		want      []discover.Limit
	}{
		{[]string{"global"}, []discover.Limit{{Model: "gemini-3.1-pro-preview", RPM: 5}, {Model: "gemini-3.5-flash", RPM: 10, TPM: 250_000}}},
		{[]string{"global", "europe-west4"}, []discover.Limit{{Model: "gemini-3.1-pro-preview", RPM: 10}, {Model: "gemini-3.5-flash", RPM: 20, TPM: 500_000}}},
		{[]string{"europe-west4", "asia-east1"}, []discover.Limit{}}, // one has no quota that is shown
	} {
		for _, disabled := range [][]string{nil, {"cloudquotas.googleapis.com"}} {
			inBubble(t, func(c *geminitest.Config) { c.Projects[0].Disabled = disabled },
				func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
					s.Vertex, s.Locations, s.Key = true, test.locations, nil
					f := discover.Read(t.Context(), s)
					same(t, strings.Join(test.locations, " "), f.Limits, test.want)
					same(t, "problems", problems(f), []string(nil))
				})
		}
	}
}

func TestOrdersAreThoseThatMonitoringShows(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		s.Vertex, s.Locations = true, []string{"global"}
		f := discover.Read(t.Context(), s)
		same(t, "orders", f.Orders, []discover.Order{
			{Model: "gemini-3.1-flash-lite", Location: "global", GSUs: 3, TokensPerSecond: 12_090},
			{Model: "gemini-3.5-flash", Location: "europe-west4", GSUs: 10, TokensPerSecond: 6_750},
		})
		same(t, "problems", problems(f), []string(nil))
	})
}

func TestAMissingPermissionIsNamedWithItsRoleAndCommand(t *testing.T) {
	for _, test := range []struct {
		denied  []string
		want    []string
		command string
	}{
		{
			[]string{"cloudquotas.quotas.get", "serviceusage.quotas.get"}, []string{"limits cloudquotas.googleapis.com roles/cloudquotas.viewer"},
			"gcloud projects add-iam-policy-binding acme-prod --member=serviceAccount:EMAIL --role=roles/cloudquotas.viewer",
		},
		{
			[]string{"monitoring.timeSeries.list"}, []string{"orders monitoring.googleapis.com roles/monitoring.viewer"},
			"gcloud projects add-iam-policy-binding acme-prod --member=serviceAccount:EMAIL --role=roles/monitoring.viewer",
		},
		{[]string{"serviceusage.services.use"}, nil, ""}, // the project of the credentials pays then
	} {
		inBubble(t, func(c *geminitest.Config) { c.Projects[0].Denied = test.denied },
			func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
				s.Vertex, s.Locations = true, []string{"global"}
				f := discover.Read(t.Context(), s)
				same(t, "problems", problems(f), test.want)
				if test.command != "" && (f.Problems[0].Command != test.command || !strings.Contains(f.Problems[0].Remedy(), test.command)) {
					t.Errorf("got %q, %v", f.Problems[0].Command, f.Problems[0])
				}
				if test.want != nil && f.Problems[0].Passing() {
					t.Error("a missing permission is said to pass")
				}
			})
	}
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, google *geminitest.Emulator, s discover.Source) {
		google.Expire("token-one")
		f := discover.Read(t.Context(), s)
		same(t, "limits", f.Limits, freeLimits)
		google.Expire("token-two")
		f = discover.Read(t.Context(), s)
		same(t, "problems", problems(f), []string{"tier cloudbilling.googleapis.com ", "limits cloudquotas.googleapis.com "})
		for _, p := range f.Problems {
			if strings.Contains(p.Error(), "token-two") {
				t.Errorf("a token shows: %v", p)
			}
		}
	})
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, google *geminitest.Emulator, s discover.Source) {
		google.Script(geminitest.Match{Method: "quotaInfos.list"}, geminitest.Overloaded(), geminitest.ConnectionReset())
		f := discover.Read(t.Context(), s)
		same(t, "limits", f.Limits, freeLimits)
		google.Keep(geminitest.Match{Backend: "cloud"}, geminitest.Overloaded())
		f = discover.Read(t.Context(), s)
		if f.Limits != nil || len(f.Problems) == 0 || !f.Problems[0].Passing() {
			t.Errorf("limits %v, problems %v: a failure passes", f.Limits, f.Problems)
		}
	})
}

func TestNoTokenIsAProblem(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		s.Tokens = &tokens{}
		f := discover.Read(t.Context(), s)
		if len(f.Problems) != 2 || !strings.Contains(f.Problems[1].Error(), "no credentials here") ||
			!strings.Contains(f.Problems[1].Remedy(), "gcloud auth application-default login") {
			t.Errorf("got %v", f.Problems)
		}
	})
}

func TestReadEndsWithItsContext(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, google *geminitest.Emulator, s discover.Source) {
		google.SetOutage(geminitest.Outage{Backend: "cloud", Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		f := discover.Read(ctx, s)
		if took := time.Since(began); took > time.Minute || f.Limits != nil || len(f.Problems) != 2 {
			t.Errorf("took %v: %v", took, f.Problems)
		}
	})
}

// answers gives every request of a host the same body.
type answers struct {
	http.RoundTripper

	host, body string
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != a.host {
		return a.RoundTripper.RoundTrip(r)
	}
	resp, err := a.RoundTripper.RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
		resp.StatusCode, resp.Body = http.StatusOK, http.NoBody
		resp.Body = readCloser{strings.NewReader(a.body)}
	}
	return resp, err
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestOddAnswersCostNothingElse(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []discover.Limit
	}{
		{"no fields", `{}`, []discover.Limit{}},
		{"nothing at all", `null`, []discover.Limit{}},
		{"another type", `{"quotaInfos": 4, "nextPageToken": {}}`, []discover.Limit{}},
		{
			"one good among odd ones", `{"quotaInfos": [null, 7, {"metric": 8}, {"metric": "x/generate_content_free_tier_requests"},
				{"metric": "generate_content_free_tier_requests", "refreshInterval": "minute", "dimensionsInfos": [
					{"dimensions": {"model": "a\u001b[2Jb"}, "details": {"value": "3"}},
					{"dimensions": {"model": "gemini-x"}, "details": {"value": "ten"}},
					{"dimensions": {"model": "gemini-y"}}]},
				{"metric": "generate_content_free_tier_requests", "refreshInterval": "minute", "dimensionsInfos": [
					{"dimensions": {"model": "gemini-z"}, "details": {"value": 4}},
					{"dimensions": {"model": "gemini-none"}, "details": {"value": "0"}},
					{"dimensions": {"model": "gemini-most"}, "details": {"value": "9223372036854775807"}}]}]}`,
			[]discover.Limit{{Model: "gemini-z", RPM: 4}},
		},
		{
			"a family and a default", `{"quotaInfos": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
				"metric": "generate_content_free_tier_requests", "dimensionsInfos": [
					{"dimensions": {"model": "gemini-3.1-pro"}, "details": {"value": "3"}}, {"details": {"value": "9"}}]}]}`,
			[]discover.Limit{{Model: "gemini-3.1-pro-preview", RPM: 3}, {Model: "gemini-3.5-flash", RPM: 9}},
		},
		{
			"quotas of other things", `{"quotaInfos": [
				{"metric": "generate_content_free_tier_output_token_count", "refreshInterval": "minute", "dimensionsInfos": [{"dimensions": {"model": "m"}, "details": {"value": "3"}}]},
				{"metric": "batch_enqueued_tokens", "refreshInterval": "minute", "dimensionsInfos": [{"dimensions": {"model": "m"}, "details": {"value": "3"}}]},
				{"metric": "generate_content_free_tier_requests", "refreshInterval": "month", "dimensionsInfos": [{"dimensions": {"model": "m"}, "details": {"value": "3"}}]},
				{"metric": "generate_content_free_tier_requests", "isConcurrent": true, "refreshInterval": "minute", "dimensionsInfos": [{"dimensions": {"model": "m"}, "details": {"value": "3"}}]}]}`,
			[]discover.Limit{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
				s.Transport = answers{s.Transport, "cloudquotas.googleapis.com", test.body}
				f := discover.Read(t.Context(), s)
				same(t, "limits", f.Limits, test.want)
				same(t, "problems", problems(f), []string(nil))
			})
		})
	}
}

func TestAListWithoutAnEndIsAProblem(t *testing.T) {
	inBubble(t, func(c *geminitest.Config) { c.Projects[0].Disabled = []string{"serviceusage.googleapis.com"} },
		func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
			s.Transport = answers{s.Transport, "cloudquotas.googleapis.com", `{"nextPageToken": "again"}`}
			f := discover.Read(t.Context(), s)
			if f.Limits != nil || len(f.Problems) != 1 || !strings.Contains(f.Problems[0].Message, "does not end") {
				t.Errorf("got %v, %v", f.Limits, f.Problems)
			}
		})
}

func TestAnOrderThatHasEndedIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := world(nil)
		old, now := time.Now().Add(-10*time.Minute).Format(time.RFC3339), time.Now().Add(-3*time.Minute).Format(time.RFC3339)
		one := func(model, points string) string {
			return `{"resource": {"labels": {"location": "global", "publisher": "google", "model_user_id": "` + model + `"}}, "points": [` + points + `]}`
		}
		point := func(at, value string) string {
			return `{"interval": {"endTime": "` + at + `"}, "value": {"int64Value": ` + value + `}}`
		}
		s.Vertex, s.Locations = true, []string{"global"}
		s.Transport = answers{s.Transport, "monitoring.googleapis.com", `{"timeSeries": [` + strings.Join([]string{
			one("gemini-ended", point(now, `"0"`)+","+point(old, `"5"`)),
			one("gemini-grown", point(old, `"5"`)+","+point(now, `"7"`)),
			one("gemini-empty", ""),
			one("../../x", point(now, `"5"`)),
			one("gemini-odd", point(now, `{}`)),
		}, ",") + `]}`}
		f := discover.Read(t.Context(), s)
		same(t, "orders", f.Orders, []discover.Order{{Model: "gemini-grown", Location: "global", GSUs: 7, TokensPerSecond: 7}})
	})
}
