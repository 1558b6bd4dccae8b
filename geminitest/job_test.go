package geminitest_test

import (
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

func TestBatchesSayWhatIsWrongWithEachRequest(t *testing.T) {
	google := geminitest.New(twoProjects())
	file := upload(t, google, "key-2", "{}")
	var shown struct {
		Metadata struct {
			State  string
			Output struct {
				InlinedResponses struct {
					InlinedResponses []struct {
						Response struct{ Candidates []any }
						Error    struct {
							Code    int
							Message string
						}
					}
				}
			}
		}
	}
	requests := `{"request":{"contents":[{"parts":[{"text":"hi"}]}]}},{"request":{"prompt":"hi"}},{},{"request":{"contents":[{"parts":[{"fileData":{"fileUri":"` + file + `"}}]}]}}`
	ask{key: "key-1", url: studio + "/v1beta/models/gemini-2.5-flash:batchGenerateContent", body: `{"batch":{"inputConfig":{"requests":{"requests":[` + requests + `]}}}}`}.do(t.Context(), google).decode(t, &shown)
	answers := shown.Metadata.Output.InlinedResponses.InlinedResponses
	if len(answers) != 4 || len(answers[0].Response.Candidates) != 1 {
		t.Fatalf("%+v", shown)
	}
	for i, code := range []int{0, 400, 400, 403} {
		if answers[i].Error.Code != code || (code != 0) != (answers[i].Error.Message != "") {
			t.Errorf("request %d: %+v, want code %d", i, answers[i].Error, code)
		}
	}
	if google.CountWrongOwner(geminitest.Match{Method: "batches.create"}) != 1 {
		t.Error("the file of another is not noticed")
	}
}

func TestJobsAndMediaAreRefused(t *testing.T) {
	google := geminitest.New(twoProjects())
	beta, here := studio+"/v1beta/", europe("acme")
	uploaded := upload(t, google, "key-1", `{"file":{"name":"files/mine"}}`)
	on := func(path, body string) ask { return ask{token: "token-1", url: here + path, body: body} }
	at := func(path, body string) ask { return ask{key: "key-1", url: beta + path, body: body} }
	agent := at("agents", `{"id":"mine"}`).do(t.Context(), google).name(t)
	for name, c := range map[string]struct {
		a    ask
		want int
		says string
	}{
		"an empty batch":               {at("models/gemini-2.5-flash:batchGenerateContent", `{}`), 400, "input_config is not specified"},
		"a batch of vectors of words":  {at("models/gemini-2.5-flash:asyncBatchEmbedContent", `{}`), 404, "is not supported"},
		"a batch of a broken file":     {at("models/gemini-2.5-flash:batchGenerateContent", `{"batch":{"inputConfig":{"fileName":"`+uploaded+`"}}}`), 400, "Invalid JSON"},
		"tuning nothing":               {at("tunedModels", `{}`), 404, "is not found"},
		"tuning nothing on Vertex":     {on("tuningJobs", `{}`), 404, "was not found"},
		"tuning a tuning that is gone": {on("tuningJobs", `{"preTunedModel":{"tunedModelName":"projects/acme/locations/europe-west4/models/1@1"}}`), 404, "does not exist"},
		"a job without input":          {on("batchPredictionJobs", `{"model":"publishers/google/models/gemini-2.5-flash"}`), 400, "required"},
		"a job of no model":            {on("batchPredictionJobs", `{"model":"publishers/google/models/none","inputConfig":{}}`), 404, "was not found"},
		"a job of a missing model":     {on("batchPredictionJobs", `{"model":"projects/acme/locations/europe-west4/models/1","inputConfig":{}}`), 404, "does not exist"},
		"no videos of words":           {at("models/gemini-2.5-flash:predictLongRunning", `{"instances":[{}]}`), 404, "is not supported for predictLongRunning"},
		"no words of videos":           {ask{key: "key-1", model: "veo-3.1-generate-001"}, 404, "is not supported for generateContent"},
		"videos of nothing":            {at("models/veo-3.1-generate-001:predictLongRunning", `{}`), 400, "instances is required"},
		"too many videos":              {at("models/veo-3.1-generate-001:predictLongRunning", `{"instances":[{"prompt":"x"}],"parameters":{"sampleCount":1e9}}`), 400, "sampleCount"},
		"too many pictures":            {on("publishers/google/models/imagen-4.0-generate-001:predict", `{"instances":[{"prompt":"x"}],"parameters":{"sampleCount":9}}`), 400, "sampleCount"},
		"an operation of another":      {on("publishers/google/models/veo-3.1-generate-001:fetchPredictOperation", `{"operationName":"x"}`), 400, "Invalid operation name"},
		"tokens of nothing":            {on("publishers/google/models/gemini-2.5-flash:computeTokens", `{}`), 400, "contents"},
		"no sample":                    {on("tuningJobs:validateReinforcementTuningReward", `{}`), 400, "sampleResponse"},
		"a base model renamed":         {ask{verb: "PATCH", token: "token-1", url: here + "publishers/google/models/gemini-2.5-flash", body: `{}`}, 403, "aiplatform.models.update"},
		"an upload downloaded":         {ask{verb: "GET", key: "key-1", url: beta + uploaded + ":download?alt=media"}, 400, "was not generated"},
		"a download without alt":       {ask{verb: "GET", key: "key-1", url: beta + uploaded + ":download"}, 400, "alt=media"},
		"registering a page":           {at("files:register", `{"uris":["https://example.com"]}`), 400, "invalid URI"},
		"registering nothing":          {at("files:register", `{}`), 400, "uris is not specified"},
		"importing nothing":            {at(at("fileSearchStores", `{}`).do(t.Context(), google).name(t)+":importFile", `{}`), 400, "Invalid resource name"},
		"an agent twice":               {at("agents", `{"id":"`+agent+`"}`), 409, `"code": "invalid_request"`},
		"an agent with a strange id":   {at("agents", `{"id":"A B"}`), 400, "Invalid agent id"},
		"a voice of no type":           {at("voices", `{"voice":{}}`), 400, "voice.type"},
		"a prompted voice, unstored":   {at("voices", `{"voice":{"type":"prompted"}}`), 400, "store must be true"},
		"a replicated voice, unstored": {at("voices", `{"voice":{"type":"replicated"}}`), 200, `"key": "voicekey_`},
		"a webhook to nowhere":         {at("webhooks", `{}`), 400, "required"},
		"a credential of no type":      {at("credentials", `{}`), 400, "type is required"},
		"a token that is over":         {at("auth_tokens", `{"expireTime":"2020-01-01T00:00:00Z"}`), 400, "in the future"},
		"a token of v1alpha":           {ask{key: "key-1", url: studio + "/v1alpha/auth_tokens", body: `{}`}, 200, "auth_tokens/"},
		"a collection of nobody's":     {ask{verb: "GET", key: "key-1", url: beta + "corpora"}, 404, "<!DOCTYPE html>"},
		"a verb of nobody's":           {at("files/mine:sing", `{}`), 404, "<!DOCTYPE html>"},
		"files on Vertex":              {ask{verb: "GET", token: "token-1", url: here + "files"}, 404, "<!DOCTYPE html>"},
		"an upload of words":           {at("../upload/v1beta/models/gemini-2.5-flash:generateContent", `{}`), 404, "<!DOCTYPE html>"},
		"caches in express mode":       {ask{verb: "GET", key: "key-1", url: "https://aiplatform.googleapis.com/v1beta1/cachedContents"}, 200, "{}"},
	} {
		if r := c.a.do(t.Context(), google); r.status != c.want || !strings.Contains(r.body, c.says) {
			t.Errorf("%s: got %d %s; want %d with %q", name, r.status, r.body, c.want, c.says)
		}
	}
}

func TestMediaUseQuotaAndMeetOutages(t *testing.T) {
	cfg := twoProjects()
	cfg.Projects[0].Limits = []geminitest.Limit{{RPM: 1}}
	google := geminitest.New(cfg)
	video := ask{key: "key-1", url: studio + "/v1beta/models/veo-3.1-generate-001:predictLongRunning", body: `{"instances":[{"prompt":"x"}]}`}
	if a, b := video.do(t.Context(), google), video.do(t.Context(), google); a.status != 200 || b.status != 429 {
		t.Errorf("%d and %d, want one video a minute", a.status, b.status)
	}
	google.SetOutage(geminitest.Outage{Model: "veo-*"})
	if r := video.do(t.Context(), google); r.status != 503 || google.Count(geminitest.Match{Model: "veo-*", Method: "predictLongRunning"}) != 3 {
		t.Errorf("%d in an outage", r.status)
	}
}
