// Keys asks questions with three API keys of two projects, and prints which project responded.
//
//	go run ./examples/keys -emulator        # without keys
//	go run ./examples/keys -n 3             # with the keys in the environment
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

//go:embed spillway.toml
var file []byte

func main() {
	emulator := flag.Bool("emulator", false, "ask the emulator, with keys of its own, instead of Google")
	n := flag.Int("n", 8, "how many questions to ask")
	flag.Parse()

	open := google
	if *emulator {
		open = emulated
	}
	if err := run(context.Background(), os.Stdout, open, *n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// google makes a client with the keys of the environment. If one is missing, the error names its
// variable.
func google(ctx context.Context) (*spillway.Client, error) {
	cfg, err := config.Parse("spillway.toml", file)
	if err != nil {
		return nil, err
	}
	return spillway.New(ctx, cfg)
}

// emulated makes a client over an emulator. Its first project has a free tier of 5 requests a
// minute, and its first key is revoked.
func emulated(ctx context.Context) (*spillway.Client, error) {
	keys := map[string]string{"GEMINI_MAIN_KEY_1": "main-1", "GEMINI_MAIN_KEY_2": "main-2", "GEMINI_OTHER_KEY": "other-1"}
	cfg, err := config.Parse("spillway.toml", file, config.WithEnv(func(name string) (string, bool) {
		key, ok := keys[name]
		return key, ok
	}))
	if err != nil {
		return nil, err
	}
	back := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main-1", "main-2"}, Limits: []geminitest.Limit{{RPM: 5}}},
		{ID: "other", Keys: []string{"other-1"}},
	}})
	back.Revoke("main-1")
	return spillway.New(ctx, cfg, router.WithTransport(back))
}

// run asks n questions, one after the other.
func run(ctx context.Context, out io.Writer, open func(context.Context) (*spillway.Client, error), n int) error {
	client, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	for i := range n {
		question := fmt.Sprintf("What is the square of %d? Answer with the number alone.", i)
		resp, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", genai.Text(question), nil)
		if err != nil {
			return fmt.Errorf("question %d: %w", i, err)
		}
		h := resp.SDKHTTPResponse.Headers
		_, _ = fmt.Fprintf(out, "question %d  %-24s requests: %s\n", i, h.Get("Spillway-Endpoint"), h.Get("Spillway-Attempts"))
	}
	return nil
}
