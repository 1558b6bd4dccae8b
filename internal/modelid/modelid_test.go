package modelid_test

import (
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/modelid"
)

func TestANameIsAFamilyAndAVersion(t *testing.T) {
	for name, want := range map[string][2]string{
		// Stable models, with and without the version that they are pinned to.
		"gemini-3.5-flash":              {"gemini-3.5-flash", ""},
		"gemini-2.0-flash-001":          {"gemini-2.0-flash", "001"},
		"gemini-2.0-flash-lite-001":     {"gemini-2.0-flash-lite", "001"},
		"gemini-1.5-flash-8b-001":       {"gemini-1.5-flash-8b", "001"},
		"gemini-2.5-flash-image":        {"gemini-2.5-flash-image", ""},
		"gemini-live-2.5-flash":         {"gemini-live-2.5-flash", ""},
		"veo-3.0-generate-001":          {"veo-3.0-generate", "001"},
		"veo-3.1-fast-generate-preview": {"veo-3.1-fast-generate", "preview"},
		"imagen-4.0-fast-generate-001":  {"imagen-4.0-fast-generate", "001"},
		"imagen-3.0-capability-001":     {"imagen-3.0-capability", "001"},
		"imagegeneration@006":           {"imagegeneration", "006"},
		"gemini-2.0-flash-001@default":  {"gemini-2.0-flash", "001@default"},
		"gemma-3-27b-it":                {"gemma-3-27b-it", ""},

		// Previews, with and without a date. Words behind that belong to the model.
		"gemini-3-pro-preview":                               {"gemini-3-pro", "preview"},
		"gemini-3-pro-preview-11-2025":                       {"gemini-3-pro", "preview-11-2025"},
		"gemini-2.5-flash-lite-preview-09-2025":              {"gemini-2.5-flash-lite", "preview-09-2025"},
		"gemini-2.5-pro-preview-05-06":                       {"gemini-2.5-pro", "preview-05-06"},
		"gemini-1.5-pro-preview-0514":                        {"gemini-1.5-pro", "preview-0514"},
		"gemini-2.5-flash-image-preview":                     {"gemini-2.5-flash-image", "preview"},
		"gemini-2.5-flash-native-audio-preview-12-2025":      {"gemini-2.5-flash-native-audio", "preview-12-2025"},
		"gemini-2.5-flash-native-audio-09-2025":              {"gemini-2.5-flash-native-audio", "09-2025"},
		"gemini-live-2.5-flash-preview-native-audio-09-2025": {"gemini-live-2.5-flash-native-audio", "preview-09-2025"},
		"gemini-2.5-flash-preview-native-audio-dialog":       {"gemini-2.5-flash-native-audio-dialog", "preview"},
		"gemini-2.5-flash-preview-tts":                       {"gemini-2.5-flash-tts", "preview"},
		"gemini-2.0-flash-preview-image-generation":          {"gemini-2.0-flash-image-generation", "preview"},
		"gemini-2.0-flash-exp":                               {"gemini-2.0-flash", "exp"},
		"gemini-2.0-flash-exp-image-generation":              {"gemini-2.0-flash-image-generation", "exp"},
		"gemini-2.0-flash-thinking-exp-01-21":                {"gemini-2.0-flash-thinking", "exp-01-21"},
		"gemini-2.0-flash-live-001":                          {"gemini-2.0-flash-live", "001"},
		"gemini-2.5-computer-use-preview-10-2025":            {"gemini-2.5-computer-use", "preview-10-2025"},
		"gemini-robotics-er-1.5-preview":                     {"gemini-robotics-er-1.5", "preview"},
		"gemini-3.1-pro-preview-customtools":                 {"gemini-3.1-pro", "preview-customtools"},
		"learnlm-2.0-flash-experimental":                     {"learnlm-2.0-flash", "experimental"},
		"virtual-try-on-preview-08-04":                       {"virtual-try-on", "preview-08-04"},
		"deep-research-pro-preview-12-2025":                  {"deep-research-pro", "preview-12-2025"},

		// Aliases.
		"gemini-flash-latest":      {"gemini-flash", "latest"},
		"gemini-2.5-flash-latest":  {"gemini-2.5-flash", "latest"},
		"gemini-flash-lite-latest": {"gemini-flash-lite", "latest"},

		// Embeddings.
		"gemini-embedding-001":            {"gemini-embedding", "001"},
		"gemini-embedding-exp-03-07":      {"gemini-embedding", "exp-03-07"},
		"gemini-embedding-2":              {"gemini-embedding-2", ""},
		"gemini-embedding-2-preview":      {"gemini-embedding-2", "preview"},
		"text-embedding-005":              {"text-embedding", "005"},
		"text-multilingual-embedding-002": {"text-multilingual-embedding", "002"},
		"textembedding-gecko@003":         {"textembedding-gecko", "003"},
		"multimodalembedding@001":         {"multimodalembedding", "001"},

		// Partners'.
		"claude-opus-4-1@20250805":      {"claude-opus-4-1", "20250805"},
		"claude-3-5-sonnet-v2@20241022": {"claude-3-5-sonnet-v2", "20241022"},
		"codestral-2501":                {"codestral-2501", ""}, // as "lyria-002": a number alone is a name
		"mistral-small-2503":            {"mistral-small", "2503"},

		// What has no version, and what is no name.
		"lyria-002": {"lyria-002", ""}, "embedding-001": {"embedding-001", ""}, "gemini-exp-1206": {"gemini-exp-1206", ""}, "aqa": {"aqa", ""},
		"tunedModels/mine-001": {"tunedModels/mine-001", ""}, "endpoints/123": {"endpoints/123", ""},
		"": {"", ""}, "-": {"-", ""}, "--001": {"-", "001"}, "@": {"@", ""}, "@001": {"@001", ""}, "preview": {"preview", ""}, "a-b-": {"a-b-", ""},
		"a-b--001": {"a-b-", "001"}, "a-b@": {"a-b", ""},
	} {
		family, version := modelid.Split(name)
		if family != want[0] || version != want[1] {
			t.Errorf("%q is version %q of %q, want %q of %q", name, version, family, want[1], want[0])
		}
	}
}

