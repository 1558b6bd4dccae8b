package config

import (
	"slices"
	"strings"
)

// elsewhere holds fixes for words that are no misspellings: synonyms, and keys of other tables.
var elsewhere = map[string]string{
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
	"gsus":              "it in [[project.provisioned]]",
	"tokens_per_second": "it in [[project.provisioned]]",
	"overflow":          "it in [[project.provisioned]]",
	"burndown":          "it in [[project.provisioned]]",
	"failures":          "it in [breaker]",
	"max_open":          "it in [breaker]",
	"budget":            "it in [router.retry]",
	"policy":            "it in [router]",
	"max_attempts":      "it in [router]",
	"max_wait":          "it in [router]",
	"origins":           "it in [serve]",
	"hosts":             "it in [serve]",
}

// nearest returns the word of known that text most likely misspells.
func nearest(text string, known []string) (string, bool) {
	plain := strings.ReplaceAll(strings.ToLower(text), "-", "_")
	best, fewest := "", len(plain)
	for _, word := range known {
		if d := distance(plain, word); d < fewest {
			best, fewest = word, d
		}
	}
	// A third of the letters may be wrong; in short words, one.
	return best, best != "" && fewest <= max(1, min(len(plain), len(best))/3)
}

// distance counts the letters to insert, drop, replace or swap with their neighbour to turn a into
// b. Words that differ by more than eight letters in length are not misspellings: their distance is
// the longer length.
func distance(a, b string) int {
	if d := len(a) - len(b); d > 8 || d < -8 {
		return max(len(a), len(b))
	}
	width := len(b) + 1
	cost := make([]int, (len(a)+1)*width)
	for i := range len(a) + 1 {
		for j := range width {
			switch {
			case i == 0:
				cost[j] = j
				continue
			case j == 0:
				cost[i*width] = i
				continue
			}
			replace := cost[(i-1)*width+j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			cost[i*width+j] = min(replace, cost[(i-1)*width+j]+1, cost[i*width+j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cost[i*width+j] = min(cost[i*width+j], cost[(i-2)*width+j-2]+1)
			}
		}
	}
	return cost[len(cost)-1]
}

// listing joins words as "a, b, c" in alphabetical order.
func listing(words []string) string {
	return strings.Join(slices.Sorted(slices.Values(words)), ", ")
}
