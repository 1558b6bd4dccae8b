package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// clean takes away what init looks at, and returns an empty home.
func clean(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	for _, name := range []string{
		"GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GOOGLE_GENAI_USE_VERTEXAI",
		"GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "CLOUDSDK_CORE_PROJECT", "CLOUDSDK_COMPUTE_REGION", "CLOUDSDK_ACTIVE_CONFIG_NAME",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	t.Chdir(home)
	return home
}

// put writes files below a folder.
func put(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	adcFile   = `.config/gcloud/application_default_credentials.json`
	aUsersADC = `{"type":"authorized_user","client_id":"x","client_secret":"the-client-secret","refresh_token":"the-refresh-token","quota_project_id":"quota-project"}`
)

var gcloudFiles = map[string]string{
	".config/gcloud/active_config":                "work",
	".config/gcloud/configurations/config_work":   "[core]\naccount = me@example.com\nproject = acme-prod\n\n[compute]\nregion = europe-west4\n",
	".config/gcloud/configurations/config_home":   "[core]\nproject: home-project\n# [ai]\n[ai]\nregion = europe-west1\n",
	".config/gcloud/configurations/config_evil":   "[core]\nproject = \"x\"\\u001b\n[compute]\nregion = AIzaSyEvilEvilEvilEvil\n",
	".config/gcloud/configurations/config_binary": "\x00\x01[core\nproject",
}

func TestInitWritesWhatTheEnvironmentHas(t *testing.T) {
	golden, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env    map[string]string
		files  map[string]string
		want   []string // in the file
		said   []string // on standard error
		absent []string // from both
	}{
		"init_key": {env: map[string]string{"GEMINI_API_KEY": "the-first-key"}, want: []string{`keys    = ["env:GEMINI_API_KEY"]`}, absent: []string{`"vertex"`}},
		"init_both": {
			env:   map[string]string{"GEMINI_API_KEY": "the-first-key", "GOOGLE_API_KEY": "the-second-key"},
			files: map[string]string{adcFile: aUsersADC},
			want:  []string{`["env:GOOGLE_API_KEY"]`, `project_id  = "quota-project"`, `locations   = ["global"]`},
		},
		"the same key twice": {
			env:  map[string]string{"GEMINI_API_KEY": "the-first-key", "GOOGLE_API_KEY": "the-first-key"},
			said: []string{"GOOGLE_API_KEY is not used: it holds the key of GEMINI_API_KEY"}, absent: []string{"studio-2"},
		},
		"two keys in one variable": {
			env:  map[string]string{"GEMINI_API_KEY": "the-first-key,the-second-key", "GOOGLE_API_KEY": "the-third-key"},
			said: []string{"GEMINI_API_KEY is not used"}, want: []string{`["env:GOOGLE_API_KEY"]`},
		},
		"gcloud without credentials": {
			files: gcloudFiles, said: []string{"found the project acme-prod in gcloud's active configuration"},
			want: []string{"\n[[project]]\nname        = \"vertex\"", `locations   = ["europe-west4"]`, "gcloud auth application-default login"},
		},
		"a key, and gcloud without credentials": {
			env: map[string]string{"GEMINI_API_KEY": "the-first-key"}, files: gcloudFiles,
			want: []string{"# [[project]]\n# name        = \"vertex\"", "gcloud auth application-default login"},
		},
		"another configuration of gcloud": {
			env: map[string]string{"CLOUDSDK_ACTIVE_CONFIG_NAME": "home"}, files: gcloudFiles,
			want: []string{`"home-project"`, `locations   = ["europe-west1"]`},
		},
		"variables before gcloud": {
			env:   map[string]string{"GOOGLE_CLOUD_PROJECT": "the-project", "GOOGLE_CLOUD_LOCATION": "eu", "GOOGLE_GENAI_USE_VERTEXAI": "true"},
			files: gcloudFiles, want: []string{`"the-project"`, `locations   = ["eu"]`, "\nbackend  = \"vertex\""},
		},
		"a service account": {
			env:   map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "account.json"},
			files: map[string]string{"account.json": `{"type":"service_account","project_id":"of-the-account","private_key":"the-private-key"}`},
			want:  []string{`"of-the-account"`},
		},
		"an evil configuration": {
			env:   map[string]string{"CLOUDSDK_ACTIVE_CONFIG_NAME": "evil", "GEMINI_API_KEY": "the-first-key"},
			files: gcloudFiles, said: []string{"it holds no project", "it holds no location"}, absent: []string{"AIza", "\x1b"},
		},
		"a binary configuration": {
			env: map[string]string{"CLOUDSDK_ACTIVE_CONFIG_NAME": "binary", "GEMINI_API_KEY": "the-first-key"}, files: gcloudFiles,
		},
		"a configuration elsewhere": {
			env: map[string]string{"CLOUDSDK_ACTIVE_CONFIG_NAME": "../../evil", "GEMINI_API_KEY": "the-first-key"}, files: gcloudFiles, absent: []string{"vertex"},
		},
		"credentials that are not there": {
			env:  map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "none.json", "GEMINI_API_KEY": "the-first-key"},
			said: []string{"GOOGLE_APPLICATION_CREDENTIALS names no file of credentials that can be read"},
		},
		"Vertex AI without a project": {
			env: map[string]string{"GOOGLE_GENAI_USE_VERTEXAI": "1", "GOOGLE_API_KEY": "the-first-key"}, said: []string{"set GOOGLE_CLOUD_PROJECT"},
		},
		"a key in the place of a project": {
			env:  map[string]string{"GOOGLE_CLOUD_PROJECT": "AIzaSyTheProjectThatIsAKey", "GEMINI_API_KEY": "the-first-key"},
			said: []string{"GOOGLE_CLOUD_PROJECT is not used: it holds no project"}, absent: []string{"AIza"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, clean(t), tt.files)
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			var out, problems strings.Builder
			if code := run(t.Context(), []string{"init"}, &out, &problems); code != statusOK || out.Len() > 0 {
				t.Fatalf("it ends with %d: %s%s", code, &out, &problems)
			}
			text, err := os.ReadFile("spillway.toml")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(string(text), want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			for _, want := range tt.said {
				if !strings.Contains(problems.String(), want) {
					t.Errorf("%q is missing in\n%s", want, &problems)
				}
			}
			for _, secret := range append(tt.absent, "the-first", "the-second", "the-third", "the-client", "the-refresh", "the-private") {
				if strings.Contains(string(text)+problems.String(), secret) {
					t.Errorf("%q is in\n%s%s", secret, text, &problems)
				}
			}
			if code, said := transcript(t.Context(), "check", "spillway.toml"); code != statusOK {
				t.Errorf("the file does not pass: %s\n%s", said, text)
			}
			if !strings.HasPrefix(name, "init_") {
				return
			}
			file := filepath.Join(golden, name+".want")
			if *update {
				if err := os.WriteFile(file, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(text)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestInitWithNothingSaysWhatToSet(t *testing.T) {
	clean(t)
	code, said := transcript(t.Context(), "init", "--out", "-")
	if code != statusOK || !strings.Contains(said, "found no key and no project: set GEMINI_API_KEY") || !strings.Contains(said, `["env:GEMINI_API_KEY"]`) {
		t.Errorf("it ends with %d and says %s", code, said)
	}
	if code, _ := transcript(t.Context(), "init"); code != statusOK {
		t.Fatal(code)
	}
	if code, said := transcript(t.Context(), "check", "spillway.toml"); code != statusFailed || !strings.Contains(said, "set GEMINI_API_KEY before starting") {
		t.Errorf("before that, check ends with %d and says %s", code, said)
	}
	t.Setenv("GEMINI_API_KEY", "the-first-key")
	if code, said := transcript(t.Context(), "check", "spillway.toml"); code != statusOK {
		t.Errorf("after that, check says %s", said)
	}
}

func TestInitReplacesNothingUnasked(t *testing.T) {
	put(t, clean(t), map[string]string{"mine.toml": "mine"})
	t.Setenv("GEMINI_API_KEY", "the-first-key")
	read := func() string {
		t.Helper()
		text, err := os.ReadFile("mine.toml")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if code, said := transcript(t.Context(), "init", "--out", "mine.toml"); code != statusFailed || read() != "mine" || !strings.Contains(said, "--force replaces it") {
		t.Errorf("it ends with %d and says %s", code, said)
	}
	if code, _ := transcript(t.Context(), "init", "--out", "mine.toml", "--force"); code != statusOK || !strings.HasPrefix(read(), "# A file for Spillway") {
		t.Errorf("with --force it ends with %d, and the file is %s", code, read())
	}
	if code, said := transcript(t.Context(), "init", "--out", "no/such/folder"); code != statusFailed || !strings.Contains(said, "no such file") {
		t.Errorf("it ends with %d and says %s", code, said)
	}
	for _, args := range [][]string{{"init", "x"}, {"init", "--out="}, {"init", "--fource"}} {
		if code, said := transcript(t.Context(), args...); code != statusUsage {
			t.Errorf("%v ends with %d and says %s", args, code, said)
		}
	}
}
