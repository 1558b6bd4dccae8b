package router_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const video = "\x00\x00\x00\x18ftypmp42"

// videos is the Gemini API with one file, in the project of one key. Like Google it sends a download
// on to another path, and wants the key at both.
type videos struct {
	location func(q *http.Request) string // where a download is sent on to
	asked    []string
	leaked   []string // hosts other than Google's and the base's that were asked with a credential
}

func (v *videos) RoundTrip(q *http.Request) (*http.Response, error) {
	v.asked = append(v.asked, q.URL.String())
	key := q.Header.Get("X-Goog-Api-Key") + q.Header.Get("Authorization")
	if host := q.URL.Hostname(); !strings.HasSuffix(host, ".googleapis.com") && host != "gateway.example" && key != "" {
		v.leaked = append(v.leaked, host)
	}
	switch path := q.URL.Path; {
	case key != "k-b":
		return answerOf(403, `{"error":{"code":403,"message":"You do not have permission to access the File x or it may not exist.","status":"PERMISSION_DENIED"}}`), nil
	case strings.HasSuffix(path, "/download/v1beta/files/x:download"), strings.HasPrefix(path, "/media/"):
		return answerOf(200, video, "Content-Type", "video/mp4"), nil
	case strings.HasSuffix(path, "/v1beta/files/x:download"):
		return answerOf(302, "<html>moved</html>", "Content-Type", "text/html", "Location", v.location(q)), nil
	case strings.HasSuffix(path, "/v1beta/files/x"):
		return answerOf(200, `{"name":"files/x","state":"ACTIVE"}`), nil
	}
	return answerOf(404, `{"error":{"code":404,"status":"NOT_FOUND"}}`), nil
}

func download(t *testing.T, r *router.Router, path string) (*http.Response, error) {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://generativelanguage.googleapis.com/"+path, nil)
	req.Header.Set("X-Goog-Api-Key", "placeholder")
	return r.RoundTrip(req)
}

func keys() []pool.Project { return []pool.Project{keyed("a", "k-a").pool, keyed("b", "k-b").pool} }

func TestDownloadIsFollowedWithTheOwnersKey(t *testing.T) {
	const next = "/download/v1beta/files/x:download?alt=media"
	for name, location := range map[string]string{
		"absolute":     "https://generativelanguage.googleapis.com" + next,
		"relative":     next,
		"another host": "https://storage.googleapis.com/media/x",
		"twice":        "https://generativelanguage.googleapis.com/v1beta/files/x:download?alt=media&second=1",
	} {
		for _, path := range []string{"v1beta/files/x:download?alt=media", strings.TrimPrefix(next, "/"), "v1beta/files/x%3Adownload?alt=media"} {
			synctest.Test(t, func(t *testing.T) {
				google := &videos{location: func(q *http.Request) string {
					if name == "twice" && q.URL.Query().Get("second") != "" {
						return next
					}
					return location
				}}
				r := routerOver(t, google.RoundTrip, router.Config{}, keys()...)
				resp, err := download(t, r, path)
				if status, body := read(t, resp, err); status != 200 || body != video || len(google.leaked) > 0 {
					t.Errorf("%s, %s: %d %q; asked %q", name, path, status, body, google.asked)
				}
				if resp != nil && (resp.Header.Get("Spillway-Endpoint") != "b/global/on_demand" || resp.Header.Get("Content-Type") != "video/mp4") {
					t.Errorf("%s, %s: header %v", name, path, resp.Header)
				}
			})
		}
	}
}

func TestDownloadPrefixIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := &videos{}
		r := routerOver(t, google.RoundTrip, router.Config{}, keys()[1:]...)
		resp, err := download(t, r, "download/v1beta/files/x:download?alt=media")
		if status, body := read(t, resp, err); status != 200 || body != video || len(google.asked) != 1 {
			t.Errorf("%d %q; asked %q", status, body, google.asked)
		}
	})
}

func TestNoCredentialFollowsToAnotherHost(t *testing.T) {
	for _, location := range []string{
		"https://evil.example/download", "http://generativelanguage.googleapis.com/download/v1beta/files/x:download", "//evil.example/x",
		"https://googleapis.com.evil.example/x", "https://evilgoogleapis.com/x", "https://generativelanguage.googleapis.com:8443/x",
		"https://user@generativelanguage.googleapis.com/x", "https://x.googleusercontent.com/x", "ftp://generativelanguage.googleapis.com/x", "https://%zz/",
		"",
	} {
		synctest.Test(t, func(t *testing.T) {
			google := &videos{location: func(*http.Request) string { return location }}
			r := routerOver(t, google.RoundTrip, router.Config{MaxAttempts: 1, MaxWait: -1}, keys()[1:]...)
			resp, err := download(t, r, "v1beta/files/x:download?alt=media")
			if err == nil && resp.StatusCode < http.StatusBadRequest {
				t.Errorf("to %q: %d is handed on", location, resp.StatusCode)
			}
			if len(google.asked) != 1 || len(google.leaked) > 0 {
				t.Errorf("to %q: asked %q, with a credential %q", location, google.asked, google.leaked)
			}
		})
	}
}

func TestRedirectsOfADownloadEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := &videos{location: func(*http.Request) string { return "/v1beta/files/x:download?alt=media" }}
		r := routerOver(t, google.RoundTrip, router.Config{MaxAttempts: 1, MaxWait: -1}, keys()[1:]...)
		if resp, err := download(t, r, "v1beta/files/x:download?alt=media"); err == nil || len(google.asked) > 10 {
			t.Errorf("%v after %d requests", resp, len(google.asked))
		}
	})
}

func TestDownloadStaysWithTheBaseURL(t *testing.T) {
	for _, location := range []string{
		"https://generativelanguage.googleapis.com/download/v1beta/files/x:download?alt=media",
		"http://gateway.example:8080/gemini/download/v1beta/files/x:download?alt=media",
	} {
		synctest.Test(t, func(t *testing.T) {
			google := &videos{location: func(*http.Request) string { return location }}
			b := keyed("b", "k-b").pool
			b.BaseURL = "http://gateway.example:8080/gemini"
			r := routerOver(t, google.RoundTrip, router.Config{}, b)
			resp, err := download(t, r, "v1beta/files/x:download?alt=media")
			if status, body := read(t, resp, err); status != 200 || body != video {
				t.Errorf("to %s: %d %q; asked %q", location, status, body, google.asked)
			}
			for _, asked := range google.asked {
				if u, err := url.Parse(asked); err != nil || u.Host != "gateway.example:8080" || !strings.HasPrefix(u.Path, "/gemini/") {
					t.Errorf("to %s: asked %s", location, asked)
				}
			}
			if fmt.Sprint(google.leaked) != "[]" {
				t.Errorf("a credential went to %q", google.leaked)
			}
		})
	}
}
