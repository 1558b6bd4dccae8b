package router_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// fiveProjects are of the Gemini back end, with two keys each.
func fiveProjects() (all []project) {
	for i := range 5 {
		name := fmt.Sprintf("p%d", i)
		all = append(all, keyed(name, name+"-first", name+"-second"))
	}
	return all
}

// anywhere asks for a place by a random affinity, so that what is made is made in many.
func anywhere(i int) context.Context {
	return router.WithCall(context.Background(), router.Call{Affinity: fmt.Sprint("someone ", i)})
}

// upload makes a file somewhere.
func upload(t *testing.T, c *genai.Client, ctx context.Context, content []byte) *genai.File {
	t.Helper()
	f, err := c.Files.Upload(ctx, bytes.NewReader(content), &genai.UploadFileConfig{MIMEType: "text/plain"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readFile is a prompt about a file.
func readFile(f *genai.File) []*genai.Content {
	return []*genai.Content{{Role: "user", Parts: []*genai.Part{{Text: "what is it?"}, {FileData: &genai.FileData{FileURI: f.URI, MIMEType: f.MIMEType}}}}}
}

// A hundred files and twenty caches over five projects are used from everywhere, while keys die and
// come back and projects rest.
func TestResourcesStayHomeUnderFire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup{
			google: geminitest.Config{Latency: geminitest.Latency{FirstToken: 100 * time.Millisecond}, Caching: geminitest.Caching{Min: 10}},
			router: router.Config{MaxWait: 10 * time.Minute, MaxAttempts: 50},
		}.bed(t, fiveProjects()...)
		client := b.client(t)
		var files []*genai.File
		for i := range 100 {
			files = append(files, upload(t, client, anywhere(i), fmt.Appendf(nil, "file %d", i)))
		}
		var caches []*genai.CachedContent
		for i := range 20 {
			c, err := client.Caches.Create(anywhere(i), flash, &genai.CreateCachedContentConfig{Contents: genai.Text(strings.Repeat("dam ", 100))})
			if err != nil {
				t.Fatal(err)
			}
			caches = append(caches, c)
		}
		if made := b.Count(geminitest.Match{Method: "files.create", Project: "p0"}); made == 0 || made == 100 {
			t.Fatalf("%d of 100 files are made in the first project", made)
		}

		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), 5))
				time.Sleep(time.Duration(rng.IntN(60_000)) * time.Millisecond)
				var err error
				switch what := rng.IntN(4); what {
				case 0:
					_, err = client.Files.Get(context.Background(), files[rng.IntN(len(files))].Name, nil)
				case 1:
					_, err = client.Models.GenerateContent(context.Background(), flash, genai.Text("hi"),
						&genai.GenerateContentConfig{CachedContent: caches[rng.IntN(len(caches))].Name})
				default:
					_, err = client.Models.GenerateContent(context.Background(), flash, readFile(files[rng.IntN(len(files))]), nil)
				}
				if err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			})
		}
		wg.Go(func() { // keys die, one of each project at a time
			for i := range 60 {
				key := fmt.Sprintf("p%d-%s", i%5, []string{"first", "second"}[i/5%2])
				b.Revoke(key)
				time.Sleep(time.Second)
				b.Restore(key)
			}
		})
		wg.Go(func() { // and projects rest
			for i := range 20 {
				time.Sleep(3 * time.Second)
				b.Script(geminitest.Match{Project: fmt.Sprintf("p%d", i%5)}, geminitest.PaidMinuteQuota(flash, 100, 5*time.Second))
			}
		})
		wg.Wait()
		if n := b.CountWrongOwner(geminitest.Match{}); n != 0 {
			t.Errorf("%d requests went to a project that does not have what they name", n)
		}
		for _, f := range files {
			if _, err := client.Files.Get(context.Background(), f.Name, nil); err != nil {
				t.Errorf("%s is lost: %v", f.Name, err)
			}
		}
	})
}

