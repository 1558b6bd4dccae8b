package main

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// collections are what the Gemini API has, on either back end, each with the collections within one
// of its items. Everything else at Google that takes the pool's credential is not served: training
// jobs, notebooks, the project's settings. Sources: the SDK's methods, and
// https://ai.google.dev/api/all-methods.
var collections = map[string][]string{
	"models":              nil,
	"tunedModels":         {"permissions"},
	"files":               nil,
	"generatedFiles":      nil,
	"cachedContents":      nil,
	"batches":             nil,
	"operations":          nil,
	"fileSearchStores":    {"documents", "media"},
	"ragStores":           {"documents", "media"},
	"corpora":             {"documents", "permissions"},
	"documents":           {"chunks"},
	"dynamic":             nil,
	"auth_tokens":         nil,
	"authTokens":          nil,
	"interactions":        nil,
	"agents":              nil,
	"environments":        nil,
	"credentials":         nil,
	"voices":              nil,
	"webhooks":            nil,
	"triggers":            {"executions"},
	"endpoints":           nil,
	"batchPredictionJobs": nil,
	"tuningJobs":          nil,
	"ragCorpora":          {"ragFiles"},
}

// inner are the collections that exist only within an item.
var inner = []string{"documents", "permissions", "media", "chunks", "executions", "ragFiles"}

// served reports whether a path is one of the Gemini API's. It looks at what the router would send,
// not at what came.
func served(method string, u *url.URL) bool {
	call := request.Parse(method, u, nil)
	out := call.URL(request.Target{Backend: call.Backend, Project: "project", Location: "global"})
	segments := strings.Split(strings.TrimPrefix(out.Path, "/"), "/")
	if segments[0] == "upload" || segments[0] == "download" {
		segments = segments[1:]
	}
	switch {
	case len(segments) > 0 && version.MatchString(segments[0]):
		segments = segments[1:]
	case call.Backend != pool.BackendVertex && !slices.Contains(segments, "publishers"):
		return false // Vertex AI's clients of other makers leave the version to the base URL
	}
	segments = unscoped(segments)
	if len(segments) > 2 && segments[0] == "models" && (segments[1] == "publishers" || segments[1] == "projects") {
		segments = unscoped(segments[1:]) // a full name, where the SDK puts it
	}
	if len(segments) > 2 && segments[0] == "publishers" && segments[1] != "" {
		segments = segments[2:]
		return segments[0] == "models" && shaped(segments)
	}
	return shaped(segments)
}

// unscoped returns a path without the project and location that it begins with.
func unscoped(segments []string) []string {
	for _, scope := range []string{"projects", "locations"} {
		if len(segments) > 2 && segments[0] == scope && segments[1] != "" {
			segments = segments[2:]
		}
	}
	return segments
}

// version matches a version of Google's.
var version = regexp.MustCompile(`^v[0-9]+((alpha|beta)[0-9]*)?$`)

// shaped reports whether a path without its scope is a collection of the Gemini API's, an item of
// one, or something within an item.
func shaped(segments []string) bool {
	if last := len(segments) - 1; last > 0 && segments[last] == "" {
		segments = segments[:last] // a final slash
	}
	if slices.Contains(segments, "") || len(segments) == 0 {
		return false
	}
	last := len(segments) - 1
	segments = slices.Clone(segments)
	segments[last], _, _ = strings.Cut(segments[last], ":") // a method of its own
	collection := segments[0]
	within, known := collections[collection]
	switch {
	case collection == "openai", collection == "endpoints" && len(segments) > 1 && segments[1] == "openapi":
		return len(segments) > 1
	case collection == "environments" && len(segments) > 3 && segments[2] == "files":
		return true
	case !known || slices.Contains(inner, collection):
		return false
	}
	for len(segments) > 2 {
		if segments = segments[2:]; segments[0] == "upload" && len(segments) > 1 {
			segments = segments[1:] // of a store's operations
		}
		switch next := segments[0]; {
		case collection == "interactions" && next == "cancel":
			return len(segments) == 1
		case collection == "endpoints" && next == "chat":
			return len(segments) == 2 && segments[1] == "completions"
		case next == "operations":
			within, collection = nil, next
		case slices.Contains(within, next):
			within, collection = collections[next], next
		default:
			return false
		}
	}
	return segments[len(segments)-1] != ""
}

// climbs reports whether a path has segments that a server may take for a way up, however they are
// escaped, or characters that no path of Google's has.
func climbs(escaped string) bool {
	for range maxEscapes {
		for part := range strings.FieldsFuncSeq(escaped, func(r rune) bool { return r == '/' || r == '\\' }) {
			if name, _, _ := strings.Cut(part, ";"); name == "." || name == ".." {
				return true
			}
		}
		plain, err := url.PathUnescape(escaped)
		if err != nil || plain == escaped {
			return strings.ContainsFunc(escaped, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
		}
		escaped = plain
	}
	return true
}

// maxEscapes is how many times a path may be escaped.
const maxEscapes = 4

// foreign returns what is wrong with a path that is not the Gemini API's.
func foreign(u *url.URL, backend pool.Backend) string {
	path := u.Path
	if openAI.MatchString(path) {
		if backend == pool.BackendVertex {
			return "Spillway speaks the Gemini API; its OpenAI dialect is at " +
				"/v1/projects/PROJECT/locations/LOCATION/endpoints/openapi"
		}
		return "Spillway speaks the Gemini API; its OpenAI dialect is at /v1beta/openai"
	}
	if !versioned.MatchString(u.EscapedPath()) {
		return "this is not a path of the Gemini API; its paths begin with a version, such as /v1beta/models"
	}
	return "this is not a path of the Gemini API; Spillway serves nothing else of Google's"
}

// versioned matches what nearly every path of Google's has: a version, followed by something. The
// SDK sends Interactions of Vertex AI with escaped slashes.
var versioned = regexp.MustCompile(`/v[0-9]+(?:(?:alpha|beta)[0-9]*)?(?:/|%2F).`)

// openAI matches the paths of OpenAI's API below its own base URL.
var openAI = regexp.MustCompile(`^(/v[0-9]+)?/(chat/completions|completions|embeddings|responses|moderations|` +
	`images/|audio/|assistants|threads|vector_stores|fine_tuning/|engines/|realtime|conversations)`)
