package spillway_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// A file names its keys by environment variable. Here the emulator replaces Google; without the
// option, calls go to Google.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "spillway")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "spillway.toml")
	err = os.WriteFile(path, []byte(`
[[project]]
name    = "studio"
backend = "gemini"
keys    = ["env:EXAMPLE_KEY"]
`), 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	os.Setenv("EXAMPLE_KEY", "a-key")
	defer os.Unsetenv("EXAMPLE_KEY")
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "studio", Keys: []string{"a-key"}},
	}})

	ctx := context.Background()
	client, err := spillway.Open(ctx, path, router.WithTransport(google))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	resp, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", genai.Text("hi"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.Text() != "", resp.SDKHTTPResponse.Headers.Get("Spillway-Endpoint"))
	// Output: true studio/global/on_demand
}

// A pool made in Go. The first project has no quota left, which the caller does not see.
func ExampleNew() {
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"key-of-main"}},
		{ID: "other", Keys: []string{"key-of-other"}},
	}})
	google.Keep(geminitest.Match{Project: "main"}, geminitest.DayQuota("gemini-3.5-flash", 20, 0))

	ctx := context.Background()
	keys := func(key string) []pool.Secret { return []pool.Secret{pool.NewSecret(key)} }
	cfg := &config.Config{Pool: pool.Config{Projects: []pool.Project{
		{Name: "main", Backend: pool.BackendGemini, Keys: keys("key-of-main")},
		{Name: "other", Backend: pool.BackendGemini, Keys: keys("key-of-other"), Priority: 1},
	}}}
	client, err := spillway.New(ctx, cfg, router.WithTransport(google))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for range 2 {
		resp, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", genai.Text("hi"), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		h := resp.SDKHTTPResponse.Headers
		fmt.Println(h.Get("Spillway-Endpoint"), "after", h.Get("Spillway-Attempts"), "requests")
	}
	fmt.Println(client.Router.Stat().Endpoints[0].Cooldown.Class)
	// Output:
	// other/global/on_demand after 2 requests
	// other/global/on_demand after 1 requests
	// day_quota
}

// All mistakes in a file are reported at once, each with its line.
func ExampleNew_mistakes() {
	_, err := config.Parse("spillway.toml", []byte(`
[[project]]
name    = "studio"
backend = "gemini"
keys    = ["env:A_VARIABLE_THAT_IS_NOT_SET"]
rpm     = 10
`))
	fmt.Println(err)
	// Output:
	// spillway.toml:5: keys[0]: the environment variable A_VARIABLE_THAT_IS_NOT_SET is not set; set A_VARIABLE_THAT_IS_NOT_SET before starting, or leave this out
	// spillway.toml:6: unknown key: rpm does not belong here; write it in [[project.limits]]
}

// Embeddings are what a response cache suits best: the second call makes no request.
func ExampleNew_cache() {
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"a-key"}}}})
	ctx := context.Background()
	client, err := spillway.New(ctx, &config.Config{
		Pool: pool.Config{Projects: []pool.Project{
			{Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("a-key")}},
		}},
		Router: router.Config{Caches: []router.Cache{{Model: "gemini-embedding-*", TTL: 24 * time.Hour}}},
	}, router.WithTransport(google))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for range 2 {
		resp, err := client.Models.EmbedContent(ctx, "gemini-embedding-001", genai.Text("What is a spillway?"), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(resp.Embeddings), resp.SDKHTTPResponse.Headers.Get("Spillway-Cache"))
	}
	// Output:
	// 1 miss
	// 1 hit
}