// A program that starts anew finds what was made before by asking each project once, and remembers
// also what nobody has.
func TestUnknownResourcesAreLookedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := setup{google: geminitest.Config{Caching: geminitest.Caching{Min: 10}}}.bed(t, fiveProjects()...)
		var files []*genai.File
		for i := range 10 {
			files = append(files, upload(t, before.client(t), anywhere(i), []byte("something")))
		}
		after := setup{}.over(t, before.Emulator, fiveProjects()...)
		client := after.client(t)
		before.Reset()
		var wg sync.WaitGroup
		for _, f := range files {
			for range 20 {
				wg.Go(func() {
					if _, err := client.Models.GenerateContent(context.Background(), flash, readFile(f), nil); err != nil {
						t.Errorf("%s: %v", f.Name, err)
					}
				})
			}
		}
		wg.Wait()
		if asked := before.Count(geminitest.Match{Method: "files.get"}); asked > 5*len(files) {
			t.Errorf("%d requests to find %d files in 5 projects", asked, len(files))
		}
		before.Reset()
		for range 10 {
			var api genai.APIError
			if _, err := client.Files.Get(context.Background(), "files/nobody-has-it", nil); !errors.As(err, &api) || api.Code != http.StatusNotFound {
				t.Errorf("a file that is nowhere: %v", err)
			}
		}
		if asked := before.Count(geminitest.Match{Method: "files.get"}); asked != 5 {
			t.Errorf("%d requests for a file that is nowhere, want one to each project", asked)
		}
		time.Sleep(2 * time.Minute) // somebody else may have made it by now
		_, _ = client.Files.Get(context.Background(), "files/nobody-has-it", nil)
		if asked := before.Count(geminitest.Match{Method: "files.get"}); asked != 10 {
			t.Errorf("%d requests after two minutes, want another one to each project", asked)
		}
	})
}

// While a project gives no answer nobody knows whether it has the file: that is not the same as
// that it is nowhere.
func TestLookupSaysWhenItCannotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{MaxWait: -1}}.bed(t, fiveProjects()...)
		b.Keep(geminitest.Match{Project: "p3"}, geminitest.Internal())
		_, err := b.client(t).Files.Delete(context.Background(), "files/unknown", nil)
		if e := apiError(t, err); e.Code != http.StatusServiceUnavailable || !strings.Contains(e.Message, "project p3") {
			t.Errorf("error is %v", err)
		}
	})
}

