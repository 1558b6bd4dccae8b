package pool_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/pool"
)

// tokens gives another token each time.
type tokens struct {
	name string
	n    int
}

func (t *tokens) Token(context.Context) (*auth.Token, error) {
	t.n++
	return &auth.Token{Value: t.text(t.n)}, nil
}

func (t *tokens) text(n int) string { return fmt.Sprintf("ya29.%s-%05d", t.name, n) }

// authorized leases the endpoint, asks for its credential, and returns what is known then.
func authorized(t *testing.T, b *bed, endpoint string) []string {
	t.Helper()
	l := b.lease(b.start, b.candidate(flash, endpoint))
	defer l.Settle(b.start, pool.Outcome{Class: pool.ClassOK})
	if err := l.Authorize(t.Context(), http.Header{}, ""); err != nil {
		t.Fatal(err)
	}
	return l.Secrets()
}

func TestTokensThatWentOutAreSecrets(t *testing.T) {
	one, two := &tokens{name: "one"}, &tokens{name: "two"}
	first, second := keyless("one"), keyless("two")
	first.Credentials, second.Credentials = one, two
	inBubble(t, pool.Config{Projects: []pool.Project{first, second}}, func(t *testing.T, b *bed) {
		if got := authorized(t, b, "one/global/on_demand"); !slices.Equal(got, []string{one.text(1)}) {
			t.Errorf("after one token %q are known", got)
		}
		authorized(t, b, "two/global/on_demand")
		var got []string
		for range 1000 {
			got = authorized(t, b, "one/global/on_demand")
		}
		for _, want := range []string{one.text(1001), one.text(1000), one.text(999), two.text(1)} {
			if !slices.Contains(got, want) {
				t.Errorf("%s is not known among %d", want, len(got))
			}
		}
		if len(got) > 40 {
			t.Errorf("%d tokens are remembered", len(got))
		}
	})
}

func TestManyProjectsKeepABoundOnTokens(t *testing.T) {
	var cfg pool.Config
	const projects = 600
	for i := range projects {
		p := keyless(fmt.Sprint("p", i))
		p.Credentials = &tokens{name: p.Name}
		cfg.Projects = append(cfg.Projects, p)
	}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		known := 0
		for range 3 {
			for i := range projects {
				known = len(authorized(t, b, fmt.Sprintf("p%d/global/on_demand", i)))
			}
		}
		if known < 100 || known > 300 {
			t.Errorf("%d tokens of %d projects are remembered", known, projects)
		}
	})
}

// What calls under way were sent with may come back after a reload.
func TestFormerCredentialsStaySecrets(t *testing.T) {
	t.Parallel()
	tok := &tokens{name: "gone"}
	gone := keyless("gone")
	gone.Credentials = tok
	keyed := func(keys ...string) pool.Project {
		p := pool.Project{Name: "keyed", Backend: pool.BackendGemini}
		for _, k := range keys {
			p.Keys = append(p.Keys, pool.NewSecret(k))
		}
		return p
	}
	inBubble(t, pool.Config{Projects: []pool.Project{gone, keyed("key-first", "abc")}}, func(t *testing.T, b *bed) {
		authorized(t, b, "gone/global/on_demand")
		running := b.lease(b.start, b.candidate(flash, "keyed/global/on_demand"))
		b.reload(b.start, pool.Config{Projects: []pool.Project{keyed("key-second")}})
		want := []string{"key-first", "key-second", tok.text(1)} // "abc" is too short to be one
		if got := running.Secrets(); !slices.Equal(got, want) {
			t.Errorf("known are %q, want %q", got, want)
		}
		for i := range 3000 {
			b.reload(b.start, pool.Config{Projects: []pool.Project{keyed(fmt.Sprintf("key-%06d", i))}})
		}
		if got := running.Secrets(); len(got) > 1100 || !slices.Contains(got, "key-002998") {
			t.Errorf("%d keys are remembered after many reloads", len(got))
		}
		running.Settle(b.start.Add(time.Second), pool.Outcome{Class: pool.ClassOK})
	})
}

func TestPoolShowsNoSecret(t *testing.T) {
	p := keyless("prod")
	p.Credentials = &tokens{name: "canary"}
	keyed := pool.Project{Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key-canary")}}
	inBubble(t, pool.Config{Projects: []pool.Project{p, keyed}}, func(t *testing.T, b *bed) {
		authorized(t, b, "prod/global/on_demand")
		l := b.lease(b.start, b.candidate(flash, "studio/global/on_demand"))
		defer l.Settle(b.start, pool.Outcome{Class: pool.ClassOK})
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			for _, v := range []any{b.pool, l, l.Endpoint()} {
				if text := fmt.Sprintf(verb, v); strings.Contains(text, "canary") || strings.Contains(text, fmt.Sprintf("%x", "canary")) {
					t.Errorf("%s of a %T shows a secret", verb, v)
				}
			}
		}
	})
}
