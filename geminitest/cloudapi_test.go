package geminitest_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

const (
	quotaInfos = "https://cloudquotas.googleapis.com/v1/projects/studio/locations/global/services/generativelanguage.googleapis.com/quotaInfos"
	metricsOf  = "https://serviceusage.googleapis.com/v1beta1/projects/studio/services/generativelanguage.googleapis.com/consumerQuotaMetrics"
	timeSeries = "https://monitoring.googleapis.com/v3/projects/studio/timeSeries"
	billing    = "https://cloudbilling.googleapis.com/v1/projects/studio/billingInfo"
	gsuLimit   = `metric.type = "aiplatform.googleapis.com/publisher/online_serving/dedicated_gsu_limit"`
)

// asked is an emulator with a project of two models that may be asked what it has.
func asked(change func(*geminitest.Config)) *geminitest.Emulator {
	cfg := geminitest.Config{
		Models: []string{"gemini-3.5-flash", "gemini-3.1-pro-preview"},
		Projects: []geminitest.Project{{
			ID: "studio", Number: "42", Keys: []string{"key-1"}, Tokens: []string{"token-1"},
			Limits: []geminitest.Limit{{Model: "gemini-3.5-flash", RPM: 10, TPM: 250_000}},
			Orders: []geminitest.Order{{Model: "gemini-3.5-flash", Location: "europe-west4", GSUs: 10}},
		}},
	}
	if change != nil {
		change(&cfg)
	}
	return geminitest.New(cfg)
}

// told is what an API of Google Cloud said.
type told struct {
	status int
	body   map[string]any
	text   string
}