func TestCallThatNamesTwoOwnersIsNotSent(t *testing.T) {
	b := setup{}.bed(t, fiveProjects()...)
	client := b.client(t)
	first := upload(t, client, anywhere(1), []byte("one"))
	other := first
	for i := 2; other == first || b.home(t, other) == b.home(t, first); i++ {
		other = upload(t, client, anywhere(i), []byte("two"))
	}
	b.Reset()
	_, err := client.Models.GenerateContent(context.Background(), flash, append(readFile(first), readFile(other)...), nil)
	e := apiError(t, err)
	for _, part := range []string{first.Name, other.Name, "project " + b.home(t, first), "project " + b.home(t, other)} {
		if e.Code != http.StatusBadRequest || !strings.Contains(e.Message, part) {
			t.Errorf("the refusal does not name %s: %v", part, err)
		}
	}
	if n := b.Count(geminitest.Match{}); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// home is the project that has a file.
func (b *bed) home(t *testing.T, f *genai.File) string {
	t.Helper()
	for _, r := range b.Resources() {
		if r.Name == f.Name {
			return r.Project
		}
	}
	t.Fatalf("nobody has %s", f.Name)
	return ""
}

// What one program makes without an affinity is in one place, so that it can be used in one call;
// when that place fails, the rest is made elsewhere.
func TestWhatIsMadeWithoutAffinityIsMadeInOnePlace(t *testing.T) {
	b := setup{}.bed(t, fiveProjects()...)
	client := b.client(t)
	made := map[string]int{}
	for i := range 20 {
		if i == 10 {
			b.Revoke("p0-first")
			b.Revoke("p0-second")
		}
		made[b.home(t, upload(t, client, context.Background(), []byte("x")))]++
	}
	if made["p0"] != 10 || made["p1"] != 10 {
		t.Errorf("files are in %v", made)
	}
}

func TestListsRunOverAllProjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, fiveProjects()...)
		client := b.client(t)
		var want []string
		for i := range 40 {
			if f := upload(t, client, anywhere(i), []byte("x")); b.home(t, f) != "p2" { // which stays without a file
				want = append(want, f.Name)
			} else if _, err := client.Files.Delete(context.Background(), f.Name, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, size := range []int32{1, 3, 7, 100} {
			var got []string
			for f, err := range client.Files.All(context.Background()) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, f.Name)
			}
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("in pages of %d the list is\n%v\nwant\n%v", size, got, want)
			}
			page, err := client.Files.List(context.Background(), &genai.ListFilesConfig{PageSize: size})
			for got = nil; err == nil; page, err = page.Next(context.Background()) {
				if len(page.Items) == 0 || len(page.Items) > int(size) {
					t.Errorf("a page of %d has %d items", size, len(page.Items))
				}
				for _, f := range page.Items {
					got = append(got, f.Name)
				}
			}
			if !errors.Is(err, genai.ErrPageDone) {
				t.Fatal(err)
			}
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("page by page of %d the list is\n%v\nwant\n%v", size, got, want)
			}
		}
		// No page is announced that would be empty, where the last projects have nothing: Python's
		// SDK fails on it.
		for _, f := range b.Resources() {
			if f.Project == "p3" || f.Project == "p4" {
				if _, err := client.Files.Delete(context.Background(), f.Name, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		last, err := client.Files.List(context.Background(), &genai.ListFilesConfig{PageSize: 100})
		for err == nil && last.NextPageToken != "" {
			if last, err = client.Files.List(context.Background(), &genai.ListFilesConfig{PageSize: 100, PageToken: last.NextPageToken}); err == nil && len(last.Items) == 0 {
				t.Error("an empty page was announced")
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Files.List(context.Background(), &genai.ListFilesConfig{PageToken: "from elsewhere"}); apiError(t, err).Code != http.StatusBadRequest {
			t.Errorf("a page token from elsewhere: %v", err)
		}
		// A list with a hole in it is worse than none.
		b.Keep(geminitest.Match{Project: "p3"}, geminitest.Internal())
		count := 0
		for _, err := range client.Files.All(context.Background()) {
			if err != nil {
				count = -1
				break
			}
			count++
		}
		if count != -1 {
			t.Errorf("the list of %d files ends without an error, though a project did not answer", count)
		}
	})
}

func TestDeletedResourceIsForgotten(t *testing.T) {
	b := setup{}.bed(t, fiveProjects()...)
	client := b.client(t)
	f := upload(t, client, anywhere(3), []byte("x"))
	if _, err := client.Files.Delete(context.Background(), f.Name, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Files.Get(context.Background(), f.Name, nil); apiError(t, err).Code != http.StatusNotFound {
		t.Errorf("a deleted file: %v", err)
	}
}

// An upload whose project fails between chunks ends with an error, and nothing is there that was
// not whole.
func TestUploadThatFailsBetweenChunksLeavesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, fiveProjects()...)
		client := b.client(t)
		content := bytes.Repeat([]byte("fifty megabytes "), 50<<20/16)
		whole := upload(t, client, context.Background(), content)
		if got, ok := b.FileContent(whole.Name); !ok || !bytes.Equal(got, content) {
			t.Fatal("the file is not what was sent")
		}
		chunks := b.Count(geminitest.Match{Method: "files.upload"})
		if elsewhere := b.CountWrongOwner(geminitest.Match{}); chunks < 6 || elsewhere != 0 {
			t.Errorf("%d chunks, %d of them elsewhere", chunks, elsewhere)
		}

		have := len(b.Resources())
		b.Script(geminitest.Match{Method: "files.upload"}, geminitest.Answer{}, geminitest.Answer{}, geminitest.ConnectionReset(), geminitest.ConnectionReset(),
			geminitest.ConnectionReset(), geminitest.ConnectionReset(), geminitest.ConnectionReset(), geminitest.ConnectionReset())
		f, err := client.Files.Upload(context.Background(), bytes.NewReader(content), &genai.UploadFileConfig{MIMEType: "text/plain"})
		if err == nil {
			t.Fatalf("%s is said to be there", f.Name)
		}
		if got := len(b.Resources()); got != have || b.CountWrongOwner(geminitest.Match{}) != 0 {
			t.Errorf("after %v there are %d things, want %d", err, got, have)
		}
	})
}