func TestNamesOfOneModel(t *testing.T) {
	for _, tt := range []struct {
		a, b      string
		same, kin bool
	}{
		{"gemini-2.0-flash", "gemini-2.0-flash", true, true},
		{"gemini-2.0-flash", "gemini-2.0-flash-001", true, true},
		{"gemini-2.0-flash-001", "gemini-2.0-flash-002", true, true},
		{"gemini-2.5-flash", "gemini-2.5-flash@default", true, true},
		{"gemini-2.0-flash", "gemini-2.0-flash-001@default", true, true},
		{"claude-sonnet-4", "claude-sonnet-4@20250514", true, true},
		{"gemini-2.5-flash", "gemini-2.5-flash-preview-05-20", false, true},
		{"gemini-2.5-flash", "gemini-2.5-flash-latest", false, true},
		{"gemini-2.5-pro-preview-03-25", "gemini-2.5-pro-preview-06-05", false, true},
		{"gemini-3-pro-preview", "gemini-3-pro-preview", true, true},
		{"gemini-3.1-pro-preview", "gemini-3.1-pro-preview-customtools", false, true},
		{"gemini-2.5-flash", "gemini-2.5-flash-lite", false, false},
		{"gemini-2.5-flash", "gemini-2.5-flash-image", false, false},
		{"gemini-2.5-flash", "gemini-2.5-flash-preview-tts", false, false},
		{"gemini-3-pro-preview", "gemini-3.1-pro-preview", false, false},
		{"claude-opus-4", "claude-opus-4-1", false, false},
		{"tunedModels/mine-001", "tunedModels/mine-002", false, false},

		// Vectors of one embedding are none of another, also of another version.
		{"gemini-embedding-001", "gemini-embedding-001", true, true},
		{"gemini-embedding-001", "gemini-embedding-002", false, false},
		{"gemini-embedding-001", "gemini-embedding-exp-03-07", false, false},
		{"gemini-embedding-2", "gemini-embedding-2-preview", false, false},
		{"text-embedding-004", "text-embedding-005", false, false},
		{"text-multilingual-embedding-002", "text-multilingual-embedding", false, false},
		{"textembedding-gecko@001", "textembedding-gecko@003", false, false},
		{"multimodalembedding", "multimodalembedding@001", false, false},
	} {
		for range 2 {
			if got := modelid.Same(tt.a, tt.b); got != tt.same {
				t.Errorf("%s and %s are the same: %v", tt.a, tt.b, got)
			}
			if got := modelid.Kin(tt.a, tt.b); got != tt.kin {
				t.Errorf("%s and %s are of one model: %v", tt.a, tt.b, got)
			}
			tt.a, tt.b = tt.b, tt.a
		}
	}
}