// tell asks for an address with an access token, or without if it is empty.
func tell(t *testing.T, google *geminitest.Emulator, address, token string, query url.Values, header ...string) told {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"?"+query.Encode(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := google.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := told{status: resp.StatusCode, text: string(text)}
	_ = json.Unmarshal(text, &a.body)
	return a
}

// reason is that of the ErrorInfo of a refusal.
func (a told) reason() string {
	problem, _ := a.body["error"].(map[string]any)
	details, _ := problem["details"].([]any)
	for _, d := range details {
		if m, _ := d.(map[string]any); m["reason"] != nil {
			reason, _ := m["reason"].(string)
			return reason
		}
	}
	return ""
}

// infos asks for all pages of a list, and returns how many there were.
func infos(t *testing.T, google *geminitest.Emulator, address, name string, query url.Values) (all []map[string]any, pages int) {
	t.Helper()
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	for {
		a := tell(t, google, address, "token-1", query)
		if a.status != 200 {
			t.Fatalf("status %d: %s", a.status, a.text)
		}
		pages++
		list, _ := a.body[name].([]any)
		for _, one := range list {
			m, _ := one.(map[string]any)
			all = append(all, m)
		}
		next, _ := a.body["nextPageToken"].(string)
		if next == "" {
			return all, pages
		}
		query.Set("pageToken", next)
	}
}

func TestCloudQuotasShowsBothTiersInPages(t *testing.T) {
	google := asked(func(c *geminitest.Config) { c.QuotaPage = 3 })
	all, pages := infos(t, google, quotaInfos, "quotaInfos", nil)
	if want := (len(all) + 2) / 3; pages != want || pages < 2 {
		t.Errorf("%d quotas in %d pages, want %d", len(all), pages, want)
	}
	values := map[string]string{}
	for _, q := range all {
		id, _ := q["quotaId"].(string)
		list, _ := q["dimensionsInfos"].([]any)
		for _, one := range list {
			m, _ := one.(map[string]any)
			dimensions, _ := m["dimensions"].(map[string]any)
			details, _ := m["details"].(map[string]any)
			model, _ := dimensions["model"].(string)
			value, _ := details["value"].(string)
			values[id+" "+model] = value
		}
	}
	for what, want := range map[string]string{
		"GenerateRequestsPerMinutePerProjectPerModel-FreeTier gemini-3.5-flash":       "10",
		"GenerateRequestsPerMinutePerProjectPerModel gemini-3.5-flash":                "100",
		"GenerateContentInputTokensPerModelPerMinute-FreeTier gemini-3.5-flash":       "250000",
		"GenerateRequestsPerMinutePerProjectPerModel-FreeTier gemini-3.1-pro-preview": "-1",
		"GenerateRequestsPerMinutePerProjectPerModel-FreeTier ":                       "",
		"FileStorageBytesPerProject ":                                                 strconv.FormatInt(20<<30, 10),
		"GenerateContentPaidTierInputTokensPerModelPerMinute gemini-3.5-flash":        "2500000",
		"GenerateRequestsPerDayPerProjectPerModel-FreeTier gemini-3.5-flash":          "-1",
		"GenerateContentInputTokensPerModelPerMinute-FreeTier gemini-3.1-pro-preview": "-1",
		"GenerateContentPaidTierInputTokensPerModelPerMinute gemini-3.1-pro-preview":  "-1",
		"GenerateRequestsPerDayPerProjectPerModel gemini-3.1-pro-preview":             "-1",
		"ConcurrentBatchJobsPerProject ":                                              "100",
	} {
		if got, ok := values[what]; !ok || got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
}

func TestServiceUsageShowsTheSameValues(t *testing.T) {
	google := asked(func(c *geminitest.Config) { c.QuotaPage = 2 })
	all, pages := infos(t, google, metricsOf, "metrics", url.Values{"view": {"FULL"}})
	if pages != (len(all)+1)/2 {
		t.Errorf("%d metrics in %d pages", len(all), pages)
	}
	var units []string
	buckets := 0
	for _, m := range all {
		if m["metric"] != "generativelanguage.googleapis.com/generate_content_free_tier_requests" {
			continue
		}
		limits, _ := m["consumerQuotaLimits"].([]any)
		for _, one := range limits {
			l, _ := one.(map[string]any)
			unit, _ := l["unit"].(string)
			units = append(units, unit)
			list, _ := l["quotaBuckets"].([]any)
			for _, b := range list {
				if b, _ := b.(map[string]any); unit == "1/min/{project}/{model}" && b["effectiveLimit"] == "10" {
					buckets++
				}
			}
		}
	}
	slices.Sort(units)
	if want := []string{"1/d/{project}/{model}", "1/min/{project}/{model}"}; !slices.Equal(units, want) || buckets != 1 {
		t.Errorf("units %q with %d buckets of 10, want %q and one", units, buckets, want)
	}
	basic := tell(t, google, metricsOf, "token-1", nil)
	if strings.Contains(basic.text, "quotaBuckets") {
		t.Error("without view=FULL there are buckets that nobody has changed")
	}
}

func TestVertexQuotasAreOfRegions(t *testing.T) {
	google := asked(nil)
	all, _ := infos(t, google, strings.Replace(quotaInfos, "generativelanguage", "aiplatform", 1), "quotaInfos", nil)
	regions := map[any]any{}
	for _, q := range all {
		id, _ := q["quotaId"].(string)
		if !strings.HasSuffix(id, "GenerateContentRequestsPerMinutePerProjectPerBaseModel") {
			continue
		}
		list, _ := q["dimensionsInfos"].([]any)
		for _, one := range list {
			m, _ := one.(map[string]any)
			dimensions, _ := m["dimensions"].(map[string]any)
			details, _ := m["details"].(map[string]any)
			region := dimensions["region"]
			if region == nil {
				region = strings.ToLower(id[:6])
			}
			regions[region] = details["value"]
		}
	}
	if regions["europe-west4"] != "10" || regions["global"] != "10" {
		t.Errorf("got %v", regions)
	}
}

func TestMonitoringShowsOrdersLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := asked(nil)
		now := time.Now()
		query := url.Values{
			"filter": {gsuLimit}, "interval.endTime": {now.Format(time.RFC3339)},
			"interval.startTime": {now.Add(-10 * time.Minute).Format(time.RFC3339)},
		}
		series, _ := infos(t, google, timeSeries, "timeSeries", query)
		if len(series) != 1 {
			t.Fatalf("%d series, want one", len(series))
		}
		resource, _ := series[0]["resource"].(map[string]any)
		labels, _ := resource["labels"].(map[string]any)
		if labels["model_user_id"] != "gemini-3.5-flash" || labels["location"] != "europe-west4" || labels["resource_container"] != "42" {
			t.Errorf("labels %v", labels)
		}
		points, _ := series[0]["points"].([]any)
		newest, _ := points[0].(map[string]any)
		interval, _ := newest["interval"].(map[string]any)
		end, _ := interval["endTime"].(string)
		at, err := time.Parse(time.RFC3339, end)
		if age := now.Sub(at); err != nil || age < 3*time.Minute || age > 4*time.Minute {
			t.Errorf("the newest point is of %s, %v ago", end, age)
		}
		query.Set("filter", strings.Replace(gsuLimit, "gsu", "token", 1))
		if a := tell(t, google, timeSeries, "token-1", query); !strings.Contains(a.text, `"6750"`) {
			t.Errorf("tokens a second: %s", a.text)
		}
		query.Set("filter", strings.Replace(gsuLimit, "gsu", "no_such", 1))
		if a := tell(t, google, timeSeries, "token-1", query); a.status != 200 || len(a.body) != 0 {
			t.Errorf("a metric without series: %d %s", a.status, a.text)
		}
		query.Set("filter", `resource.type = "x"`)
		if a := tell(t, google, timeSeries, "token-1", query); a.status != 400 {
			t.Errorf("a filter without a metric: %d", a.status)
		}
	})
}

