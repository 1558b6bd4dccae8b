package geminitest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

// results are the paths under which a video and the answers of a batch are to be had.
func results(t *testing.T, rt http.RoundTripper) []string {
	t.Helper()
	const beta = studio + "/v1beta/"
	var operation struct {
		Response struct {
			GenerateVideoResponse struct {
				GeneratedSamples []struct{ Video struct{ URI string } }
			}
		}
	}
	ask{key: "key-a", url: beta + "models/veo-3.1-generate-001:predictLongRunning", body: `{"instances":[{"prompt":"tide"}]}`}.do(t.Context(), rt).decode(t, &operation)
	video, err := url.Parse(operation.Response.GenerateVideoResponse.GeneratedSamples[0].Video.URI)
	if err != nil {
		t.Fatal(err)
	}
	r := ask{key: "key-a", url: studio + "/upload/v1beta/files", body: "--b\r\n\r\n{}\r\n--b\r\n\r\n{\"key\":\"1\",\"request\":{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}]}}\r\n--b--"}.request(t.Context())
	r.Header.Set("X-Goog-Upload-Protocol", "multipart")
	r.Header.Set("Content-Type", "multipart/related; boundary=b")
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	var uploaded struct{ File struct{ Name string } }
	readAll(t, resp).decode(t, &uploaded)
	var batch struct {
		Response struct{ ResponsesFile string }
	}
	ask{key: "key-a", url: beta + "models/" + flash + ":batchGenerateContent", body: `{"batch":{"inputConfig":{"fileName":"` + uploaded.File.Name + `"}}}`}.do(t.Context(), rt).decode(t, &batch)
	return []string{video.RequestURI(), "/v1beta/" + batch.Response.ResponsesFile + ":download?alt=media"}
}

// TestDownloadsAreRedirectedAndBothHopsWantTheKey asks for a video and for a batch's answers.
func TestDownloadsAreRedirectedAndBothHopsWantTheKey(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		for i, path := range results(t, rt) {
			get := func(key, path string) reply {
				return ask{verb: http.MethodGet, key: key, url: studio + path, body: " "}.do(t.Context(), rt)
			}
			first := get("key-a", path)
			at, err := url.Parse(first.header.Get("Location"))
			if err != nil || first.status != http.StatusFound || at.RequestURI() != "/download"+path {
				t.Fatalf("%s: %d, to %q", path, first.status, at)
			}
			second := get("key-a", at.RequestURI())
			if second.status != http.StatusOK || i == 0 && second.body != "emulated video" || i == 1 && !json.Valid([]byte(second.body)) {
				t.Errorf("%s: %d %q", at, second.status, second.body)
			}
			for hop, path := range map[string]string{"first": path, "second": at.RequestURI()} {
				for key, says := range map[string]string{"": "unregistered callers", "key-b": "do not have permission"} {
					if got := get(key, path); got.status != http.StatusForbidden || !strings.Contains(got.body, says) {
						t.Errorf("%s hop, key %q: %d %s", hop, key, got.status, got.body)
					}
				}
			}
		}
		if n := google.Count(geminitest.Match{Method: "files.download", Project: "a"}); n != 4 {
			t.Errorf("%d downloads of the owner's are counted, want 4", n)
		}
	})
}

func TestOnlyDownloadsAreBelowDownload(t *testing.T) {
	google := geminitest.New(pair())
	for _, path := range []string{"/download", "/download/v1beta/files", "/download/v1beta/models/" + flash, "/download/v1beta/files/x", "/download/upload/v1beta/files"} {
		if got := (ask{verb: http.MethodGet, key: "key-a", url: studio + path}).do(t.Context(), google); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
