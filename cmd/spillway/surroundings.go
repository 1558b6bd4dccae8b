package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// surroundings is what the environment has that a file for Spillway can name. It holds no key.
type surroundings struct {
	keys     []string // variables that hold a key, each another one
	project  string   // a Google Cloud project
	location string
	adc      string // the file with application default credentials; "" if there is none
	vertex   bool   // the SDKs are to use Vertex AI
	notes    []string
}

// lookAround reads what the SDKs and gcloud read. See
// https://docs.cloud.google.com/docs/authentication/application-default-credentials and
// https://docs.cloud.google.com/sdk/docs/configurations.
func lookAround() *surroundings {
	s := &surroundings{}
	s.vertex, _ = strconv.ParseBool(os.Getenv("GOOGLE_GENAI_USE_VERTEXAI"))
	s.findKeys()
	gcloud := gcloudFolder()
	active := activeConfiguration(gcloud)
	account := s.findCredentials(gcloud)
	s.project = s.first("project", projectForm, []candidate{
		{"GOOGLE_CLOUD_PROJECT", os.Getenv("GOOGLE_CLOUD_PROJECT")},
		{"CLOUDSDK_CORE_PROJECT", os.Getenv("CLOUDSDK_CORE_PROJECT")},
		{"gcloud's active configuration", active["core/project"]},
		{"the application default credentials", account.Quota},
		{"the service account of the application default credentials", account.Project},
	})
	s.location = s.first("location", locationForm, []candidate{
		{"GOOGLE_CLOUD_LOCATION", os.Getenv("GOOGLE_CLOUD_LOCATION")},
		{"CLOUDSDK_COMPUTE_REGION", os.Getenv("CLOUDSDK_COMPUTE_REGION")},
		{"gcloud's active configuration, ai/region", active["ai/region"]},
		{"gcloud's active configuration, compute/region", active["compute/region"]},
	})
	if s.vertex {
		s.notef("GOOGLE_GENAI_USE_VERTEXAI is set: clients speak Vertex AI's dialect")
		if s.project == "" {
			s.notef("Vertex AI needs a project, and none was found: set GOOGLE_CLOUD_PROJECT")
		}
	}
	return s
}

func (s *surroundings) notef(format string, values ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, values...))
}

// findKeys looks for keys in the variables that the SDKs read. One variable holds one key.
func (s *surroundings) findKeys() {
	seen := map[string]string{}
	for _, name := range []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"} {
		switch key := strings.TrimSpace(os.Getenv(name)); {
		case key == "":
		case strings.ContainsAny(key, ", \t\r\n;"):
			s.notef("%s is not used: it does not hold one key; put each key into a variable of its own", name)
		case seen[key] != "":
			s.notef("%s is not used: it holds the key of %s", name, seen[key])
		default:
			seen[key] = name
			s.keys = append(s.keys, name)
			s.notef("found a key in %s", name)
		}
	}
}

// account is what is of use in a file of application default credentials.
type account struct {
	Quota   string `json:"quota_project_id"`
	Project string `json:"project_id"`
}

// findCredentials looks for the file of application default credentials.
func (s *surroundings) findCredentials(gcloud string) (a account) {
	path, from := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"), "GOOGLE_APPLICATION_CREDENTIALS"
	if path == "" && gcloud != "" {
		path, from = filepath.Join(gcloud, "application_default_credentials.json"), "gcloud"
	}
	text := readSmall(path)
	switch {
	case text != nil && json.Unmarshal(text, &a) == nil:
		s.adc = path
		s.notef("found application default credentials of %s: %s", from, path)
	case from != "gcloud":
		s.notef("%s names no file of credentials that can be read: %s", from, path)
	}
	return a
}

// candidate is a value that may be the one looked for.
type candidate struct{ from, value string }

// Google's forms. What has another one is perhaps a credential in the wrong place.
var (
	projectForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]{1,98}[a-z0-9]$`)
	locationForm = regexp.MustCompile(`^[a-z][a-z0-9-]{1,38}$`)
)

// first returns the first value that has the form.
func (s *surroundings) first(what string, form *regexp.Regexp, candidates []candidate) string {
	for _, c := range candidates {
		switch value := strings.TrimSpace(c.value); {
		case value == "":
		case !form.MatchString(value):
			s.notef("%s is not used: it holds no %s", c.from, what)
		default:
			s.notef("found the %s %s in %s", what, value, c.from)
			return value
		}
	}
	return ""
}

// gcloudFolder returns where gcloud keeps its configuration; "" if that is unknown.
func gcloudFolder() string {
	if folder := os.Getenv("CLOUDSDK_CONFIG"); folder != "" {
		return folder
	}
	if folder := os.Getenv("APPDATA"); folder != "" && runtime.GOOS == "windows" {
		return filepath.Join(folder, "gcloud")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".config", "gcloud")
}

// activeConfiguration returns the properties of gcloud's active configuration, as "section/name".
func activeConfiguration(gcloud string) map[string]string {
	properties := map[string]string{}
	if gcloud == "" {
		return properties
	}
	name := os.Getenv("CLOUDSDK_ACTIVE_CONFIG_NAME")
	if name == "" {
		name = strings.TrimSpace(string(readSmall(filepath.Join(gcloud, "active_config"))))
	}
	if name == "" {
		name = "default"
	}
	if strings.ContainsAny(name, `/\`) { // a name, and no path
		return properties
	}
	section := ""
	for line := range strings.Lines(string(readSmall(filepath.Join(gcloud, "configurations", "config_"+name)))) {
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSpace(strings.TrimSuffix(head, "]"))
			continue
		}
		if i := strings.IndexAny(line, "=:"); i > 0 && !strings.ContainsAny(line[:1], "#;") {
			properties[section+"/"+strings.TrimSpace(line[:i])] = strings.TrimSpace(line[i+1:])
		}
	}
	return properties
}

// readSmall returns the content of a file of at most 64 kB; nil if it cannot be read.
func readSmall(path string) []byte {
	info, err := os.Stat(path) //nolint:gosec // the user of the command names it
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path) //nolint:gosec // as above
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil
	}
	return text
}