// On Vertex AI a cache lives in a location. Clients name it by a placeholder project, by the number
// that Google's names have, or by its id.
func TestCachesOfVertexAIStayInTheirLocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pa, pb := vertexed("a", "global", "europe-west4"), vertexed("b", "global", "us-central1")
		pa.google.Number, pb.google.Number = "1001", "1002"
		pa.order(flash, "asia-northeast1", 10)
		b := setup{google: geminitest.Config{Caching: geminitest.Caching{Min: 10}}}.bed(t, pa, pb)
		client := b.client(t)
		prompt := &genai.CreateCachedContentConfig{Contents: genai.Text(strings.Repeat("dam ", 100))}
		ordered, err := client.Caches.Create(context.Background(), flash, prompt)
		if err != nil || !strings.Contains(ordered.Name, "projects/1001/locations/asia-northeast1/") {
			t.Fatalf("where there is an order, the cache is %v, %v", ordered, err)
		}
		use := func(c *genai.Client, name string) (*genai.GenerateContentResponse, error) {
			return c.Models.GenerateContent(context.Background(), flash, genai.Text("hi"), &genai.GenerateContentConfig{CachedContent: name})
		}
		if resp, err := use(client, ordered.Name); err != nil || endpoint(resp) != "a/asia-northeast1/provisioned" || resp.UsageMetadata.CachedContentTokenCount == 0 {
			t.Errorf("with the order's cache: %v", err)
		}

		var names []string
		for i, location := range []string{"global", "europe-west4", "us-central1"} {
			ctx := router.WithCall(context.Background(), router.Call{Locations: []string{location}, Affinity: strconv.Itoa(i)})
			c, err := client.Caches.Create(ctx, flash, prompt)
			if err != nil || !strings.Contains(c.Name, "/locations/"+location+"/") {
				t.Fatalf("in %s: %v, %v", location, c, err)
			}
			names = append(names, c.Name)
		}
		again := setup{}.over(t, b.Emulator, pa, pb)
		for _, c := range []*genai.Client{client, again.client(t)} { // the second has to find them
			for _, name := range names {
				id := name[strings.LastIndex(name, "/")+1:]
				location := strings.Split(name, "/")[3]
				for _, as := range []string{name, id, "cachedContents/" + id} {
					resp, err := use(c, as)
					if err != nil {
						t.Errorf("%s as %s: %v", name, as, err)
						continue
					}
					if parts := strings.Split(endpoint(resp), "/"); parts[1] != location {
						t.Errorf("%s was used at %s", name, endpoint(resp))
					}
					if got, err := c.Caches.Get(context.Background(), as, nil); err != nil || got.Name != name {
						t.Errorf("%s as %s is %v, %v", name, as, got, err)
					}
				}
			}
		}
		listed := 0
		for _, err := range client.Caches.All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			listed++
		}
		if listed != 4 {
			t.Errorf("%d caches are listed, want 4", listed)
		}
		for _, name := range names {
			if _, err := client.Caches.Delete(context.Background(), name, nil); err != nil {
				t.Error(err)
			}
		}
	})
}

// A call that names what lives on a project that rests waits for it, or says why not: it never goes
// elsewhere.
func TestCallWaitsForTheOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{MaxWait: time.Minute}}.bed(t, fiveProjects()...)
		client := b.client(t)
		f := upload(t, client, context.Background(), []byte("x"))
		b.Script(geminitest.Match{Project: "p0"}, geminitest.PaidMinuteQuota(flash, 100, 30*time.Second))
		began := time.Now()
		resp, err := client.Models.GenerateContent(context.Background(), flash, readFile(f), nil)
		if err != nil || !strings.HasPrefix(endpoint(resp), "p0/") || time.Since(began) < 30*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		b.Script(geminitest.Match{Project: "p0"}, geminitest.PaidMinuteQuota(flash, 100, 50*time.Second))
		ctx := router.WithCall(context.Background(), router.Call{MaxWait: time.Second})
		_, err = client.Models.GenerateContent(ctx, flash, readFile(f), nil)
		e, ok := router.Exhausted(err)
		if !ok || time.Until(e.RetryAt) < 40*time.Second {
			t.Fatalf("error is %v", err)
		}
		for _, r := range e.Reasons {
			want := "is not where " + f.Name + " lives"
			if r.Endpoint == "p0/global/on_demand" {
				want = "minute_quota until"
			}
			if !strings.Contains(r.Why, want) {
				t.Errorf("%s: %s", r.Endpoint, r.Why)
			}
		}
		if n := b.CountWrongOwner(geminitest.Match{}); n != 0 {
			t.Errorf("%d requests went elsewhere", n)
		}
	})
}

// panicky is a transport that panics once.
type panicky struct {
	http.RoundTripper
	done bool
}

func (p *panicky) RoundTrip(req *http.Request) (*http.Response, error) {
	if !p.done {
		p.done = true
		panic("a transport of somebody else's")
	}
	return p.RoundTripper.RoundTrip(req)
}

// A search that ends in a panic must not leave those waiting who need its result, nor let them go
// astray.
func TestLookupThatPanicsLetsTheNextOneSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := setup{}.bed(t, fiveProjects()...)
		f := upload(t, before.client(t), anywhere(1), []byte("x"))
		panics := router.WithTransport(&panicky{RoundTripper: before.Emulator})
		after := setup{opts: []router.Option{panics}}.over(t, before.Emulator, fiveProjects()...)
		client := after.client(t)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is swallowed")
				}
			}()
			_, _ = client.Files.Delete(context.Background(), f.Name, nil)
		}()
		if _, err := client.Models.GenerateContent(context.Background(), flash, readFile(f), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestHomeIsOfTheCallsBackEnd(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, `{}`), nil }, router.Config{},
		vertexed("v").pool, keyed("a", "k-a").pool)
	req, _ := http.NewRequest(http.MethodGet, "https://generativelanguage.googleapis.com/v1beta/files", nil)
	resp, err := r.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		t.Errorf("%d %v %s", resp.StatusCode, err, b)
	}
}