func TestBillingTellsTheTier(t *testing.T) {
	for _, paid := range []bool{true, false} {
		google := asked(func(c *geminitest.Config) { c.Projects[0].Limits[0].Paid = paid })
		if a := tell(t, google, billing, "token-1", nil); a.status != 200 || (a.body["billingEnabled"] == true) != paid {
			t.Errorf("paid %v: %d %s", paid, a.status, a.text)
		}
	}
}

func TestCloudAPIsRefuse(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(*geminitest.Project)
		address string
		token   string
		header  []string
		status  int
		reason  string
		says    string
	}{
		{"no credential", nil, quotaInfos, "", nil, 401, "CREDENTIALS_MISSING", "missing required"},
		{"an API key", nil, quotaInfos, "", []string{"X-Goog-Api-Key", "key-1"}, 401, "CREDENTIALS_MISSING", "API keys are not supported"},
		{"an unknown token", nil, quotaInfos, "token-9", nil, 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED", "invalid authentication"},
		{"another project", nil, strings.Replace(quotaInfos, "studio", "other", 1), "token-1", nil, 403, "IAM_PERMISSION_DENIED", "cloudquotas.quotas.get"},
		{
			"a permission is missing", func(p *geminitest.Project) { p.Denied = []string{"cloudquotas.quotas.get"} },
			quotaInfos, "token-1", nil, 403, "IAM_PERMISSION_DENIED", "Permission 'cloudquotas.quotas.get' denied on resource",
		},
		{
			"a permission of Monitoring is missing", func(p *geminitest.Project) { p.Denied = []string{"monitoring.timeSeries.list"} },
			timeSeries, "token-1", nil, 403, "", "Permission monitoring.timeSeries.list denied (or the resource may not exist).",
		},
		{
			"the API is disabled", func(p *geminitest.Project) { p.Disabled = []string{"cloudquotas.googleapis.com"} },
			quotaInfos, "token-1", nil, 403, "SERVICE_DISABLED", "Cloud Quotas API has not been used in project studio before or it is disabled.",
		},
		{
			"it may not have the project pay", func(p *geminitest.Project) { p.Denied = []string{"serviceusage.services.use"} },
			quotaInfos, "token-1", []string{"X-Goog-User-Project", "studio"}, 403, "USER_PROJECT_DENIED", "roles/serviceusage.serviceUsageConsumer",
		},
		{"the project's number does as well", nil, strings.Replace(quotaInfos, "studio", "42", 1), "token-1", []string{"X-Goog-User-Project", "42"}, 200, "", ""},
		{"no such method", nil, "https://cloudquotas.googleapis.com/v1/projects/studio", "token-1", nil, 404, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			google := asked(func(c *geminitest.Config) {
				if test.change != nil {
					test.change(&c.Projects[0])
				}
			})
			a := tell(t, google, test.address, test.token, nil, test.header...)
			if a.status != test.status || a.reason() != test.reason || !strings.Contains(a.text, test.says) {
				t.Errorf("got %d, reason %q: %s", a.status, a.reason(), a.text)
			}
		})
	}
}

func TestCloudAPIsFollowScripts(t *testing.T) {
	google := asked(nil)
	google.Script(geminitest.Match{Backend: "cloud", Method: "quotaInfos.list"}, geminitest.Overloaded())
	if a := tell(t, google, quotaInfos, "token-1", nil); a.status != 503 {
		t.Errorf("got %d", a.status)
	}
	if a := tell(t, google, quotaInfos, "token-1", nil); a.status != 200 {
		t.Errorf("and then %d", a.status)
	}
	if n := google.Count(geminitest.Match{Method: "quotaInfos"}); n != 2 {
		t.Errorf("%d calls counted, want 2", n)
	}
}
