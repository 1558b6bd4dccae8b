package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
)

// shown is every way in which v may reach a reader.
func shown(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	if encoded, err := json.Marshal(v); err == nil {
		b.Write(encoded)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "v", v)
	return b.String()
}

// mustHide fails if text shows a secret of these tests, also in hexadecimal.
func mustHide(t *testing.T, where, text string) {
	t.Helper()
	if strings.Contains(text, marker) || strings.Contains(text, fmt.Sprintf("%x", marker)) {
		t.Errorf("%s shows a secret", where)
	}
}

func TestNoErrorShowsAKey(t *testing.T) {
	planted := 0
	corpus(t, "invalid", func(_, name, text string) {
		planted += strings.Count(text, marker)
		_, err := parse(name, text)
		mustHide(t, name, shown(err))
		var all config.Errors
		if !errors.As(err, &all) {
			t.Fatalf("%s: error %v", name, err)
		}
		for _, one := range all.Unwrap() {
			mustHide(t, name, shown(one))
		}
	})
	if planted < 40 {
		t.Errorf("only %d secrets are planted in the invalid files", planted)
	}
}

func TestNoConfigOrWarningShowsAKey(t *testing.T) {
	keys := 0
	corpus(t, "valid", func(_, name, text string) {
		cfg, err := parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		mustHide(t, name, shown(cfg))
		mustHide(t, name, shown(*cfg))
		for _, w := range cfg.Warnings {
			mustHide(t, name, shown(w))
		}
		for _, p := range cfg.Pool.Projects {
			mustHide(t, name, shown(p.Credentials))
			for _, key := range p.Keys {
				if !strings.Contains(key.Reveal(), marker) {
					t.Errorf("%s: a key is not one that was planted", name)
				}
				keys++
			}
		}
	})
	if keys < 5 {
		t.Errorf("the valid files have only %d keys", keys)
	}
}

// TestNoMisplacedKeyIsShown puts a key into every place of the file, one at a time: as every value,
// as every name and beside every line's syntax.
func TestNoMisplacedKeyIsShown(t *testing.T) {
	// A name of the user's own is shown, so a project's name is tried only with what can be told
	// from a name.
	for _, secret := range []string{canary, plainSecret} {
		corpus(t, "valid", func(_, name, text string) {
			lines := strings.Split(text, "\n")
			for i, line := range lines {
				key, value, _ := strings.Cut(line, "=")
				changes := []string{
					key + `= "` + secret + `"`,
					key + "= " + secret,
					key + `= "` + secret,
					key + `= ["` + secret + `"]`,
					key + `= ["env:` + secret + `", "` + secret + ` "]`,
					`"` + secret + `" = ` + value,
					"[" + secret + "]",
					"[[" + secret + "]]",
					secret,
					line + " " + secret,
					line + "\n" + `"` + secret + `" = "` + secret + `"`,
					line + "\n" + `"` + secret + `" = "` + secret + `"` + "\n" + `"` + secret + `" = 1`,
				}
				if strings.Contains(line, "name") && secret == plainSecret {
					changes = changes[1:]
				}
				for _, change := range changes {
					lines[i] = change
					cfg, err := parse(name, strings.Join(lines, "\n"))
					text := fmt.Sprint(err)
					if cfg != nil {
						text = fmt.Sprint(cfg.Warnings)
					}
					mustHide(t, fmt.Sprintf("%s with line %d changed", name, i+1), text)
				}
				lines[i] = line
			}
		})
	}
}
