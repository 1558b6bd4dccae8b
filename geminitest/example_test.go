package geminitest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
)

// The SDK, unmodified, against an emulated project that may make one request a minute.
func Example() {
	google := geminitest.New(geminitest.Config{
		Projects: []geminitest.Project{{ID: "studio", Keys: []string{"key-1"}, Limits: []geminitest.Limit{{RPM: 1}}}},
	})
	ctx := context.Background()
	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		Backend: genai.BackendGeminiAPI, APIKey: "key-1", HTTPClient: google.Client(),
	})
	if err != nil {
		panic("no client")
	}
	// The minute begins at an unknown second, so of three calls in a row at least one meets its limit, whenever
	// they come.
	var problem genai.APIError
	for range 3 {
		_, err = client.Models.GenerateContent(ctx, "gemini-3.5-flash", genai.Text("How high is the dam?"), nil)
		errors.As(err, &problem)
	}
	fmt.Println(problem.Code, problem.Status)
	fmt.Println(google.Count(geminitest.Match{Project: "studio"}), "requests")
	// Output:
	// 429 RESOURCE_EXHAUSTED
	// 3 requests
}

// Scripts say what goes wrong, and when.
func ExampleEmulator_Script() {
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"key-1"}}}})
	google.Script(geminitest.Match{Model: "gemini-*"},
		geminitest.Overloaded(), // the first call fails
		geminitest.MinuteQuota("gemini-3.5-flash", 10, time.Minute), // the second meets a quota
		geminitest.Answer{}, // the third is served
	)
	for range 3 {
		fmt.Println(ask{key: "key-1"}.do(context.Background(), google).status)
	}
	// Output:
	// 503
	// 429
	// 200
}

// Start serves the emulator on loopback, for programs of any language.
func ExampleStart() {
	server, err := geminitest.Start(geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"key-1"}}}})
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{
		Backend: genai.BackendGeminiAPI, APIKey: "key-1", HTTPOptions: genai.HTTPOptions{BaseURL: server.URL},
	})
	if err != nil {
		panic("no client")
	}
	answer, err := client.Models.CountTokens(context.Background(), "gemini-3.5-flash", genai.Text("How high is the dam?"), nil)
	fmt.Println(answer.TotalTokens, err)
	// Output: 5 <nil>
}
