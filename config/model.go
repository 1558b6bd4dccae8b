package config

import (
	"path"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/modelid"
	"github.com/spillway-go/spillway/internal/spelling"
	"github.com/spillway-go/spillway/pool"
)

// models are the Gemini models that can be called, newest first, without the suffixes of versions.
// Sources, as of the day of the lists: ai.google.dev/gemini-api/docs/models,
// docs.cloud.google.com/vertex-ai/generative-ai/docs/models and the table of Provisioned Throughput
// in package quota.
var models = []string{
	"gemini-4-neon", "gemini-4-argon",
	"gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.6-flash", "gemini-3.5-flash", "gemini-3.5-flash-lite",
	"gemini-3.1-pro-preview", "gemini-3.1-flash-lite", "gemini-3.1-flash-image", "gemini-3.1-flash-lite-image",
	"gemini-3-flash-preview", "gemini-3-pro-preview", "gemini-3-pro-image",
	"gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-flash-image",
	"gemini-2.5-flash-native-audio", "gemini-live-2.5-flash", "gemini-live-2.5-flash-native-audio",
	"gemini-2.0-flash", "gemini-2.0-flash-lite",
	"gemini-pro-latest", "gemini-flash-latest", "gemini-flash-lite-latest",
	"gemini-embedding-001", "gemini-embedding-2",
}

// families are beginnings of names of which the list has no single models: other families of
// Google's, and partners' and open models on Vertex AI.
var families = []string{
	"imagen-", "imagegeneration", "veo-", "lyria-", "gemma", "medgemma", "learnlm", "chirp", "aqa", "embedding-001",
	"text-embedding-", "text-multilingual-embedding-", "textembedding-", "multimodalembedding", "virtual-try-on",
	"deep-research", "gemini-robotics-", "gemini-embedding-",
	"claude-", "llama", "mistral", "codestral", "jamba", "deepseek", "qwen", "gpt-oss", "kimi", "minimax", "glm-", "grok-",
}

// retirement is an announcement that a model leaves a back end.
type retirement struct {
	backend    pool.Backend
	model, day string
	instead    string // the model that serves its calls then; "" if they fail
}

// retirements are those that were announced by the day of the lists. Sources: Google's notice of
// November 2026 for the Developer API, and the table of Provisioned Throughput.
var retirements = []retirement{
	{pool.BackendGemini, "gemini-2.5-pro", "2026-12-01", "gemini-3.8-flash"},
	{pool.BackendGemini, "gemini-2.5-flash", "2026-12-01", "gemini-3.5-flash-lite"},
	{pool.BackendVertex, "gemini-2.0-flash", "2026-06-01", ""},
}

// KnownModel reports whether a model, or a glob (path.Match) of models, names one that was known
// when this package was made. If not, meant is the name that it most likely misspells, or "". An
// unknown model may be newer. A name with a slash, of a tuned model or an endpoint, counts as known.
func KnownModel(name string) (known bool, meant string) {
	literal := strings.IndexAny(name, `*?[\`)
	switch {
	case strings.Contains(name, "/"), ofFamily(name, literal):
		return true, ""
	case literal >= 0:
		if slices.ContainsFunc(models, func(m string) bool { return matchesModel(name, m) }) {
			return true, ""
		}
		return false, meantGlob(name[:literal])
	}
	for bare := range modelid.Names(name) {
		bare = strings.TrimSuffix(bare, "-tts") // models that speak are made of others
		if slices.Contains(models, bare) || slices.Contains(models, bare+"-preview") {
			return true, ""
		}
	}
	meant, ok := closest(strings.ToLower(name), models)
	if ok && withoutDigits(meant) == withoutDigits(name) && meant != name {
		return false, "" // another number is another version, not a misspelling
	}
	return false, meant
}

// ofFamily reports whether a name belongs to a family. Of a glob only the first letters count, up
// to literal.
func ofFamily(name string, literal int) bool {
	return slices.ContainsFunc(families, func(f string) bool {
		return strings.HasPrefix(name, f) || literal >= 0 && strings.HasPrefix(f, name[:literal])
	})
}

// matchesModel reports whether a glob matches a model, with or without a version.
func matchesModel(glob, model string) bool {
	for _, suffix := range []string{"", "-001", "-preview", "-preview-09-2026", "-latest"} {
		if ok, _ := path.Match(glob, model+suffix); ok {
			return true
		}
	}
	return false
}

// meantGlob returns the glob that one beginning with start most likely misspells.
func meantGlob(start string) string {
	best, fewest := "", min(2, len(start)/6)+1
	for _, m := range models {
		for i := range m {
			if i+1 < len(m) && m[i] != '-' && m[i+1] != '-' {
				continue
			}
			if d := spelling.Distance(strings.ToLower(start), m[:i+1]); d > 0 && d < fewest && withoutDigits(m[:i+1]) != withoutDigits(start) {
				best, fewest = m[:i+1], d
			}
		}
	}
	if best == "" {
		return ""
	}
	return best + "*"
}

func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

// retired returns the announcements about the models that a name or glob means on a back end. A
// glob means them only if it means no model that stays.
func retired(backend pool.Backend, name string) (found []retirement) {
	for _, m := range models {
		if ok, _ := path.Match(name, m); !ok && !modelid.Same(name, m) {
			continue
		}
		i := slices.IndexFunc(retirements, func(r retirement) bool { return r.backend == backend && r.model == m })
		if i < 0 {
			return nil
		}
		found = append(found, retirements[i])
	}
	return found
}
