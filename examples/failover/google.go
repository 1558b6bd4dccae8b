package main

import (
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

var latency = geminitest.Latency{FirstToken: 100 * time.Millisecond, PerToken: time.Millisecond, Jitter: 0.3}

// orderGoogle returns the Google of the orders. The emulator knows what Spillway has to learn: the
// order is enforced over one second, and serves about 40 of our calls a second.
func orderGoogle() *geminitest.Emulator {
	return geminitest.New(geminitest.Config{
		Projects: []geminitest.Project{
			{
				ID: "acme-prod", Keys: []string{orderKeys["PROD_KEY"]},
				Orders: []geminitest.Order{{Model: model, Location: "europe-west4", GSUs: 170, Window: time.Second}},
			},
			{ID: "acme-spare", Keys: []string{orderKeys["SPARE_KEY_1"], orderKeys["SPARE_KEY_2"]}},
		},
		Output: outputTokens, Latency: latency,
	})
}

// keysGoogle returns the Google of the two keys.
func keysGoogle() *geminitest.Emulator {
	return geminitest.New(geminitest.Config{
		Projects: []geminitest.Project{
			{ID: "studio-1", Keys: []string{studioKeys["GEMINI_KEY_1"]}},
			{ID: "studio-2", Keys: []string{studioKeys["GEMINI_KEY_2"]}},
		},
		Output: outputTokens, Latency: latency,
	})
}
