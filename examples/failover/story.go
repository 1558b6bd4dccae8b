package main

import (
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// length is how long the story takes.
const length = 14 * time.Second

// act is an event of the story.
type act struct {
	at      time.Duration // whole seconds from the beginning
	remark  string
	happens func()
}

// story returns what happens to the service and to Google, in the order of time.
func story(google *geminitest.Emulator, traffic *load) []act {
	const region = "europe-west4"
	return []act{
		{0, "30 calls a second: the order takes them all", func() { traffic.rate.Store(30) }},
		{2 * time.Second, "the load doubles: the order is full, the rest goes on demand", func() { traffic.rate.Store(60) }},
		{4 * time.Second, "a key of spare is revoked: the project's other key takes over", func() { google.Revoke(keys["SPARE_KEY_1"]) }},
		{6 * time.Second, "the day quota of spare runs out: prod goes on alone", func() {
			google.Keep(geminitest.Match{Project: "acme-spare"}, geminitest.PaidDayQuota(model, 10_000, 9*time.Hour))
		}},
		{8 * time.Second, region + " fails, and the order with it: all goes to global", func() { google.Outage(region, true) }},
		{10 * time.Second, region + " recovers, and the order with it, once a probe succeeds", func() { google.Outage(region, false) }},
	}
}
