package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire"
)

func TestCallNamesEveryResourceOnce(t *testing.T) {
	for _, tt := range []struct {
		name, method, url, body string
		want                    []wire.Resource
	}{
		{"a path", "GET", "https://h/v1beta/files/a", "", []wire.Resource{{Name: "files/a"}}},
		{"a collection", "GET", "https://h/v1beta/files", "", nil},
		{"a path of Vertex AI", "DELETE", "https://h/v1beta1/projects/p/locations/eu/cachedContents/9", "",
			[]wire.Resource{{Name: "cachedContents/9", Project: "p", Location: "eu"}}},
		{"files and a cache in a body", "POST", "https://h/v1beta/models/m:generateContent",
			`{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/a"}},{"fileData":{"fileUri":"files/b"}},` +
				`{"file_data":{"file_uri":"https://generativelanguage.googleapis.com/v1beta/files/a"}},{"fileData":{"fileUri":"gs://bucket/files/c"}}]}],"cachedContent":"cachedContents/9"}`,
			[]wire.Resource{{Name: "files/a"}, {Name: "files/b"}, {Name: "cachedContents/9"}}},
		{"a cache of Vertex AI in a body", "POST", "https://h/v1beta1/projects/p/locations/global/publishers/google/models/m:generateContent",
			`{"contents":[],"cachedContent":"projects/17/locations/europe-west4/cachedContents/9"}`, []wire.Resource{{Name: "cachedContents/9", Project: "17", Location: "europe-west4"}}},
		{"an upload's chunk", "POST", "https://h/upload/v1beta/files?upload_id=u7&upload_protocol=resumable", "", []wire.Resource{{Name: "uploads/u7"}}},
		{"an interaction that goes on", "POST", "https://h/v1beta/interactions", `{"previous_interaction_id":"i1","input":"x"}`,
			[]wire.Resource{{Name: "interactions/i1"}}},
		{"an interaction of an agent", "POST", "https://h/v1beta/interactions", `{"agent":"mine","environment":"environments/e1","input":{"agent":"x"}}`,
			[]wire.Resource{{Name: "agents/mine", Perhaps: true}, {Name: "environments/e1", Perhaps: true}}},
		{"an agent elsewhere", "POST", "https://h/v1beta/models/m:generateContent", `{"agent":"mine"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(t, tt.method, tt.url, tt.body).Resources); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesOfAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, collection, body string
		want                   []string
	}{
		{"an upload's end", "uploads", `{"file":{"name":"files/a","uri":"https://generativelanguage.googleapis.com/v1beta/files/a"}}`, []string{"files/a"}},
		{"a list", "cachedContents", `{"cachedContents":[{"name":"projects/17/locations/eu/cachedContents/1","model":"projects/17/locations/eu/publishers/google/models/m"},` +
			`{"name":"projects/17/locations/eu/cachedContents/2"}]}`, []string{"cachedContents/1", "cachedContents/2"}},
		{"an operation with what it made", "operations", `{"name":"models/veo/operations/o","done":true,"response":{"generateVideoResponse":{"generatedSamples":[` +
			`{"video":{"uri":"https://generativelanguage.googleapis.com/v1beta/files/v:download?alt=media"}}]}}}`, []string{"operations/o", "files/v"}},
		{"a tuned model", "tuningJobs", `{"name":"projects/1/locations/eu/tuningJobs/7","tunedModel":{"model":"projects/1/locations/eu/models/8","endpoint":"projects/1/locations/eu/endpoints/9"}}`,
			[]string{"tuningJobs/7", "models/8", "endpoints/9"}},
		{"an interaction", "interactions", `{"id":"i1","steps":[{"id":"no","name":"a tool"}]}`, []string{"interactions/i1"}},
		{"an interaction to be continued", "interactions", `{"id":"i1","continuation_token":"YQ==","output":{"continuation_token":"Yg=="}}`,
			[]string{"interactions/i1", wire.Continuation([]byte(`{"candidates":[{"continuationToken":"YQ"}]}`))}},
		{"an agent", "agents", `{"id":"mine","tools":[{"id":"no"}]}`, []string{"agents/mine"}},
		{"agents", "agents", `{"agents":[{"id":"mine"},{"id":"ours"}],"next":[{"id":"no"}]}`, []string{"agents/mine", "agents/ours"}},
		{"an id of something that has names", "files", `{"id":"a","name":"files/b"}`, []string{"files/b"}},
		{"a batch with its answers", "batches", `{"name":"batches/b","metadata":{"output":{"responsesFile":"files/r"}}}`, []string{"batches/b", "files/r"}},
		{"a collection of tomorrow", "agents", `{"name":"agents/x","parent":"others/y"}`, []string{"agents/x"}},
		{"a model, which anybody has", "models", `{"name":"models/gemini-2.5-flash"}`, nil},
		{"text", "files", `{"text":"files/a"}`, nil},
		{"no JSON", "files", `{"name":"files/a`, []string{"files/a"}},
		{"nothing", "files", ``, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, wire.Names([]byte(tt.body), tt.collection)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlaceMovesNamesAndNothingElse(t *testing.T) {
	target := wire.Target{Backend: wire.Vertex, Project: "acme", Location: "eu"}
	for _, tt := range []struct{ name, body, want string }{
		{"a cache and a model", `{"model":"projects/spillway/locations/global/publishers/google/models/m","cachedContent": "projects/spillway/locations/global/cachedContents/9"}`,
			`{"model":"projects/acme/locations/eu/publishers/google/models/m","cachedContent": "projects/acme/locations/eu/cachedContents/9"}`},
		{"within lists", `{"a":[{"name":"projects/spillway/locations/global/x/1"},{"name":"projects/other/locations/global/x/2"}]}`,
			`{"a":[{"name":"projects/acme/locations/eu/x/1"},{"name":"projects/other/locations/global/x/2"}]}`},
		{"text", `{"contents":[{"parts":[{"text":"projects/spillway/locations/global/x"}]}]}`, `{"contents":[{"parts":[{"text":"projects/spillway/locations/global/x"}]}]}`},
		{"nothing to move", `{"a":1}`, `{"a":1}`},
		{"no JSON", `projects/spillway/locations/global/`, `projects/spillway/locations/global/`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			call := parse(t, "POST", "https://h/v1beta1/projects/spillway/locations/global/cachedContents", tt.body)
			if got := string(call.Place(target, []byte(tt.body))); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestPagesOfLists(t *testing.T) {
	for _, tt := range []struct {
		body        string
		items       int
		next, again string // with the token "T"; and without one
		last        string
	}{
		{`{"files":[{"name":"files/a"},{"name":"files/b"}],"nextPageToken":"x\u0079"}`, 2, "xy",
			`{"files":[{"name":"files/a"},{"name":"files/b"}],"nextPageToken":"T"}`, `{"files":[{"name":"files/a"},{"name":"files/b"}]}`},
		{`{}`, 0, "", `{"nextPageToken":"T"}`, `{}`},
		{`{"files":[]}`, 0, "", `{"files":[],"nextPageToken":"T"}`, `{"files":[]}`},
		{``, 0, "", `{"nextPageToken":"T"}`, `{}`},
	} {
		if items, next := wire.Page([]byte(tt.body)); items != tt.items || next != tt.next {
			t.Errorf("%s: %d items and the token %q", tt.body, items, next)
		}
		if got := string(wire.WithNextPage([]byte(tt.body), "T")); got != tt.again {
			t.Errorf("with a token it is %s, want %s", got, tt.again)
		}
		if got := string(wire.WithNextPage([]byte(tt.body), "")); got != tt.last {
			t.Errorf("as the last it is %s, want %s", got, tt.last)
		}
	}
}
