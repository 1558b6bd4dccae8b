package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
)

// TestEmulatePrintsAFileThatUsesIt starts the emulator, makes a client of what it prints, and goes
// over from one project to the other.
func TestEmulatePrintsAFileThatUsesIt(t *testing.T) {
	t.Parallel() // the emulator takes its time to answer
	for _, backend := range []string{"gemini", "vertex"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			reader, writer := io.Pipe()
			ended := make(chan int, 1)
			var stderr strings.Builder
			go func() {
				ended <- run(ctx, []string{"emulate", "--listen", "127.0.0.1:0"}, writer, &stderr)
				_ = writer.Close()
			}()
			file := firstLines(reader, strings.Count(snippet, "\n"))
			if backend == "vertex" {
				file = strings.ReplaceAll(file, `"gemini"`, `"vertex"`)
			}
			cfg, err := config.Parse("printed", []byte(file))
			if err != nil {
				t.Fatalf("%v in\n%s\nstderr: %s", err, file, stderr.String())
			}
			client, err := spillway.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			answered := map[string]int{}
			for range 12 {
				resp, err := client.Models.GenerateContent(t.Context(), "gemini-2.5-flash", genai.Text("Hello"), nil)
				if err != nil {
					t.Fatal(err)
				}
				answered[resp.SDKHTTPResponse.Headers.Get("Spillway-Endpoint")]++
			}
			// Ten calls a minute are small's, on the global endpoint that both back ends are asked
			// at. The minute may end in between.
			if small := answered["small/global/on_demand"]; small < 10 || small+answered["large/global/on_demand"] != 12 {
				t.Errorf("answered by %v", answered)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			stop()
			if status := <-ended; status != 0 {
				t.Errorf("emulate ended with %d: %s", status, stderr.String())
			}
		})
	}
}

// firstLines reads n lines.
func firstLines(r io.Reader, n int) string {
	var b strings.Builder
	lines := bufio.NewScanner(r)
	for range n {
		if !lines.Scan() {
			break
		}
		b.WriteString(lines.Text() + "\n")
	}
	return b.String()
}
