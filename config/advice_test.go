package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/config"
)

// warningsOf returns the warnings of a sound file, one "LINE: PROBLEM; FIX" each.
func warningsOf(t *testing.T, text string) []string {
	t.Helper()
	cfg, err := parse("f", text)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, w := range cfg.Warnings {
		all = append(all, strings.TrimPrefix(w.String(), "f:"))
	}
	return all
}

const orderInNetherlands = `
[[project.provisioned]]
model = "gemini-3.5-flash"
location = "europe-west4"
gsus = 10
`

func TestOverflowThatLeavesTheCountryIsAWarning(t *testing.T) {
	const project = "[[project]]\nname = 'prod'\nbackend = 'vertex'\n"
	const studio = "\n[[project]]\nname = 'studio'\nbackend = 'gemini'\nkeys = ['env:GEMINI_API_KEY']\n"
	leaves := func(line, to string) []string {
		return []string{line + ": what the order does not take leaves europe-west4 and eu: it may go to " + to +
			`; write locations = ["europe-west4"] under [router] to keep all calls there, or ["*"] if this is meant`}
	}
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"a project without locations", project + orderInNetherlands, leaves("7", "global (project prod)")},
		{"its own location only", project + "locations = ['europe-west4']\n" + orderInNetherlands, nil},
		{"the same multi-region", project + "locations = ['europe-west1', 'eu']\n" + orderInNetherlands, nil},
		{"Europe beyond the Union", project + "locations = ['europe-west2', 'eu']\n" + orderInNetherlands, leaves("8", "europe-west2 (project prod)")},
		{"another project", project + "locations = ['eu']\n" + orderInNetherlands + "\n[[project]]\nname = 'spare'\nbackend = 'vertex'\nlocations = ['us']\n", leaves("8", "us (project spare)")},
		{"a project that does not take the model", project + "locations = ['eu']\n" + orderInNetherlands + "\n[[project]]\nname = 'spare'\nbackend = 'vertex'\nmodels = ['gemini-3.1-*']\n", nil},
		{"the Developer API", project + "locations = ['eu']\n" + orderInNetherlands + studio, leaves("8", "global (project studio)")},
		{"many places", project + "locations = ['us', 'asia-east1', 'me-west1', 'global', 'africa-south1']\n" + orderInNetherlands,
			leaves("8", "us (project prod), asia-east1 (project prod), me-west1 (project prod) and 2 more")},
		{"Vertex spills by itself, and fails over all the same", project + strings.Replace(orderInNetherlands, "gsus", "overflow = 'vertex'\ngsus", 1), leaves("7", "global (project prod)")},
		{"a fence", "[router]\nlocations = ['europe-*']\n" + project + "locations = ['europe-west4']\n" + orderInNetherlands, nil},
		{"a fence that says that it is meant", "[router]\nlocations = ['*']\n" + project + orderInNetherlands, nil},
		{"an order without a country", project + strings.Replace(orderInNetherlands, "europe-west4", "global", 1), nil},
		{"a country that is a multi-region", project + "locations = ['us-east5']\n" + strings.Replace(orderInNetherlands, "europe-west4", "us", 1), nil},
		{"Japan", project + "locations = ['asia-northeast1']\n" + strings.Replace(orderInNetherlands, "europe-west4", "asia-northeast2", 1), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, warningsOf(t, tt.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatLiesOutsideTheFenceIsNamed(t *testing.T) {
	got := warningsOf(t, `[router]
locations = ["eu", "europe-*", "europe_*", "asia-*"]

[[project]]
name = "prod"
backend = "vertex"
locations = ["eu", "us-central1"]
[[project.provisioned]]
model = "gemini-3.5-flash"
location = "us-east5"
gsus = 10

[[project]]
name = "by-default"
backend = "vertex"
[[project.provisioned]]
model = "gemini-3.5-flash"
location = "europe-west4"
gsus = 10

[[project]]
name = "studio"
backend = "gemini"
keys = ["env:GEMINI_API_KEY"]
`)
	want := []string{
		`2: locations[2] matches no location known on 2026-11-25; write locations as Google does, such as "eu" or "europe-*"`,
		"7: locations[1], us-central1, is outside locations under [router] and is not used; add it there, or remove it here",
		"10: the order's location, us-east5, is outside locations under [router] and is not used; add it there, or remove it here",
		`13: the project has no locations: its default, global, is outside locations under [router] and is not used; add "global" there, or remove the project`,
		`21: the Developer API counts as global, which is outside locations under [router] and is not used; add "global" there, or remove the project`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFenceThatLeavesNothingIsAMistakeWithItsLine(t *testing.T) {
	_, err := parse("f", "[router]\nmax_wait = '1s'\nlocations = ['eu']\n[[project]]\nname = 'a'\nbackend = 'gemini'\nkeys = ['env:GEMINI_API_KEY']\n")
	want := "f:3: no location of a project and no order is inside locations; add those of the projects, or leave it out; the Developer API counts as global"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestUnknownLocationsAreAWarningWithWhatWasMeant(t *testing.T) {
	for location, want := range map[string]string{
		"europe-west99": "did you mean europe-west9?", "eu-west4": "did you mean europe-west4?", "us-centrall1": "did you mean us-central1?",
		"ap-northeast1": "did you mean asia-northeast1?", "mars-north1": "check its spelling; a newer one works all the same",
		"europe-west4": "", "global": "", "us": "", "asia-southeast2": "",
	} {
		for _, text := range []string{
			"[[project]]\nname = 'a'\nbackend = 'vertex'\nlocations = ['" + location + "']\n",
			"[router]\nlocations = ['*']\n[[project]]\nname = 'a'\nbackend = 'vertex'\n[[project.provisioned]]\nmodel = 'gemini-3.5-flash'\ngsus = 1\nlocation = '" + location + "'\n",
		} {
			got := warningsOf(t, text)
			switch {
			case want == "" && len(got) != 0:
				t.Errorf("%s: %q", location, got)
			case want != "" && (len(got) != 1 || !strings.HasSuffix(got[0], want) || !strings.Contains(got[0], location)):
				t.Errorf("%s: %q, want one that ends with %q", location, got, want)
			}
		}
	}
}

func TestUnknownModelsAreAWarningWithWhatWasMeant(t *testing.T) {
	const newer = "check its spelling; a newer one works all the same"
	for model, want := range map[string]string{
		"gemini-2,5-flash": "did you mean gemini-2.5-flash?", "gemni-3.5-flash": "did you mean gemini-3.5-flash?", "Gemini-3.5-Flash": "did you mean gemini-3.5-flash?",
		"gemini-3.5-flashlite": "did you mean gemini-3.5-flash-lite?", "gemini-2,5-*": "did you mean gemini-2.5-*?", "gemni-*": "did you mean gemini-*?",
		"gpt-4*": newer, "gpt-4": newer, "gemini-9-ultra": newer, "gemini-3.9-flash": newer, "gemini-7*": newer,
		"gemini-3.5-flash": "", "gemini-3.5-flash-001": "", "gemini-2.5-flash-preview-09-2025": "", "gemini-3.1-pro-preview": "", "gemini-flash-latest": "",
		"gemini-3.5-*": "", "*": "", "gemini-[23]*": "", "*-flash": "", "gemini-3.5-flash-0*": "", "gemini-embedding-2": "",
		"claude-*": "", "claude-sonnet-4-5@20250929": "", "gpt-oss-120b-maas": "", "imagen-4.0-generate-001": "", "veo-*": "", "tunedModels/x": "", "endpoints/123": "",
	} {
		got := warningsOf(t, "[[project]]\nname = 'a'\nbackend = 'vertex'\n[[project.limits]]\nrpm = 1\nmodel = '"+model+"'\n")
		switch {
		case want == "" && len(got) != 0:
			t.Errorf("%s: %q", model, got)
		case want != "" && !slices.Equal(got, []string{"6: the model of the limits is no model known on 2026-11-25; " + want}):
			t.Errorf("%s: %q, want one that ends with %q", model, got, want)
		}
	}
}

func TestEveryPlaceOfAModelIsChecked(t *testing.T) {
	got := warningsOf(t, `[models]
fast = "gemini-3.5-flsh"

[[fallback]]
model = "gemni-3.5-flash"
to = ["gemini-3.5-flash", "gemini-3,5-flash-lite"]

[[project]]
name = "a"
backend = "vertex"
models = ["gemini-*", "gemini-3,1-*"]
[[project.limits]]
model = "fast"
rpm = 1
`)
	for i, line := range []string{"2: the alias's model is no", "5: the fallback's model is no", "6: to[1] is no", "11: models[1] is no", "13: the model of the limits is an alias"} {
		if i >= len(got) || !strings.HasPrefix(got[i], line) {
			t.Fatalf("got %q, want %q at %d", got, line, i)
		}
	}
}

func TestAnnouncedRetirementsAreAWarning(t *testing.T) {
	const studio = "[[project]]\nname = 'a'\nbackend = 'gemini'\nkeys = ['env:GEMINI_API_KEY']\n"
	const vertex = "[[project]]\nname = 'b'\nbackend = 'vertex'\nlocations = ['us']\n"
	limit := func(model string) string { return "[[project.limits]]\nrpm = 1\nmodel = '" + model + "'\n" }
	const flash, pro = "gemini-2.5-flash leaves the Developer API on 2026-12-01: gemini-3.5-flash-lite answers", "gemini-2.5-pro leaves the Developer API on 2026-12-01: gemini-3.8-flash answers"
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"limits", studio + limit("gemini-2.5-flash"), []string{flash}},
		{"a glob that means nothing else", studio + limit("gemini-2.5-pr*"), []string{pro}},
		{"a glob that means what stays too", studio + limit("gemini-2.5-*"), nil},
		{"Vertex AI, of which nothing is announced", vertex + limit("gemini-2.5-pro"), nil},
		{"an alias", studio + "[models]\nfast = 'gemini-2.5-flash'\n", []string{flash}},
		{"an alias that only Vertex AI serves", studio + "models = ['gemini-3*']\n" + vertex + "[models]\nfast = 'gemini-2.5-flash'\n", nil},
		{"fallbacks", studio + "[[fallback]]\nmodel = 'gemini-3.5-flash'\nto = ['gemini-2.5-pro']\n", []string{pro}},
		{"what stays", studio + limit("gemini-2.5-flash-lite"), nil},
		{"what has left Vertex AI", vertex + limit("gemini-2.0-flash"), []string{"gemini-2.0-flash leaves Vertex AI on 2026-06-01: its calls fail"}},
		{"an order for a model that the project does not take", vertex + "models = [\"gemini-3.5-*\"]\n[[project.provisioned]]\nmodel = \"gemini-3.1-pro\"\nlocation = \"us\"\ngsus = 1\n", []string{"the order's model is none of the project's models"}},
		{"an order for a version of a model that it takes", vertex + "models = [\"gemini-3.5-*\", \"gemini-3.6-flash-001\"]\n[[project.provisioned]]\nmodel = \"gemini-3.6-flash\"\nlocation = \"us\"\ngsus = 1\n", nil},
		{"its version", vertex + limit("gemini-2.0-flash-001"), []string{"gemini-2.0-flash leaves Vertex AI on 2026-06-01: its calls fail"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := warningsOf(t, tt.text)
			if len(got) != len(tt.want) || len(got) == 1 && !strings.Contains(got[0], tt.want[0]) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestKnownModelSaysWhatWasMeant(t *testing.T) {
	if known, meant := config.KnownModel("gemni-3.5-flash"); known || meant != "gemini-3.5-flash" {
		t.Errorf("got %t, %q", known, meant)
	}
	if known, meant := config.KnownModel("gemini-3.5-flash-001"); !known || meant != "" {
		t.Errorf("got %t, %q", known, meant)
	}
}
