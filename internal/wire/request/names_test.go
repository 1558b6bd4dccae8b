package request_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/stream"
)

func TestNamesOfAnAnswer(t *testing.T) {
	continued := stream.Whole(stream.Form{}, []byte(`{"candidates":[{"continuationToken":"YQ"}]}`))
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
			[]string{"interactions/i1", continued.Continuation()}},
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
			var names []string
			for _, r := range request.ResourcesIn([]byte(tt.body), tt.collection) {
				names = append(names, r.Name)
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
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
		if items, next := request.Page([]byte(tt.body)); items != tt.items || next != tt.next {
			t.Errorf("%s: %d items and the token %q", tt.body, items, next)
		}
		if got := string(request.WithNextPage([]byte(tt.body), "T")); got != tt.again {
			t.Errorf("with a token it is %s, want %s", got, tt.again)
		}
		if got := string(request.WithNextPage([]byte(tt.body), "")); got != tt.last {
			t.Errorf("as the last it is %s, want %s", got, tt.last)
		}
	}
}
