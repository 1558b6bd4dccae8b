package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/adk/agent"
	"google.golang.org/adk/agent/llmagent"
	"google.golang.org/adk/model"
	"google.golang.org/adk/runner"
	"google.golang.org/adk/session"
	"google.golang.org/adk/tool"
	"google.golang.org/genai"
)

// question and level are the argument and the result of the function. ADK derives its schema from
// them.
type question struct {
	Dam string `json:"dam"`
}

type level struct {
	Metres float64 `json:"metres"`
}

// ask lets an agent with one function answer a question. Nothing here knows of Spillway.
func ask(ctx context.Context, llm model.LLM, function tool.Tool, question string) (string, error) {
	keeper, err := llmagent.New(llmagent.Config{
		Name: "keeper", Description: "Knows the dams.", Instruction: "Answer with the water level.", Model: llm, Tools: []tool.Tool{function},
	})
	if err != nil {
		return "", err
	}
	r, err := runner.New(runner.Config{
		AppName: "dams", Agent: keeper, SessionService: session.InMemoryService(), AutoCreateSession: true,
	})
	if err != nil {
		return "", err
	}
	var answer strings.Builder
	for event, err := range r.Run(ctx, "somebody", "a-session", genai.NewContentFromText(question, genai.RoleUser), agent.RunConfig{}) {
		switch {
		case err != nil:
			return "", err
		case event.Content == nil || !event.IsFinalResponse():
			continue
		}
		for _, part := range event.Content.Parts {
			answer.WriteString(part.Text)
		}
	}
	return answer.String(), nil
}

// witness records which endpoint responded.
type witness struct {
	http.RoundTripper
	out       io.Writer
	endpoints []string // an agent makes one call after the other
}

func (w *witness) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(req)
	if err == nil {
		h := resp.Header
		w.endpoints = append(w.endpoints, h.Get("Spillway-Endpoint"))
		_, _ = fmt.Fprintf(w.out, "model     %s, requests to Google: %s\n", h.Get("Spillway-Endpoint"), h.Get("Spillway-Attempts"))
	}
	return resp, err
}
