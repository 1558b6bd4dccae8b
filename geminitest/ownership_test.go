package geminitest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

// europe is the place of a project on Vertex AI.
func europe(project string) string {
	return "https://europe-west4-aiplatform.googleapis.com/v1beta1/projects/" + project + "/locations/europe-west4/"
}

const iowa = "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/acme/locations/us-central1/"

// name is the name or id of what an answer shows.
func (r reply) name(t *testing.T) string {
	t.Helper()
	var shown struct {
		Name, ID string
		File     struct{ Name string }
		Metadata struct{ TunedModel string }
	}
	if err := json.Unmarshal([]byte(r.body), &shown); err != nil || r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for _, name := range []string{shown.Metadata.TunedModel, shown.File.Name, shown.Name, shown.ID} {
		if name != "" {
			return name
		}
	}
	t.Fatalf("no name in %s", r.body)
	return ""
}

// long is a content that may be cached.
var long = strings.Repeat("word", 1100)

func TestResourcesAreTheirOwnersAlone(t *testing.T) {
	google := geminitest.New(twoProjects())
	do := func(a ask) reply {
		t.Helper()
		return a.do(t.Context(), google)
	}
	create := func(url, body string) string {
		t.Helper()
		a := ask{url: url, body: body, key: "key-1"}
		if !strings.HasPrefix(url, studio) {
			a.key, a.token = "", "token-1"
		}
		return do(a).name(t)
	}
	upload := begin(t, google, "key-1", "{}")
	file := chunk(t, google, upload, "key-1", "upload, finalize", 0, []byte("x")).name(t)
	beta, here := studio+"/v1beta/", europe("acme")
	cacheBody := `{"model":"models/gemini-2.5-flash","contents":[{"parts":[{"text":"` + long + `"}]}]}`
	cache := create(beta+"cachedContents", cacheBody)
	prompt := `{"contents":[{"parts":[{"text":"hi"}]}]}`
	batch := create(beta+"models/gemini-2.5-flash:batchGenerateContent", `{"batch":{"inputConfig":{"requests":{"requests":[{"request":`+prompt+`}]}}}}`)
	tuned := create(beta+"tunedModels", `{"baseModel":"models/gemini-2.5-flash"}`)
	store := create(beta+"fileSearchStores", `{}`)
	imported := create(beta+store+":importFile", `{"fileName":"`+file+`"}`)
	video := create(beta+"models/veo-3.1-generate-001:predictLongRunning", `{"instances":[{"prompt":"x"}]}`)
	interaction := create(beta+"interactions", `{"model":"gemini-2.5-flash","input":"hi"}`)
	environment := create(beta+"environments", `{}`)
	vertexCache := create(here+"cachedContents", cacheBody)
	vertexJob := create(here+"batchPredictionJobs", `{"model":"publishers/google/models/gemini-2.5-flash","inputConfig":{}}`)
	vertexTuning := create(here+"tuningJobs", `{"baseModel":"gemini-2.5-flash"}`)
	vertexVideo := create(here+"publishers/google/models/veo-3.1-generate-001:predictLongRunning", `{"instances":[{"prompt":"x"}]}`)
	vertexInteraction := create(here+"interactions", `{"model":"gemini-2.5-flash","input":"hi"}`)
	id := func(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
	if !strings.HasPrefix(vertexCache, "projects/1001/locations/europe-west4/cachedContents/") {
		t.Errorf("name %q, want one with the project's number", vertexCache)
	}
	for _, made := range google.Resources() {
		if made.Project != "acme" {
			t.Errorf("%+v is not acme's", made)
		}
	}

	get := "GET"
	withFile := `{"contents":[{"parts":[{"fileData":{"fileUri":"` + studio + "/v1beta/" + file + `"}}]}]}`
	withCache := func(name string) string {
		return `{"cachedContent":"` + name + `","contents":[{"parts":[{"text":"hi"}]}]}`
	}
	of := func(name string) string { return "https://europe-west4-aiplatform.googleapis.com/v1beta1/" + name }
	for name, c := range map[string]struct {
		a     ask
		want  int
		says  string
		wrong bool // it names what lives elsewhere
	}{
		"a file":                  {ask{verb: get, url: beta + file, key: "key-2"}, 403, "You do not have permission to access the File " + id(file) + " or it may not exist.", true},
		"a file that is gone":     {ask{verb: get, url: beta + "files/none", key: "key-1"}, 403, "You do not have permission to access the File none or it may not exist.", false},
		"deleting a file":         {ask{verb: "DELETE", url: beta + file, key: "key-2"}, 403, "PERMISSION_DENIED", true},
		"a file in a prompt":      {ask{key: "key-2", body: withFile}, 403, "access the File " + id(file), true},
		"a file to count":         {ask{key: "key-2", method: "countTokens", body: withFile}, 403, "access the File " + id(file), true},
		"a file on Vertex":        {ask{token: "token-1", project: "acme", where: "eu", body: withFile}, 400, "Cannot fetch content", true},
		"a page in a prompt":      {ask{key: "key-2", body: `{"contents":[{"parts":[{"fileData":{"fileUri":"https://example.com/files/a"}}]}]}`}, 200, "", false},
		"a bucket in a prompt":    {ask{token: "token-1", project: "acme", where: "eu", body: `{"contents":[{"parts":[{"fileData":{"fileUri":"gs://b/files/a"}}]}]}`}, 200, "", false},
		"a file with a dead key":  {ask{key: "none", body: withFile}, 400, "API_KEY_INVALID", false},
		"a cache":                 {ask{verb: get, url: beta + cache, key: "key-2"}, 403, "CachedContent not found (or permission denied)", true},
		"a cache in a prompt":     {ask{key: "key-2", body: withCache(cache)}, 403, "CachedContent not found (or permission denied)", true},
		"a cache that is none":    {ask{key: "key-1", body: withCache("none")}, 400, "Invalid resource name", false},
		"a batch":                 {ask{verb: get, url: beta + batch, key: "key-2"}, 404, "Requested entity was not found.", true},
		"cancelling a batch":      {ask{url: beta + batch + ":cancel", key: "key-2"}, 404, "NOT_FOUND", true},
		"a batch of a file":       {ask{url: beta + "models/gemini-2.5-flash:batchGenerateContent", key: "key-2", body: `{"batch":{"inputConfig":{"fileName":"` + file + `"}}}`}, 403, "access the File", true},
		"a tuned model":           {ask{verb: get, url: beta + tuned, key: "key-2"}, 403, "access the TunedModel " + id(tuned), true},
		"asking a tuned model":    {ask{url: beta + tuned + ":generateContent", key: "key-2"}, 403, "access the TunedModel", true},
		"a store":                 {ask{verb: get, url: beta + store, key: "key-2"}, 403, "access the FileSearchStore " + id(store), true},
		"a store's documents":     {ask{verb: get, url: beta + store + "/documents", key: "key-2"}, 403, "FileSearchStore", true},
		"searching a store":       {ask{key: "key-2", body: `{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"fileSearch":{"fileSearchStoreNames":["` + store + `"]}}]}`}, 403, "FileSearchStore", true},
		"importing a file":        {ask{url: beta + store + ":importFile", key: "key-2", body: `{"fileName":"` + file + `"}`}, 403, "FileSearchStore", true},
		"an import":               {ask{verb: get, url: beta + imported, key: "key-2"}, 404, "NOT_FOUND", true},
		"a video":                 {ask{verb: get, url: beta + video, key: "key-2"}, 404, "NOT_FOUND", true},
		"an interaction":          {ask{verb: get, url: beta + "interactions/" + interaction, key: "key-2"}, 404, `"code": "not_found"`, true},
		"following one":           {ask{url: beta + "interactions", key: "key-2", body: `{"model":"gemini-2.5-flash","input":"hi","previous_interaction_id":"` + interaction + `"}`}, 404, `"code": "not_found"`, true},
		"an environment":          {ask{verb: get, url: beta + "environments/" + environment + "/files/a", key: "key-2"}, 404, `"code": "not_found"`, true},
		"an interaction, no key":  {ask{verb: get, url: beta + "interactions/" + interaction}, 401, `"code": "authentication"`, false},
		"an interaction, bad key": {ask{verb: get, url: beta + "interactions/" + interaction, key: "none"}, 401, `"code": "authentication"`, false},

		"Vertex: another's path":       {ask{verb: get, url: of(vertexCache), token: "token-2"}, 403, "Permission 'aiplatform.cachedContents.get' denied on resource '//aiplatform.googleapis.com/projects/acme/locations/europe-west4/cachedContents/" + id(vertexCache), true},
		"Vertex: under one's own path": {ask{verb: get, url: europe("other") + "cachedContents/" + id(vertexCache), token: "token-2"}, 404, "Not found: cached content metadata for " + id(vertexCache), true},
		"Vertex: another location":     {ask{verb: get, url: iowa + "cachedContents/" + id(vertexCache), token: "token-1"}, 404, "Not found: cached content metadata for " + id(vertexCache), true},
		"Vertex: a cache, own id":      {ask{verb: get, url: europe("acme") + "cachedContents/" + id(vertexCache), token: "token-1"}, 200, vertexCache, false},
		"Vertex: a cache in a prompt":  {ask{token: "token-1", project: "acme", where: "europe-west4", body: withCache(vertexCache)}, 200, `"cachedContentTokenCount": 1100`, false},
		"Vertex: from elsewhere":       {ask{token: "token-1", project: "acme", where: "us-central1", body: withCache(vertexCache)}, 404, "Not found: cached content metadata", true},
		"Vertex: from another":         {ask{token: "token-2", project: "other", where: "europe-west4", body: withCache(vertexCache)}, 403, "aiplatform.cachedContents.get", true},
		"Vertex: creating elsewhere":   {ask{token: "token-2", url: here + "cachedContents", body: cacheBody}, 403, "aiplatform.cachedContents.create", false},
		"Vertex: a job":                {ask{verb: get, url: of(vertexJob), token: "token-2"}, 403, "aiplatform.batchPredictionJobs.get", true},
		"Vertex: a job elsewhere":      {ask{verb: get, url: iowa + "batchPredictionJobs/" + id(vertexJob), token: "token-1"}, 404, "does not exist", true},
		"Vertex: a tuning":             {ask{url: of(vertexTuning) + ":cancel", token: "token-2"}, 403, "aiplatform.tuningJobs.cancel", true},
		"Vertex: a video":              {ask{token: "token-2", url: europe("other") + "publishers/google/models/veo-3.1-generate-001:fetchPredictOperation", body: `{"operationName":"` + vertexVideo + `"}`}, 403, "operations", true},
		"Vertex: an interaction":       {ask{verb: get, url: europe("other") + "interactions/" + vertexInteraction, token: "token-2"}, 404, `"code": "not_found"`, true},
		"Gemini: a cache of Vertex":    {ask{verb: get, url: beta + "cachedContents/" + id(vertexCache), key: "key-1"}, 403, "CachedContent not found", true},
	} {
		t.Run(name, func(t *testing.T) {
			google.Reset()
			r := c.a.do(t.Context(), google)
			if r.status != c.want || !strings.Contains(r.body, c.says) {
				t.Errorf("got %d %s; want %d with %q", r.status, r.body, c.want, c.says)
			}
			if got := google.Requests()[0].WrongOwner; got != c.wrong || google.CountWrongOwner(geminitest.Match{}) != map[bool]int{true: 1}[c.wrong] {
				t.Errorf("WrongOwner %v, counted %d; want %v", got, google.CountWrongOwner(geminitest.Match{}), c.wrong)
			}
		})
	}
}

func TestTheJournalTellsWhatARequestIsAbout(t *testing.T) {
	google := geminitest.New(twoProjects())
	url := begin(t, google, "key-1", `{"file":{"name":"files/a"}}`)
	chunk(t, google, url, "key-1", "upload, finalize", 0, []byte("x"))
	withFile := `{"contents":[{"parts":[{"fileData":{"fileUri":"` + studio + `/v1beta/files/a"}},{"fileData":{"fileUri":"files/a"}}]}]}`
	ask{key: "key-1", body: withFile}.do(t.Context(), google)
	// What gets no further than its key, or a script, is known, too.
	google.Revoke("key-2")
	ask{key: "key-2", body: withFile}.do(t.Context(), google)
	google.Script(geminitest.Match{}, geminitest.Overloaded())
	ask{verb: "GET", key: "key-2", url: studio + "/v1beta/files/a"}.do(t.Context(), google)
	google.Script(geminitest.Match{}, geminitest.Overloaded())
	ask{url: studio + "/v1beta/interactions", key: "key-1", body: `{"model":"models/gemini-2.5-flash","input":"hi"}`}.do(t.Context(), google)
	for i, want := range []struct {
		method, model string
		resources     []string
		wrong         bool
	}{
		{"files.create", "", nil, false},
		{"files.upload", "", []string{"files/a"}, false},
		{"generateContent", flash, []string{"files/a"}, false},
		{"generateContent", flash, []string{"files/a"}, true},
		{"files.get", "", []string{"files/a"}, true},
		{"interactions.create", flash, nil, false},
	} {
		r := google.Requests()[i]
		if r.Method != want.method || r.Model != want.model || !slices.Equal(r.Resources, want.resources) || r.WrongOwner != want.wrong {
			t.Errorf("request %d: %s %s %v %v; want %+v", i, r.Method, r.Model, r.Resources, r.WrongOwner, want)
		}
	}
	if google.CountWrongOwner(geminitest.Match{Method: "files"}) != 1 || google.CountWrongOwner(geminitest.Match{Key: "key-2"}) != 2 ||
		google.Count(geminitest.Match{Method: "interactions", Model: flash}) != 1 {
		t.Error("counts")
	}
}
