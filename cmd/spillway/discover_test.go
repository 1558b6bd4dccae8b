package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/discover"
	"github.com/spillway-go/spillway/pool"
)

// discoveryBench is an emulator with three projects: one with 40 quotas in 4 pages, one with two
// orders, and one that may not ask; and a file about them.
func discoveryBench(t *testing.T) (google *geminitest.Server, file string) {
	t.Helper()
	var fillers []geminitest.Quota
	for i := range 32 {
		fillers = append(fillers, geminitest.Quota{ID: fmt.Sprintf("Other%d", i), Metric: fmt.Sprintf("x/other_%d", i), Values: []geminitest.QuotaValue{{Value: 1}}})
	}
	google = geminitest.NewServer(t, geminitest.Config{
		QuotaPage: 10, Models: []string{"gemini-3.5-flash", "gemini-3.6-flash", "gemini-3.1-flash-lite"},
		Projects: []geminitest.Project{
			{
				ID: "acme-studio", Keys: []string{"the-studio-key"}, Tokens: []string{"the-studio-token"}, Quotas: fillers,
				Limits: []geminitest.Limit{{Model: "gemini-3.5-flash", RPM: 1_000, TPM: 2_000_000, Paid: true}, {Model: "gemini-3.6-flash", RPM: 150, RPD: 5_000, Paid: true}},
			},
			{
				ID: "acme-prod", Tokens: []string{"the-prod-token"},
				Orders: []geminitest.Order{
					{Model: "gemini-3.5-flash", Location: "europe-west4", GSUs: 10}, {Model: "gemini-3.1-flash-lite", Location: "us", GSUs: 3},
				},
			},
			{
				ID: "acme-closed", Keys: []string{"the-closed-key"}, Tokens: []string{"the-closed-token"},
				Denied: []string{"cloudquotas.quotas.get", "serviceusage.quotas.get"},
			},
		},
	})
	t.Setenv("STUDIO_KEY", "the-studio-key")
	t.Setenv("STUDIO_TOKEN", "the-studio-token")
	t.Setenv("PROD_TOKEN", "the-prod-token")
	t.Setenv("CLOSED_TOKEN", "the-closed-token")
	t.Setenv("KEY_1_OF_CLOSED", "the-closed-key")
	file = filepath.Join(t.TempDir(), "spillway.toml")
	text := strings.ReplaceAll(`
[[project]]
name         = "studio"
backend      = "gemini"
project_id   = "acme-studio"
keys         = ["env:STUDIO_KEY"]
credentials  = "env:STUDIO_TOKEN"
base_url     = "URL"
discover     = true
discover_url = "URL"

[[project.limits]]
model = "gemini-3.5-*"
rpm   = 800

[[project]]
name         = "prod"
backend      = "vertex"
project_id   = "acme-prod"
credentials  = "env:PROD_TOKEN"
locations    = ["europe-west4"]
base_url     = "URL"
discover     = true
discover_url = "URL"

[[project.provisioned]]
model    = "gemini-3.6-flash"
location = "europe-west4"
gsus     = 1
overflow = "vertex"

[[project]]
name         = "closed"
backend      = "gemini"
project_id   = "acme-closed"
keys         = ["the-closed-key"]
credentials  = "env:CLOSED_TOKEN"
base_url     = "URL"
discover     = true
discover_url = "URL"
`, "URL", google.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return google, file
}

// noSecrets fails if a credential of the bench is in a text.
func noSecrets(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"the-studio-key", "the-closed-key", "-token"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown:\n%s", secret, text)
		}
	}
}

