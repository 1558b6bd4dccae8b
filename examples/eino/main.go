// Eino chats through Spillway. Eino's Gemini model takes the SDK's client, and a spillway.Client
// contains one. Between a response and a stream the key that served the first is revoked. Another
// project serves the stream, and Eino does not notice.
//
//	go run .        # without keys, on the emulator
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cloudwego/eino-ext/components/model/gemini"
	"github.com/cloudwego/eino/schema"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "eino:", err)
		os.Exit(1)
	}
}

// pooled is the configuration that a service would read from spillway.toml.
var pooled = config.Config{Pool: pool.Config{Projects: []pool.Project{
	{Name: "main", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("main-key")}},
	{Name: "spare", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("spare-key")}, Priority: 1},
}}}

// run has a chat of two turns. It fails if one of them got no response, or from the wrong project.
func run(ctx context.Context, out io.Writer) error {
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
	}})
	client, err := spillway.New(ctx, &pooled, router.WithTransport(google))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()

	// The only line for Spillway: Eino gets the client inside spillway.Client.
	model, err := gemini.NewChatModel(ctx, &gemini.Config{Client: client.Client, Model: "gemini-3.5-flash"})
	if err != nil {
		return err
	}

	chat := []*schema.Message{schema.UserMessage("Why do dams have spillways?")}
	answer, err := model.Generate(ctx, chat)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "answer  %s\n", answer.Content)

	google.Revoke("main-key")
	_, _ = fmt.Fprintln(out, "        the key of main is revoked")
	chat = append(chat, answer, schema.UserMessage("And how wide are they?"))
	pieces, err := model.Stream(ctx, chat)
	if err != nil {
		return err
	}
	defer pieces.Close()
	var streamed strings.Builder
	for {
		piece, err := pieces.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		streamed.WriteString(piece.Content)
		_, _ = fmt.Fprintf(out, "stream  %s\n", piece.Content)
	}

	// Eino does not show a response's headers; the emulator records which project was asked.
	var asked []string
	for _, r := range google.Requests() {
		asked = append(asked, fmt.Sprintf("%s %d", r.Project, r.Status))
	}
	_, _ = fmt.Fprintf(out, "Google was asked: %s\n", strings.Join(asked, ", "))
	switch {
	case answer.Content == "" || streamed.Len() == 0:
		return errors.New("an answer is empty")
	case !slices.Equal(asked, []string{"main 200", "main 400", "spare 200"}):
		return fmt.Errorf("asked was %q; want main, main again and then spare", asked)
	}
	return nil
}
