package config

import (
	"regexp"
	"strings"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/pool"
)

var variableSyntax = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// keys reads an array of keys: "env:NAME", "file:PATH" or the key itself. It reports a wrong one
// and leaves it empty, so that the others keep their index.
func (t *table) keys(key string) []pool.Secret {
	values, ok := t.array(key)
	if !ok {
		return nil
	}
	secrets := make([]pool.Secret, len(values))
	for i, v := range values {
		text, ok := v.(string)
		at := t.path.to(key).element(i)
		if !ok {
			t.mistyped(at, element(key, i), v, "a string", `write "env:NAME" or "file:PATH"`)
			continue
		}
		if text, ok = t.key(at, element(key, i), text); ok {
			secrets[i] = pool.NewSecret(text)
		}
	}
	return secrets
}

// key finds the key that text refers to. text may be a key itself, so messages must not show it
// until that is ruled out.
func (t *table) key(at fieldPath, what, text string) (string, bool) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case kind == "env" && rest != "":
		return t.variable(at, what, rest)
	case kind == "file" && rest != "":
		data, ok := t.fileContent(at, what, rest)
		if !ok {
			return "", false
		}
		key := strings.TrimSpace(string(data))
		if strings.HasPrefix(key, "{") {
			t.wrong(at, what+" names "+shownPath(rest)+", which holds JSON, not a key",
				`write credentials = "file:…" for Google credentials`)
			return "", false
		}
		if key == "" {
			t.wrong(at, what+" names "+shownPath(rest)+", which is empty", "put the key into it")
			return "", false
		}
		return key, true
	case strings.EqualFold(kind, "env"), strings.EqualFold(kind, "file"):
		t.wrong(at, what+" is an unfinished reference",
			`write "env:NAME" or "file:PATH", in small letters`)
		return "", false
	case strings.HasPrefix(text, "$"):
		t.wrong(at, what+" begins with $, which is not expanded here", `write "env:NAME"`)
		return "", false
	case text == "adc", text == "none":
		t.wrong(at, what+" is a word for credentials, not a key",
			`write credentials = "`+text+`" instead of keys`)
		return "", false
	case text == "":
		t.wrong(at, what+" is empty", `write "env:NAME" or "file:PATH"`)
		return "", false
	}
	t.warn(at, what+" is a key written into the file",
		`write "env:NAME" or "file:PATH" and keep the key out of it`)
	return text, true
}

// reference notes how the credentials of a project are written.
func (t *table) reference(project string) {
	var r References
	keys, _ := t.values["keys"].([]any)
	for _, v := range keys {
		text, _ := v.(string)
		if kind, _, ok := strings.Cut(text, ":"); !ok || kind != "env" && kind != "file" {
			text = ""
		}
		r.Keys = append(r.Keys, text)
	}
	r.Credentials, _ = t.values["credentials"].(string)
	t.references[project] = r
}

// variable looks up an environment variable that must be set.
func (t *table) variable(at fieldPath, what, name string) (string, bool) {
	if !variableSyntax.MatchString(name) || credential.Looks(name) {
		t.wrong(at, what+" names no variable after env:",
			`write "env:NAME" with the name alone, without $`)
		return "", false
	}
	value, set := t.sources.env(name)
	if value != "" {
		return value, true
	}
	problem := " is not set"
	if set {
		problem = " is empty"
	}
	t.wrong(at, what+": the environment variable "+name+problem,
		"set "+name+" before starting, or leave this out")
	return "", false
}

func (t *table) fileContent(at fieldPath, what, path string) ([]byte, bool) {
	data, err := t.sources.file(path)
	if err != nil {
		t.wrong(at, what+": the file "+shownPath(path)+" "+unreadable(err),
			"name a readable file, absolute or relative to this one's folder")
		return nil, false
	}
	t.openToOthers(at, what, path)
	return data, true
}
