package geminitest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

func TestHostPathAndCredentialDecideWhoIsServed(t *testing.T) {
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "acme", Keys: []string{"key-1"}, Tokens: []string{"token-1"}, Models: []string{"gemini-*", "text-*"},
			Locations: map[string][]string{"asia-south1": {"gemini-2.5-pro"}, "us-east5": {}}},
		{ID: "other", Keys: []string{"key-2"}, Tokens: []string{"token-2"}},
	}})
	google.Revoke("key-2")
	google.Revoke("token-2")
	const studio = "https://generativelanguage.googleapis.com"
	model := func(host, project, location string) string {
		return "https://" + host + "/v1beta1/projects/" + project + "/locations/" + location + "/publishers/google/models/" + flash + ":generateContent"
	}
	for name, c := range map[string]struct {
		a    ask
		want int
		says string // in the body
	}{
		"a key":                        {ask{key: "key-1"}, 200, `"modelVersion": "gemini-2.5-flash"`},
		"v1":                           {ask{key: "key-1", url: studio + "/v1/models/" + flash + ":generateContent"}, 200, ""},
		"v2":                           {ask{key: "key-1", url: studio + "/v2/models/" + flash + ":generateContent"}, 404, "<!DOCTYPE html>"},
		"a key in the URL":             {ask{url: studio + "/v1beta/models/" + flash + ":generateContent?key=key-1"}, 200, ""},
		"a wrong key":                  {ask{key: "spillway"}, 400, "API_KEY_INVALID"},
		"a revoked key":                {ask{key: "key-2"}, 400, "API_KEY_INVALID"},
		"a token as a key":             {ask{key: "token-1"}, 400, "API_KEY_INVALID"},
		"no key":                       {ask{}, 403, "unregistered callers"},
		"a token of Vertex":            {ask{token: "token-1"}, 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"},
		"a wrong token":                {ask{token: "none"}, 401, "UNAUTHENTICATED"},
		"global":                       {ask{token: "token-1", project: "acme", where: "global"}, 200, "ON_DEMAND"},
		"a multi-region":               {ask{token: "token-1", project: "acme", where: "us"}, 200, "ON_DEMAND"},
		"a region":                     {ask{token: "token-1", project: "acme", where: "us-central1"}, 200, "ON_DEMAND"},
		"a key on Vertex":              {ask{key: "key-1", project: "acme", where: "global"}, 200, "ON_DEMAND"},
		"a wrong key on Vertex":        {ask{key: "none", project: "acme", where: "global"}, 400, `"service": "aiplatform.googleapis.com"`},
		"nothing on Vertex":            {ask{project: "acme", where: "global"}, 401, "CREDENTIALS_MISSING"},
		"a wrong token on Vertex":      {ask{token: "none", project: "acme", where: "global"}, 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED"},
		"a revoked token":              {ask{token: "token-2", project: "other", where: "global"}, 401, "UNAUTHENTICATED"},
		"a key as a token":             {ask{token: "key-1", project: "acme", where: "global"}, 401, "UNAUTHENTICATED"},
		"another's project":            {ask{token: "token-1", project: "other", where: "eu"}, 403, "projects/other/locations/eu/publishers/google/models/gemini-2.5-flash"},
		"a project that is nobody's":   {ask{token: "token-1", project: "none", where: "eu"}, 403, "IAM_PERMISSION_DENIED"},
		"another's project with a key": {ask{key: "key-1", project: "other", where: "eu"}, 403, "IAM_PERMISSION_DENIED"},
		"a location on another host":   {ask{token: "token-1", url: model("europe-west4-aiplatform.googleapis.com", "acme", "us-central1")}, 400, "INVALID_ARGUMENT"},
		"global on a regional host":    {ask{token: "token-1", url: model("europe-west4-aiplatform.googleapis.com", "acme", "global")}, 400, "INVALID_ARGUMENT"},
		"a region on the global host":  {ask{token: "token-1", url: model("aiplatform.googleapis.com", "acme", "europe-west4")}, 400, "INVALID_ARGUMENT"},
		"eu on a regional host":        {ask{token: "token-1", url: model("eu-aiplatform.googleapis.com", "acme", "eu")}, 400, "Invalid hostname"},
		"a host of something else":     {ask{token: "token-1", url: model("storage.googleapis.com", "acme", "eu")}, 400, "Invalid hostname"},
		"any other host":               {ask{token: "token-1", url: model("127.0.0.1:9090", "acme", "eu")}, 200, ""},
		"v1beta is not Vertex's":       {ask{token: "token-1", url: "https://aiplatform.googleapis.com/v1beta/projects/acme/locations/global/publishers/google/models/" + flash + ":generateContent"}, 404, ""},
		"another publisher":            {ask{token: "token-1", url: "https://aiplatform.googleapis.com/v1/projects/acme/locations/global/publishers/anthropic/models/claude:rawPredict"}, 404, ""},
		"an unknown model":             {ask{key: "key-1", model: "gemini-none"}, 404, "models/gemini-none is not found for API version v1beta, or is not supported for generateContent. Call ModelService.ListModels"},
		"an unknown model on Vertex":   {ask{token: "token-1", project: "acme", where: "eu", model: "gemini-none"}, 404, "Publisher Model `projects/acme/locations/eu/publishers/google/models/gemini-none` was not found"},
		"a model that is not there":    {ask{token: "token-1", project: "acme", where: "asia-south1"}, 404, "asia-south1"},
		"a model that is there":        {ask{token: "token-1", project: "acme", where: "asia-south1", model: "gemini-2.5-pro"}, 200, ""},
		"a location without models":    {ask{token: "token-1", project: "acme", where: "us-east5"}, 404, ""},
		"an embedding model generates": {ask{key: "key-1", model: "gemini-embedding-001"}, 404, "is not supported for generateContent"},
		"a method of Vertex":           {ask{key: "key-1", method: "predict"}, 404, ""},
		"an unknown method":            {ask{key: "key-1", method: "sing"}, 404, ""},
		"a GET of a method":            {ask{key: "key-1", verb: http.MethodGet}, 404, ""},
		"a model of another":           {ask{key: "key-1", verb: http.MethodGet, url: studio + "/v1beta/models/none"}, 404, "NOT_FOUND"},
		"broken JSON":                  {ask{key: "key-1", body: `{"contents":[{"parts":[{"text":"hi"`}, 400, "Invalid JSON payload received"},
		"JSON that is no request":      {ask{key: "key-1", body: `[1]`}, 400, "INVALID_ARGUMENT"},
		"no contents":                  {ask{key: "key-1", body: `{}`}, 400, "contents is not specified"},
		"no contents on Vertex":        {ask{token: "token-1", project: "acme", where: "eu", body: `{}`}, 400, "at least one contents field is required"},
		"a wrong role":                 {ask{key: "key-1", body: `{"contents":[{"role":"assistant","parts":[{"text":"hi"}]}]}`}, 400, "Please use a valid role: user, model."},
		"an unknown field":             {ask{key: "key-1", body: `{"contents":[{"parts":[{"text":"hi"}]}],"prompt":1}`}, 400, `Unknown name \"prompt\"`},
		"a field of Vertex":            {ask{key: "key-1", body: `{"contents":[{"parts":[{"text":"hi"}]}],"modelArmorConfig":{}}`}, 400, "Cannot find field"},
		"a setting of Vertex":          {ask{key: "key-1", body: `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"audioTimestamp":true}}`}, 400, "generation_config"},
		"a setting of the other":       {ask{token: "token-1", project: "acme", where: "eu", body: `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"enableEnhancedCivicAnswers":true}}`}, 400, "generation_config"},
		"snake case":                   {ask{key: "key-1", body: `{"contents":{"parts":[{"text":"hi"}]},"generation_config":{"max_output_tokens":"3"},"system_instruction":{"parts":[{"text":"12345678"}]}}`}, 200, `"totalTokenCount": 6`},
		"too many candidates":          {ask{key: "key-1", body: `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"candidateCount":9}}`}, 400, "candidateCount"},
		"too long an answer":           {ask{key: "key-1", max: 100_000}, 400, "maxOutputTokens"},
		"too long a prompt":            {ask{key: "key-1", text: strings.Repeat("x", 4*1048576+1)}, 400, "The input token count exceeds the maximum number of tokens allowed 1048576."},
		"nothing to embed":             {ask{key: "key-1", model: "gemini-embedding-001", method: "embedContent", body: `{}`}, 400, "not specified"},
		"an embedding":                 {ask{key: "key-1", model: "gemini-embedding-001", method: "embedContent", body: `{"content":{"parts":[{"text":"hi"}]},"outputDimensionality":3}`}, 200, "embedding"},
		"an empty batch":               {ask{key: "key-1", model: "gemini-embedding-001", method: "batchEmbedContents", body: `{"requests":[]}`}, 400, "requests is not specified"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.a.do(t.Context(), google)
			if r.err != nil || r.status != c.want || !strings.Contains(r.body, c.says) {
				t.Errorf("got %d %s (%v); want %d with %q", r.status, r.body, r.err, c.want, c.says)
			}
			if kind := r.header.Get("Content-Type"); !strings.HasPrefix(r.body, "<") && kind != "application/json; charset=UTF-8" {
				t.Errorf("Content-Type %q", kind)
			}
		})
	}
	if google.KeysInURL() != 1 {
		t.Errorf("%d keys in URLs, want 1", google.KeysInURL())
	}
	google.Restore("key-2")
	if r := (ask{key: "key-2"}).do(t.Context(), google); r.status != 200 {
		t.Errorf("restored: %d", r.status)
	}
}