func TestTheLongestNameIsFound(t *testing.T) {
	keys := map[string]int{
		"gemini-3.5-flash": 1, "gemini-3.5-flash-lite": 2, "gemini-9-flash-002": 3, "gemini-8-pro-preview": 4, "gemini-8-pro": 5,
		"gemini-live-2.5-flash-native-audio": 6, "gemini-embedding": 7, "gemini-embedding-001": 8, "claude-opus-4": 9, "gemini-2.0-flash-001": 10,
	}
	for name, want := range map[string]string{
		"gemini-3.5-flash":                                   "gemini-3.5-flash",
		"gemini-3.5-flash-001":                               "gemini-3.5-flash",
		"gemini-3.5-flash-preview-09-2026":                   "gemini-3.5-flash",
		"gemini-3.5-flash-lite-preview":                      "gemini-3.5-flash-lite",
		"gemini-3.5-flash@default":                           "gemini-3.5-flash",
		"gemini-9-flash-002":                                 "gemini-9-flash-002",
		"gemini-8-pro-preview-11-2026":                       "gemini-8-pro-preview",
		"gemini-8-pro-exp":                                   "gemini-8-pro",
		"gemini-2.0-flash-001@default":                       "gemini-2.0-flash-001",
		"gemini-live-2.5-flash-preview-native-audio-09-2025": "gemini-live-2.5-flash-native-audio",
		"gemini-embedding-001":                               "gemini-embedding-001",
		"gemini-embedding-002":                               "gemini-embedding",
		"claude-opus-4@20250514":                             "claude-opus-4",
		"claude-opus-4-1":                                    "",
		"gemini-3.5-flash-image":                             "",
		"gemini-3.5-flash-preview-tts":                       "",
		"gemini-9-flash-001":                                 "",
		"gemini-2.0-flash":                                   "",
		"gemini-3.5-flash-":                                  "",
		"tuned/gemini-3.5-flash-001":                         "",
		"":                                                   "",
		"-":                                                  "",
		"@":                                                  "",
	} {
		if got, ok := modelid.Find(keys, name); got != want || ok != (want != "") {
			t.Errorf("%q is found as %q (%v), want %q", name, got, ok, want)
		}
	}
}

func TestGlobsOfModels(t *testing.T) {
	for _, tt := range []struct {
		globs []string
		model string
		want  bool
	}{
		{nil, "gemini-2.0-flash", true},
		{[]string{"gemini-3*", "gemini-2.0-flash"}, "gemini-2.0-flash", true},
		{[]string{"gemini-2.0-flash"}, "gemini-2.0-flash-001", true},
		{[]string{"gemini-2.0-flash-001"}, "gemini-2.0-flash", true},
		{[]string{"gemini-*-flash"}, "gemini-2.0-flash-001", true},
		{[]string{"gemini-*-flash"}, "gemini-2.0-flash-lite", false},
		{[]string{"gemini-2.0-flash"}, "gemini-2.0-flash-exp", false},
		{[]string{"gemini-embedding-001"}, "gemini-embedding-002", false},
		{[]string{"gemini-embedding"}, "gemini-embedding-002", false},
		{[]string{"["}, "gemini-2.0-flash", false},
		{[]string{"*"}, "", true},
	} {
		if got := modelid.Matches(tt.globs, tt.model); got != tt.want {
			t.Errorf("%q are for %q: %v", tt.globs, tt.model, got)
		}
	}
}

// Whatever is asked for, the names of a model begin with its own and end with its family.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"gemini-live-2.5-flash-preview-native-audio-09-2025", "a-b-001@x@y", "--exp--preview-@-001", "\xff-1-exp"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		family, _ := modelid.Split(name)
		var all []string
		for n := range modelid.Names(name) {
			all = append(all, n)
		}
		if again, _ := modelid.Split(family); again != family {
			t.Errorf("of %q the family %q is one of %q", name, family, again)
		}
		if all[0] != name || all[len(all)-1] != family || len(all) > strings.Count(name, "-")+strings.Count(name, "@")+2 {
			t.Errorf("%q has the names %q, and the family %q", name, all, family)
		}
		if !modelid.Same(name, name) || !modelid.Kin(name, name) {
			t.Errorf("%q is not itself", name)
		}
	})
}
