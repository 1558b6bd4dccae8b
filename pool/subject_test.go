package pool_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/pool"
)

// hostile are names that look like the marks of a subject's text.
var hostile = []string{
	"", "plain", "a/b", "a//b", "/", ";", "a;tier=b", ";host=x", "%", "%2F", "%zz", "a b", " ", "\t\n", "ключ", "日本", "?",
	"a:b", ":", "=", "a=b=c", "+", "&", "#", "..", "\x00", "\xff\xfe", "https://[::1]:8080/v1;x=%25?q#f", "\u202e",
}

func TestSubjectsAreReadBackAsTheyWereWritten(t *testing.T) {
	texts := make(map[string]pool.Subject)
	for _, kind := range pool.Kinds() {
		for i, a := range hostile {
			for k, b := range hostile {
				c := hostile[(i+k)%len(hostile)]
				s := pool.Subject{Kind: kind, Method: a, Version: b, Tool: c, Traffic: pool.Traffic(a)}
				switch kind {
				case "key":
					s.Project, s.Credential, s.Host = a, b, c
				case "project":
					s.Project, s.Host = a, b
				case "model", "order":
					s.Project, s.Location, s.Model, s.Host = a, b, c, a
				case "server":
					s.Backend, s.Location, s.Model, s.Host = pool.Backend(a), b, c, b
				case "host":
					s.Host = a
				case "backend":
					s.Backend, s.Host = pool.Backend(a), b
				default:
					t.Fatalf("the test does not know subjects of kind %q", kind)
				}
				text := s.String()
				if back, err := pool.ParseSubject(text); err != nil || back != s {
					t.Fatalf("%+v is written as\n%q and read back as\n%+v (%v)", s, text, back, err)
				}
				if other, taken := texts[text]; taken && other != s {
					t.Fatalf("%+v and %+v are both written as %q", s, other, text)
				}
				texts[text] = s
			}
		}
	}
}

func TestSubjectsHaveTheTextsThatTheirCommentShows(t *testing.T) {
	for text, s := range map[string]pool.Subject{
		"key:p/0123456789abcdef":          {Kind: "key", Project: "p", Credential: "0123456789abcdef"},
		"project:p":                       {Kind: "project", Project: "p"},
		"model:p/m":                       {Kind: "model", Project: "p", Model: "m"},
		"model:p/eu/m":                    {Kind: "model", Project: "p", Location: "eu", Model: "m"},
		"model:m":                         {Kind: "model", Model: "m"},
		"model:m;method=embedContent":     {Kind: "model", Model: "m", Method: "embedContent"},
		"model:p/":                        {Kind: "model", Project: "p"},
		"model:p/eu/m;traffic=on_demand":  {Kind: "model", Project: "p", Location: "eu", Model: "m", Traffic: "on_demand"},
		"order:p/eu/m":                    {Kind: "order", Project: "p", Location: "eu", Model: "m"},
		"server:vertex/eu/m":              {Kind: "server", Backend: "vertex", Location: "eu", Model: "m"},
		"server:vertex/eu/m;host=h%2F%3B": {Kind: "server", Backend: "vertex", Location: "eu", Model: "m", Host: "h/;"},
		"host:h":                          {Kind: "host", Host: "h"},
		"backend:gemini":                  {Kind: "backend", Backend: "gemini"},
		"model:p/m;method=a;version=b;tool=c": {
			Kind: "model", Project: "p", Model: "m", Method: "a", Version: "b", Tool: "c",
		},
	} {
		if got := s.String(); got != text {
			t.Errorf("%+v is %q, want %q", s, got, text)
		}
		if got, err := pool.ParseSubject(text); err != nil || got != s {
			t.Errorf("%q is %+v (%v), want %+v", text, got, err, s)
		}
	}
}

func TestTextsThatAreNoSubjectsAreRefused(t *testing.T) {
	for _, text := range []string{
		"", ":", "key", "key:", "key:a", "key:a/b/c", "project", "project:a/b", "model", "model:a/b/c/d", "order:a/b",
		"server:a/b", "host:a/b", "backend:a/b", "planet:earth", "project:%", "project:%zz", "project:a;", "Project:a",
		"project:a;color=red", "project:a;tier=b", "project:a;tool=%", "project:a;;tool=b", "host:a;host=b", " project:a",
	} {
		got, err := pool.ParseSubject(text)
		if text == "project:a;" { // nothing follows: the same as without
			if err != nil {
				t.Errorf("%q is refused: %v", text, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%q is read as %+v", text, got)
		} else if got != (pool.Subject{}) || !strings.Contains(err.Error(), "is not a subject") {
			t.Errorf("%q gives %+v and %v", text, got, err)
		}
	}
}

func TestSubjectsOfKeysHaveSixteenHexDigitsAndNoKey(t *testing.T) {
	cfg := scene()
	cfg.Projects[0].Keys = []pool.Secret{pool.NewSecret(secretText), pool.NewSecret(secretText + "2")}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "a/global/on_demand")
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassKeyDead})
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassKeyDead})
		_, keys := c.Gates()
		if len(keys) != 2 || keys[0] == keys[1] {
			t.Fatalf("the keys are %+v", keys)
		}
		digits := regexp.MustCompile(`^key:a/[0-9a-f]{16}$`)
		rests := b.pool.Cooldowns(b.start)
		for _, k := range keys {
			if !digits.MatchString(k.String()) {
				t.Errorf("the subject is %q", k)
			}
			if rests[k].Class != pool.ClassKeyDead {
				t.Errorf("%s has the cooldown %+v", k, rests[k])
			}
			mustHide(t, "the subject", k.String())
		}
	})
}

func FuzzSubject(f *testing.F) {
	for _, name := range hostile {
		f.Add("model:" + name + "/" + name + ";tool=" + name)
		f.Add(pool.Subject{Kind: "order", Project: name, Location: name, Model: name, Tool: name}.String())
	}
	f.Add("key:p/0123456789abcdef")
	f.Add("server:vertex/us-central1/m;host=https:%2F%2Fexample.com")
	f.Add("model:p/?/m;tool=a;tool=b")
	f.Add("project:a;")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := pool.ParseSubject(text)
		if err != nil {
			if s != (pool.Subject{}) {
				t.Errorf("%q is refused and read as %+v", text, s)
			}
			return
		}
		again, err := pool.ParseSubject(s.String())
		if err != nil || again != s {
			t.Errorf("%q is read as\n%+v, written as\n%q and read again as\n%+v (%v)", text, s, s.String(), again, err)
		}
	})
}
