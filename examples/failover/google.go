package main

import (
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// keys are the environment variables of the story.
var keys = map[string]string{
	"PROD_KEY":    "the-key-of-prod",
	"SPARE_KEY_1": "the-first-key-of-spare",
	"SPARE_KEY_2": "the-second-key-of-spare",
}

func lookup(name string) (string, bool) {
	key, ok := keys[name]
	return key, ok
}

// newGoogle returns the Google of the story. The emulator knows what Spillway has to learn: the
// order is enforced over one second, and serves about 40 of our calls a second.
func newGoogle() *geminitest.Emulator {
	return geminitest.New(geminitest.Config{
		Projects: []geminitest.Project{
			{
				ID: "acme-prod", Keys: []string{keys["PROD_KEY"]},
				Orders: []geminitest.Order{{Model: model, Location: "europe-west4", GSUs: 170, Window: time.Second}},
			},
			{ID: "acme-spare", Keys: []string{keys["SPARE_KEY_1"], keys["SPARE_KEY_2"]}},
		},
		Output:  outputTokens,
		Latency: geminitest.Latency{FirstToken: 100 * time.Millisecond, PerToken: time.Millisecond, Jitter: 0.3},
	})
}
