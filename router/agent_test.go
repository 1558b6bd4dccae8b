package router_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"google.golang.org/genai"
	agentmodels "google.golang.org/genai/interactions/models/agents"
	interactionmodels "google.golang.org/genai/interactions/models/interactions"
	"google.golang.org/genai/interactions/models/operations"

	"github.com/spillway-go/spillway/geminitest"
)

// runAgent lets an agent answer.
func runAgent(c *genai.Client, name string) error {
	_, err := c.Interactions.Create(context.Background(), operations.CreateInteractionRequest{Body: operations.NewCreateInteractionRequestBody(
		interactionmodels.CreateAgentInteraction{
			Agent: interactionmodels.AgentOption(name), Input: &interactionmodels.InteractionsInput{Str: new("hi"), Type: interactionmodels.InteractionsInputTypeStr},
		})})
	return err
}

// TestAgentsAreRunWhereTheyLive makes agents in many projects, and runs them, also after a restart;
// Google's own live everywhere.
func TestAgentsAreRunWhereTheyLive(t *testing.T) {
	for dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				projects := homesOf(dialect, 5)
				before := setup{}.bed(t, projects...)
				made := map[string]bool{}
				for i := range 10 {
					name := fmt.Sprint("agent-", i)
					if _, err := before.client(t).Agents.Create(anywhere(i), operations.CreateAgentRequest{Body: agentmodels.Agent{ID: &name}}); err != nil {
						t.Fatal(err)
					}
					for _, r := range before.Requests() {
						made[r.Project] = true
					}
					if err := runAgent(before.client(t), name); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				if err := runAgent(before.client(t), "deep-research-pro-preview-12-2025"); err != nil {
					t.Error(err)
				}
				if n := before.CountWrongOwner(geminitest.Match{}); n != 0 || len(made) < 3 {
					t.Errorf("%d of the requests went elsewhere; the agents live in %v", n, made)
				}

				after := setup{}.over(t, before.Emulator, projects...)
				for i := range 10 {
					if err := runAgent(after.client(t), fmt.Sprint("agent-", i)); err != nil {
						t.Errorf("after a restart, agent %d: %v", i, err)
					}
				}
				if n := before.CountWrongOwner(geminitest.Match{Method: "interactions.create"}); n != 0 {
					t.Errorf("after a restart, %d agents were run elsewhere", n)
				}
			})
		})
	}
}
