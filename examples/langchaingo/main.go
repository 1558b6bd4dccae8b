// Langchaingo chats through Spillway. Its Google AI model uses an older client of Google's than the
// official one, but takes an HTTP client; the router is its transport. Between a response and a
// stream the key that served the first is revoked. Another project serves the stream, and
// LangChainGo does not notice.
//
//	go run .        # without keys, on the emulator
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/googleai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "langchaingo:", err)
		os.Exit(1)
	}
}

// pooled is the configuration that a service would read from spillway.toml, with config.Load.
var pooled = pool.Config{Projects: []pool.Project{
	{Name: "main", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("main-key")}},
	{Name: "spare", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("spare-key")}, Priority: 1},
}}

// run has a chat of two turns. It fails if one of them got no response, or from the wrong project.
func run(ctx context.Context, out io.Writer) error {
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
	}})
	r, err := router.New(pooled, router.Config{}, router.WithTransport(google))
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()

	// The only lines for Spillway: the router under an HTTP client, and a key for a model that
	// requires one. No request carries that key.
	seen := &witness{RoundTripper: r}
	model, err := googleai.New(ctx, googleai.WithAPIKey("any"), googleai.WithRest(), googleai.WithHTTPClient(&http.Client{Transport: seen}),
		googleai.WithDefaultModel("gemini-3.5-flash"))
	if err != nil {
		return err
	}
	defer func() { _ = model.Close() }()

	chat := []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "Why do dams have spillways?")}
	answer, err := model.GenerateContent(ctx, chat)
	if err != nil {
		return err
	}
	first := answer.Choices[0].Content
	_, _ = fmt.Fprintf(out, "answer  %s\n", first)

	google.Revoke("main-key")
	_, _ = fmt.Fprintln(out, "        the key of main is revoked")
	chat = append(chat, llms.TextParts(llms.ChatMessageTypeAI, first), llms.TextParts(llms.ChatMessageTypeHuman, "And how wide are they?"))
	var streamed strings.Builder
	_, err = model.GenerateContent(ctx, chat, llms.WithStreamingFunc(func(_ context.Context, piece []byte) error {
		_, _ = fmt.Fprintf(out, "stream  %s\n", piece)
		_, err := streamed.Write(piece)
		return err
	}))
	if err != nil {
		return err
	}

	_, _ = fmt.Fprintf(out, "served by %s\n", strings.Join(seen.endpoints, ", "))
	switch {
	case first == "" || streamed.Len() == 0:
		return errors.New("an answer is empty")
	case !slices.Equal(seen.endpoints, []string{"main/global/on_demand", "spare/global/on_demand"}):
		return fmt.Errorf("served by %q, want main and then spare", seen.endpoints)
	}
	return nil
}

// witness records which endpoint responded.
type witness struct {
	http.RoundTripper
	endpoints []string // this program makes one call after the other
}

func (w *witness) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(req)
	if err == nil {
		w.endpoints = append(w.endpoints, resp.Header.Get("Spillway-Endpoint"))
	}
	return resp, err
}