func TestDiscoverPrintsAFileThatCheckTakes(t *testing.T) {
	google, file := discoveryBench(t)
	var stdout, stderr strings.Builder
	if status := run(t.Context(), []string{"discover", file}, &stdout, &stderr); status != statusFailed {
		t.Errorf("status %d, want %d: one project could not be read", status, statusFailed)
	}
	noSecrets(t, stdout.String()+stderr.String())
	if n := google.CountStatus(geminitest.Match{Project: "acme-studio", Method: "quotaInfos.list"}, 200); n != 4 {
		t.Errorf("40 quotas were read in %d pages, want 4", n)
	}
	const grant = "gcloud projects add-iam-policy-binding acme-closed --member=serviceAccount:EMAIL --role=roles/cloudquotas.viewer"
	if !strings.Contains(stderr.String(), "closed: the limits cannot be read") || !strings.Contains(stderr.String(), grant) {
		t.Errorf("what is missing is not named:\n%s", stderr.String())
	}
	got := strings.ReplaceAll(strings.ReplaceAll(stdout.String(), google.URL, "URL"), file, "FILE")
	compareGolden(t, "discover", got)

	printed := filepath.Join(filepath.Dir(file), "printed.toml")
	if err := os.WriteFile(printed, []byte(stdout.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout.Reset()
	stderr.Reset()
	if status := run(t.Context(), []string{"check", printed}, &stdout, &stderr); status != statusOK {
		t.Errorf("check says %d: %s", status, stderr.String())
	}
	if status := run(t.Context(), []string{"check", file, "gemini-3.5-flash", "--probe"}, &stdout, &stderr); status != statusOK {
		t.Errorf("calls have the keys, but a probe of the file says %d: %s", status, stderr.String())
	}
	for _, want := range []string{"10 GSUs", "rpm 800, tpm 2,000,000", "rpm 150, rpd 5,000"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("check does not show %s:\n%s", want, stdout.String())
		}
	}
}

// A file does not have what Google shows if nothing could be read.
func TestDiscoverDoesNotCompareWhatItCouldNotRead(t *testing.T) {
	t.Setenv("STUDIO_KEY", "the-studio-key")
	file := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(file, []byte("[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"env:STUDIO_KEY\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, text := transcript(t.Context(), "discover", file)
	if status != statusFailed || strings.Contains(text, "has what Google shows") || !strings.Contains(text, "# What could not be read is not compared.") {
		t.Errorf("status %d:\n%s", status, text)
	}
}

// compareGolden compares a text with testdata/NAME.want.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".want")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDiscoverTellsProgramsTheSame(t *testing.T) {
	_, file := discoveryBench(t)
	var stdout, stderr strings.Builder
	run(t.Context(), []string{"discover", file, "--json"}, &stdout, &stderr)
	noSecrets(t, stdout.String())
	var got discoveredJSON
	if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Projects) != 3 || len(got.Projects[0].Limits) != 2 || got.Projects[0].Tier != "paid" || len(got.Projects[1].Orders) != 2 ||
		got.Projects[2].Limits != nil || len(got.Projects[2].Problems) == 0 || got.Projects[2].Problems[0].Role != "roles/cloudquotas.viewer" {
		t.Errorf("got %s", stdout.String())
	}
	if !slices.Contains(got.Differences, difference{"studio", "~", "gemini-3.5-flash rpm is 800 in the file, and 1,000 at Google"}) {
		t.Errorf("differences %+v", got.Differences)
	}
	if _, err := config.Parse("printed", []byte(got.TOML)); err != nil {
		t.Errorf("the file has mistakes: %v", err)
	}
}

func TestDiscoverWithoutCredentialsSaysWhatToDo(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	t.Setenv("STUDIO_KEY", "the-studio-key")
	file := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(file, []byte("[[project]]\nname = \"keys-alone\"\nbackend = \"gemini\"\nkeys = [\"env:STUDIO_KEY\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"discover", file}, "write discover = true and project_id into the project"},
		{[]string{"discover", "--project", "acme-prod"}, "gcloud auth application-default login"},
	} {
		var stdout, stderr strings.Builder
		if status := run(t.Context(), append(test.args, "--timeout", "1s"), &stdout, &stderr); status != statusFailed || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%q: status %d\n%s", test.args, status, stderr.String())
		}
	}
}

// What the file declares must not get lost: every field of a project has to come back.
func TestDiscoverPrintsAllThatAFileDeclares(t *testing.T) {
	t.Setenv("KEY_1_OF_ALL", "a-key-for-this-test")
	for _, backend := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
		var p pool.Project
		fill(t, reflect.ValueOf(&p).Elem(), "project")
		p.Name, p.Backend, p.ProjectID, p.BaseURL, p.DiscoverURL = "all", backend, "acme-all", "http://127.0.0.1:1", "http://127.0.0.1:2"
		p.Keys, p.Credentials = []pool.Secret{pool.NewSecret("a-key-for-this-test")}, nil
		p.Models, p.Locations = []string{"gemini-*"}, []string{"europe-west4", "us"}
		p.OnDemand, p.BatchOnDemand = []string{pool.TierStandard, pool.TierPriority}, []string{pool.TierFlex, pool.TierStandard}
		p.Provisioned[0].Until = p.Provisioned[0].From.AddDate(0, 1, 0)
		p.Provisioned[0].Location, p.Provisioned[0].Overflow = "eu", pool.OverflowVertex
		if backend == pool.BackendGemini {
			p.Locations, p.Provisioned = nil, nil
		}
		cfg := &config.Config{Pool: pool.Config{Projects: []pool.Project{p}}}
		text := tomlOf(cfg, []discoveredProject{{Project: p, facts: discover.Facts{}}})
		if backend == pool.BackendVertex {
			text = strings.Replace(text, `project_id = `, "keys = [\"env:KEY_1_OF_ALL\"]\nproject_id = ", 1)
		} else {
			text = strings.Replace(text, "GEMINI_API_KEY", "KEY_1_OF_ALL", 1)
		}
		got, err := config.Parse("printed", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		same := cmp.Comparer(func(a, b pool.Secret) bool { return a.Reveal() == b.Reveal() })
		if diff := cmp.Diff(p, got.Pool.Projects[0], same); diff != "" {
			t.Errorf("-declared +printed:\n%s", diff)
		}
	}
}

// fill gives every field a value.
func fill(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		switch v.Type() {
		case reflect.TypeFor[pool.Secret]():
			return
		case reflect.TypeFor[time.Time]():
			v.Set(reflect.ValueOf(time.Date(2027, 1, 31, 6, 0, 0, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				t.Fatalf("%s is a %s: teach discover to print it, and this test to fill it", path, v.Type())
			}
			fill(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), path+"[0]")
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), path)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
		if v.Type() == reflect.TypeFor[time.Duration]() {
			v.SetInt(int64(7 * time.Second))
		}
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Interface:
	default:
		t.Fatalf("%s is of kind %s: teach discover to print it, and this test to fill it", path, v.Kind())
	}
}

func TestStatusSaysWhereALimitIsKnownFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{
			ID: "a", Keys: []string{"KEY_OF_A"}, Tokens: []string{"token-of-a"}, Limits: []geminitest.Limit{{RPM: 60, TPM: 1_000_000, RPD: 700}},
		}}})
		t.Setenv("TOKEN_OF_A", "token-of-a")
		r := startRouter(t, `
[[project]]
name        = "a"
backend     = "gemini"
keys        = ["env:KEY_OF_A"]
project_id  = "a"
credentials = "env:TOKEN_OF_A"
discover    = true

[[project.limits]]
tpm = 5_000
`, google)
		defer func() { _ = r.Close() }()
		time.Sleep(2 * time.Second)
		google.Script(geminitest.Match{Method: "generateContent"}, geminitest.DayQuota("gemini-3.5-flash", 500, time.Minute))
		generate(t, r, "gemini-3.5-flash")
		got := map[string]string{}
		for _, e := range snapshotOf(r).Endpoints {
			for _, l := range e.Limits {
				got[l.Name] = fmt.Sprint(l.Limit, " ", l.From)
			}
		}
		want := map[string]string{"rpm": "60 discovered", "tpm": "5000 declared", "rpd": "500 learned"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestDiscoverCanBeTriedOnTheEmulator(t *testing.T) {
	google := geminitest.NewServer(t, emulated)
	t.Setenv("SMALL_TOKEN", "small-token")
	t.Setenv("LARGE_TOKEN", "large-token")
	text := fmt.Sprintf(snippet, google.URL)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		for _, key := range []string{"discover ", "discover_url", "project_id", "credentials"} {
			if setting, ok := strings.CutPrefix(line, "#   "+key); ok {
				lines = append(lines, key+setting)
			}
		}
	}
	small := strings.Join(lines, "\n") + "\n"
	large := strings.NewReplacer("small", "large", "SMALL", "LARGE").Replace(small)
	for _, own := range []string{small, large} { // each below the head of its project
		text = strings.Replace(text, "[[project]]\nname", "[[project]]\n"+own+"name", 1)
	}
	file := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	status := run(t.Context(), []string{"discover", file}, &stdout, &stderr)
	if len(lines) != 4 || !strings.Contains(stdout.String(), "# small: free tier") || !strings.Contains(stdout.String(), "rpm = 10\n") ||
		!strings.Contains(stdout.String(), "# large: ") || status != 0 || stderr.Len() > 0 {
		t.Errorf("status %d with %d settings\n%s\n%s", status, len(lines), stdout.String(), stderr.String())
	}
}