func FuzzServeHTTPAnswersEverything(f *testing.F) {
	f.Add("POST", "generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-flash:streamGenerateContent", "alt=sse", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
	f.Add("POST", "aiplatform.googleapis.com", "/v1/projects/acme/locations/global/publishers/google/models/gemini-2.5-flash:generateContent", "", `{"contents":[{}]}`)
	f.Add("GET", "127.0.0.1", "/v1/publishers/google/models", "pageSize=-1&pageToken=9", "")
	f.Add("POST", "127.0.0.1:80", "/v1beta/models/gemini-embedding-001:batchEmbedContents", "", `{"requests":[{"content":{"parts":[{"inlineData":{"mimeType":"audio/x"}}]}}]}`)
	f.Add("POST", "", "//:", "%", `{"contents":[1,null,{"parts":{}}],"generationConfig":{"maxOutputTokens":1e300,"candidateCount":"8"}}`)
	f.Add("POST", "", "/upload/v1beta/files", "", `{"file":{"name":"files/a"}}`)
	f.Add("POST", "", "/upload/v1beta/files", "upload_id=x", "x")
	f.Add("POST", "", "/v1beta/cachedContents", "", `{"model":"models/gemini-2.5-flash","contents":[{"parts":[{"text":"x"}]}],"ttl":"1s"}`)
	f.Add("POST", "", "/v1beta/models/gemini-2.5-flash:batchGenerateContent", "", `{"batch":{"inputConfig":{"requests":{"requests":[{"request":{"contents":[{"parts":[{"fileData":{"fileUri":"files/a"}}]}]}}]}}}}`)
	f.Add("POST", "", "/v1beta/tunedModels", "", `{"baseModel":"models/gemini-2.5-flash","tuningTask":1}`)
	f.Add("POST", "", "/v1beta1/projects/acme/locations/eu/tuningJobs", "", `{"preTunedModel":{"tunedModelName":"projects/acme/locations/eu/models/1"}}`)
	f.Add("POST", "", "/v1beta1/projects/acme/locations/eu/publishers/google/models/veo-3.1-generate-001:predictLongRunning", "", `{"instances":[{"prompt":1}],"parameters":{"sampleCount":-1}}`)
	f.Add("POST", "", "/v1beta/interactions", "", `{"model":"gemini-2.5-flash","input":[{"type":"user_input","content":[{"type":"image"}]},1],"stream":true}`)
	f.Add("GET", "", "/v1beta/interactions/x", "stream=true&last_event_id=1", "")
	f.Add("GET", "", "/v1beta/environments/x/files/a/b", "alt=media", "")
	f.Add("GET", "", "/v1beta/fileSearchStores/x/documents", "pageSize=9&pageToken=x", "")
	f.Add("POST", "", "/v1beta/webhooks/x:ping", "", "")
	google := geminitest.New(geminitest.Config{
		Caching: geminitest.Caching{Implicit: true, Min: 1}, Projects: []geminitest.Project{{ID: "acme", Keys: []string{"key-1"}, Limits: []geminitest.Limit{{RPM: 1 << 30}}}},
	})
	f.Fuzz(func(t *testing.T, method, host, path, query, body string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://x/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Method, r.Host, r.URL.Host, r.URL.Path, r.URL.RawQuery = method, host, host, path, query
		r.Header.Set("X-Goog-Api-Key", "key-1")
		r.Header.Set("X-Goog-Upload-Protocol", "resumable")
		r.Header.Set("X-Goog-Upload-Command", "start")
		resp, err := google.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, resp); got.readErr != nil || got.status < 200 || got.status > 499 {
			t.Errorf("%d %v", got.status, got.readErr)
		}
	})
}
