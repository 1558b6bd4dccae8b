package router_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestPathOfOpenAIIsToldTheRightBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(q *http.Request) (*http.Response, error) {
			t.Errorf("Google was asked: %s", q.URL)
			return answerOf(200, okBody), nil
		}, router.Config{})
		for _, path := range []string{"v1/chat/completions", "chat/completions", "v1/embeddings", "v1beta/responses"} {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:8080/"+path, strings.NewReader(`{"model":"gemini-3.5-flash"}`))
			resp, err := r.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "/v1beta/openai") {
				t.Errorf("%s: %d %s", path, resp.StatusCode, body)
			}
		}
	})
}

func TestCallersMethodAndCredentialsDoNotTravel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(q *http.Request) (*http.Response, error) {
			for name := range q.Header {
				if !slices.Contains([]string{"X-Goog-Api-Key", "X-Mine"}, name) {
					t.Errorf("header %s: %q travels", name, q.Header[name])
				}
			}
			if q.Method != http.MethodPost || q.URL.RawQuery != "" || q.Header.Get("X-Goog-Api-Key") != "k-a" {
				t.Errorf("sent: %s %s with key %q", q.Method, q.URL, q.Header.Get("X-Goog-Api-Key"))
			}
			return answerOf(200, okBody), nil
		}, router.Config{})
		req := gen(t.Context(), genPath+"?oauth_token=s&bearer_token=s&$userProject=p&%24httpMethod=DELETE", `{}`)
		for _, name := range []string{
			"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Goog-User-Project", "Authorization", "X-Api-Key", "Cookie",
			"X-Goog-IAM-Authorization-Token",
		} {
			req.Header.Set(name, "DELETE")
		}
		req.Header.Set("X-Mine", "stays")
		if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%v, %v", resp, err)
		}
	})
}

// caches is Vertex AI with cached contents in two locations of one project. It names the project by
// its number.
type caches struct {
	byLocation map[string][]string
	asked      []string
}

func (c *caches) RoundTrip(q *http.Request) (*http.Response, error) {
	c.asked = append(c.asked, q.Method+" "+q.URL.String())
	location := "none"
	if _, rest, ok := strings.Cut(q.URL.Path, "/projects/acme-1/locations/"); ok {
		location, _, _ = strings.Cut(rest, "/")
	}
	name := func(id string) string {
		return fmt.Sprintf(`{"name":"projects/4711/locations/%s/cachedContents/%s"}`, location, id)
	}
	_, id, item := strings.Cut(q.URL.Path, "/cachedContents/")
	switch ids := c.byLocation[location]; {
	case item && !slices.Contains(ids, id):
		return answerOf(404, `{"error":{"code":404,"message":"Not found: cached content metadata.","status":"NOT_FOUND"}}`), nil
	case item:
		return answerOf(200, name(id)), nil
	case q.Method == http.MethodPost:
		made := fmt.Sprint(location, "-", len(ids))
		c.byLocation[location] = append(ids, made)
		return answerOf(200, name(made)), nil
	default:
		var all []string
		for _, id := range ids {
			all = append(all, name(id))
		}
		return answerOf(200, `{"cachedContents":[`+strings.Join(all, ",")+`]}`), nil
	}
}

func TestClientWithoutProjectFindsEachCacheOnceWhereItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := &caches{byLocation: map[string][]string{"global": {"g"}, "eu": {"e"}}}
		acme := pool.Project{Name: "acme", ProjectID: "acme-1", Backend: pool.BackendVertex, Locations: []string{"global", "eu"}, Credentials: token("t")}
		r := routerOver(t, google.RoundTrip, router.Config{}, acme)
		c, err := genai.NewClient(t.Context(), &genai.ClientConfig{Backend: genai.BackendVertexAI, APIKey: "placeholder", HTTPClient: &http.Client{Transport: r}})
		if err != nil {
			t.Fatal(err)
		}
		made, err := c.Caches.Create(t.Context(), flash, &genai.CreateCachedContentConfig{Contents: genai.Text("long")})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for cache, err := range c.Caches.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, cache.Name)
		}
		if len(names) != 3 || !slices.Contains(names, made.Name) {
			t.Errorf("listed: %q", names)
		}
		for _, name := range append(names, made.Name) {
			if got, err := c.Caches.Get(t.Context(), name, nil); err != nil || got.Name != name {
				t.Errorf("%s: %v, %v; asked: %q", name, got, err, google.asked[len(google.asked)-1])
			}
		}
	})
}

// TestNameSaysWhereItLives lets one location list what lives in another one.
func TestNameSaysWhereItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := ""
		acme := pool.Project{Name: "acme", ProjectID: "acme-1", Backend: pool.BackendVertex, Locations: []string{"global", "eu", "us-central1"}, Credentials: token("t")}
		r := routerOver(t, func(q *http.Request) (*http.Response, error) {
			if asked = q.URL.Path; q.Method == http.MethodGet {
				return answerOf(200, `{"model":"m"}`), nil
			}
			return answerOf(200, `{"name":"projects/4711/locations/eu/cachedContents/1","other":{"name":"projects/acme-1/locations/us-central1/cachedContents/2"},`+
				`"more":{"name":"projects/4711/locations/nowhere/cachedContents/3"}}`), nil
		}, router.Config{}, acme)
		const global = "https://aiplatform.googleapis.com/v1/projects/placeholder/locations/global/cachedContents"
		get := func(method, address string) {
			t.Helper()
			req, _ := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
			if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%v, %v", resp, err)
			}
		}
		get(http.MethodPost, global)
		for id, location := range map[string]string{"1": "eu", "2": "us-central1", "3": "global"} {
			get(http.MethodGet, global+"/"+id)
			if want := "/v1/projects/acme-1/locations/" + location + "/cachedContents/" + id; asked != want {
				t.Errorf("asked for %s, want %s", asked, want)
			}
		}
	})
}

func TestListKeepsParametersThatNetURLDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(q *http.Request) (*http.Response, error) {
			if !strings.Contains(q.URL.RawQuery, "$alt=json;enum-encoding=int") {
				t.Errorf("sent: ?%s", q.URL.RawQuery)
			}
			return answerOf(200, `{"files":[{"name":"files/a"}],"nextPageToken":"n"}`), nil
		}, router.Config{}, keyed("a", "k-a").pool, keyed("b", "k-b").pool)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://generativelanguage.googleapis.com/v1beta/files?$alt=json;enum-encoding=int&pageSize=1", nil)
		if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%v, %v", resp, err)
		}
	})
}
