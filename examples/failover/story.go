package main

import (
	_ "embed"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// story is a configuration, the Google that it meets, and what happens.
type story struct {
	file        []byte
	environment map[string]string
	google      func() *geminitest.Emulator
	acts        func(google *geminitest.Emulator, traffic *load) []act // in the order of time
	length      time.Duration
}

// lookup stands in for the environment.
func (s story) lookup(name string) (string, bool) {
	value, ok := s.environment[name]
	return value, ok
}

// act is an event of a story.
type act struct {
	at      time.Duration // whole seconds from the beginning
	remark  string
	happens func()
}

var (
	//go:embed spillway.toml
	ordersFile []byte
	//go:embed keys.toml
	keysFile []byte
)

// The environment variables of the stories.
var (
	orderKeys = map[string]string{
		"PROD_KEY":    "the-key-of-prod",
		"SPARE_KEY_1": "the-first-key-of-spare",
		"SPARE_KEY_2": "the-second-key-of-spare",
	}
	studioKeys = map[string]string{
		"GEMINI_KEY_1": "the-key-of-studio-1",
		"GEMINI_KEY_2": "the-key-of-studio-2",
	}
)

// orders is the story of a Provisioned Throughput order and a spare project.
var orders = story{file: ordersFile, environment: orderKeys, google: orderGoogle, length: 14 * time.Second, acts: func(
	google *geminitest.Emulator, traffic *load,
) []act {
	const region = "europe-west4"
	return []act{
		{0, "30 calls a second: the order takes them all", func() { traffic.rate.Store(30) }},
		{2 * time.Second, "the load doubles: the order is full, the rest goes on demand", func() { traffic.rate.Store(60) }},
		{4 * time.Second, "a key of spare is revoked: the project's other key takes over", func() { google.Revoke(orderKeys["SPARE_KEY_1"]) }},
		{6 * time.Second, "the day quota of spare runs out: prod goes on alone", func() {
			google.Keep(geminitest.Match{Project: "acme-spare"}, geminitest.PaidDayQuota(model, 10_000, 9*time.Hour))
		}},
		{8 * time.Second, region + " fails, and the order with it: all goes to global", func() { google.Outage(region, true) }},
		{10 * time.Second, region + " recovers, and the order with it, once a probe succeeds", func() { google.Outage(region, false) }},
	}
}}

// keys is the story of two API keys of two projects.
var keys = story{file: keysFile, environment: studioKeys, google: keysGoogle, length: 10 * time.Second, acts: func(
	google *geminitest.Emulator, traffic *load,
) []act {
	var next func()
	return []act{
		{0, "30 calls a second: the projects share them", func() { traffic.rate.Store(30) }},
		{2 * time.Second, "the minute quota of studio-1 is used up: studio-2 goes on alone", func() {
			next = google.Keep(geminitest.Match{Project: "studio-1"}, geminitest.PaidMinuteQuota(model, 2_000, 3*time.Second))
		}},
		{5 * time.Second, "the next minute begins: they share again", func() { next() }},
		{7 * time.Second, "the key of studio-2 is revoked: studio-1 goes on alone", func() { google.Revoke(studioKeys["GEMINI_KEY_2"]) }},
	}
}}
