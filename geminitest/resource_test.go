package geminitest_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
)

// upload makes a file of a few bytes and returns its name.
func upload(t *testing.T, google *geminitest.Emulator, key, meta string) string {
	t.Helper()
	return chunk(t, google, begin(t, google, key, meta), key, "upload, finalize", 0, []byte("x")).name(t)
}

// pages lists files page by page, and calls between after each.
func pages(t *testing.T, google *geminitest.Emulator, key string, size int, between func(page int)) (names []string, sizes []int) {
	t.Helper()
	token := ""
	for page := 0; ; page++ {
		r := ask{verb: "GET", key: key, url: studio + "/v1beta/files?pageSize=" + strconv.Itoa(size) + "&pageToken=" + url.QueryEscape(token)}.do(t.Context(), google)
		var list struct {
			Files         []struct{ Name string }
			NextPageToken string
		}
		r.decode(t, &list)
		sizes = append(sizes, len(list.Files))
		for _, f := range list.Files {
			names = append(names, f.Name)
		}
		if token = list.NextPageToken; token == "" {
			return names, sizes
		}
		between(page)
	}
}

func TestPagesLoseAndRepeatNothingWhileThingsChange(t *testing.T) {
	google := geminitest.New(twoProjects())
	var made []string
	for i := range 7 {
		made = append(made, upload(t, google, "key-1", fmt.Sprintf(`{"file":{"name":"files/f%d"}}`, i)))
		upload(t, google, "key-2", "{}")
	}
	names, sizes := pages(t, google, "key-1", 3, func(page int) {
		upload(t, google, "key-1", "{}") // new ones come in front
		if page == 0 {                   // the last of the first page, and the first of the next
			for _, gone := range []string{"files/f4", "files/f3"} {
				ask{verb: "DELETE", key: "key-1", url: studio + "/v1beta/" + gone}.do(t.Context(), google)
			}
		}
	})
	if want := []string{"files/f6", "files/f5", "files/f4", "files/f2", "files/f1", "files/f0"}; !slices.Equal(names, want) || !slices.Equal(sizes, []int{3, 3}) {
		t.Errorf("pages of %v: %v, want %v", sizes, names, want)
	}
	if all, sizes := pages(t, google, "key-2", 0, func(int) {}); len(all) != 7 || len(sizes) != 1 {
		t.Errorf("the other has %v", all)
	}
	if len(made) != 7 {
		t.Fatal(made)
	}
}

func TestPageTokensAreGoodForTheirListAlone(t *testing.T) {
	google := geminitest.New(twoProjects())
	for range 3 {
		upload(t, google, "key-1", "{}")
		upload(t, google, "key-2", "{}")
	}
	var page struct{ NextPageToken string }
	ask{verb: "GET", key: "key-1", url: studio + "/v1beta/files?pageSize=2"}.do(t.Context(), google).decode(t, &page)
	for name, c := range map[string]struct {
		key, path string
		want      int
	}{
		"its own":           {"key-1", "files", 200},
		"another's":         {"key-2", "files", 400},
		"another list":      {"key-1", "cachedContents", 400},
		"one that is none":  {"key-1", "files?x=", 200},
		"one with a letter": {"key-1", "files", 400},
	} {
		token := page.NextPageToken
		if strings.Contains(name, "letter") {
			token += "A"
		}
		r := ask{verb: "GET", key: c.key, url: studio + "/v1beta/" + c.path + map[bool]string{true: "&", false: "?"}[strings.Contains(c.path, "?")] + "pageToken=" + token}.do(t.Context(), google)
		if r.status != c.want {
			t.Errorf("%s: %d %s, want %d", name, r.status, r.body, c.want)
		}
	}
}

func TestWorkTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := twoBackends()
		cfg.Processing = time.Minute
		google := geminitest.New(cfg)
		clients := sdkClients(t, google, "")
		ctx, client := t.Context(), clients["gemini"]
		file, err := client.Files.Upload(ctx, strings.NewReader(`{"key":"k","request":{"contents":[{"parts":[{"text":"hi"}]}]}}`), &genai.UploadFileConfig{MIMEType: "text/plain"})
		if err != nil {
			t.Fatal(err)
		}
		use := func() error {
			_, err := client.Models.GenerateContent(ctx, flash, []*genai.Content{genai.NewContentFromURI(file.URI, "text/plain", "user")}, nil)
			return err
		}
		if err := use(); err == nil || file.State != genai.FileStateProcessing || !strings.Contains(err.Error(), "is not in an ACTIVE state and usage is not allowed") {
			t.Errorf("%s: %v", file.State, err)
		}
		if _, err := client.Batches.Create(ctx, flash, &genai.BatchJobSource{FileName: file.Name}, nil); err == nil {
			t.Error("a batch of a file that is not ready")
		}
		states := func() string {
			t.Helper()
			var list []string
			for _, r := range google.Resources() {
				list = append(list, r.State)
			}
			return strings.Join(list, " ")
		}
		op, err := client.Models.GenerateVideosFromSource(ctx, "veo-3.1-generate-001", &genai.GenerateVideosSource{Prompt: "x"}, nil)
		if err != nil || op.Done {
			t.Fatalf("%+v %v", op, err)
		}
		job, err := clients["vertex"].Batches.Create(ctx, flash, &genai.BatchJobSource{Format: "jsonl", GCSURI: []string{"gs://b/x"}}, nil)
		if err != nil || job.State != genai.JobStateRunning || !job.EndTime.IsZero() {
			t.Fatalf("%+v %v", job, err)
		}
		tuned, err := client.Tunings.Tune(ctx, flash, &genai.TuningDataset{Examples: []*genai.TuningExample{{TextInput: "a", Output: "b"}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Models.GenerateContent(ctx, tuned.Name, genai.Text("hi"), nil); err == nil {
			t.Error("a model answers that is being tuned")
		}
		time.Sleep(59 * time.Second)
		if got, want := states(), "PROCESSING PROCESSING RUNNING JOB_STATE_RUNNING CREATING RUNNING"; got != want { //nolint:dupword // two files
			t.Errorf("after 59 s %s, want %s", got, want)
		}
		time.Sleep(time.Second)
		if got, want := states(), "ACTIVE ACTIVE DONE JOB_STATE_SUCCEEDED ACTIVE DONE"; got != want { //nolint:dupword // two files
			t.Errorf("after a minute %s, want %s", got, want)
		}
		if op, err = client.Operations.GetVideosOperation(ctx, op, nil); err != nil || !op.Done || use() != nil {
			t.Errorf("%+v %v", op, err)
		}
		batch, err := client.Batches.Create(ctx, flash, &genai.BatchJobSource{FileName: file.Name}, nil)
		if err != nil || batch.State != genai.JobStateRunning || batch.Dest != nil {
			t.Fatalf("%+v %v", batch, err)
		}
		if err := client.Batches.Cancel(ctx, batch.Name, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if batch, err = client.Batches.Get(ctx, batch.Name, nil); err != nil || batch.State != genai.JobStateCancelled || batch.Dest != nil {
			t.Errorf("%+v %v", batch, err)
		}
		time.Sleep(47*time.Hour - time.Minute)
		if _, err := client.Files.Get(ctx, file.Name, nil); err == nil {
			t.Error("a file is kept for longer than 48 hours")
		}
	})
}

func TestStatesAreSetByTests(t *testing.T) {
	google := geminitest.New(twoProjects())
	file := upload(t, google, "key-1", "{}")
	get := func() string {
		t.Helper()
		var shown struct {
			State string
			Error struct{ Message string }
		}
		ask{verb: "GET", key: "key-1", url: studio + "/v1beta/" + file}.do(t.Context(), google).decode(t, &shown)
		return shown.State + shown.Error.Message
	}
	for _, c := range []struct{ set, want string }{{"PROCESSING", "PROCESSING"}, {"FAILED", "FAILEDThe file could not be processed."}, {"", "ACTIVE"}} {
		if !google.SetState(file, c.set) || get() != c.want {
			t.Errorf("%q: %s, want %s", c.set, get(), c.want)
		}
	}
	cache := ask{key: "key-1", url: studio + "/v1beta/cachedContents", body: `{"model":"models/gemini-2.5-flash","contents":[{"parts":[{"text":"` + long + `"}]}]}`}.do(t.Context(), google).name(t)
	job := ask{token: "token-1", url: europe("acme") + "batchPredictionJobs", body: `{"model":"publishers/google/models/gemini-2.5-flash","inputConfig":{}}`}.do(t.Context(), google).name(t)
	for name, want := range map[string]bool{"files/none": false, cache: false, "x": false, "": false, job: true, strings.Replace(job, "1001", "acme", 1): true, strings.Replace(job, "europe-west4", "eu", 1): false} {
		if google.SetState(name, "JOB_STATE_FAILED") != want {
			t.Errorf("SetState(%q) is not %v", name, want)
		}
	}
	if r := (ask{verb: "GET", token: "token-1", url: "https://europe-west4-aiplatform.googleapis.com/v1/" + job}).do(t.Context(), google); !strings.Contains(r.body, "JOB_STATE_FAILED") {
		t.Error(r.body)
	}
	if _, ok := google.FileContent(cache); ok {
		t.Error("a cache is no file")
	}
}

func TestTheSeedGivesTheNames(t *testing.T) {
	names := func(seed uint64) string {
		cfg := twoProjects()
		cfg.Seed = seed
		google := geminitest.New(cfg)
		upload(t, google, "key-1", "{}")
		for _, path := range []string{"interactions", "fileSearchStores", "environments"} {
			ask{key: "key-2", url: studio + "/v1beta/" + path, body: `{"model":"gemini-2.5-flash","input":"x"}`}.do(t.Context(), google)
		}
		return fmt.Sprint(google.Resources()[0].Name, google.Resources()[1].Name, google.Resources()[2].Name, google.Resources()[3].Name)
	}
	if first, again, other := names(1), names(1), names(2); first != again || first == other {
		t.Errorf("names %s, %s and %s", first, again, other)
	}
}

func TestResourcesMayBeMadeAtOnce(t *testing.T) {
	google := geminitest.New(twoProjects())
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			key := []string{"key-1", "key-2"}[i%2]
			name := upload(t, google, key, "{}")
			if r := (ask{verb: "GET", key: key, url: studio + "/v1beta/" + name}).do(t.Context(), google); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
			ask{verb: "GET", key: key, url: studio + "/v1beta/files"}.do(t.Context(), google)
			if i%4 < 2 {
				ask{verb: "DELETE", key: key, url: studio + "/v1beta/" + name}.do(t.Context(), google)
			}
		})
	}
	group.Wait()
	if n := len(google.Resources()); n != 32 || google.CountWrongOwner(geminitest.Match{}) != 0 {
		t.Errorf("%d resources, %d wrong owners; want 32, 0", n, google.CountWrongOwner(geminitest.Match{}))
	}
}
