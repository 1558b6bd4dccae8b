package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
)

// FuzzParse checks that any input ends in a config or in mistakes that stand within the file, and
// that none of them shows a key that has the form of one or comes from the environment or a file.
func FuzzParse(f *testing.F) {
	for _, kind := range []string{"valid", "invalid"} {
		corpus(f, kind, func(_, _, text string) { f.Add(text) })
	}
	f.Fuzz(func(t *testing.T, text string) {
		// What looks like no key may be a project's name and is then shown.
		text = strings.ReplaceAll(text, plainSecret, canary)
		cfg, err := parse("fuzz.toml", text)
		if (cfg == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", cfg != nil, err)
		}
		if err == nil {
			for _, w := range cfg.Warnings {
				if w.Line < 1 || w.Line > 1+strings.Count(text, "\n") || strings.Contains(w.String(), canary) {
					t.Errorf("warning out of the file, or with a key, at line %d", w.Line)
				}
			}
			for _, p := range cfg.Pool.Projects {
				for _, key := range p.Keys {
					if key.Reveal() == "" {
						t.Error("a config holds an empty key")
					}
				}
			}
			return
		}
		var all config.Errors
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("error of type %T", err)
		}
		for _, one := range all {
			if one.Line < 1 || one.Line > 1+strings.Count(text, "\n") {
				t.Errorf("line %d is not in the file: %s", one.Line, one.Problem)
			}
			if one.Problem == "" || one.Fix == "" || strings.Contains(one.Error(), "\n") {
				t.Errorf("not one whole line: %q", one.Error())
			}
		}
		for _, secret := range []string{canary, variables["ACCESS_TOKEN"], "file-CANARY-key"} {
			if strings.Contains(err.Error(), secret) {
				t.Error("an error shows a key")
			}
		}
	})
}
