package pool_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/pool"
)

const secretText = "AIzaSyCANARY0123456789abcdefghijklmnopq"

func TestSecretNeverShowsItselfWhereverItStands(t *testing.T) {
	s := pool.NewSecret(secretText)
	type hidden struct {
		s    pool.Secret
		list []pool.Secret
		any  any
	}
	values := map[string]any{
		"value":             s,
		"pointer":           &s,
		"slice":             []pool.Secret{s},
		"array":             [1]pool.Secret{s},
		"map value":         map[string]pool.Secret{"a": s},
		"map key":           map[pool.Secret]int{s: 1},
		"exported field":    struct{ S pool.Secret }{s},
		"unexported fields": hidden{s, []pool.Secret{s}, s},
		"pointer to fields": &hidden{s, []pool.Secret{s}, &s},
		"project":           pool.Project{Keys: []pool.Secret{s}},
		"config":            pool.Config{Projects: []pool.Project{{Keys: []pool.Secret{s}}}},
		"error":             fmt.Errorf("wrapped: %w", errors.New(fmt.Sprint(s))),
	}
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%10s", "%-10.3s", "%08b", "% x", "%c", "%U", "%e", "%t"}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			for _, verb := range verbs {
				mustHide(t, verb, fmt.Sprintf(verb, v))
			}
			if encoded, err := json.Marshal(v); err == nil {
				mustHide(t, "JSON", string(encoded))
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("text", slog.Any("v", v))
			slog.New(slog.NewJSONHandler(&log, nil)).Info("json", slog.Any("v", v))
			mustHide(t, "slog", log.String())
		})
	}
}

// mustHide fails if text holds the secret, as it is or in hexadecimal.
func mustHide(t *testing.T, how, text string) {
	t.Helper()
	plain := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	if strings.Contains(text, secretText) || strings.Contains(plain, fmt.Sprintf("%x", secretText)) || strings.Contains(text, "CANARY") {
		t.Errorf("%s shows the secret", how)
	}
}

func TestSecretPrintsAsAShortHashThatTellsKeysApart(t *testing.T) {
	s := pool.NewSecret(secretText)
	const want = "key-891064df"
	for _, got := range []string{s.String(), fmt.Sprint(s), fmt.Sprintf("%q", s), fmt.Sprintf("%#v", s), slog.AnyValue(s).String()} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if encoded, err := json.Marshal(s); err != nil || string(encoded) != `"`+want+`"` {
		t.Errorf("JSON %s, error %v", encoded, err)
	}
	if other := pool.NewSecret(secretText + "2"); other.String() == want {
		t.Error("two keys print the same")
	}
}

func TestSecretGivesItsTextOnlyToReveal(t *testing.T) {
	s := pool.NewSecret(secretText)
	if s.Reveal() != secretText {
		t.Error("Reveal differs from what NewSecret was given")
	}
	if s.String() != pool.NewSecret(strings.Clone(secretText)).String() {
		t.Error("secrets of the same text are not equal")
	}
	if s.String() == (pool.Secret{}).String() || s.String() == pool.NewSecret("other").String() {
		t.Error("different secrets are equal")
	}
}

func TestEmptySecretsAreAllTheZeroValue(t *testing.T) {
	if s := pool.NewSecret(""); s != (pool.Secret{}) || s.Reveal() != "" || s.String() != "key-none" {
		t.Errorf("NewSecret of nothing is %v", s)
	}
}
