package config

import (
	"cmp"
	"path"
	"strings"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// Token is what a client sends in place of an API key, and what it may do with it. Globs are those of
// [path.Match].
type Token struct {
	// Name is for messages and logs; no two have the same.
	Name string
	// Token is the text that the client sends.
	Token pool.Secret
	// Models and Locations are globs of what may serve its calls. Empty means all.
	Models, Locations []string
	// Priority is that of its calls. Calls of a batch token cannot be interactive. Empty means
	// interactive.
	Priority router.Priority
	// Concurrency bounds its calls under way. Zero means that they are not bounded.
	Concurrency int
	// Label counts its calls, see [router.Call]. Empty means Name.
	Label string
}

// token reads one of [[serve.token]], which may not repeat those before it.
func (t *table) token(before []Token) (k Token) {
	if t == nil {
		return k
	}
	k.Name, _ = t.text("name")
	if k.Name == "" {
		t.wrong(t.path.to("name"), "the token has no name", `write name = "team-a"`)
	}
	if text, ok := t.plainText("token"); ok {
		k.Token = t.secretToken(t.path.to("token"), "token", text)
	} else if _, written := t.values["token"]; !written {
		t.wrong(t.path, "the token has no text", `write token = "env:NAME" or "file:PATH"`)
	}
	for _, other := range before {
		if k.Name != "" && other.Name == k.Name {
			t.wrong(t.path.to("name"), "two tokens have the same name", "write another; both may have the same label")
		}
		if k.Token.Reveal() != "" && other.Token.Reveal() == k.Token.Reveal() {
			t.wrong(t.path.to("token"), "two tokens are the same", "write another, or remove one")
		}
	}
	k.Models, k.Locations = t.globs("models"), t.globs("locations")
	if word, ok := t.word("priority", string(router.PriorityInteractive), string(router.PriorityBatch)); ok {
		k.Priority = router.Priority(word)
	}
	count(t, "concurrency", &k.Concurrency)
	if k.Concurrency < 0 {
		t.wrong(t.path.to("concurrency"), "concurrency is negative", "write a value above 0, or leave it out")
	}
	k.Label, _ = t.text("label")
	if label := cmp.Or(k.Label, k.Name); len([]rune(label)) > maxLabel || strings.ContainsFunc(label, isControl) {
		t.wrong(t.path.to("label"), "the label is longer than 64 characters, or has control characters", `write a short one, such as "team-a"`)
	}
	t.end()
	return k
}

// maxLabel is the longest label that the router takes, in characters.
const maxLabel = 64

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// globs reads an array of globs.
func (t *table) globs(key string) []string {
	return t.normal(key, func(text string) (string, bool) {
		_, err := path.Match(text, "")
		return text, err == nil && text != ""
	}, " is not a glob", `write a name, or a glob such as "gemini-*"`)
}

// minToken is the length from which a token cannot be guessed, in characters.
const minToken = 16

// secretToken reads a token, or a reference to it.
func (t *table) secretToken(at fieldPath, what, text string) pool.Secret {
	text, ok := t.key(at, what, text)
	switch {
	case !ok:
		return pool.Secret{}
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		t.wrong(at, what+" has white space or characters that no header takes", "make one of letters and digits, such as by openssl rand -hex 32")
		return pool.Secret{}
	case len(text) < minToken:
		t.warn(at, what+" has fewer than 16 characters and can be guessed", "make a longer one, such as by openssl rand -hex 32")
	}
	return pool.NewSecret(text)
}
