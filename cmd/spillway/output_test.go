package main

import (
	"context"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test's program the command itself where a test needs a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("SPILLWAY_TEST_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// full is a disk without room.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		n := f.left
		f.left = 0
		return n, syscall.ENOSPC
	}
	f.left -= len(p)
	return len(p), nil
}

func TestOutputThatIsLostIsAFailure(t *testing.T) {
	t.Setenv("SPARE_KEY_1", "a-key")
	sidecar := httptest.NewServer(respondWith(someSnapshot()))
	defer sidecar.Close()
	for _, args := range [][]string{
		{"check", "testdata/any.toml", "gemini-3.5-flash"}, {"emulate", "--listen", "127.0.0.1:0"}, {"version"}, {"version", "--json"}, {"check", "--json", "testdata/any.toml"}, {"completion", "zsh"}, {"init", "--out", "-"},
		{"status", sidecar.URL}, {"status", "--json", sidecar.URL}, {"status", "--watch", sidecar.URL}, {"help"}, {"help", "check"}, {"check", "--help"},
	} {
		for _, room := range []int{0, 5} {
			var stderr strings.Builder
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second) // emulate would serve on
			status := run(ctx, args, &full{room}, &stderr)
			if err := ctx.Err(); err != nil || status != statusFailed || !strings.Contains(stderr.String(), "no space left") {
				t.Errorf("%v ends with %d and %v, and says %q", args, status, err, &stderr)
			}
			stop()
		}
	}
}

func TestVersionNamesTheProgramAndItsPlatform(t *testing.T) {
	for _, arg := range []string{"version", "--version"} {
		status, text := transcript(t.Context(), arg)
		want := regexp.MustCompile(`\nspillway \S.*, ` + regexp.QuoteMeta(runtime.Version()+", "+runtime.GOOS+"/"+runtime.GOARCH) + `\n`)
		if status != statusOK || !want.MatchString(text) {
			t.Errorf("%s: %s", arg, text)
		}
	}
}

func TestControlCharactersAreShownAndNotSent(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ünïcödé and 日本語\n\tas it is": "plain, ünïcödé and 日本語\n\tas it is",
		"\x1b[31mred\x1b[0m":                 `\x1b[31mred\x1b[0m`,
		"\x1b]0;title\a":                     `\x1b]0;title\x07`,
		"a\rb\x00c\x7f\b":                    `a\x0db\x00c\x7f\x08`,
		"\u009b31m":                          `\u009b31m`,
		"\x9b31m":                            `\x9b31m`,
		"\u202egnp.exe\u2066\u2028":          `\u202egnp.exe\u2066\u2028`,
		"\ufffd":                             "\ufffd",
	} {
		var b strings.Builder
		if n, err := (&output{w: &b}).Write([]byte(text)); n != len(text) || err != nil || b.String() != want {
			t.Errorf("%q is printed as %q (%d, %v), want %q", text, &b, n, err, want)
		}
	}
}
