package config

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/spelling"
)

// listed is the day of the lists of locations and models in this package. What Google has added
// since is unknown here. It works all the same and gets a warning.
const listed = "2026-11-25"

// areas are the locations of Vertex AI, each with its area: the multi-region that it belongs to,
// else its country. Sources, as of the day above: docs.cloud.google.com/compute/docs/regions-zones
// and docs.cloud.google.com/vertex-ai/docs/general/locations. London and Zurich are in Europe, but
// not in the European Union, whose multi-region is "eu".
var areas = map[string]string{
	"global": "global",

	"us": "us", "us-central1": "us", "us-east1": "us", "us-east4": "us", "us-east5": "us", "us-south1": "us",
	"us-west1": "us", "us-west2": "us", "us-west3": "us", "us-west4": "us",

	"eu": "eu", "europe-central2": "eu", "europe-north1": "eu", "europe-north2": "eu", "europe-southwest1": "eu",
	"europe-west1": "eu", "europe-west3": "eu", "europe-west4": "eu", "europe-west8": "eu", "europe-west9": "eu",
	"europe-west10": "eu", "europe-west12": "eu",

	"europe-west2": "the United Kingdom", "europe-west6": "Switzerland",
	"northamerica-northeast1": "Canada", "northamerica-northeast2": "Canada", "northamerica-south1": "Mexico",
	"southamerica-east1": "Brazil", "southamerica-west1": "Chile",
	"asia-east1": "Taiwan", "asia-east2": "Hong Kong",
	"asia-northeast1": "Japan", "asia-northeast2": "Japan", "asia-northeast3": "Korea",
	"asia-south1": "India", "asia-south2": "India",
	"asia-southeast1": "Singapore", "asia-southeast2": "Indonesia", "asia-southeast3": "Thailand",
	"australia-southeast1": "Australia", "australia-southeast2": "Australia",
	"me-central1": "Qatar", "me-central2": "Saudi Arabia", "me-west1": "Israel", "africa-south1": "South Africa",
}

// areaOf returns the area of a location. An unknown region is an area of its own, unless its name
// says that it is in the United States.
func areaOf(location string) string {
	if area, ok := areas[location]; ok {
		return area
	}
	if strings.HasPrefix(location, "us-") {
		return "us"
	}
	return location
}

// KnownLocation reports whether a location of Vertex AI was known when this package was made. If not,
// meant is the one that it most likely misspells, or "". An unknown location may be newer.
func KnownLocation(name string) (known bool, meant string) {
	if _, known = areas[name]; !known {
		meant, _ = nearestLocation(name)
	}
	return known, meant
}

// continents are beginnings of regions as other clouds and people write them, and as Google does.
var continents = [][2]string{
	{"eu-", "europe-"}, {"usa-", "us-"}, {"na-", "northamerica-"}, {"sa-", "southamerica-"},
	{"ap-", "asia-"}, {"au-", "australia-"}, {"af-", "africa-"},
}

// nearestLocation returns the location that an unknown one most likely misspells.
func nearestLocation(location string) (string, bool) {
	for _, c := range continents {
		if rest, ok := strings.CutPrefix(location, c[0]); ok {
			location = c[1] + rest
		}
	}
	if _, ok := areas[location]; ok {
		return location, true
	}
	return closest(location, slices.Sorted(maps.Keys(areas)))
}

// matchesLocation reports whether a glob matches a known location.
func matchesLocation(glob string) bool {
	for location := range areas {
		if ok, _ := path.Match(glob, location); ok {
			return true
		}
	}
	return false
}

// closest returns the word that text most likely misspells: at most two letters of it are wrong,
// and at least five in six are right.
func closest(text string, words []string) (string, bool) {
	best, fewest := "", min(2, len(text)/6)+1
	for _, word := range words {
		if d := spelling.Distance(text, word); d < fewest {
			best, fewest = word, d
		}
	}
	return best, best != ""
}
