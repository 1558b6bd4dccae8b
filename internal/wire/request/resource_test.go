package request_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire/request"
)

func TestResourceName(t *testing.T) {
	for in, want := range map[string]string{
		"":        "",
		"files":   "files",
		"files/a": "files/a",
		"https://generativelanguage.googleapis.com/v1beta/files/a":                       "files/a",
		"https://generativelanguage.googleapis.com/v1beta/files/a:download?alt=media":    "files/a",
		"projects/1/locations/eu/cachedContents/9":                                       "cachedContents/9",
		"//aiplatform.googleapis.com/projects/1/locations/eu/cachedContents/9":           "cachedContents/9",
		"models/veo/operations/x":                                                        "operations/x",
		"projects/1/locations/eu/publishers/google/models/veo/operations/x":              "operations/x",
		"fileSearchStores/s/documents/d":                                                 "fileSearchStores/s",
		"projects/1/locations/eu/tuningJobs/7":                                           "tuningJobs/7",
		"https://eu-aiplatform.googleapis.com/v1/projects/1/locations/eu/endpoints/3":    "endpoints/3",
		"https://generativelanguage.googleapis.com/upload/v1beta/fileSearchStores/s:x?y": "fileSearchStores/s",
		"files/v1": "files/v1",
	} {
		if got := request.ResourceName(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestCallNamesEveryResourceOnce(t *testing.T) {
	for _, tt := range []struct {
		name, method, url, body string
		want                    []request.Resource
	}{
		{"a path", "GET", "https://h/v1beta/files/a", "", []request.Resource{{Name: "files/a"}}},
		{"a collection", "GET", "https://h/v1beta/files", "", nil},
		{"a path of Vertex AI", "DELETE", "https://h/v1beta1/projects/p/locations/eu/cachedContents/9", "",
			[]request.Resource{{Name: "cachedContents/9", Project: "p", Location: "eu"}}},
		{"files and a cache in a body", "POST", "https://h/v1beta/models/m:generateContent",
			`{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/a"}},{"fileData":{"fileUri":"files/b"}},` +
				`{"file_data":{"file_uri":"https://generativelanguage.googleapis.com/v1beta/files/a"}},{"fileData":{"fileUri":"gs://bucket/files/c"}}]}],"cachedContent":"cachedContents/9"}`,
			[]request.Resource{{Name: "files/a"}, {Name: "files/b"}, {Name: "cachedContents/9"}}},
		{"a cache of Vertex AI in a body", "POST", "https://h/v1beta1/projects/p/locations/global/publishers/google/models/m:generateContent",
			`{"contents":[],"cachedContent":"projects/17/locations/europe-west4/cachedContents/9"}`, []request.Resource{{Name: "cachedContents/9", Project: "17", Location: "europe-west4"}}},
		{"an upload's chunk", "POST", "https://h/upload/v1beta/files?upload_id=u7&upload_protocol=resumable", "", []request.Resource{{Name: "uploads/u7"}}},
		{"an interaction that goes on", "POST", "https://h/v1beta/interactions", `{"previous_interaction_id":"i1","input":"x"}`,
			[]request.Resource{{Name: "interactions/i1"}}},
		{"an interaction of an agent", "POST", "https://h/v1beta/interactions", `{"agent":"mine","environment":"environments/e1","input":{"agent":"x"}}`,
			[]request.Resource{{Name: "agents/mine", Ambiguous: true}, {Name: "environments/e1", Ambiguous: true}}},
		{"an agent elsewhere", "POST", "https://h/v1beta/models/m:generateContent", `{"agent":"mine"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(t, tt.method, tt.url, tt.body).Resources); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
