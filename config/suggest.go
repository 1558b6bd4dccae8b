package config

import (
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/spelling"
)

// elsewhere holds fixes for words that are no misspellings: synonyms, and keys of other tables.
var elsewhere = map[string]string{ //nolint:gosec // names of keys, no credentials
	"key":               `keys = ["env:NAME"]`,
	"api_key":           `keys = ["env:NAME"]`,
	"api_keys":          `keys = ["env:NAME"]`,
	"region":            "location in [[project.provisioned]], locations in [[project]]",
	"regions":           "locations in [[project]]",
	"url":               "base_url in [[project]]",
	"endpoint":          "base_url in [[project]]",
	"rpm":               "it in [[project.limits]]",
	"tpm":               "it in [[project.limits]]",
	"rpd":               "it in [[project.limits]]",
	"concurrency":       "it in [[project.limits]]",
	"from":              "it in [[project.provisioned]]",
	"until":             "it in [[project.provisioned]]",
	"gsus":              "it in [[project.provisioned]]",
	"tokens_per_second": "it in [[project.provisioned]]",
	"overflow":          "it in [[project.provisioned]]",
	"burndown":          "it in [[project.provisioned]]",
	"service_tier":      "on_demand in [[project]]",
	"service_tiers":     "on_demand in [[project]]",
	"failures":          "it in [breaker]",
	"max_open":          "it in [breaker]",
	"budget":            "it in [router.retry]",
	"policy":            "it in [router]",
	"max_attempts":      "it in [router]",
	"max_wait":          "it in [router]",
	"origins":           "it in [serve]",
	"hosts":             "it in [serve]",
	"listen":            "it in [serve]",
	"admin":             "it in [serve]",
	"token":             "it in [[serve.token]]",
	"tokens":            "[[serve.token]]",
	"redis":             "it in [store]",
	"prefix":            "it in [store]",
	"share":             "it in [store]",
	"calls":             "it in [log]",
	"level":             "it in [log]",
	"format":            "it in [log]",
}

// nearest returns the word of known that text most likely misspells.
func nearest(text string, known []string) (string, bool) {
	return spelling.Nearest(strings.ReplaceAll(text, "-", "_"), known)
}

// listing joins words as "a, b, c" in alphabetical order.
func listing(words []string) string {
	return strings.Join(slices.Sorted(slices.Values(words)), ", ")
}
