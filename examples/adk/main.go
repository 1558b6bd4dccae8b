// ADK is an agent of Google's Agent Development Kit whose model calls go through Spillway. It
// answers a question with the help of a function. While the function runs, the key that served the
// first model call is revoked. Another project serves the next one, and the agent does not notice.
//
//	go run .        # without keys, on the emulator
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"google.golang.org/adk/model/gemini"
	"google.golang.org/adk/tool"
	"google.golang.org/adk/tool/functiontool"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "adk:", err)
		os.Exit(1)
	}
}

// pooled is the configuration that a service would read from spillway.toml.
var pooled = config.Config{Pool: pool.Config{Projects: []pool.Project{
	{Name: "main", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("main-key")}},
	{Name: "spare", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("spare-key")}, Priority: 1},
}}}

// run asks the agent. It fails if the function was not called, the answer lacks the function's
// result, or one project has served all calls.
func run(ctx context.Context, out io.Writer) error {
	google := emulated()
	client, err := spillway.New(ctx, &pooled, router.WithTransport(google))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()

	// The only lines for Spillway: ADK makes its model from our ClientConfig. The witness prints
	// which endpoint responds.
	cc := client.ClientConfig()
	seen := &witness{RoundTripper: cc.HTTPClient.Transport, out: out}
	cc.HTTPClient = &http.Client{Transport: seen}
	model, err := gemini.NewModel(ctx, "gemini-3.5-flash", &cc)
	if err != nil {
		return err
	}

	calls := 0
	gauge, err := functiontool.New(functiontool.Config{Name: "water_level", Description: "Tells the water level of a dam, in metres."},
		func(_ tool.Context, asked question) (level, error) {
			calls++
			_, _ = fmt.Fprintf(out, "function  water_level(%q), and the key of main is revoked\n", asked.Dam)
			google.Revoke("main-key")
			return level{Metres: 512.5}, nil
		})
	if err != nil {
		return err
	}
	answer, err := ask(ctx, model, gauge, "How high does the water stand at the Upper Dam?")
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "agent     %s\n", answer)

	// The emulator's model follows its script. Only its last request shows whether it got the
	// function's result.
	requests := google.Requests()
	heard := string(requests[len(requests)-1].Body)
	switch {
	case calls != 1:
		return fmt.Errorf("the function was called %d times, want once", calls)
	case !strings.Contains(answer, "512.5"):
		return fmt.Errorf("the answer is %q and lacks the water level", answer)
	case !strings.Contains(heard, "functionResponse") || !strings.Contains(heard, "512.5"):
		return fmt.Errorf("the model did not get the function's result: %s", heard)
	case strings.Join(seen.endpoints, " ") != "main/global/on_demand spare/global/on_demand":
		return fmt.Errorf("served by %v, want main and then spare", seen.endpoints)
	}
	return nil
}
