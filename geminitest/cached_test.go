package geminitest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

func TestCachedContentsLiveUntilTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := geminitest.New(twoProjects())
		create := func(extra string) string {
			return ask{key: "key-1", url: studio + "/v1beta/cachedContents", body: `{"model":"models/gemini-2.5-flash","contents":[{"parts":[{"text":"` + long + `"}]}]` + extra + `}`}.do(t.Context(), google).name(t)
		}
		alive := func(name string) bool {
			return ask{key: "key-1", body: `{"cachedContent":"` + name + `","contents":[{"parts":[{"text":"hi"}]}]}`}.do(t.Context(), google).status == 200
		}
		hour, minute := create(""), create(`,"ttl":"60s"`)
		until := create(`,"expireTime":"` + time.Now().Add(2*time.Minute).Format(time.RFC3339) + `"`)
		changed := create(`,"ttl":"60s"`)
		if r := (ask{verb: "PATCH", key: "key-1", url: studio + "/v1beta/" + changed + "?updateMask=ttl", body: `{"ttl":"7200.5s"}`}).do(t.Context(), google); r.status != 200 {
			t.Fatal(r.body)
		}
		for _, step := range []struct {
			sleep                        time.Duration
			hour, minute, until, changed bool
		}{{59 * time.Second, true, true, true, true}, {time.Second, true, false, true, true}, {time.Minute, true, false, false, true}, {58 * time.Minute, false, false, false, true}, {time.Hour + time.Second, false, false, false, false}} {
			time.Sleep(step.sleep)
			if alive(hour) != step.hour || alive(minute) != step.minute || alive(until) != step.until || alive(changed) != step.changed {
				t.Errorf("after another %v: %v %v %v %v, want %+v", step.sleep, alive(hour), alive(minute), alive(until), alive(changed), step)
			}
		}
		if len(google.Resources()) != 0 {
			t.Errorf("left: %v", google.Resources())
		}
	})
}

func TestCachedContentsAreRefused(t *testing.T) {
	google := geminitest.New(twoProjects())
	contents := `"contents":[{"parts":[{"text":"` + long + `"}]}]`
	cache := ask{key: "key-1", url: studio + "/v1beta/cachedContents", body: `{"model":"models/gemini-2.5-flash",` + contents + `}`}.do(t.Context(), google).name(t)
	there := ask{token: "token-1", url: europe("acme") + "cachedContents", body: `{"model":"publishers/google/models/gemini-2.5-flash",` + contents + `}`}.do(t.Context(), google).name(t)
	create := func(body string) ask { return ask{key: "key-1", url: studio + "/v1beta/cachedContents", body: body} }
	use := func(name, extra string) string {
		return `{"cachedContent":"` + name + `","contents":[{"parts":[{"text":"hi"}]}]` + extra + `}`
	}
	for name, c := range map[string]struct {
		a    ask
		want int
		says string
	}{
		"too small":             {create(`{"model":"models/gemini-2.5-flash","contents":[{"parts":[{"text":"12345678"}]}]}`), 400, "Cached content is too small. total_token_count=2, min_total_token_count=1024"},
		"of no model":           {create(`{` + contents + `}`), 404, "is not found for API version"},
		"of a model of vectors": {create(`{"model":"models/gemini-embedding-001",` + contents + `}`), 404, "is not supported"},
		"a broken ttl":          {create(`{"model":"models/gemini-2.5-flash","ttl":"soon",` + contents + `}`), 400, "Invalid value at 'ttl'"},
		"a broken time":         {create(`{"model":"models/gemini-2.5-flash","expireTime":"soon",` + contents + `}`), 400, "Invalid value at 'expire_time'"},
		"over already":          {create(`{"model":"models/gemini-2.5-flash","ttl":"-1s",` + contents + `}`), 400, "must be in the future"},
		"with a missing file":   {create(`{"model":"models/gemini-2.5-flash","contents":[{"parts":[{"fileData":{"fileUri":"files/none"}}]}]}`), 403, "access the File none"},
		"broken":                {create(`{`), 400, "Invalid JSON"},
		"no object":             {create(`[]`), 400, "Root element must be a message"},
		"used by another model": {ask{key: "key-1", model: "gemini-2.5-pro", body: use(cache, "")}, 400, "Model used by GenerateContent request (models/gemini-2.5-pro) and CachedContent (models/gemini-2.5-flash) has to be the same."},
		"with an instruction":   {ask{key: "key-1", body: use(cache, `,"system_instruction":{"parts":[{"text":"x"}]}`)}, 400, "CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config."},
		"with tools":            {ask{token: "token-1", project: "acme", where: "europe-west4", body: use(there, `,"tools":[]`)}, 400, "Tool config, tools and system instruction should not be set in the request when using cached content."},
		"counted":               {ask{key: "key-1", method: "countTokens", body: `{"generateContentRequest":` + use(cache, "") + `}`}, 200, `"cachedContentTokenCount": 1100`},
		"streamed":              {ask{key: "key-1", method: "streamGenerateContent", body: use(cache, "")}, 200, `"cachedContentTokenCount":1100`},
		"of another kind":       {ask{key: "key-1", body: use(upload(t, google, "key-1", "{}"), "")}, 400, "Invalid resource name"},
		"updated, but where":    {ask{verb: "PATCH", key: "key-1", url: studio + "/v1beta/cachedContents/none", body: `{"ttl":"1s"}`}, 403, "CachedContent not found"},
	} {
		if r := c.a.do(t.Context(), google); r.status != c.want || !strings.Contains(r.body, c.says) {
			t.Errorf("%s: got %d %s; want %d with %q", name, r.status, r.body, c.want, c.says)
		}
	}
}

func TestCachedTokensCostATenthOfAnOrder(t *testing.T) {
	cfg := twoProjects()
	cfg.Projects[0].Orders = []geminitest.Order{{Model: flash, Location: "europe-west4", GSUs: 100}}
	google := geminitest.New(cfg)
	cache := ask{token: "token-1", url: europe("acme") + "cachedContents", body: `{"model":"publishers/google/models/gemini-2.5-flash","contents":[{"parts":[{"text":"` + long + `"}]}]}`}.do(t.Context(), google).name(t)
	r := ask{token: "token-1", project: "acme", where: "europe-west4", body: `{"cachedContent":"` + cache + `","contents":[{"parts":[{"text":"12345678"}]}]}`}.do(t.Context(), google)
	if r.served(t) != "PROVISIONED_THROUGHPUT" {
		t.Fatal(r.body)
	}
	// 1,100 cached tokens at 0.1, 2 of text at 1, 20 of the answer at 9.
	if got := google.OrderUsage("acme", "europe-west4", flash); got < 291.9 || got > 292.1 {
		t.Errorf("the order has served %v tokens, want 292", got)
	}
	if last := google.Requests()[1]; last.PromptTokens != 1102 || last.CachedTokens != 1100 {
		t.Errorf("%d prompt tokens, %d of them cached", last.PromptTokens, last.CachedTokens)
	}
}
