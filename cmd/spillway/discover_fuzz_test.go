package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/discover"
	"github.com/spillway-go/spillway/pool"
)

// cloud answers the requests of each API with a text, whose times are now.
type cloud struct {
	status int
	answer map[string]string // by the first word of the host
}

func (c cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	api, _, _ := strings.Cut(r.URL.Host, ".")
	text := strings.ReplaceAll(c.answer[api], "NOW", time.Now().UTC().Format(time.RFC3339))
	return &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

const secretToken = "the-token-of-a-test"

type oneToken struct{}

func (oneToken) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: secretToken}, nil
}

// FuzzDiscoverPrintsAFileThatCheckTakes checks that whatever Google's APIs answer, what discover prints
// is a file, shows no token that an answer echoes, and has no control characters.
func FuzzDiscoverPrintsAFileThatCheckTakes(f *testing.F) {
	const order = `{"timeSeries": [{"resource": {"labels": {"publisher": "google", "location": "us", "model_user_id": "gemini-3.5-flash"}},
		"points": [{"interval": {"endTime": "NOW"}, "value": {"int64Value": "3"}}]}]}`
	for _, model := range []string{"gemini-3.5-flash", `a\"b`, `\u0000\n`, "*", secretToken, "gemini-3.5-flash@001"} {
		f.Add(200, strings.NewReplacer("gemini-3.5-flash", model).Replace(order),
			`{"quotaInfos": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel", "metric": "generate_requests_per_model_per_minute",
			"refreshInterval": "minute", "dimensionsInfos": [{"dimensions": {"model": "`+model+`", "region": "us-central1"}, "details": {"value": "9223372036854775807"},
			"applicableLocations": ["us-central1"]}, {"details": {"value": -1}}]}], "nextPageToken": ""}`,
			`{"models": [{"name": "models/`+model+`", "supportedGenerationMethods": ["generateContent"]}], "publisherModels": [{"name": "x/`+model+`"}]}`)
	}
	f.Add(403, `{"error": {"message": "no \u001b[2J `+secretToken+`", "details": [{"reason": "SERVICE_DISABLED", "metadata": {"consumer": "projects/`+secretToken+`"}}]}}`, "<html>", "")
	const file = "[[project]]\nname = \"v\"\nbackend = \"vertex\"\ncredentials = \"none\"\nlocations = [\"us\", \"us-central1\"]\ndiscover = true\n" +
		"[[project]]\nname = \"g\"\nbackend = \"gemini\"\nproject_id = \"acme\"\nkeys = [\"env:FUZZ_KEY\"]\ndiscover = true\n"
	f.Setenv("FUZZ_KEY", "a-key-of-a-test")
	f.Fuzz(func(t *testing.T, status int, monitoring, quotas, models string) {
		if status < 200 || status == 408 || status == 429 || status >= 500 {
			t.Skip("no status, or one that is waited for")
		}
		cfg, err := config.Parse("file", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		google := cloud{status, map[string]string{
			"monitoring": monitoring, "cloudquotas": quotas, "serviceusage": quotas, "cloudbilling": models, "generativelanguage": models, "aiplatform": models,
		}}
		var all []discoveredProject
		for _, p := range cfg.Pool.Projects {
			s := discover.Source{ProjectID: p.ProjectID, Vertex: p.Backend == pool.BackendVertex, Locations: p.Locations, Tokens: oneToken{}, Transport: google}
			all = append(all, discoveredProject{Project: p, facts: discover.Read(t.Context(), s)})
		}
		flags := discoverFlags{file: "file"}
		text := flags.toml(cfg, all) + flags.differences(all)
		got, err := config.Parse("printed", []byte(text))
		if err != nil || len(got.Pool.Projects) != 2 {
			t.Errorf("%v\n%s", err, text)
		}
		if strings.Contains(text, secretToken) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }) {
			t.Errorf("it prints\n%q", text)
		}
	})
}
